"""Sums of third and fourth powers over chains, from which intervals learn how skewed means are.

Tiles of chains merge by addition, so these sums cost next to nothing beside the moments of
:mod:`mcjax.engine.moments`. Moments about the mean follow from the sums about 0, from the means and
from the centred sums of squares. Where values are spread by less than a thousandth of their size,
digits are lost; they are then taken to be as symmetric as a normal variable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.engine.arrays import library, masked

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

    squared: Float[Any, "*tiles T+1 M"]
    ends: Float[Any, "*tiles M 9"]
    functional: Float[Any, "*tiles T+1 M F 2"]
    pooled: Float[Any, "*tiles T+1 M 9"]

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


def sum_powers(
    squared: Float[Any, "... T+1 M C"],
    always: Bool[Any, "... M C"],
    functional: Float[Any, "... T+1 M F C"],
) -> Powers:
    """Sum powers over the chains of tiles, but for those of the pooled estimator.

    Parameters
    ----------
    squared : array
        ||e_t||^2, 0 where a chain has no estimate.
    always : array of bool
        Whether a chain has an estimate at every generation.
    functional : array
        Values of functionals, 0 where they are not finite.
    """
    of = library(squared)
    first, last = (squared[..., t, :, :] for t in growth_ends(squared.shape[-3] - 1))
    cubes = functional * functional * functional
    return Powers(
        (squared * squared * squared).sum(-1),
        sum_pairs(first, last, always),
        of.stack([cubes.sum(-1), (cubes * functional).sum(-1)], -1),
        of.zeros((*squared.shape[:-1], len(PAIRS))),
    )


def sum_pairs(
    first: Float[Any, "... C"], second: Float[Any, "... C"], valid: Bool[Any, "... C"]
) -> Float[Any, "... 9"]:
    """Sum products of powers of two numbers over the chains that count, see ``PAIRS``."""
    of = library(valid)
    a, b = (
        [1.0, x, x * x, x * x * x, (x * x) * (x * x)]
        for x in (masked(values, valid) for values in (first, second))
    )
    return of.stack([a[i] * b[j] for i, j in PAIRS], -2).sum(-1)


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
