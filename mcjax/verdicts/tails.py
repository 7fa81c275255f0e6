"""Whether the spread of the chains says how far their mean may be off.

The standard error of an MSE estimates the fourth moment of the errors. Where that moment is
infinite, or so large that it hangs on chains rarer than any that were drawn, most runs find too
small a standard error. Such a run shows in one chain that makes much of the spread: the share of
the largest term in a sum of squares tends to 0 with more chains if and only if the variance is
finite (O'Brien, Journal of Applied Probability 17, 1980).

With few chains one of them makes much of the spread of normal errors as well, and does no harm. So
it must also be farther off than normal errors with the same covariance would bring it: their
``||e||^2`` is close to ``tr(C) / nu`` times a chi-squared variable with ``nu = tr(C)^2 / tr(C^2)``
degrees of freedom (Satterthwaite 1946).
"""

from __future__ import annotations

import numpy as np
from scipy.special import chdtrc

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome

LARGE_SHARE = 0.05
HEAVY = (
    f"heavy tail: a single chain makes more than {LARGE_SHARE:.0%} of the spread, far from what"
    " normal errors do, so the standard error is not credible"
)
ALIKE = "all chains have the same value, which tells no standard error"
HEAVY_TAIL_ODDS = 1e-4
"""Probability, cell by cell, that normal errors are called heavy-tailed."""


def dominated(outcome: Outcome) -> np.ndarray:
    """Return how much of the spread of ``||e||^2`` the chain farthest off makes, shape (T + 1, M).

    It is a share of the sum of squared deviations, and 0 where that is small or what normal errors
    would do.
    """
    squared, largest = outcome.moments.squared, outcome.largest
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = (largest - squared.mean) ** 2 / squared.square
        second = own_blocks(outcome)
        trace = np.einsum("tiaa->ti", second)
        freedom = trace**2 / np.einsum("tiab,tiab->ti", second, second)
        odds = squared.chains * chdtrc(freedom, freedom * largest / squared.mean)
    return np.where((share > LARGE_SHARE) & (odds < HEAVY_TAIL_ODDS), share, 0.0)


def alike(moments: Moments) -> np.ndarray:
    """Return whether two chains or more differ by rounding at most, in the shape of the mean."""
    rounding = moments.chains * (1e-14 * moments.mean) ** 2
    same: np.ndarray = (moments.chains > 1) & (moments.square <= rounding)
    return same


def own_blocks(outcome: Outcome) -> np.ndarray:
    """Return each model's own part of the second moments, shape (T + 1, M, p, p)."""
    product = outcome.moments.product.mean
    times, models, p = outcome.moments.error.mean.shape
    if product.ndim == 4:
        return product
    return np.einsum("tiaib->tiab", product.reshape(times, models, p, models, p))
