"""Mean shares, and means of products of shares, of models whose feeds are active at random.

Feed f of a reader is active with probability q_f, independently of others, and has the weight u_f
(its samples times their weight). With S the sum over active feeds, its share is ``u_f / S``. Since
``1/S`` and ``1/S^2`` are the integrals over s > 0 of ``e^(-s S)`` and of ``s e^(-s S)``, and feeds
are independent,

    E[a_f / S]       = q_f     int   prod_{g != f}    c_g e^(-s u_f) ds ,
    E[a_f a_g / S^2] = q_f q_g int s prod_{h != f, g} c_h e^(-s (u_f + u_g)) ds ,

where a_f tells whether f is active and ``c_g = 1 - q_g + q_g e^(-s u_g)``. So F feeds need F^2
integrals, and not a sum over their 2^F subsets. With ``s = e^v`` integrands are analytic and decay
at both ends, so the trapezoidal rule is accurate to rounding (Trefethen & Weideman 2014): its error
falls as ``exp(-pi^2 / h)`` with the step h. Derived here.

Readers draw independently of each other. So the mean of ``W x W'`` is ``E W x E W'`` off its
diagonal, and on it the sum over ``E[W_ij W_il] x_jl``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array, kron

from mcjax.network.network import Network
from mcjax.network.unlisted import RandomFeeds

if TYPE_CHECKING:
    from jaxtyping import Float

STEP = 0.2
"""h, of which the error is below 1e-21, relative to the integral."""
SMALLEST, LARGEST = 1e-18, 750.0
"""Lower limit of integrals times the sum of u, and upper limit times the least u."""


class RandomShares(NamedTuple):
    """Mean transition and noise of M models, of H = V = 1.

    Attributes
    ----------
    mean : ndarray, shape (M, M)
        E W.
    pairs : ndarray, shape (M, M, M)
        ``E[W_ij W_il]`` of each reader i.
    noise : ndarray, shape (M, M)
        E N.
    """

    mean: Float[np.ndarray, "M M"]
    pairs: Float[np.ndarray, "M M M"]
    noise: Float[np.ndarray, "M M"]

    @property
    def walk(self) -> csr_array:
        """The matrix by which second moments of a generation follow from those before it."""
        size = len(self.mean)
        walk = kron(csr_array(self.mean), csr_array(self.mean)).tolil()
        for i in range(size):
            walk[i * size + i] = self.pairs[i].ravel()
        return csr_array(walk)


def random_shares(net: Network) -> RandomShares:
    """Return the means of a network whose feeds are active at random, with fresh real data."""
    later, size = net.later, net.size
    assert isinstance(later, RandomFeeds), "others have systems of their own"
    mean, pairs, noise = (
        np.zeros((size, size)),
        np.zeros((size, size, size)),
        np.zeros((size, size)),
    )
    per_row = np.zeros((size, size))  # the mean weight of one row of each origin in each fit
    samples = np.ones(size)
    for i, name in enumerate(net.models):
        feeds = [feed for feed in later.given if feed.reader == name]
        if not feeds:
            mean[i, i] = pairs[i, i, i] = 1
            continue
        weight = np.array([feed.weight for feed in feeds])
        sizes = weight * [feed.samples for feed in feeds]
        chances = np.array([feed.probability for feed in feeds])
        first, second = reciprocal_moments(sizes, chances)
        places = np.array([net.places[feed.origin] for feed in feeds])
        model = np.flatnonzero(places < size)
        origins = places[model]
        mean[i, origins] = (sizes * first)[model]
        pairs[i][np.ix_(origins, origins)] = (np.outer(sizes, sizes) * second)[np.ix_(model, model)]
        idle = np.prod(1 - chances)
        mean[i, i] += idle
        pairs[i, i, i] += idle
        noise[i, i] = (weight * sizes) @ np.diagonal(second)
        per_row[i, origins] = (weight * first)[model]
        # of shared draws, which all readers have in the same number: a network checks that
        samples[origins] = [feeds[k].samples for k in model]
    if net.shares_draws:
        common = (per_row * samples) @ per_row.T
        noise += common - np.diag(np.diagonal(common))
    return RandomShares(mean, pairs, noise)


def reciprocal_moments(
    sizes: Float[np.ndarray, " F"], chances: Float[np.ndarray, " F"]
) -> tuple[Float[np.ndarray, " F"], Float[np.ndarray, "F F"]]:
    """Return ``E[a_f / S]`` and ``E[a_f a_g / S^2]`` of independent feeds.

    Parameters
    ----------
    sizes, chances : ndarray, shape (F,)
        u and q.
    """
    begin, end = np.log(SMALLEST / sizes.sum()), np.log(LARGEST / sizes.min())
    s = np.exp(np.arange(begin, end + STEP, STEP))
    decay = np.outer(sizes, s)
    sure = (chances == 1)[:, None]
    with np.errstate(divide="ignore"):  # of feeds that are sure
        factor = np.where(sure, -decay, np.log1p(chances[:, None] * np.expm1(-decay)))
    own = chances[:, None] * np.exp(-factor - decay)  # at most 1
    weight = STEP * s * np.exp(factor.sum(0))
    second = (own * weight * s) @ own.T
    np.fill_diagonal(second, own @ (weight * s))
    return own @ weight, second
