"""Networks as arrays, padded to a common shape.

Everything that distinguishes one network from another is a value in these arrays, so one compiled
program serves every network, sample size, weight and timeline up to that shape. Does not import
JAX, so that laws can use the same tables without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.draws.streams import private_stream, published_stream, real_stream, source_stream
from mcjax.network import REAL, Feed, Generation, Network
from mcjax.network.feed import by_reader

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int32, Integer, UInt32


class Feeds(NamedTuple):
    """The feeds of M models in one generation, in B slots each; empty slots come last.

    Attributes
    ----------
    samples : array
        Number of observations, 0 in an empty slot, shape (M, B): int32, or int64 if one needs it.
    weight : array
        Weight of one observation, relative to the reader's largest, shape (M, B).
    origin : array
        Number of a model, or M + s for real source s, int32, shape (M, B).
    stream : array
        Stream of the sample, see :mod:`mcjax.draws.streams`, uint32, shape (M, B).
    renewed : array
        Whether the sample is drawn anew each generation; otherwise it is that of generation 0.
        Shape (M, B).
    selection : array, optional
        Which selection the reader keeps, int32, shape (M, B): number k of the network's selections,
        from 1, or 0 for everything. None if no feed has one.
    copy : array, optional
        Number of the sample among those of its stream, uint32, shape (M, B), as selections differ.
        None if no feed has a selection.

    Notes
    -----
    Arrays are NumPy's on the host and JAX's in compiled code, which takes one model's row of shape
    (B,), or adds axes for several tables or lanes.
    """

    samples: Integer[Any, "*M B"]
    weight: Float[Any, "*M B"]
    origin: Int32[Any, "*M B"]
    stream: UInt32[Any, "*M B"]
    renewed: Bool[Any, "*M B"]
    selection: Int32[Any, "*M B"] | None = None
    copy: UInt32[Any, "*M B"] | None = None


MOST_ROWS = 2**31 - 1
"""Largest number of rows of a fit that can be simulated; laws take any number."""


class PaddedSizes(NamedTuple):
    """The padded sizes of a program."""

    models: int
    slots: int
    pairs: int  # pairs of rows a fit
    tables: int = 2  # distinct generations
    generations: int = 1  # T


class NetworkArrays(NamedTuple):
    """A network as compiled code sees it; which feeds a generation has is data.

    Attributes
    ----------
    feeds : Feeds
        Those of the G distinct generations, generation 0 first; entries of shape (G, M, B).
    order : array
        Which of them each generation has, int32 of shape (T + 1,).
    frozen : array
        Models that never change after generation 0, shape (M,).
    """

    feeds: Feeds
    order: Int32[Any, " T+1"]
    frozen: Bool[Any, " M"]


def tables_of(network: NetworkArrays) -> list[Feeds]:
    """Return the feeds of the distinct generations, generation 0 first, for code without JAX."""
    feeds = network.feeds
    return [
        Feeds(*(entry if entry is None else entry[g] for entry in feeds))
        for g in range(len(feeds.samples))
    ]


def real_samples(tables: Sequence[Feeds], models: int) -> list[tuple[int, int, int]]:
    """Return where the distinct real samples are: generation, reader and slot of the first feed.

    Parameters
    ----------
    tables : sequence of Feeds
        The feeds of the distinct generations, see :func:`tables_of`.
    models : int
        Number of models in the tables, with padding.
    """
    places: dict[int, tuple[int, int, int]] = {}
    for g, feeds in enumerate(tables):
        for i, b in np.argwhere((feeds.samples > 0) & (feeds.origin >= models)).tolist():
            places.setdefault(int(feeds.stream[i, b]), (g, i, b))
    return list(places.values())


def shape_of(
    networks: Sequence[Network], generations: int = 1, rows: bool = True, pooled: bool = False
) -> PaddedSizes:
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
    pooled : bool
        Whether there is room for the pooled estimator, as a further model.

    Returns
    -------
    PaddedSizes
        The padded sizes.
    """
    if pooled:
        alone = shape_of(networks, generations, rows)
        held = [_held(net, alone) for net in networks]
        return alone._replace(
            models=alone.models + 1,
            slots=max(alone.slots, *(len(counts) for counts in held)),
            pairs=max(alone.pairs, *(sum(-(-n // 2) for n in counts) for counts in held)),
        )
    timelines = [_timeline(net, generations) for net in networks]
    return PaddedSizes(
        models=max(net.size for net in networks),
        slots=max(
            len(feeds)
            for net, (distinct, _) in zip(networks, timelines, strict=True)
            for table in _tables(net, distinct)
            for feeds in table
        ),
        pairs=max(
            _pairs(net, *timeline, rows) for net, timeline in zip(networks, timelines, strict=True)
        ),
        tables=1 + max(len(distinct) for distinct, _ in timelines),
        generations=generations,
    )


def _held(net: Network, shape: PaddedSizes) -> list[int]:
    """Return the sizes of the samples that the pooled estimator of a network fits."""
    tables = tables_of(network_arrays(net, shape))
    return [int(tables[g].samples[i, b]) for g, i, b in real_samples(tables, shape.models)]


def network_arrays(net: Network, shape: PaddedSizes, pooled: bool = False) -> NetworkArrays:
    """Return the arrays of one network, padded with frozen models that read nothing.

    The *pooled* estimator is a further model, the first after those of the network. It fits every
    real sample that any model reads, each once and unweighted, at generation 0. All samples are
    those of the models themselves, which have the streams of their readers.

    Where chains draw their networks, the engine gives each its own ``order``.
    """
    distinct, order = _timeline(net, shape.generations)
    tables = _tables(net, distinct)
    most = max((feed.samples for table in tables for feeds in table for feed in feeds), default=0)
    counts = np.int32 if most <= MOST_ROWS else np.int64  # of laws alone
    feeds = Feeds(
        samples=np.zeros((shape.tables, shape.models, shape.slots), counts),
        weight=np.zeros((shape.tables, shape.models, shape.slots)),
        origin=np.full((shape.tables, shape.models, shape.slots), shape.models, np.int32),
        stream=np.zeros((shape.tables, shape.models, shape.slots), np.uint32),
        renewed=np.zeros((shape.tables, shape.models, shape.slots), bool),
    )
    if net.selections:
        feeds = feeds._replace(
            selection=np.zeros(feeds.samples.shape, np.int32),
            copy=np.zeros(feeds.samples.shape, np.uint32),
        )
    copies = _copies(net)
    for g, table in enumerate(tables):
        for i, incoming in enumerate(table):
            largest = _largest(net, tables, g, i)
            for b, feed in enumerate(incoming):
                row = _row(net, feed, reader=i, largest=largest, models=shape.models, first=g == 0)
                if net.selections:
                    number = 0 if feed.keep is None else 1 + net.selections.index(feed.keep)
                    row += number, copies[_sample(net, feed), feed.keep]
                for column, value in zip(feeds, row, strict=False):
                    column[g, i, b] = value
    if pooled:
        arrays = NetworkArrays(feeds, np.zeros(1, np.int32), np.ones(shape.models, bool))
        for slot, (g, i, b) in enumerate(real_samples(tables_of(arrays), shape.models)):
            for column in (entry for entry in feeds if entry is not None):
                column[0, net.size, slot] = column[g, i, b]
            feeds.weight[0, net.size, slot] = 1.0
            feeds.renewed[0, net.size, slot] = False
    frozen = np.ones(shape.models, bool)
    frozen[: net.size] = net.frozen
    return NetworkArrays(feeds, np.append(0, 1 + order).astype(np.int32), frozen)


def _timeline(net: Network, generations: int) -> tuple[tuple[Generation, ...], np.ndarray]:
    """Return distinct generations, and which of them each one is; the first if it is drawn."""
    if net.later.random:
        return net.later.generations, np.zeros(generations, int)
    return net.later.order(generations)


Table = tuple[tuple[Feed, ...], ...]
"""The feeds of one generation, model by model."""


def _tables(net: Network, distinct: Sequence[Generation]) -> list[Table]:
    """Return the feeds of generation 0 and of the distinct later ones."""
    later = (by_reader(net.models, generation.feeds) for generation in distinct)
    return [net.first_by_reader, *later]


def _largest(net: Network, tables: Sequence[Table], g: int, reader: int) -> float:
    """Return the weight relative to which those of one fit are: the largest in it."""
    # a pool holds several generations, with which the generation-0 sample of weight 1 is compared
    fitted = tables[g : g + 1] if net.memory.current_only else tables[1:]
    return max((feed.weight for table in fitted for feed in table[reader]), default=1.0)


def _row(
    net: Network, feed: Feed, reader: int, largest: float, models: int, first: bool
) -> tuple[Any, ...]:
    """Return the entries of one feed, in the order of :class:`Feeds`."""
    if feed.origin in net.source_index:
        origin, stream = _real(net, feed.origin, reader, models)
        renewed = not first and net.renews(feed.origin)
    else:
        origin, renewed = net.index[feed.origin], True
        shared = net.shares_draws
        stream = published_stream(origin) if shared else private_stream(reader, origin)
    return feed.samples, feed.weight / largest, origin, stream, renewed


def _copies(net: Network) -> dict[tuple[tuple[str, str], Any], int]:
    """Return the number of each sample among those of its stream, which selections tell apart."""
    copies: dict[tuple[tuple[str, str], Any], int] = {}
    count: dict[tuple[str, str], int] = {}
    first = (feed for feeds in net.first_by_reader for feed in feeds)
    for feed in (*first, *net.later.feeds):
        sample = _sample(net, feed)
        if (sample, feed.keep) not in copies:
            copies[sample, feed.keep] = count.get(sample, 0)
            count[sample] = copies[sample, feed.keep] + 1
    return copies


def _sample(net: Network, feed: Feed) -> tuple[str, str]:
    """Return what a sample is known by: its origin, and its reader unless it has several."""
    source = net.source_index.get(feed.origin)
    if source is None:
        return feed.origin, "" if net.shares_draws else feed.reader
    return feed.origin, "" if source and net.sources[source - 1].public else feed.reader


def _real(net: Network, name: str, reader: int, first: int) -> tuple[int, int]:
    """Return origin and stream of a real source's sample; ``first`` is the origin of ``real``."""
    source = net.source_index[name]
    if name == REAL:
        return first, real_stream(reader)
    public = net.sources[source - 1].public
    return first + source, source_stream(source, None if public else reader)


def _pairs(net: Network, distinct: Sequence[Generation], order: np.ndarray, rows: bool) -> int:
    """Return the pairs of rows of the largest fit.

    A feed with an odd count leaves half a pair empty.
    """
    first, *later = _tables(net, distinct)
    tables = [_in_twos(first)]
    for table in later:
        if net.memory.selects:  # rows are drawn one by one
            tables.append([-(-sum(f.samples for f in feeds) // 2) for feeds in table])
        else:
            tables.append(_in_twos(table))
    fed = np.array(tables)  # (G, M)
    if net.memory.current_only or net.memory.selects or not rows:
        return int(fed.max())
    fed = fed[np.append(0, 1 + order)]  # (T + 1, M)
    when = np.arange(len(fed))
    return int(max((fed[net.memory.keeps(when, now)]).sum(0).max() for now in when))


def _in_twos(table: Table) -> list[int]:
    return [sum(-(-feed.samples // 2) for feed in feeds) for feeds in table]
