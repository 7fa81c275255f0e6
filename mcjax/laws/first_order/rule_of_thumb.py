"""Rule of thumb for the departure of finite samples from the first-order law.

It serves where no second-order law says so
(:func:`mcjax.laws.second_order.m_estimators.corrections`). With p parameters, the departure allowed
at generation t is ``per_row (p + 1) (t + 1) / (n - p - 1)`` of second moments, see
:class:`mcjax.models.allowance.Allowance`. Here n counts information, not rows:

* Rows of weights w count as ``(sum w)^2 / sum w^2`` rows.
* Where few rows hold most of the information, all count less. The curvature r2 of the loss gives
  one row the leverage ``r2 x'J^-1 x / n`` in a fit of n rows. Its third power is, on average,
  ``Lambda / n^3``, and ``p (p + 2) (p + 4) / n^3`` for least squares. So n is divided by the square
  root of the ratio of the two, if that is above 1.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from mcjax.laws.first_order.file_population import concentration_of_rows
from mcjax.laws.law import Inapplicable
from mcjax.laws.second_order.moments import Generations, axis_of, expansions
from mcjax.laws.second_order.row_tensors import grid_for
from mcjax.laws.second_order.samples import Sample
from mcjax.laws.second_order.validity import leverage_of
from mcjax.models.allowance import UNMEASURED
from mcjax.models.scores import ScoreMoments
from mcjax.study.study import Condition


def allowance(condition: Condition, generations: int, rows: float) -> Float[np.ndarray, " T+1 #M"]:
    """Return the relative departures of second moments that finite samples explain.

    ``rows`` are the effective rows of the fit that has fewest.
    """
    size, p = condition.network.size, len(condition.theta)
    stated = condition.model.allowance or UNMEASURED
    spare = rows / _concentration(condition) - p - 1
    share = stated.per_row * (p + 1) / spare if spare > 0 else np.inf
    kink = 2 * (p + 1) / np.sqrt(rows) if stated.kink else 0.0
    return np.repeat(kink + share * np.arange(1, generations + 2)[:, None], size, axis=1)


def effective_rows(condition: Condition) -> float:
    """Return the effective rows of the fit that has fewest: ``(sum w n)^2 / sum w^2 n``."""
    net = condition.network
    return min(
        sum(f.weight * f.samples for f in feeds) ** 2 / sum(f.weight**2 * f.samples for f in feeds)
        for table in (net.first_by_reader, *net.tables)
        for feeds in table
        if feeds
    )


@np.errstate(all="ignore")  # what is not finite allows everything
def _concentration(condition: Condition) -> float:
    """Return the factor by which real rows count less than those of least squares, at least 1.

    It is 1 where the model does not state the moments of its curvature.
    """
    scores, p = condition.model.scores, len(condition.theta)
    if condition.sources.from_files:
        return math.sqrt(concentration_of_rows(condition))
    if not (isinstance(scores, ScoreMoments) and scores.expansion is not None):
        return 1.0
    try:
        axis = axis_of(condition)
    except Inapplicable:
        return 1.0
    try:
        size, grid = condition.network.size, grid_for(axis.gamma)
    except Inapplicable:
        return math.inf
    one = Generations(([Sample(1, size, None, {0: 1.0})],), (0,), {})
    found = leverage_of(one, expansions(condition, grid, axis.gamma), grid, size=1, p=p)
    ratio = float(found[0, 0]) / (p * (p + 2) * (p + 4))
    return math.sqrt(max(ratio, 1.0)) if math.isfinite(ratio) else math.inf
