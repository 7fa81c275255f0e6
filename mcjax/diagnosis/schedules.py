"""Apply the collapse law to a network whose feeds come and go, phase by phase.

The law is that of the lift (:mod:`mcjax.laws.collapse.lift`), a static network of models in their
phases. A model is called by the worst of its phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mcjax.diagnosis.cures import repairs
from mcjax.diagnosis.early import followed
from mcjax.diagnosis.fine_tuning import BY_RADIUS, SCHEDULE
from mcjax.diagnosis.graph import Paths, sources_of_models
from mcjax.diagnosis.long_run import Facts, alike
from mcjax.diagnosis.reached import reached
from mcjax.diagnosis.steps_in_phases import steps_in_phases
from mcjax.diagnosis.verdict import Diagnosis, ModelVerdict, PhaseVerdict
from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin, collapsing
from mcjax.laws.collapse.peeling import sound_in_any_order
from mcjax.laws.collapse.periods import reached_in_periods
from mcjax.laws.collapse.radius import component_radii, in_cycles
from mcjax.laws.first_order.collapse_rates import CollapseRates, collapse_rates
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.law import Inapplicable
from mcjax.models.information import UNIT
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float, Int

MOST_COMMON = 200_000
"""Largest number of models times phases up to which all models have the phases of the network."""
MOST_RATES = 2_000
"""Largest number of models times phases for which rates are computed."""
DIFFERENT = (
    "feeds come and go, and fits are penalised, or data selected or of several laws; the rates of"
    " phases are those of whole samples of one law"
)
POOLED = "feeds come and go, and data accumulate; the rates of phases are for replaced data"
LARGE = f"there are more than {MOST_RATES:,} models times phases, for which no rates are computed"
EXACT = "feeds come and go, and the exact law is for feeds that stay"
OWN_COVARIATES = "models generate rows with covariates of their own, and the law is for one"


def diagnose_schedule(net: Network, facts: Facts) -> Diagnosis:
    """Return the diagnosis of a network whose feeds take turns for ever.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model. Rates are those of data of one curvature.

    Raises
    ------
    InputError
        If there are too many models in too many phases.
    """
    vertices = net.size * net.later.turns

    if vertices <= MOST_COMMON:
        found = reached(net, facts, Lift(net))
    else:
        found = reached_in_periods(net, partial(reached, net, facts))
    lift, flow, origins, noise, unknown, _ = found
    reason = rates_unknown(net, facts, vertices)
    radius, rates = _rates(net, lift, flow, origins, known=not reason)
    explodes = np.zeros(len(lift.model), bool)
    if not facts.refits:
        try:
            flow, origins, explodes, radius, rates = steps_in_phases(facts, lift)
            noise, unknown, reason = rates.collapses & ~explodes, np.zeros_like(noise), ""
        except Inapplicable as error:
            reason = str(error)
    anchors = found.anchors_of_models()
    largest = np.full(net.size, -np.inf)
    cyclic = in_cycles(flow)
    with np.errstate(invalid="ignore"):  # of a radius that is not known
        np.maximum.at(largest, lift.model[cyclic], radius[cyclic])
    fails = noise | explodes
    slopes = np.where(fails, np.nan_to_num(rates.growth, nan=0.0), -np.inf)
    path_to, sources = Paths(flow, origins), sources_of_models(flow, origins, lift)
    columns = (unknown, fails, rates.growth, rates.limit)
    models = {}
    for i, name in enumerate(net.models):
        own = lift.of_model(i)
        phases = Phases(own, columns)
        worst = int(slopes[own].argmax())
        noisy, settled = bool(noise[own].any()), not unknown[own].any()
        exploded = bool(explodes[own].any())
        models[name] = ModelVerdict(
            noise=noisy if noisy or settled else None,
            forgets=bool(anchors[i]),
            explodes=exploded,
            radius=None if largest[i] == -np.inf else float(largest[i]),
            growth=None if exploded else phases[worst].growth,
            limit=None if noisy or exploded or not settled else float(rates.limit[own].max()),
            sources=sources[i],
            anchors=anchors[i],
            explosions=(),
            path=tuple(lift.models[v] for v in path_to(int(own[worst]))),
            frozen=bool(lift.frozen[own[0]]),
            phases=phases,
        )
    return Diagnosis(
        models=models if reason or not facts.refits else followed(net, models),
        unstable_sources=origins,
        explosions=(),
        repairs=repairs(origins),
        flips=(),
        inapplicable=reason,
        note="" if facts.refits or reason else BY_RADIUS,
        finite_sample=None if facts.regression is None else EXACT,
        in_any_order=sound_in_any_order(lift, facts.marked(net)),
    )


class Phases(Sequence[PhaseVerdict]):
    """The verdicts on the phases of a model, made when they are asked for.

    Parameters
    ----------
    own : ndarray of int, shape (L,)
        The vertices of the model.
    columns : tuple of ndarray, shape (V,)
        Where the verdict is unknown, where noise accumulates, growth and limit.
    """

    def __init__(self, own: Int[np.ndarray, " L"], columns: tuple[np.ndarray, ...]):
        self._own, self._columns = own, columns

    def __len__(self) -> int:
        return len(self._own)

    def __getitem__(self, z):  # type: ignore[no-untyped-def]  # one phase, or some
        if isinstance(z, slice):
            return tuple(self[k] for k in range(len(self))[z])
        place = range(len(self))[z]
        return phase_verdict(place, *(column[self._own[place]].item() for column in self._columns))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


def rates_unknown(net: Network, facts: Facts, vertices: int) -> str:
    """Return why rates and radii are not known, or an empty string."""
    if not facts.refits:
        return SCHEDULE
    if not alike(net, facts):
        return DIFFERENT
    if not net.memory.current_only:
        return POOLED
    return LARGE if vertices > MOST_RATES else ""


def phase_verdict(z: int, unknown: bool, grows: bool, growth: float, limit: float) -> PhaseVerdict:
    """Return the verdict on a model in one phase."""
    if unknown:
        return PhaseVerdict(z, collapses=None, growth=None, limit=None)
    if grows:
        return PhaseVerdict(z, collapses=True, growth=float(growth), limit=None)
    return PhaseVerdict(z, collapses=False, growth=None, limit=float(limit))


def _rates(
    net: Network, lift: Lift, flow: DataFlow, origins: tuple[CollapseOrigin, ...], known: bool
) -> tuple[Float[np.ndarray, " V"], CollapseRates]:
    """Return the radius of each vertex's component and the rates, nan where not known."""
    nothing = np.full(len(lift.model), np.nan)
    collapses = collapsing(flow, origins)
    if not known:
        return nothing, CollapseRates(collapses, nothing, nothing)
    system = lifted(linear_system(net, UNIT), lift.frozen[: net.size])
    rates = collapse_rates(flow, origins, system)
    return component_radii(flow, system.transition), rates
