"""Exact moments of least squares on fresh Gaussian designs where real sources have other truths.

To the models that read it, a real source whose truth is ``theta* + delta`` is a frozen model whose
error is delta. So the map of :mod:`mcjax.laws.least_squares.second_moments` holds for M models and
S such sources together, starting from the second moments ``delta_s delta_u'`` among sources. Means
follow the shares of the samples, ``E e_i <- sum_b (n_b / N_i) E e_{parent(b)}``, since
``E[S^-1 S_b] = (n_b / N) I``. Derived here. One fit with a share w of data whose truth is
``theta* + delta`` has the MSE ``w^2 ||delta||^2`` as N -> infinity (Dohmatob et al. 2025); at
finite N the map adds what uneven designs make of the disagreement in the data.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from mcjax.laws.least_squares.second_moments import SecondMomentMap, second_moments
from mcjax.network.feed import Feed
from mcjax.network.network import Network

LATEST, STEP, SETTLED = 1 << 16, 256, 1e-12
"""Generations after which a limit counts as unknown, generations between two looks at it, and the
relative change between looks at which it has settled."""


def biased_moments(
    net: Network,
    noise: Float[np.ndarray, " 1+S"],
    offsets: Float[np.ndarray, "S p"],
    generations: int,
) -> tuple[
    Float[np.ndarray, "T+1 M*p M*p"], Float[np.ndarray, "T+1 M p"], Float[np.ndarray, "M p p"]
]:
    """Return the moments for ``Sigma = I``, weights 1 and samples with one reader.

    Parameters
    ----------
    net : Network
        The network.
    noise : ndarray, shape (1 + S,)
        Variances of the noise in the labels of models and of the S real sources.
    offsets : ndarray, shape (S, p)
        delta of the sources.
    generations : int
        T.

    Returns
    -------
    second, mean : ndarray
        Second moments and means of the models' errors.
    late : ndarray, shape (M, p, p)
        Diagonal blocks of the second moments as t -> infinity, nan where they have not settled.
    """
    size, p = net.size, offsets.shape[1]
    begin, later = (
        _joint(net, table, noise, p) for table in (net.first_by_reader, net.feeds_by_reader)
    )
    start = np.zeros((len(begin.rows), p))
    start[size:] = offsets
    joint = second_moments(begin, np.outer(start.ravel(), start.ravel()), 1)[1]
    mean = np.empty((generations + 1, len(start), p))
    mean[0] = begin.shares @ start
    for t in range(generations):
        mean[t + 1] = later.shares @ mean[t]
    second = second_moments(later, joint, generations)[:, : size * p, : size * p]
    return second, mean[:, :size], _late(later, joint, size)


def _joint(
    net: Network, table: tuple[tuple[Feed, ...], ...], noise: np.ndarray, p: int
) -> SecondMomentMap:
    """Return the map of models and real sources together, sources last."""
    size, sources = net.size, len(net.source_index)
    counts = np.zeros((size + sources, size + sources))
    for i, feeds in enumerate(table):
        for feed in feeds:
            s = net.source_index.get(feed.origin)
            counts[i, net.index[feed.origin] if s is None else size + s] = feed.samples
    rows = counts.sum(1)
    frozen = rows == 0
    rows[frozen] = p + 2  # any divisor
    counts[frozen, np.flatnonzero(frozen)] = rows[frozen]
    variances = np.concatenate([np.full(size, noise[0]), noise[1:]])
    spread = counts @ variances / rows
    with np.errstate(divide="ignore"):
        added = np.where(frozen, 0.0, spread / (rows - p - 1))
    return SecondMomentMap(
        shares=counts / rows[:, None], rows=rows, noise=added, frozen=frozen, p=p
    )


def _late(step: SecondMomentMap, start: np.ndarray, size: int) -> np.ndarray:
    """Iterate until the diagonal blocks of the models have settled."""
    p = step.p
    state, before = start, np.full((size, p, p), np.inf)
    settled = np.zeros(size, bool)
    for _ in range(LATEST // STEP):
        run = second_moments(step, state, STEP)
        state = run[-1]
        if not np.isfinite(state).all():
            break
        blocks = np.einsum("iaib->iab", state.reshape(len(step.rows), p, len(step.rows), p))[:size]
        change = np.abs(blocks - before).max((1, 2))
        settled = change <= SETTLED * np.abs(blocks).max((1, 2))
        before = blocks
        if settled.all():
            break
    return np.where(settled[:, None, None], before, np.nan)
