"""Find how fine-tuned models fail in networks whose feeds come and go, phase by phase.

The system of fits that take steps (:mod:`mcjax.laws.first_order.trained`) has a lift as that of
refits has (:mod:`mcjax.laws.first_order.lifted_system`): A, B and the noise are those of each
phase, and a fit that begins at last parameters is fed by them, too. Its eigenvalues tell who
explodes and who collapses, as they do where feeds stay (:mod:`mcjax.diagnosis.fine_tuning`).
Centres must stay at the truth: there is no weight decay, and no base with another truth. Importing
this module does not import JAX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.fine_tuning import check_progress
from mcjax.diagnosis.long_run import Facts, false_anchors
from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin, origins_in
from mcjax.laws.collapse.radius import component_radii, exploding
from mcjax.laws.first_order.collapse_rates import CollapseRates
from mcjax.laws.first_order.lifted_system import lifted
from mcjax.laws.first_order.limits import limit
from mcjax.laws.first_order.spectral_growth import growth_along
from mcjax.laws.law import Inapplicable
from mcjax.laws.prediction import mean_squares

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_ERRORS = 1_000
"""Largest product of models, phases and parameters."""
UNKNOWN = "fits take steps of a model that is not known; add [family]"
CARRIED = (
    "feeds come and go, and the state of the optimiser goes from one generation to the next; the"
    " long run is known for one that begins anew"
)
MEASURED = "steps are not linear, and the law by phase is for those that are"
MOVED = "a base or a weight decay moves centres, which the law by phase does not follow"


class StepsInPhases(NamedTuple):
    """The long run of fine-tuned models, of the V vertices of a lift.

    Attributes
    ----------
    flow : DataFlow
        Who feeds whom, last parameters included.
    origins : tuple of CollapseOrigin
        Where noise accumulates.
    explodes : ndarray of bool, shape (V,)
        Which vertices explode.
    radius : ndarray, shape (V,)
        Spectral radius on the component of each vertex.
    rates : CollapseRates
        Which vertices collapse or explode, with growth and limits.
    """

    flow: DataFlow
    origins: tuple[CollapseOrigin, ...]
    explodes: Bool[np.ndarray, " V"]
    radius: Float[np.ndarray, " V"]
    rates: CollapseRates


def steps_in_phases(facts: Facts, lift: Lift) -> StepsInPhases:
    """Return the long run of a condition whose fits take steps and whose feeds take turns.

    Raises
    ------
    Inapplicable
        If it is not known.
    """
    condition = facts.condition
    if condition is None:
        raise Inapplicable(UNKNOWN)
    # these import JAX
    from mcjax.laws.first_order.fine_tuning import StepsOfModels, reason_against, systems_of

    reason = reason_against(condition)
    if reason is not None:
        raise Inapplicable(reason.sentence)
    net, p = condition.network, len(condition.theta)
    if len(lift.model) * p > MOST_ERRORS:
        raise Inapplicable(
            f"there are more than {MOST_ERRORS:,} models times phases and parameters"
        )
    steps = StepsOfModels(condition)
    system, information = next(systems_of(condition, steps))
    assert steps.last is not None, "there is a table"
    if steps.measured:
        raise Inapplicable(MEASURED)
    if system.hidden:
        raise Inapplicable(CARRIED)
    pushes = [each.push for each in (*system.before, system) if each.push is not None]
    if any(push.any() for push in pushes) or false_anchors(net, facts).any():
        raise Inapplicable(MOVED)
    check_progress(steps.last.kept[~system.frozen])
    whole = lifted(system, lift.frozen[: net.size])
    flow = _with_starts(lift, steps.starts.edges)
    radius = component_radii(flow, whole.transition, p)
    slopes, settles = growth_along(whole, flow)
    inverse = np.linalg.inv(information.real.hessian)
    unit = float(np.trace(inverse @ information.real.score_covariance @ inverse))
    explodes = exploding(flow, radius)
    closed = origins_in(lift, [flow])
    limits = mean_squares(limit(whole, settles), len(settles))
    rates = CollapseRates(
        ~settles,
        np.where(settles, np.nan, slopes) / unit,
        np.where(settles, limits, np.nan) / unit,
    )
    grows = ~settles & ~explodes
    return StepsInPhases(
        flow,
        tuple(origin for origin in closed if grows[list(origin.indices)].all()),
        explodes=explodes,
        radius=radius,
        rates=rates,
    )


def _with_starts(lift: Lift, starts: dict[int, int]) -> DataFlow:
    """Return the data flow of a lift in which fits begin at last parameters of models."""
    flow, count = lift.flow(), len(lift.model)
    fits = np.flatnonzero(~lift.kept & np.isin(lift.model, list(starts)))
    begins = np.array([starts[i] for i in lift.model[fits].tolist()], int)
    before = lift.at(begins, (lift.phase[fits] - 1) % lift.periods[begins])
    origin = np.append(flow.feeders.ends, before)
    reader = np.append(flow.feeders.origins, fits)
    feeders, readers = Adjacency(reader, origin, count), Adjacency(origin, reader, count)
    return DataFlow(feeders, readers, flow.anchored)
