"""Confidence intervals of means of skewed values, at few chains and at extreme levels.

Squared errors are skewed, and Student's interval of their mean lies too low: at 64 chains its upper
end misses the mean of squares of normal variables more than ten times as often as it should at a
level of 1/1000. Intervals are those of Hall (Journal of the Royal Statistical Society B 54, 1992).
For the studentised mean t, whose own skewness is estimated as s,

    H(t) = t + s t^2 / 3 + s^2 t^3 / 27 + s / 6

has Student's distribution to second order. H is monotone and has an inverse in closed form. The
skewness of few values is underestimated, so the interval is the union of Hall's intervals for s and
for 1.5 s.

For values such as products or differences, whose kurtosis exceeds 3/2 of their squared skewness
(that of sums of squares) by v, errors of s and of t go together: estimated at the true mean instead
of the observed one, the skewness is ``s - v t / C`` with C chains. To first order this subtracts
``v t^3 / (3 C)`` from t. The union then has two further intervals, for v and for 2 v, of s and

    K(t) = t - w t^3 / 3 + w^2 t^5 / 20 ,   w = v / C ,

in place of t; the last term makes it monotone.

What remains is of order x^4 / C, for a level that a normal variable exceeds with x standard
deviations. No claim is made where that is large, see :class:`Tails`. The p-value of a hypothesis is
the level at which the interval only touches it, so that p-values and intervals never disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from mcjax.engine.powers import NonNormality

WIDENED = (1.0, 1.5)
"""Multiples of the estimated skewness whose intervals are united."""
HEAVIER = (1.0, 2.0)
"""Multiples of the estimated excess whose intervals are united."""

FEWEST_CHAINS = 32
"""Number of chains below which their skewness says too little for any interval."""
FARTHEST = 1e30
"""Largest distance in standard errors, so that powers do not overflow."""

Numbers = Float[Any, " *shape"]


class Tails(Enum):
    """Class of distributions to which the values of a mean belong.

    The value is the largest x^4 / C, for C chains and a level that a normal variable exceeds with x
    standard deviations, at which the interval keeps its level.

    Examples
    --------
    >>> import mcjax
    >>> round(mcjax.Tails.SQUARES.fewest_chains(level=1e-4))
    76
    """

    SQUARES = 3.0
    """Sums of squares of errors."""
    MEASURED = 0.6
    """Any other values whose excess is estimated."""
    UNKNOWN = 0.15
    """Any other values."""

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains with which a two-sided interval keeps its level."""
        return max(float(ndtri(level / 2) ** 4) / self.value, FEWEST_CHAINS)

    def smallest_level(self, chains: int) -> float:
        """Return the smallest level that a two-sided interval of so many chains keeps."""
        if chains < FEWEST_CHAINS:
            return 1.0
        return 2 * float(ndtr(-((self.value * chains) ** 0.25)))


def reaches(level: float, freedom: Numbers, shape: NonNormality) -> tuple[Numbers, Numbers]:
    """Return how far a two-sided interval reaches, below and above the mean, in standard errors."""
    q = _quantile(level, freedom)
    candidates = _candidates(shape)
    return (
        _extreme(max, [_inverse(q, s, w) for s, w in candidates]),
        -_extreme(min, [_inverse(-q, s, w) for s, w in candidates]),
    )


def p_below(t: Numbers, freedom: Numbers, shape: NonNormality) -> Numbers:
    """Return the p-value of the hypothesis that the mean is at least some number.

    Parameters
    ----------
    t : ndarray
        Observed mean minus that number, in standard errors.
    freedom : ndarray
        Degrees of freedom.
    shape : NonNormality
        Shape of the distribution of the mean.
    """
    t = _extreme(max, [_extreme(min, [t, FARTHEST]), -FARTHEST])
    values = [_transformed(t, s, w) + s / 6 for s, w in _candidates(shape)]
    return stdtr(freedom, _extreme(max, values))


def p_above(t: Numbers, freedom: Numbers, shape: NonNormality) -> Numbers:
    """Return the p-value of the hypothesis that the mean is at most some number."""
    return p_below(-t, freedom, shape._replace(skewness=-shape.skewness))


