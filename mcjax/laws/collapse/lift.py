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

Where networks are drawn by a Markov chain, phases are networks, and the edge (j, y) -> (i, z) is
there if network z may follow y. The proof is the same with the chain backwards: the variance that
grows is then the average over chains, given the network that is there. If networks are drawn
independently, what has been drawn does not matter to what follows, so the lift needs one vertex for
a model: it reads what it reads in any of the networks, itself too if it reads nothing in one.

So two networks in which nothing collapses may collapse when they alternate: model a reads b while b
rests, then b reads a while a rests. The origin is closed, and each estimate is that of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import DataFlow, Member, Vertex, blind_sources
from mcjax.laws.collapse.origins import CollapseOrigin, origins_in
from mcjax.network.drawn import Drawn
from mcjax.network.feed import Feed, by_reader
from mcjax.network.network import Network


class Lift:
    """The lift of a network of M models with L phases.

    Attributes
    ----------
    net : Network
        The network.
    phases : int
        L; where networks are drawn by a Markov chain their number, and 1 if independently.
    models : tuple of str or tuple of Vertex
        (i, z) at position ``z M + i``; the names of models if there is one phase.
    names : tuple of str
        The model of each vertex.
    feeds_by_reader : tuple of tuple of Feed
        What each vertex reads; feeds without weight are left out.
    kept : tuple of bool
        Which vertices keep the estimate of their model; for networks that are drawn independently,
        in some of these.
    previous : tuple of tuple of int
        The phases that may come before each phase.
    begun : range
        The vertices of the generation before feeds repeat themselves; all where they are drawn.
    source_index : dict of str to int
        As in the network.
    frozen : tuple of bool
        Which models read nothing in any phase, once for each vertex.
    """

    def __init__(self, net: Network):
        self.net = net
        later = net.later
        before = len(later.generations) - later.turns
        tables: list[tuple[tuple[Feed, ...], ...]] = [()] * later.turns
        for k, generation in enumerate(later.recurring, before):
            weighing = (feed for feed in generation.feeds if feed.weight)
            tables[k % later.turns] = by_reader(net.models, weighing)
        rests = tuple(not any(table[i] for table in tables) for i in range(net.size))
        kept = [tuple(not feeds for feeds in table) for table in tables]
        self.phases, count = later.turns, later.turns
        self.previous: tuple[tuple[int, ...], ...] = tuple(((z - 1) % count,) for z in range(count))
        self.begun = range((before - 1) % count * net.size, ((before - 1) % count + 1) * net.size)
        if isinstance(later, Drawn):
            leads = later.transition > 0
            self.previous = tuple(tuple(np.flatnonzero(leads[:, z]).tolist()) for z in range(count))
            if later.independent:
                tables = [tuple(map(_distinct, zip(*tables, strict=True)))]
                kept = [tuple(any(rest) for rest in zip(*kept, strict=True))]
                self.phases, self.previous = 1, ((0,),)
            self.begun = range(self.phases * net.size)
        self.source_index = net.source_index
        self.feeds_by_reader = tuple(feeds for table in tables for feeds in table)
        self.frozen = rests * self.phases
        self.kept = tuple(rest for table in kept for rest in table)
        self.names = net.models * self.phases
        self.models: tuple[Member, ...] = net.models
        if self.phases > 1 or not later.random:
            self.models = tuple(
                Vertex(name, z, kept=kept[z][i])
                for z in range(self.phases)
                for i, name in enumerate(net.models)
            )

    def flow(self, blind: frozenset[str] = frozenset()) -> DataFlow:
        """Return the data flow, with real data from other sources than those in ``blind``."""
        size, index = self.net.size, self.net.index
        feeders: list[list[int]] = []
        anchored = np.zeros(len(self.models), bool)
        for v, feeds in enumerate(self.feeds_by_reader):
            real = {feed.origin for feed in feeds if feed.origin in self.source_index}
            read = {index[feed.origin] for feed in feeds if feed.origin in index}
            if self.kept[v] and not self.frozen[v]:
                read.add(v % size)
            before = (z * size for z in self.previous[v // size])
            feeders.append(sorted({first + j for first in before for j in read}))
            anchored[v] = not real <= blind
        lists = Adjacency.of(feeders)
        return DataFlow(lists, Adjacency(lists.ends, lists.origins, len(lists)), anchored)

    def sources_of(self, members: Sequence[int]) -> set[str]:
        """Return the real sources that some vertices read."""
        read = {feed.origin for v in members for feed in self.feeds_by_reader[v]}
        return read.intersection(self.source_index)

    @cached_property
    def origins(self) -> tuple[CollapseOrigin, ...]:
        """The collapse origins of the lift."""
        if self.net.forgives:
            return ()
        return origins_in(self, map(self.flow, blind_sources(self.net)))


def _distinct(tables: Iterable[tuple[Feed, ...]]) -> tuple[Feed, ...]:
    """Return the distinct feeds of a model in several networks."""
    return tuple(dict.fromkeys(feed for feeds in tables for feed in feeds))
