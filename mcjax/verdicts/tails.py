"""Detect heavy tails, under which a standard error is not credible.

The standard error of an MSE depends on the fourth moment of the errors. If that moment is infinite,
or is dominated by chains rarer than any that were drawn, most runs underestimate the standard
error. Such a run can be recognised by a single chain that accounts for much of the spread: as the
number of chains grows, the share of the largest term in a sum of squares tends to 0 if and only if
the variance is finite (O'Brien, Journal of Applied Probability 17, 1980).

With few chains a single one accounts for much of the spread of normal errors too, which does no
harm. So the chain must also be farther off than is plausible for normal errors with the same
covariance C: their ``||e||^2`` is approximately a chi-squared variable, shifted and scaled, with
the same three moments, that is with ``nu = tr(C^2)^3 / tr(C^3)^2`` degrees of freedom (Imhof 1961).
Two moments would not do, because the tail is that of the direction in which errors are largest.
The probability of a false alarm is shared by all chains and cells of a condition, so that it does
not grow with their number.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import chdtrc

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome

LARGE_SHARE = 0.05
HEAVY = (
    f"heavy tail: a single chain accounts for more than {LARGE_SHARE:.0%} of the spread, far more"
    " than with normal errors, so the standard error is not credible"
)
ALIKE = "all chains have the same value, so there is no standard error"
HEAVY_TAIL_ODDS = 1e-4
"""Largest probability that normal errors are called heavy-tailed in any cell of a condition."""


def dominated(outcome: Outcome) -> Bool[np.ndarray, "T+1 M"]:
    """Return where a single chain dominates the spread of ``||e||^2``, shape (T + 1, M).

    Its share in the sum of squared deviations is large, and not plausible for normal errors.
    """
    squared, largest = outcome.moments.squared, outcome.largest
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share = (largest - squared.mean) ** 2 / squared.square
        beyond = squares_beyond(own_blocks(outcome), largest / squared.mean)
        odds = share.size * squared.chains * beyond
    return np.asarray((share > LARGE_SHARE) & (odds < HEAVY_TAIL_ODDS))


def squares_beyond(
    covariance: Float[np.ndarray, "*N p p"], ratio: Float[np.ndarray, "*N"]
) -> Float[np.ndarray, "*N"]:
    """Return the probability that ``||e||^2`` of a normal e exceeds a multiple of its mean."""
    unit = covariance / np.trace(covariance, axis1=-2, axis2=-1)[..., None, None]
    square = unit @ unit
    second = np.trace(square, axis1=-2, axis2=-1)
    third = np.trace(square @ unit, axis1=-2, axis2=-1)
    freedom = second**3 / third**2
    return np.asarray(chdtrc(freedom, freedom + (ratio - 1) * second / third))


def alike(moments: Moments) -> Bool[np.ndarray, " ..."]:
    """Return whether there are two chains or more that differ by rounding errors at most.

    The result has the shape of ``moments.mean``.
    """
    rounding = moments.chains * (1e-14 * moments.mean) ** 2
    same: Bool[np.ndarray, " ..."] = (moments.chains > 1) & (moments.square <= rounding)
    return same


def own_blocks(outcome: Outcome) -> Float[np.ndarray, "T+1 M p p"]:
    """Return the second moments of each model's own errors, shape (T + 1, M, p, p)."""
    product = outcome.moments.product.mean
    times, models, p = outcome.moments.error.mean.shape
    if product.ndim == 4:
        return product
    return np.einsum("tiaib->tiab", product.reshape(times, models, p, models, p))
