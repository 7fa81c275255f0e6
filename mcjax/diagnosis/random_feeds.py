"""Apply the collapse law to a network of which many feeds are active at random.

Verdicts are those of the lift, which needs one vertex for a model. Growth and limit are of the mean
square over chains, from the moments of :mod:`mcjax.laws.first_order.random_shares`, by the
equations of :mod:`mcjax.laws.first_order.drawn_system`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.cures import repairs
from mcjax.diagnosis.graph import Paths, sources_of_models
from mcjax.diagnosis.long_run import Facts
from mcjax.diagnosis.reached import reached
from mcjax.diagnosis.schedules import rates_unknown
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.peeling import sound_in_any_order
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.drawn_system import MOST_ENTRIES, mean_rates
from mcjax.laws.first_order.random_shares import random_shares
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

LARGE = f"there are more than {MOST_ENTRIES:,} pairs of models, and feeds are drawn at random"
REUSED = (
    "real data are reused, and many feeds are drawn at random; the rates are of fresh real data"
)
EXACT = "many feeds are drawn at random, and the exact law averages over listed networks"


def diagnose_random_feeds(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network whose later generations are random feeds.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model. Rates are those of data of one curvature.
    """
    found = reached(net, facts, Lift(net))
    lift, flow, origins, noise, unknown, _ = found
    reason = rates_unknown(net, facts, 0) or _without_rates(net)
    radius, growth, limit = _rates(net, lift, noise, known=not reason)
    cyclic = in_cycles(flow)
    anchors = found.anchors_of_models()
    path_to, sources = Paths(flow, origins), sources_of_models(flow, origins, lift)
    models = {
        name: ModelVerdict(
            noise=None if unknown[i] else bool(noise[i]),
            forgets=bool(anchors[i]),
            explodes=False,
            radius=float(radius[i]) if cyclic[i] else None,
            growth=float(growth[i]) if noise[i] else None,
            limit=None if noise[i] or unknown[i] else float(limit[i]),
            sources=sources[i],
            anchors=anchors[i],
            explosions=(),
            path=tuple(lift.models[k] for k in path_to(i)),
            frozen=bool(lift.frozen[i]),
        )
        for i, name in enumerate(net.models)
    }
    return Diagnosis(
        models=models,
        unstable_sources=origins,
        explosions=(),
        repairs=repairs(origins),
        flips=(),
        inapplicable=reason,
        finite_sample=None if facts.regression is None else EXACT,
        drawn=True,
        in_any_order=sound_in_any_order(lift, facts.marked(net)),
    )


def _without_rates(net: Network) -> str:
    """Return why rates are not known, or an empty string."""
    if not all(map(net.renews, net.source_index)):
        return REUSED
    return LARGE if net.size**2 > MOST_ENTRIES else ""


def _rates(
    net: Network, lift: Lift, noise: Bool[np.ndarray, " M"], *, known: bool
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Return the radius of each model's component, growth and limit; nan where not known."""
    if not known:
        nothing = np.full(net.size, np.nan)
        return nothing, nothing, nothing
    shares, flow = random_shares(net), lift.flow()
    start = np.diag(1 / np.array(net.initial, float))
    growth, limit = mean_rates(
        shares, start=start, leaks=flow.anchored, grows=noise, constant=lift.frozen
    )
    return component_radii(flow, shares.mean), growth, limit
