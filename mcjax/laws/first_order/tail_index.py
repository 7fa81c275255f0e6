"""Whether the mean of a sample stands for an expectation that exists.

A sample always has a mean, also of a distribution that has none. What tells is the tail index a,
with ``P(X > x) ~ x^-a``: the expectation is finite if a > 1 and infinite if a < 1. Hill's estimate
(Annals of Statistics 3, 1975) is the reciprocal of the mean logarithm of the largest values,
relative to the next one. Of k values its standard error is ``a / sqrt(k)``.

Lighter tails, such as those of a power of a log-normal, look like power laws over the range of a
sample. They count as the power laws that they look like: where a sample cannot tell whether its
mean is that of the distribution, no law should be built on it.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

LARGEST = 1024
"""Number of the largest values on which an estimate rests; they should be a small part of all."""
Z = 4.892
"""Standard errors by which an index must be above 1. A distribution without a mean passes once in
two million, if its tail is a power law."""


def tail_index(values: Float[np.ndarray, " N"]) -> float:
    """Return Hill's estimate of the tail index of values of at least 0; infinite for no tail."""
    tail = np.partition(values, -LARGEST - 1)[-LARGEST - 1 :]
    if tail[0] <= 0:  # nearly all values are 0
        return math.inf
    excess = float(np.log(tail[1:] / tail[0]).mean())
    return 1 / excess if excess > 0 else math.inf


def has_mean(values: Float[np.ndarray, " N"]) -> bool:
    """Return whether the distribution of values of at least 0 has a mean, as far as they tell."""
    index = tail_index(values)
    return index - 1 > Z * index / math.sqrt(LARGEST) or math.isinf(index)
