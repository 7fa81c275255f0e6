"""Apply the collapse law to a network whose feeds are drawn at random.

The law is that of the lift (:mod:`mcjax.laws.collapse.lift`), for the mean square over chains of
which each draws its own networks. Rates are those of
:mod:`mcjax.laws.first_order.drawn_system`. A model has the rates of the mean over networks, and its
phases are the networks that may be there.

The mean square, because no bound holds for the worst generation of one sequence: arbitrarily long
outages happen in the end, and what is passed on in them grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.cures import repairs
from mcjax.diagnosis.early import followed
from mcjax.diagnosis.explosion import FiniteSample, finite_sample_drawn
from mcjax.diagnosis.fine_tuning import EXACT as STEPS_EXACT
from mcjax.diagnosis.graph import Paths, sources_of_models
from mcjax.diagnosis.long_run import Facts
from mcjax.diagnosis.reached import reached
from mcjax.diagnosis.schedules import OWN_COVARIATES, phase_verdict, rates_unknown
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict
from mcjax.errors import InputError
from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.peeling import sound_in_any_order
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.drawn_system import (
    MOST_ENTRIES,
    DrawnRates,
    DrawnSystem,
    drawn_rates,
    drawn_system,
    reads_real,
)
from mcjax.models.information import UNIT
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_VERTICES = 200_000
"""Largest number of models times networks of a diagnosis."""
MOST_EDGES = 5_000_000
"""Largest number of pairs of networks times models of a diagnosis."""
LARGE = f"there are more than {MOST_ENTRIES:,} pairs of models in networks that are drawn"
MOST_SHOWN = 64
"""Largest number of networks for which models have a verdict each if they are independent."""


def diagnose_drawn(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network whose later generations are :class:`mcjax.Drawn`.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model. Rates are those of data of one curvature.

    Raises
    ------
    InputError
        If there are too many models in too many networks.
    """
    law = net.later
    assert isinstance(law, Drawn), "others have a diagnosis of their own"
    pairs = 1 if law.independent else law.turns**2
    if net.size * law.turns > MOST_VERTICES or net.size * pairs > MOST_EDGES:
        raise InputError(
            "network.later",
            f"has {law.turns:,} generations of {net.size:,} models to draw, which are too many"
            " together; give fewer",
        )
    found, size = reached(net, facts, Lift(net)), net.size
    lift, flow, origins, noise, unknown, _ = found
    rows = (lift.phases, size)
    # in the mean over independent networks a model has one verdict, which each network passes on
    grows, open_ = (_by_network(law, net, marks.reshape(rows)) for marks in (noise, unknown))
    if not facts.refits:  # what a fit starts from passes errors on as well, whatever it reads
        open_ = np.tile(~lift.frozen[:size], (law.turns, 1))
    reason = rates_unknown(net, facts, 0)
    if not reason and lift.phases * size**2 > MOST_ENTRIES:
        reason = LARGE
    rates = DrawnRates(*np.full((2, law.turns, size), np.nan))
    radius = np.full(lift.phases * size, np.nan)
    if not reason:
        system = drawn_system(net, UNIT)
        rates = drawn_rates(system, reads_real(net), noise.reshape(rows))
        radius = component_radii(flow, _mean_transition(system, lift.phases))
    largest = np.where(in_cycles(flow), radius, -np.inf).reshape(rows).max(0)
    # of the mean over networks; where groups of them take turns, of the worst turn
    slopes, limits = (np.max(law.groups @ table, axis=0) for table in (rates.growth, rates.limit))
    anchors = found.anchors_of_models()
    path_to, sources = Paths(flow, origins), sources_of_models(flow, origins, lift)
    shown = law.turns if law.turns <= MOST_SHOWN or not law.independent else 0
    columns, models = (open_, grows, rates.growth, rates.limit), {}
    for i, name in enumerate(net.models):
        noisy, settled = bool(grows[:, i].any()), not open_[:, i].any()
        worst = int(noise.reshape(rows)[:, i].argmax()) * size + i
        models[name] = ModelVerdict(
            noise=noisy if noisy or settled else None,
            forgets=bool(anchors[i]),
            explodes=False,
            radius=None if largest[i] == -np.inf else float(largest[i]),
            growth=float(slopes[i]) if noisy else None,
            limit=None if noisy or not settled else float(limits[i]),
            sources=sources[i],
            anchors=anchors[i],
            explosions=(),
            path=tuple(lift.models[k] for k in path_to(worst)),
            frozen=bool(lift.frozen[i]),
            phases=tuple(map(phase_verdict, range(shown), *(table[:, i] for table in columns))),
        )
    return Diagnosis(
        models=models if reason else followed(net, models),
        unstable_sources=origins,
        explosions=(),
        repairs=repairs(origins),
        flips=(),
        inapplicable=reason,
        finite_sample=_exact(net, facts, lift, flow),
        drawn=True,
        in_any_order=sound_in_any_order(lift, facts.marked(net)),
    )


def _exact(net: Network, facts: Facts, lift: Lift, flow: DataFlow) -> FiniteSample | str | None:
    """Return the exact law for linear regressions, or why it does not apply."""
    if facts.regression is None:
        return None
    if not facts.refits:
        return STEPS_EXACT
    if facts.regression.own is not None:
        return OWN_COVARIATES
    return finite_sample_drawn(net, facts.regression.parameters, lift=lift, flow=flow)


def _by_network(
    law: Drawn, net: Network, marks: Bool[np.ndarray, "L M"]
) -> Bool[np.ndarray, "K M"]:
    """Return which models are marked in each network: those that read one that is marked."""
    if not law.independent:
        return marks
    result = np.zeros((law.turns, net.size), bool)
    for z, table in enumerate(net.tables):
        for i, feeds in enumerate(table):
            read = [net.index[f.origin] for f in feeds if f.weight and f.origin in net.index]
            result[z, i] = marks[0, read if feeds else [i]].any()
    return result


def _mean_transition(system: DrawnSystem, phases: int) -> Float[np.ndarray, "V V"]:
    """Return the transition of mean errors, of models in networks or in the mean over them."""
    a = system.transitions[:, : system.size, : system.size]
    if phases == 1:
        return np.asarray(np.einsum("z,zij->ij", system.chances, a))
    lifted = np.einsum("zy,zij->ziyj", system.before, a)
    return np.asarray(lifted.reshape(phases * system.size, -1))
