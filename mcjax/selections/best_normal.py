"""Moments of the best of K normal variables: the largest, or the one closest to a target.

With K independent standard normal variables, the best one has the density
``K f(z) P(another is worse than z)^(K-1)``. Moments are integrals in one dimension, split where the
integrand has a kink. How the moments of the closest one change with the target follows by
differentiating the integrand. Derived here.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from mcjax.laws.first_order.normal_population import NoiseMoments

REACH, NODES = 12.0, 400
"""End of integrals, and the number of their nodes on either side of a kink."""


def largest_of_normals(count: int) -> NoiseMoments:
    """Return the distribution of the largest of K normal variables, in standard units."""
    z, weight = _nodes(0.0)
    density = count * _density(z) * ndtr(z) ** (count - 1)
    moments = tuple(float(weight @ (density * z**k)) for k in range(1, 5))
    return NoiseMoments(moments, np.zeros((2, 2)))


def closest_of_normals(theta: Float[np.ndarray, " p"], count: int, target: float) -> NoiseMoments:
    """Return the distribution of the one of K normal variables that is closest to a target.

    Parameters
    ----------
    theta : ndarray, shape (2,)
        Their mean and variance; the result is in units of these.
    count : int
        K.
    target : float
        The target, in units of y.
    """
    deviation = math.sqrt(theta[1])
    at = (target - theta[0]) / deviation
    z, weight = _nodes(at)
    near = ndtr(np.minimum(z, 2 * at - z))  # others are below the nearer end,
    far = ndtr(-np.maximum(z, 2 * at - z))  # or above the farther one
    worse = near + far
    density = count * _density(z) * worse ** (count - 1)
    moments = tuple(float(weight @ (density * z**k)) for k in range(1, 5))
    if count == 1:
        return NoiseMoments(moments, np.zeros((2, 2)))
    moved = 2 * np.sign(z - at) * _density(2 * at - z)
    slope = count * (count - 1) * _density(z) * worse ** (count - 2) * moved
    change = np.array([weight @ (slope * z**k) for k in (1, 2)])  # with `at`
    by_theta = -np.array([1.0, at / (2 * deviation)]) / deviation
    return NoiseMoments(moments, np.outer(change, by_theta))


def _density(z: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


@cache
def _rule() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def _nodes(kink: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of an integral over the line, split at a kink."""
    node, weight = _rule()
    ends = -REACH, min(max(kink, -REACH), REACH), REACH
    halves = [(0.5 * (b - a), 0.5 * (a + b)) for a, b in pairwise(ends)]
    z = np.concatenate([middle + half * node for half, middle in halves])
    return z, np.concatenate([half * weight for half, _ in halves])
