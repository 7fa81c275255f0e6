"""The lift of a network whose feeds come and go: a static network of models in their phases.

Let the feeds of a network repeat themselves every L generations in the long run. Generation t >= 1
is then in the *phase* ``z = (t - 1) mod L``. The *lift* has a vertex (i, z) for each model and
phase, with an edge (j, z - 1) -> (i, z) for each feed j -> i of that phase. A model that reads
nothing in a phase keeps its estimate there, as if it read infinitely many rows of itself: the edge
(i, z - 1) -> (i, z). The lift is a static network, of which the errors of L interleaved copies of
the chain follow the law.

**Law.** The variance of model i in phase z grows without bound if and only if a collapse origin of
the lift (:mod:`mcjax.laws.collapse.origins`) reaches (i, z). A model that reads nothing in any
phase is frozen.

Proof: unroll the errors. The backward walk of the lift, from (i, z) to (j, z - 1) with the shares
of what model i reads in phase z, stays for ever in a closed component without real data if and only
if it reaches one. Such a component has a vertex that is fitted, since the walk from a kept vertex
stays with its model until a phase in which it is fitted. There noise of positive variance is added
in every round, and all shares are positive. Elsewhere all vertices with noise are transient, so the
sum over the past converges geometrically. Derived here.

So two networks in which nothing collapses may collapse when they alternate: model a reads b while b
rests, then b reads a while a rests. The origin is closed, and each estimate is that of the other.
"""

from __future__ import annotations

from functools import cached_property

from mcjax.laws.collapse.components import DataFlow, Vertex, blind_sources
from mcjax.laws.collapse.origins import CollapseOrigin, origins_in
from mcjax.network.feed import Feed, by_reader
from mcjax.network.network import Network


class Lift:
    """The lift of a network of M models with L phases.

    Attributes
    ----------
    net : Network
        The network.
    phases : int
        L.
    before : int
        The number of generations before feeds repeat themselves.
    models : tuple of Vertex
        (i, z) at position ``z M + i``.
    feeds_by_reader : tuple of tuple of Feed
        What each vertex reads; feeds without weight are left out.
    source_index : dict of str to int
        As in the network.
    frozen : tuple of bool
        Which models read nothing in any phase, once for each vertex.
    """

    def __init__(self, net: Network):
        self.net = net
        self.phases = net.later.turns
        self.before = len(net.later.generations) - self.phases
        tables: list[tuple[tuple[Feed, ...], ...]] = [()] * self.phases
        for k, generation in enumerate(net.later.recurring, self.before):
            weighing = (feed for feed in generation.feeds if feed.weight)
            tables[k % self.phases] = by_reader(net.models, weighing)
        self.source_index = net.source_index
        self.feeds_by_reader = tuple(feeds for table in tables for feeds in table)
        rests = [not any(table[i] for table in tables) for i in range(net.size)]
        self.frozen = tuple(rests) * self.phases
        self.models = tuple(
            Vertex(name, z, kept=not table[i])
            for z, table in enumerate(tables)
            for i, name in enumerate(net.models)
        )

    def flow(self, blind: frozenset[str] = frozenset()) -> DataFlow:
        """Return the data flow, with real data from other sources than those in ``blind``."""
        size, index = self.net.size, self.net.index
        feeders: list[list[int]] = []
        readers: list[list[int]] = [[] for _ in self.models]
        anchored = []
        for v, feeds in enumerate(self.feeds_by_reader):
            before = (v // size - 1) % self.phases * size
            real = {feed.origin for feed in feeds if feed.origin in self.source_index}
            read = {before + index[feed.origin] for feed in feeds if feed.origin in index}
            if not (feeds or self.frozen[v]):
                read.add(before + v % size)
            feeders.append(sorted(read))
            anchored.append(not real <= blind)
            for j in feeders[-1]:
                readers[j].append(v)
        return DataFlow(feeders, readers, anchored)

    @cached_property
    def origins(self) -> tuple[CollapseOrigin, ...]:
        """The collapse origins of the lift."""
        if self.net.forgives:
            return ()
        return origins_in(self, map(self.flow, blind_sources(self.net)))
