"""Sums of third and fourth powers over chains, from which intervals learn how skewed means are.

Tiles of chains merge by addition, so these sums cost next to nothing beside the moments of
:mod:`mcjax.engine.moments`. Moments about the mean follow from the sums about 0, from the means and
from the centred sums of squares. Where values are spread by less than a thousandth of their size,
digits are lost; they are then taken to be as symmetric as a normal variable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

if TYPE_CHECKING:
    from mcjax.engine.moments import Moments

NARROW = 1e-6
"""Variance, relative to the mean square, below which digits are lost."""
SMALLEST = 1e-280
"""Sums of powers below this have lost digits."""
PAIRS = tuple((order - k, k) for order in (3, 4) for k in range(order + 1))
"""Exponents of the products of powers of two numbers that are summed."""


class Powers(NamedTuple):
    """Sums of powers over chains.

    Attributes
    ----------
    squared : ndarray
        Sums of third powers of ||e_t||^2, over the chains that count there, shape (T + 1, M).
    ends : ndarray
        Sums of products of powers of ||e_t||^2 at generations T // 2 and T, with the exponents
        ``PAIRS``, over the chains that count at every generation, shape (M, 9).
    functional : ndarray
        Sums of third and fourth powers of functionals that are finite, shape (T + 1, M, F, 2).
    pooled : ndarray
        The same as ``ends`` of ||e||^2 of the pooled estimator and of each model, shape
        (T + 1, M, 9); zeros where the pooled estimator was not simulated.
    """

    squared: Float[np.ndarray, "*tiles T+1 M"]
    ends: Float[np.ndarray, "*tiles M 9"]
    functional: Float[np.ndarray, "*tiles T+1 M F 2"]
    pooled: Float[np.ndarray, "*tiles T+1 M 9"]

    def merged(self, other: Powers) -> Powers:
        """Return the sums over two sets of chains together."""
        return Powers(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class NonNormality(NamedTuple):
    """Skewness of means and excess of their values, of any shape.

    Attributes
    ----------
    skewness : ndarray
        Skewness s of the mean itself: that of one value, over ``sqrt(C)``.
    excess : ndarray
        Excess w: kurtosis of one value (0 if it is normal), minus 3/2 of its squared skewness, over
        C; at least 0.
    """

    skewness: Float[np.ndarray, " *shape"] | float
    excess: Float[np.ndarray, " *shape"] | float = 0.0


def growth_ends(last: int) -> list[int]:
    """Return the two generations between which growth is judged, T // 2 and T."""
    return [last // 2, last]


@np.errstate(over="ignore")  # errors near the end of the range
def sum_powers(
    squared: Float[np.ndarray, "*tiles C T+1 M"],
    always: Bool[np.ndarray, "*tiles C M"],
    functional: Float[np.ndarray, "*tiles C T+1 M F"],
    pooled: tuple[np.ndarray, np.ndarray] | None = None,
) -> Powers:
    """Sum powers over tiles of C chains.

    Parameters
    ----------
    squared : ndarray
        ||e_t||^2, 0 where a chain has no estimate.
    always : ndarray of bool
        Whether a chain has an estimate at every generation.
    functional : ndarray
        Values of functionals, 0 where they are not finite.
    pooled : tuple of ndarray, optional
        ||e||^2 of the pooled estimator beside that of each model, shape (..., T + 1, 2, C, M), and
        which chains count.
    """
    first, last = (squared[..., t, :] for t in growth_ends(squared.shape[-2] - 1))
    cubes = functional**3
    beside = np.zeros((*squared.shape[:-3], *squared.shape[-2:], len(PAIRS)))
    if pooled is not None:
        beside = sum_pairs(pooled[0][..., 0, :, :], pooled[0][..., 1, :, :], pooled[1])
    return Powers(
        (squared * squared * squared).sum(-3),
        sum_pairs(first, last, always),
        np.stack([cubes.sum(-4), (cubes * functional).sum(-4)], -1),
        beside,
    )


@np.errstate(over="ignore", invalid="ignore")  # errors near the end of the range
def sum_pairs(
    first: Float[np.ndarray, "*tiles C M"],
    second: Float[np.ndarray, "*tiles C M"],
    valid: Bool[np.ndarray, "*tiles C M"],
) -> Float[np.ndarray, "*tiles M 9"]:
    """Sum products of powers of two numbers over the chains that count, see ``PAIRS``."""
    a, b = (np.where(valid, values, 0.0) for values in (first, second))
    powers_a, powers_b = ([np.ones_like(x), x, x * x, x * x * x, (x * x) ** 2] for x in (a, b))
    sums = [np.einsum("...cm,...cm->...m", powers_a[i], powers_b[j]) for i, j in PAIRS]
    return np.stack(sums, -1)


@np.errstate(all="ignore")  # without chains or spread, shapes are not needed
def shape_of_sums(
    moments: Moments,
    third: Float[np.ndarray, " *shape"],
    fourth: Float[np.ndarray, " *shape"] | None = None,
) -> NonNormality:
    """Return the shape of means from their moments and sums of powers.

    Parameters
    ----------
    moments : Moments
        Means and centred sums of squares.
    third, fourth : ndarray
        Sums of third powers and, if the excess is wanted, of fourth ones.

    Returns
    -------
    NonNormality
        Zeros where the values are alike or narrow; nan where sums of powers are too small.
    """
    count, mean, square = moments
    wide = square > NARROW * count * mean * mean
    cube = third - 3 * mean * square - count * mean**3
    lost = (np.abs(third) < SMALLEST) & wide
    skewness = np.where(wide, np.where(lost, np.nan, cube / square**1.5), 0.0)
    if fourth is None:
        return NonNormality(skewness)
    centred = fourth - 4 * mean * third + 6 * mean**2 * square + 3 * count * mean**4
    excess = centred / square**2 - 3 / count - 1.5 * skewness**2
    return NonNormality(skewness, np.where(wide, np.maximum(excess, 0.0), 0.0))


def along(
    moments: Moments, pairs: Float[np.ndarray, " 9"], weights: Float[np.ndarray, " 2"]
) -> tuple[Moments, NonNormality]:
    """Return the moments and the shape of a weighted sum of two numbers, from joint ones.

    Parameters
    ----------
    moments : Moments
        Joint moments of the two numbers at one index.
    pairs : ndarray of shape (9,)
        Sums of products of their powers.
    weights : ndarray of shape (2,)
        The weights.
    """
    count, mean, square = moments
    total = moments._replace(
        mean=mean @ weights, square=np.maximum(weights @ square @ weights, 0.0)
    )
    sums = {3: 0.0, 4: 0.0}
    with np.errstate(all="ignore"):
        for (i, j), value in zip(PAIRS, pairs, strict=True):
            sums[i + j] += math.comb(i + j, i) * weights[0] ** i * weights[1] ** j * value
        sizes = float(weights**2 @ (np.diagonal(square) + count * mean**2))
        found = shape_of_sums(total, np.asarray(sums[3]), np.asarray(sums[4]))
    return total, found if total.square > NARROW * sizes else NonNormality(0.0)
