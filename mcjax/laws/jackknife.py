"""The error that simulation leaves in the prediction of a law.

A law that estimates expectations by simulation divides its draws into K batches, and computes its
prediction from all of them and K more times, each time without one of the batches. These K
*versions* say how far any number that is computed from the prediction would move with other draws.
They also say how numbers move together: those of two generations, of two models, or of two sample
sizes for which the law used the same draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

HEAVIEST = 0.7
"""Tail index from which on the mean of a few thousand draws, and its error, are not credible."""


def jackknife_error(values: Float[np.ndarray, " K *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the standard error from the values without each batch, along the first axis."""
    return np.sqrt((jackknife_deviations(values) ** 2).sum(0))


def jackknife_deviations(values: Float[np.ndarray, " K *shape"]) -> Float[np.ndarray, " K *shape"]:
    """Return deviations whose products, summed over K, are covariances of numbers over draws."""
    count = len(values)
    with np.errstate(invalid="ignore"):  # infinite where an explosion leaves the range of numbers
        return np.asarray(np.sqrt((count - 1) / count) * (values - values.mean(0)))


def without_each(batches: Float[np.ndarray, " K *shape"]) -> Float[np.ndarray, " K *shape"]:
    """Return the means over all batches but one, for each of them."""
    count = len(batches)
    return np.asarray((batches.sum(0) - batches) / (count - 1))


def tail_index(values: Float[np.ndarray, " N *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return Hill's estimate of how heavy the upper tail of N positive values is.

    Notes
    -----
    It is the mean excess of the logarithm over its ``3 sqrt(N)``-th largest value (Hill, Annals of
    Statistics 3, 1975). The mean is finite below 1 and the variance below 1/2; the limit 0.7 and
    the number of values are those of Pareto smoothed importance sampling (Vehtari et al., Journal
    of Machine Learning Research 25, 2024).
    """
    count = min(len(values) - 1, int(3 * np.sqrt(len(values))))
    with np.errstate(divide="ignore", invalid="ignore"):  # nan where values are 0 or infinite
        highest = np.log(np.sort(values, axis=0)[-count - 1 :])
        return np.asarray((highest[1:] - highest[0]).mean(0))
