"""How likely a study is to refute a law that is wrong, if another one is true.

The other law says what is simulated; errors are taken as normal with its covariances. What each
quantity makes of that stands with the quantity (``chances``); here is what they share. Of several
cells the chance announced is that of the cell where it is largest, at the first level of Holm's
procedure: all together refute the law at least as often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, stdtrit

from mcjax.laws.prediction import Prediction, Predictions

Chance = Callable[[float], float]
"""Probability of refuting, as a function of the number of chains."""
FEWEST_CHAINS, MOST_CHAINS = 32, 2**40
"""Between these a power is looked for; with fewer chains means of squares are far from normal."""


def true_law(predictions: Predictions, asymptotic: bool) -> Prediction | None:
    """Return the law that stands for the truth among a condition's own.

    It is one for every sample size if there is one, unless a limit is asked for.
    """
    laws = sorted(predictions.laws.values(), key=lambda law: law.asymptotic != asymptotic)
    return laws[0] if laws else None


def likeliest(
    chances: Sequence[Chance], chains: float, power: float
) -> tuple[int, float, int | None]:
    """Find the cell that is likeliest to refute a law.

    Parameters
    ----------
    chances : sequence of Chance
        One for each cell.
    chains : float
        The study's own number of chains.
    power : float
        Chance that is aimed at.

    Returns
    -------
    position : int
        The cell with the largest chance at ``chains``.
    chance : float
        Its chance there.
    needed : int or None
        Chains with which the largest chance reaches the power (to 1%); None if no number does.
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


def relative_spread(law: Prediction) -> np.ndarray:
    """Return the standard deviation of one chain's ``||e||^2`` over its mean, shape (T + 1, M).

    With a mean m of the errors the variance is ``2 tr(C^2) + 4 m'Cm``.
    """
    blocks = own_covariances(law)
    variance = 2 * np.einsum("tiab,tiab->ti", blocks, blocks)
    if law.mean is not None:
        variance = variance + 4 * np.einsum("tia,tiab,tib->ti", law.mean, blocks, law.mean)
    return np.sqrt(variance) / law.mse


def own_covariances(law: Prediction) -> np.ndarray:
    """Return the covariance of each model's own errors, shape (T + 1, M, p, p)."""
    times, models = law.mse.shape
    p = parameters(law)
    return np.einsum("tiaib->tiab", law.covariance.reshape(times, models, p, models, p))


def parameters(law: Prediction) -> int:
    """Return p, the number of parameters of each model."""
    return law.covariance.shape[1] // law.mse.shape[1]


def singular(law: Prediction) -> np.ndarray:
    """Return which models' own covariances are finite and singular, shape (T + 1, M)."""
    blocks = own_covariances(law)
    finite = np.isfinite(blocks).all((-2, -1))
    safe = np.where(finite[..., None, None], blocks, np.eye(blocks.shape[-1]))
    return finite & ~(np.linalg.cond(safe) < 1e12)


def mean_chances(
    level: float,
    *,
    beyond: np.ndarray,
    side: np.ndarray,
    spread: np.ndarray,
    error: np.ndarray | float = 0.0,
    skewness: np.ndarray | float = 0.0,
    kurtosis: np.ndarray | float = 0.0,
) -> list[Chance]:
    """Return the chances that means are observed beyond an edge, one for each of K cells.

    Parameters
    ----------
    level : float
        Level of each claim.
    beyond : ndarray of shape (K,)
        How far the true mean lies beyond the edge; negative inside.
    side : ndarray of shape (K,)
        +1 if it lies above the edge, -1 if below.
    spread : ndarray of shape (K,)
        Standard deviation of one chain's contribution.
    error : ndarray of shape (K,), optional
        Standard error of the prediction.
    skewness, kurtosis : ndarray of shape (K,), optional
        Skewness and excess kurtosis of one chain's contribution; 0 for a normal one.

    Returns
    -------
    list of Chance
    """
    rows = np.broadcast_arrays(beyond, side, spread, error, skewness, kurtosis)
    return [_mean_chance(level, *map(float, row)) for row in np.stack(rows, axis=-1)]


def _mean_chance(
    level: float,
    beyond: float,
    side: float,
    spread: float,
    error: float,
    skewness: float,
    kurtosis: float,
) -> Chance:
    def chance(n: float) -> float:
        # what the judged law does not know of itself is the same in every run
        z, width = float(stdtrit(n - 1, level / 2)), spread / math.sqrt(n)
        reach = z * math.hypot(width, error)
        end = width * float(interval_end_spread(side * z, skewness, kurtosis, n))
        value = float(ndtr((beyond + reach) / end)) if end > 0 else float(beyond + reach > 0)
        return value if math.isfinite(value) else 0.0

    return chance


def interval_end_spread(z: Any, skewness: Any, kurtosis: Any, n: float) -> Any:
    """Return the standard deviation of an interval's end over that of the mean.

    A mean m and its standard error s / sqrt(n) go together where terms are skewed: the variance of
    ``m + z s / sqrt(n)`` is ``1 + z skewness / sqrt(n) + z^2 (kurtosis + 2) / (4 n)`` times that of
    m, to second order.
    """
    return np.sqrt(1 + z * skewness / math.sqrt(n) + z**2 * (kurtosis + 2) / (4 * n))
