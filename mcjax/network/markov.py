"""Markov chains of a few states."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def stationary_distribution(shares: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """Return the pi with ``pi W = pi`` of an irreducible stochastic W, shape (n,).

    Elimination without subtractions (Grassmann, Taksar & Heyman 1985) is accurate to rounding
    however weakly the parts of W are coupled.
    """
    w = np.array(shares, float)
    for k in range(len(w) - 1, 0, -1):
        w[:k, k] /= w[k, :k].sum()
        w[:k, :k] += np.outer(w[:k, k], w[k, :k])
    pi = np.ones(len(w))
    for k in range(1, len(w)):
        pi[k] = pi[:k] @ w[:k, k]
    return np.asarray(pi / pi.sum())


def irreducible(shares: Float[np.ndarray, "n n"]) -> bool:
    """Return whether every state can be reached from every other."""
    reach = (np.asarray(shares) > 0) | np.eye(len(shares), dtype=bool)
    for _ in range(len(reach).bit_length()):
        reach = reach @ reach
    return bool(reach.all())


def cyclic_classes(shares: Float[np.ndarray, "n n"], first: int) -> Bool[np.ndarray, "d n"]:
    """Return the cyclic classes of an irreducible chain of period d, in turn, from that of a state.

    With ``depth`` the distance from that state, the period is the greatest common divisor of
    ``depth(j) + 1 - depth(i)`` over the steps from j to i.
    """
    leads = np.asarray(shares) > 0
    depth = np.full(len(leads), -1)
    depth[first], reached = 0, np.arange(len(leads)) == first
    while reached.any():
        last = depth[reached][0]
        reached = leads[reached].any(0) & (depth < 0)
        depth[reached] = last + 1
    before, after = np.nonzero(leads)
    period = math.gcd(*(depth[before] + 1 - depth[after]).tolist())
    return np.asarray(depth % period == np.arange(period)[:, None])
