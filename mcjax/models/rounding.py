"""Precision needed of labels: the unit roundoff at which rounding begins to replace noise.

Each function is the attribute ``rounding`` of a model, ``(params, theta, covariance, rows) ->
float``. With a smaller unit roundoff, rounding adds at most about a thousandth to the variance of
estimates, or to a probability. It is infinite where nothing can be lost.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from mcjax.estimators.predictor import Params

SHARE = 0.01
"""Largest rounding error in standard deviations of what it is added to."""
CHANCE = 1e-3
"""Largest relative error of a probability."""
DOUBLE = 2.0**-53


def location_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for ``y = x'theta + sigma eps``, with as many rows in the largest fit.

    A label is rounded as ``x'theta`` is, and the parameters of a generating model are rounded to a
    share of theta, while their standard error is smaller than the noise by ``sqrt(rows)``.
    """
    return beside(math.sqrt(float(theta @ cov @ theta)), float(params["sigma"]), rows)


def normal_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for normal rows with theta = (mean, variance)."""
    return beside(abs(float(theta[0])), math.sqrt(theta[1]), rows)


def count_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for counts with theta = (rate,), which may be small or large."""
    rate = float(theta[0])
    return min(CHANCE / 10 * rate, beside(rate, math.sqrt(rate), rows))


def log_linear_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for counts with mean ``exp(x'theta)``, at most that of double precision.

    Rounding of ``eta = x'theta`` is compared with the standard deviation of the largest counts that
    matter, three standard deviations of eta above where the information is.
    """
    spread = math.sqrt(float(theta @ cov @ theta))
    eta = spread**2 + 3 * spread
    return max(SHARE / eta * math.exp(-eta / 2), DOUBLE) if eta > 0 else math.inf


def chance_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for theta = (probability of 1,), which is exact near 0 but not near 1."""
    return CHANCE * (1 - float(theta[0])) or math.inf


def class_rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    """Return the limit for classes with probabilities theta, of which cumulative sums are taken."""
    return CHANCE / 4 * float(theta[theta > 0].min())


def beside(signal: float, noise: float, rows: int) -> float:
    """Return the unit roundoff of a signal that is small beside noise of means over the rows."""
    if signal == 0 or noise == 0:
        return math.inf
    return SHARE * noise / (signal * math.sqrt(rows))
