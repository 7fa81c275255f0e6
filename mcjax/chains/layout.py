"""A condition as arrays: the network, the truth and the family that one chain runs on.

Everything that distinguishes one condition from another is a value in these arrays, padded to a
common shape. So one compiled program serves every network, sample size, weight and seed up to
that shape. Imports no JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mcjax.draws.streams import private_stream, published_stream, real_stream, source_stream
from mcjax.network import REAL, Network


class Feeds(NamedTuple):
    """What each model reads in one generation; M models, B feed slots, empty slots last."""

    samples: np.ndarray  # (M, B) int32, 0 in an empty slot
    weight: np.ndarray  # (M, B) float64, of each observation, relative to the reader's largest
    origin: np.ndarray  # (M, B) int32, a model, or M + s for real source s
    stream: np.ndarray  # (M, B) uint32, see mcjax.draws.streams
    renewed: np.ndarray  # (M, B) bool, drawn anew each generation (else generation 0's sample)


class Shape(NamedTuple):
    """The padded sizes of a program."""

    models: int
    slots: int
    pairs: int  # pairs of rows a fit
    steps: int = 0  # generations until weights stay what they are


class NetworkArrays(NamedTuple):
    """A network as compiled code sees it."""

    initial: Feeds  # generation 0
    feeds: Feeds  # every later generation
    frozen: np.ndarray  # (M,) bool
    schedule: np.ndarray | None = None  # (L, M, B), weights of generations 1 to L, the last stays


def shape_of(networks: Sequence[Network], generations: int = 1, rows: bool = True) -> Shape:
    """Return the smallest shape that holds all networks over so many generations.

    Parameters
    ----------
    rows : bool
        Whether fits hold the rows of their pool; otherwise they hold those of one generation, and
        sums over the others.
    """
    return Shape(
        models=max(net.size for net in networks),
        slots=max(
            len(feeds) for net in networks for feeds in (*net.first_by_reader, *net.feeds_by_reader)
        ),
        pairs=max(_pairs(net, generations, rows) for net in networks),
        steps=max(net.steps for net in networks),
    )


def network_arrays(net: Network, shape: Shape) -> NetworkArrays:
    """The arrays of one network, padded with frozen models that read nothing."""
    real_origin = shape.models
    initial = _empty(shape)
    feeds = _empty(shape)
    frozen = np.ones(shape.models, bool)
    frozen[: net.size] = net.frozen
    for i, incoming in enumerate(net.feeds_by_reader):
        largest = max((feed.weight for feed in incoming), default=1.0)
        first = 1 / largest if not net.memory.current_only else 1.0  # in one pool with the feeds
        begun = net.first_by_reader[i]
        most = max(feed.weight for feed in begun)
        for b, feed in enumerate(begun):
            origin, stream = _real(net, feed.origin, i, real_origin)
            weight = first * feed.weight / most
            _fill(initial, i, b, feed.samples, weight, origin, stream, renewed=False)
        for b, feed in enumerate(incoming):
            if feed.origin in net.source_index:
                origin, stream = _real(net, feed.origin, i, real_origin)
                renewed = net.renews(feed.origin)
            else:
                origin, renewed = net.index[feed.origin], True
                shared = net.draws == "shared"
                stream = published_stream(origin) if shared else private_stream(i, origin)
            _fill(feeds, i, b, feed.samples, feed.weight / largest, origin, stream, renewed)
    schedule = _schedule(net, shape) if shape.steps else None
    return NetworkArrays(initial, feeds, frozen, schedule)


def _schedule(net: Network, shape: Shape) -> np.ndarray:
    found = np.zeros((shape.steps + 1, shape.models, shape.slots))
    for i, incoming in enumerate(net.feeds_by_reader):
        for b, feed in enumerate(incoming):
            weights = np.array(feed.weights)
            found[:, i, b] = weights[np.minimum(np.arange(len(found)), len(weights) - 1)]
    largest = found.max(2, keepdims=True)
    return found / np.where(largest > 0, largest, 1)


def _real(net: Network, name: str, reader: int, first: int) -> tuple[int, int]:
    """Origin and stream of what a real source gives a model; ``first``: the origin of ``real``."""
    source = net.source_index[name]
    if name == REAL:
        return first, real_stream(reader)
    public = net.sources[source - 1].public
    return first + source, source_stream(source, None if public else reader)


def _pairs(net: Network, generations: int, rows: bool) -> int:
    """Pairs of rows of the largest fit; a feed with an odd count leaves half a pair empty."""
    first = [sum(-(-f.samples // 2) for f in feeds) for feeds in net.first_by_reader]
    largest = net.at(generations)
    if net.memory.selects:  # rows are drawn one by one
        later = [-(-sum(f.samples for f in feeds) // 2) for feeds in largest.feeds_by_reader]
    else:
        later = [sum(-(-f.samples // 2) for f in feeds) for feeds in largest.feeds_by_reader]
    if net.memory.current_only or net.memory.selects or not rows:
        return max(*first, *later)
    fed = np.array([first, *[later] * generations])  # (T + 1, M)
    when = np.arange(generations + 1)
    return int(max((fed[net.memory.keeps(when, now)]).sum(0).max() for now in when))


def _empty(shape: Shape) -> Feeds:
    table = (shape.models, shape.slots)
    return Feeds(
        samples=np.zeros(table, np.int32),
        weight=np.zeros(table),
        origin=np.full(table, shape.models, np.int32),
        stream=np.zeros(table, np.uint32),
        renewed=np.zeros(table, bool),
    )


def _fill(
    feeds: Feeds,
    reader: int,
    slot: int,
    samples: int,
    weight: float,
    origin: int,
    stream: int,
    renewed: bool,
) -> None:
    values = (samples, weight, origin, stream, renewed)
    for column, value in zip(feeds, values, strict=True):
        column[reader, slot] = value
