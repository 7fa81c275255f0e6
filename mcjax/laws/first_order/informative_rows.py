"""Share of rows that hold half of the information of a fit.

The curvature of the loss of a row is ``w(eta)``, and eta is normal. If theta is large, few rows
have nearly all of it: those of large means in Poisson regression, and those whose label is in doubt
in logistic regression. A fit that has less than one of them is nothing like an expansion in 1/n.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from mcjax.laws.first_order.rule_of_thumb import effective_rows
from mcjax.laws.law import Reason
from mcjax.models.scores import ScoreMoments
from mcjax.study.study import Condition

SMALLEST, LARGEST, NODES = 1e-12, 37.0, 6001
"""Distances from 0, in standard deviations, between which a predictor is, and how many are taken;
they are apart by a factor, because theta may have any size."""


def too_few_informative(condition: Condition) -> Reason | None:
    """Return that a fit has less than one of the rows that hold half of its information, or None.

    It is also None where the curvature is not known as a function of one normal predictor.
    """
    scores = condition.model.scores
    if not isinstance(scores, ScoreMoments) or not condition.centred:
        return None
    variance = float(condition.theta @ condition.covariance @ condition.theta)
    share, rows = informative_share(condition, math.sqrt(variance)), effective_rows(condition)
    if rows * share >= 1:
        return None
    told, remedy = f"of {share:.1g} of the rows", "give more samples, or another theta"
    if share == 0:  # no number of samples helps
        told, remedy = "of the rows too small to compute", "give another theta"
    return Reason(
        f"half of the information is that of a share {told}, and a fit of {rows:,.0f} has less"
        f" than one of these (theta too large); {remedy}"
    )


@np.errstate(all="ignore")  # what overflows is in a share of 0
def informative_share(condition: Condition, gamma: float) -> float:
    """Return the share of rows that hold half of the curvature, for a predictor N(0, gamma^2)."""
    scores = condition.model.scores
    assert isinstance(scores, ScoreMoments), "whoever calls has asked"
    z = np.geomspace(SMALLEST, LARGEST, NODES)
    rows = _density(z) * z * math.log(LARGEST / SMALLEST) / (NODES - 1)
    z, rows = np.concatenate([-z, z]), np.tile(rows, 2)
    curvature = scores.mean(condition.model.params, gamma * z, gamma * z, True).by_reader
    if not np.isfinite(curvature).all():
        return 0.0
    order = np.argsort(-curvature, kind="stable")
    held = np.cumsum((rows * curvature)[order])
    first = int(np.searchsorted(held, held[-1] / 2))
    return float(rows[order][: first + 1].sum())


def _density(z: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    return np.asarray(np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))
