"""Networks as arrays, padded to a common shape.

Everything that distinguishes one network from another is a value in these arrays, so one compiled
program serves every network, sample size and weight up to that shape. Does not import JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mcjax.draws.streams import private_stream, published_stream, real_stream, source_stream
from mcjax.network import REAL, Network


class Feeds(NamedTuple):
    """The feeds of M models in one generation, in B slots each; empty slots come last."""

    samples: np.ndarray  # (M, B) int32, 0 in an empty slot
    weight: np.ndarray  # (M, B) float64, of one observation, relative to the reader's largest
    origin: np.ndarray  # (M, B) int32, number of a model, or M + s for real source s
    stream: np.ndarray  # (M, B) uint32, see mcjax.draws.streams
    renewed: np.ndarray  # (M, B) bool, whether drawn anew in each generation, or in 0 only


class Shape(NamedTuple):
    """The padded sizes of a program."""

    models: int
    slots: int
    pairs: int  # pairs of rows a fit
    steps: int = 0  # generations after which weights no longer change


class NetworkArrays(NamedTuple):
    """A network as arrays."""

    initial: Feeds  # generation 0
    feeds: Feeds  # all later generations
    frozen: np.ndarray  # (M,) bool
    schedule: np.ndarray | None = None  # (L, M, B), weights of generations 1 to L; the last stay


def shape_of(networks: Sequence[Network], generations: int = 1, rows: bool = True) -> Shape:
    """Return the smallest shape that holds all networks.

    Parameters
    ----------
    networks : sequence of Network
        The networks that share a program.
    generations : int
        Number T of generations, over which pools and sample counts may grow.
    rows : bool
        Whether a fit holds all rows of its pool. Otherwise it holds those of one generation, and
        sums over the others.

    Returns
    -------
    Shape
        The padded sizes.
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
    """Return the arrays of one network, padded with frozen models that read nothing."""
    real_origin = shape.models
    initial = _empty(shape)
    feeds = _empty(shape)
    frozen = np.ones(shape.models, bool)
    frozen[: net.size] = net.frozen
    for i, incoming in enumerate(net.feeds_by_reader):
        largest = max((feed.weight for feed in incoming), default=1.0)
        # if generation 0 stays in one pool with later feeds, all weights have one scale
        scale = 1 / largest if not net.memory.current_only else 1.0
        first = net.first_by_reader[i]
        most = max(feed.weight for feed in first)
        for b, feed in enumerate(first):
            origin, stream = _real(net, feed.origin, i, real_origin)
            weight = scale * feed.weight / most
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
    """Return the weights of generations 1, 2, ... relative to each reader's largest, (L, M, B)."""
    schedule = np.zeros((shape.steps + 1, shape.models, shape.slots))
    for i, incoming in enumerate(net.feeds_by_reader):
        for b, feed in enumerate(incoming):
            weights = np.array(feed.weights)
            schedule[:, i, b] = weights[np.minimum(np.arange(len(schedule)), len(weights) - 1)]
    largest = schedule.max(2, keepdims=True)
    return schedule / np.where(largest > 0, largest, 1)


def _real(net: Network, name: str, reader: int, first: int) -> tuple[int, int]:
    """Return origin and stream of a real source's sample; ``first`` is the origin of ``real``."""
    source = net.source_index[name]
    if name == REAL:
        return first, real_stream(reader)
    public = net.sources[source - 1].public
    return first + source, source_stream(source, None if public else reader)


def _pairs(net: Network, generations: int, rows: bool) -> int:
    """Return the pairs of rows of the largest fit; an odd sample leaves half a pair empty."""
    first = [sum(-(-f.samples // 2) for f in feeds) for feeds in net.first_by_reader]
    largest = net.at(generations)
    if net.memory.selects:  # rows are drawn one by one, so a fit has at most one empty half pair
        later = [-(-sum(f.samples for f in feeds) // 2) for feeds in largest.feeds_by_reader]
    else:
        later = [sum(-(-f.samples // 2) for f in feeds) for feeds in largest.feeds_by_reader]
    if net.memory.current_only or net.memory.selects or not rows:
        return max(*first, *later)
    pairs = np.array([first, *[later] * generations])  # (T + 1, M)
    when = np.arange(generations + 1)
    return int(max((pairs[net.memory.keeps(when, now)]).sum(0).max() for now in when))


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
