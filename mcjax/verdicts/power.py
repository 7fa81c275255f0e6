"""Predict how likely a study is to refute a wrong law if another law is true.

The true law describes what is simulated: errors are taken to be normal with its covariances. Each
quantity derives its own chances from that (``chances``); this module holds what they share. Chances
allow for the skewness and kurtosis of what chains contribute, because intervals of skewed means
reach farther on one side (:mod:`mcjax.verdicts.quadratic_forms`). For several cells, the reported
chance is the largest of any cell, at the first level of Holm's procedure. All cells together refute
the law at least as often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from mcjax.engine.powers import NonNormality
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.verdicts.skewed_means import Tails, reaches

Chance = Callable[[float], float]
"""Probability of refuting, as a function of the number of chains."""
Amplification = Float[np.ndarray, " N"]
"""Standard errors of the limits of a ladder over those of their rungs."""
FEWEST_CHAINS, MOST_CHAINS = 32, 2**40
"""Range in which a number of chains is sought; with fewer, means of squares are far from normal."""


def true_law(predictions: Predictions, asymptotic: bool) -> Prediction | None:
    """Return the law that stands for the truth among a condition's own laws, None without one.

    An ``asymptotic`` law is preferred for a limit, otherwise one for every sample size.
    """
    laws = sorted(predictions.laws.values(), key=lambda law: law.asymptotic != asymptotic)
    return laws[0] if laws else None


def likeliest(
    chances: Sequence[Chance], chains: float, power: float
) -> tuple[int, float, int | None]:
    """Find the cell that is most likely to refute a law.

    Parameters
    ----------
    chances : sequence of Chance
        One for each cell.
    chains : float
        Number of chains of the study.
    power : float
        Requested probability of refuting the law.

    Returns
    -------
    position : int
        Position of the cell with the largest chance at ``chains``.
    chance : float
        Its chance there.
    needed : int or None
        Number of chains, to 1%, at which the largest chance reaches the power; None if no number
        does.
    """

    def largest(n: float) -> float:
        return max(chance(n) for chance in chances)

    values = [chance(chains) for chance in chances]
    position = int(np.argmax(values))
    if largest(MOST_CHAINS) < power:
        return position, values[position], None
    low, high = float(FEWEST_CHAINS), float(MOST_CHAINS)
    while high / low > 1.01:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if largest(middle) >= power else (middle, high)
    return position, values[position], math.ceil(high)


def mean_chances(
    level: float,
    *,
    beyond: Float[np.ndarray, " N"],
    side: Float[np.ndarray, " N"],
    spread: Float[np.ndarray, " N"],
    error: Float[np.ndarray, " N"] | float = 0.0,
    skewness: Float[np.ndarray, " N"] | float = 0.0,
    kurtosis: Float[np.ndarray, " N"] | float = 0.0,
    tails: Tails = Tails.MEASURED,
) -> list[Chance]:
    """Return the chance, for each of N cells, that a mean is found to lie beyond an edge.

    Parameters
    ----------
    level : float
        Level of each claim.
    beyond : ndarray of shape (N,)
        Distance of the true mean beyond the edge; negative inside.
    side : ndarray of shape (N,)
        +1 if the mean lies above the edge, -1 if it lies below.
    spread : ndarray of shape (N,)
        Standard deviation of one chain's contribution.
    error : ndarray of shape (N,), optional
        Standard error of the prediction.
    skewness, kurtosis : ndarray of shape (N,), optional
        Skewness and excess kurtosis of one chain's contribution; 0 if it is normal.
    tails : Tails, optional
        What claims know of the values of the mean.

    Returns
    -------
    list of Chance
        One for each cell.
    """
    rows = np.broadcast_arrays(beyond, side, spread, error, skewness, kurtosis)
    return [_mean_chance(level, tails, *map(float, row)) for row in np.stack(rows, axis=-1)]


def _mean_chance(
    level: float,
    tails: Tails,
    beyond: float,
    side: float,
    spread: float,
    error: float,
    skewness: float,
    kurtosis: float,
) -> Chance:
    fewest = tails.fewest_chains(level)

    def chance(n: float) -> float:
        if n < fewest:
            return 0.0
        # the error of the judged law is the same in every run, so it widens the interval alone
        width = spread / math.sqrt(n)
        total = math.hypot(width, error)
        shape = shape_of_mean(skewness, kurtosis, n, width / total if total else 1.0)
        down, up = map(float, reaches(level, int(n) - 1, shape))
        z = -down if side > 0 else up
        end = width * float(interval_end_spread(z, skewness, kurtosis, n))
        left = beyond - abs(z) * total
        value = float(ndtr(left / end)) if end > 0 else float(left > 0)
        return value if math.isfinite(value) else 0.0

    return chance


def shape_of_mean(
    skewness: Float[Any, " ..."], kurtosis: Float[Any, " ..."], n: float, share: Float[Any, " ..."]
) -> NonNormality:
    """Return the shape of the mean of n terms whose error is a share of the total error."""
    excess = np.maximum(kurtosis - 1.5 * skewness**2, 0.0)
    return NonNormality(skewness / math.sqrt(n) * share**3, excess / n * share**4)


def interval_end_spread(
    z: Float[Any, " ..."], skewness: Float[Any, " ..."], kurtosis: Float[Any, " ..."], n: float
) -> Float[Any, " ..."]:
    """Return the standard deviation of an interval's end over that of the mean.

    For skewed terms the mean m and its standard error s / sqrt(n) are correlated. To second order,
    the variance of ``m + z s / sqrt(n)`` is ``1 + z skewness / sqrt(n) + z^2 (kurtosis + 2) /
    (4 n)`` times that of m. The estimated skewness, on which z depends, goes together with m: that
    adds ``(2 z^2 + 1) (kurtosis - 3/2 skewness^2) / (3 n)``.
    """
    excess = (2 * z**2 + 1) * (kurtosis - 1.5 * skewness**2) / (3 * n)
    return np.sqrt(
        np.maximum(1 + z * skewness / math.sqrt(n) + z**2 * (kurtosis + 2) / (4 * n) + excess, 0.0)
    )