def factor_of_chains(
    level: float, freedom: Numbers, shape: NonNormality, distance: Numbers, *, above: bool
) -> Numbers:
    """Return the factor of chains with which an interval's end only touches a number.

    Parameters
    ----------
    level : float
        Level of the two-sided interval.
    freedom : ndarray
        Degrees of freedom, which are kept.
    shape : NonNormality
        Shape of the distribution of the mean.
    distance : ndarray
        Distance of the number from the mean in standard errors.
    above : bool
        Whether the number lies above the mean.

    Returns
    -------
    ndarray
        Factors, infinite where the distance is not positive. With a factor f, t grows by
        ``sqrt(f)``, s shrinks by ``1 / sqrt(f)`` and w by ``1 / f``.
    """
    q, sign = _quantile(level, freedom), -1.0 if above else 1.0
    # ever so close, the factor is as large as a number can be
    near = _extreme(max, [_extreme(min, [distance, FARTHEST]), 1 / FARTHEST])
    roots = []
    for s, w in _candidates(shape):
        # the transformed distance is x slope + shift / x, with x the root of the factor
        shift = sign * s / 6
        slope = _transformed(near, sign * s, w)
        square = _extreme(max, [q * q - 4 * slope * shift, 0.0 * slope])
        roots.append((q + square**0.5) / (2 * slope))
    factor = _extreme(max, roots)
    if isinstance(factor, float):
        return factor * factor if distance > 0 else math.inf
    return np.where(distance > 0, factor * factor, np.inf)


def _quantile(level: float, freedom: Numbers) -> Numbers:
    if isinstance(freedom, np.ndarray):
        return -stdtrit(freedom, level / 2)
    return _quantile_of_number(level, freedom)


@lru_cache
def _quantile_of_number(level: float, freedom: float) -> float:
    return -float(stdtrit(freedom, level / 2))


def _extreme(which: Callable[..., Any], values: list[Any]) -> Any:
    """Return the maximum or minimum of numbers or arrays, quickly for numbers."""
    if all(isinstance(value, float) for value in values):
        return which(values)
    return reduce(np.maximum if which is max else np.minimum, values)


def _where(which: Any, one: Numbers, other: Numbers) -> Numbers:
    """Return one where something holds and the other elsewhere, quickly for numbers."""
    if isinstance(which, np.ndarray):
        return np.where(which, one, other)
    return one if which else other


def _candidates(shape: NonNormality) -> list[tuple[Any, Any]]:
    """Return the skewness and excess of each interval that is united."""
    skewness, excess = shape
    found: list[tuple[Any, Any]] = [(k * skewness, 0.0) for k in WIDENED]
    if isinstance(excess, np.ndarray) or excess:
        found += [(skewness, k * excess) for k in HEAVIER]
    return found


def _transformed(t: Numbers, s: Numbers, w: Numbers) -> Numbers:
    """Return ``H(K(t)) - s / 6``."""
    u = w * t * t
    k = t * (1 - u / 3 + u * u / 20)
    v = s * k / 3
    return k * (1 + v + v * v / 3)


def _inverse(q: float, s: Numbers, w: Numbers) -> Numbers:
    """Return the t with H(K(t)) = q."""
    h = q - s / 6
    c = math.cbrt(1 + s * h) if isinstance(h, float) else np.cbrt(1 + s * h)
    k = 3 * h / (c * c + c + 1)
    if isinstance(w, float) and not w:
        return k
    low, high = 0.0 * abs(k), abs(k) * (9 / 4)  # |K(t)| >= 4/9 |t|
    for _ in range(60):
        middle = (low + high) / 2
        u = w * middle * middle
        less = middle * (1 - u / 3 + u * u / 20) < abs(k)
        low, high = _where(less, middle, low), _where(less, high, middle)
    return np.copysign(high, k)


def shape_of(values: Float[np.ndarray, " C *shape"]) -> NonNormality:
    """Return the shape of the distribution of the mean of values (C, ...) over chains.

    It is 0 where all values are alike.
    """
    chains = len(values)
    centred = values - values.mean(0)
    square = centred * centred
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        second = square.mean(0)
        skewness = (square * centred).mean(0) / second**1.5
        kurtosis = (square * square).mean(0) / second**2 - 3
    varies = second > 0
    skewness, kurtosis = (np.where(varies, a, 0.0) for a in (skewness, kurtosis))
    excess = np.maximum(kurtosis - 1.5 * skewness**2, 0.0)
    return NonNormality(skewness / math.sqrt(chains), excess / chains)
