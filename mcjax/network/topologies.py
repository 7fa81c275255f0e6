"""Named networks. Each takes sample counts per feed and returns a :class:`Network`.

``samples``: of every model-to-model feed; ``real``: of every real feed, 0 for none (of all models
unless said otherwise); ``initial``: of generation 0. Further keyword arguments (``draws``,
``real_data``, ``memory``, ``growth``) go to the network.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TypedDict, Unpack

import numpy as np

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.checks import Draws, check_count
from mcjax.network.feed import REAL, Feed
from mcjax.network.memory import Memory, MemoryName
from mcjax.network.network import Network
from mcjax.network.source import RealData
from mcjax.numbers import check_between, how_many, whole

Edge = tuple[int, int]
MOST_FEEDS, MOST_RANDOM = 1_000_000, 10_000
"""Largest number of feeds of a topology, and of models among which feeds are random."""


class Options(TypedDict, total=False):
    """Settings of the network; see :class:`~mcjax.network.network.Network`."""

    draws: Draws
    real_data: RealData
    memory: Memory | MemoryName
    growth: float


def _build(
    size: int,
    edges: Iterable[Edge],
    *,
    anchored: Iterable[int],
    samples: int,
    initial: int,
    real: int,
    real_data: RealData = "fresh",
    draws: Draws = "private",
    memory: Memory | MemoryName = "replace",
    growth: float = 0.0,
) -> Network:
    check_count("network.models", size)
    pairs = list(itertools.islice(edges, MOST_FEEDS + 1))
    if len(pairs) > MOST_FEEDS:
        problem = f"make more than {MOST_FEEDS:,} feeds in this topology; give fewer"
        raise InputError("network.models", problem)
    feeds = [Feed(str(j), str(i), samples) for j, i in pairs]
    if real:
        feeds += [Feed(REAL, str(i), real) for i in anchored]
    return build_network(
        size, feeds, initial, draws=draws, real=real_data, memory=memory, growth=growth
    )


@checked
def self_loop(*, samples: int, initial: int, real: int = 0, **options: Unpack[Options]) -> Network:
    """One model that reads its own output.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=100, real=100, initial=200)
    >>> [(feed.origin, feed.reader) for feed in network.feeds]
    [('0', '0'), ('real', '0')]
    """
    edges = [(0, 0)]
    return _build(
        1, edges, anchored=range(1), samples=samples, initial=initial, real=real, **options
    )


@checked
def chain(
    size: int, *, samples: int, initial: int, real: int = 0, **options: Unpack[Options]
) -> Network:
    """0 -> 1 -> ... -> size - 1; model 0 reads itself, and only it reads real data.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.chain(3, samples=100, initial=100)
    >>> [(feed.origin, feed.reader) for feed in network.feeds]
    [('0', '0'), ('0', '1'), ('1', '2')]
    """
    edges = itertools.chain([(0, 0)], ((i - 1, i) for i in range(1, size)))
    return _build(
        size, edges, anchored=range(1), samples=samples, initial=initial, real=real, **options
    )


@checked
def ring(
    size: int, *, samples: int, initial: int, real: int = 0, **options: Unpack[Options]
) -> Network:
    """Each model reads the one before it.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.ring(3, samples=100, initial=100)
    >>> [(feed.origin, feed.reader) for feed in network.feeds]
    [('2', '0'), ('0', '1'), ('1', '2')]
    """
    edges = (((i - 1) % size, i) for i in range(size))
    return _build(
        size, edges, anchored=range(size), samples=samples, initial=initial, real=real, **options
    )


@checked
def star(
    size: int, *, samples: int, initial: int, real: int = 0, **options: Unpack[Options]
) -> Network:
    """Return a star: a hub, model 0, and every other model read each other.

    Only the hub reads real data.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.star(3, samples=100, initial=100)
    >>> [(feed.origin, feed.reader) for feed in network.feeds]
    [('1', '0'), ('2', '0'), ('0', '1'), ('0', '2')]
    """
    spokes = range(1, size)
    edges = itertools.chain(((i, 0) for i in spokes), ((0, i) for i in spokes))
    return _build(
        size, edges, anchored=range(1), samples=samples, initial=initial, real=real, **options
    )


@checked
def complete(
    size: int, *, samples: int, initial: int, real: int = 0, **options: Unpack[Options]
) -> Network:
    """Each model reads every model, itself included.

    Examples
    --------
    >>> import mcjax
    >>> len(mcjax.topologies.complete(4, samples=100, initial=100).feeds)
    16
    """
    edges = ((j, i) for i in range(size) for j in range(size))
    return _build(
        size, edges, anchored=range(size), samples=samples, initial=initial, real=real, **options
    )


@checked
def random_directed(
    size: int,
    *,
    probability: float,
    seed: int,
    samples: int,
    initial: int,
    real: int = 0,
    **options: Unpack[Options],
) -> Network:
    """Return a network in which each possible feed, self-loops included, has a probability.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.random_directed(
    ...     5, probability=0.3, seed=0, samples=100, initial=100
    ... )
    >>> network.size
    5
    """
    _check_size(size)
    chance = np.full((size, size), probability)
    return _random(chance, seed, samples=samples, initial=initial, real=real, **options)


@checked
def stochastic_block(
    sizes: Sequence[int],
    *,
    probabilities: Sequence[Sequence[float]],
    seed: int,
    samples: int,
    initial: int,
    real: int = 0,
    **options: Unpack[Options],
) -> Network:
    """Return blocks of models; ``probabilities[a][b]`` is that of a feed from block a to b.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.stochastic_block(
    ...     [2, 3], probabilities=[[0.9, 0.1], [0.1, 0.9]], seed=0, samples=100, initial=100
    ... )
    >>> network.models
    ('0', '1', '2', '3', '4')
    """
    for size in sizes:
        check_count("network.sizes", whole(size))
    _check_size(sum(sizes))
    block = np.repeat(np.arange(len(sizes)), sizes)
    if not len(block) or {len(probabilities), *map(len, probabilities)} != {len(sizes)}:
        raise InputError(
            "network.probabilities", f"needs {how_many(len(sizes), 'row')} of {len(sizes)}"
        )
    table = np.asarray(probabilities, float)
    chance = table[np.ix_(block, block)]
    return _random(chance, seed, samples=samples, initial=initial, real=real, **options)


def _check_size(size: int) -> None:
    """Raise InputError for more models than there are random numbers for all possible feeds."""
    if size > MOST_RANDOM:
        raise InputError("network.models", f"are {size}; a random network has up to {MOST_RANDOM}")
    check_count("network.models", size)


def _random(
    chance: np.ndarray,
    seed: int,
    *,
    samples: int,
    initial: int,
    real: int,
    **options: Unpack[Options],
) -> Network:
    if not ((chance >= 0) & (chance <= 1)).all():
        raise InputError("network.probability", "must lie between 0 and 1")
    check_between("network.seed", seed, 0)
    size = len(chance)
    hit = np.random.default_rng(seed).random((size, size)) < chance
    edges = ((int(j), int(i)) for j, i in np.argwhere(hit))
    return _build(
        size, edges, anchored=range(size), samples=samples, initial=initial, real=real, **options
    )


TOPOLOGIES: dict[str, Callable[..., Network]] = {
    f.__name__: f
    for f in (self_loop, chain, ring, star, complete, random_directed, stochastic_block)
}
