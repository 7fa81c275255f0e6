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

**Periods.** Models need not have the same period. Let L_i be a multiple of the periods of the feeds
into i. Then (j, y) -> (i, z) is an edge if some generation is in phase z of i while the one before
it is in phase y of j, that is if ``y = z - 1`` modulo the greatest common divisor of L_i and L_j.
What reaches the vertices is what reaches models in their generations, provided that what reaches j
has a period that divides L_i (:mod:`mcjax.laws.collapse.periods`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import DataFlow, Member, Vertex, blind_sources
from mcjax.laws.collapse.origins import CollapseOrigin, origins_in
from mcjax.network.drawn import Drawn
from mcjax.network.network import Network
from mcjax.network.unlisted import RandomFeeds

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

COPY = -1
"""Stands for no feed: the edge by which a vertex keeps an estimate."""


class Edges(NamedTuple):
    """Edges of a lift.

    Attributes
    ----------
    origin, reader : ndarray of int, shape (E,)
        The vertices between which they lead.
    feed : ndarray of int, shape (E,)
        Which feed each of them is, or ``COPY``.
    """

    origin: Int[np.ndarray, " E"]
    reader: Int[np.ndarray, " E"]
    feed: Int[np.ndarray, " E"]


class Lift:
    """The lift of a network of M models with L phases.

    Parameters
    ----------
    net : Network
        The network.
    periods : ndarray of int, shape (M,), optional
        The period L_i of each model; defaults to L for all.

    Attributes
    ----------
    net : Network
        The network.
    phases : int
        L; where networks are drawn by a Markov chain their number, and 1 if independently.
    periods : ndarray of int, shape (M,)
        The number of phases of each model.
    model, phase : ndarray of int, shape (V,)
        The model and the phase of each vertex, by phase and then by model: (i, z) is at position
        ``z M + i`` if all models have the same period.
    models : sequence of str or of Vertex
        The vertices; the names of models if there is one phase.
    feeds : tuple of Feed
        The feeds of the long run; those without weight are left out.
    origin : ndarray of int, shape (F,)
        The places in the network from which they come.
    read_by : ndarray of int, shape (R,)
        The vertices that read them, beside ``reads``.
    reads : ndarray of int, shape (R,)
        Positions in ``feeds``.
    kept : ndarray of bool, shape (V,)
        Which vertices keep the estimate of their model; for networks that are drawn independently,
        in some of these.
    begun : ndarray of bool, shape (V,)
        The vertices of the generation before feeds repeat themselves; all where they are drawn.
    source_index : dict of str to int
        As in the network.
    frozen : ndarray of bool, shape (V,)
        Which models read nothing in any phase.
    """

    def __init__(self, net: Network, periods: Int[np.ndarray, " M"] | None = None):
        self.net, later, size = net, net.later, net.size
        self.source_index = net.source_index
        rows = [row for row in later.repeated() if row[0].weight]
        if later.random:
            rows = list(dict.fromkeys(rows))
        self.phases = later.classes
        self.feeds = tuple(feed for feed, _, _ in rows)
        self.periods = np.full(size, self.phases) if periods is None else periods
        self.origin = np.array([net.places[feed.origin] for feed in self.feeds], np.int64)
        self._reader = np.array([net.index[feed.reader] for feed in self.feeds], np.int64)
        every, begin = (np.array([row[k] for row in rows], np.int64) for k in (1, 2))
        self._lay_out()
        times = self.periods[self._reader] // every
        self.reads = np.repeat(np.arange(len(rows)), times)
        z = begin[self.reads] + every[self.reads] * _counted(times)
        self.read_by = self.at(self._reader[self.reads], z)
        rests = np.ones(size, bool)
        rests[self._reader] = False
        self.frozen = rests[self.model]
        self.kept = np.ones(len(self.model), bool)
        self.kept[self.read_by] = False
        self.begun = self.phase == (later.before - 1) % self.periods[self.model]
        if isinstance(later, Drawn | RandomFeeds):
            self.kept = later.resting(net.models).ravel()
            self.begun = np.ones(len(self.model), bool)

    def _lay_out(self) -> None:
        """Give each vertex its position."""
        size, periods = self.net.size, self.periods
        model = np.repeat(np.arange(size), periods)
        phase = _counted(periods)
        order = np.lexsort((model, phase))
        self.model, self.phase = model[order], phase[order]
        self._first = np.concatenate([[0], np.cumsum(periods)[:-1]])
        self._place = np.empty(len(order), np.int64)
        self._place[order] = np.arange(len(order))

    def at(self, model: Int[np.ndarray, " n"], phase: Int[np.ndarray, " n"]) -> np.ndarray:
        """Return the positions of models in phases."""
        return np.asarray(self._place[self._first[model] + phase])

    def of_model(self, i: int) -> Int[np.ndarray, " L"]:
        """Return the positions of the phases of a model."""
        return np.asarray(self._place[self._first[i] : self._first[i] + self.periods[i]])

    @cached_property
    def models(self) -> Sequence[Member]:
        """The vertices; the names of models if there is one phase."""
        if self.phases == 1 and self.net.later.random:
            return self.net.models
        return _Vertices(self)

    @cached_property
    def edges(self) -> Edges:
        """The edges between vertices."""
        between = self.origin[self.reads] < self.net.size
        copies = np.flatnonzero(self.kept & ~self.frozen)
        number = np.append(self.reads[between], np.full(len(copies), COPY))
        reader = np.append(self.read_by[between], copies)
        model = np.append(self.origin[self.reads[between]], self.model[copies])
        edge, before = self._before(self.phase[reader], self.model[reader], model)
        return Edges(self.at(model[edge], before), reader[edge], number[edge])

    def _before(
        self,
        phase: Int[np.ndarray, " n"],
        reader: Int[np.ndarray, " n"],
        origin: Int[np.ndarray, " n"],
    ) -> tuple[Int[np.ndarray, " E"], Int[np.ndarray, " E"]]:
        """Return the phases of origins that may come before phases of readers.

        Returns
        -------
        edge, before : ndarray of int, shape (E,)
            Positions in what is given, and a phase for each.
        """
        if isinstance(self.net.later, Drawn | RandomFeeds):
            after, before = np.nonzero(self.net.later.leads.T)
            times, starts = np.bincount(after), np.searchsorted(after, np.arange(self.phases))
            edge = np.repeat(np.arange(len(phase)), times[phase])
            return edge, before[starts[phase[edge]] + _counted(times[phase])]
        common = np.gcd(self.periods[reader], self.periods[origin])
        times = self.periods[origin] // common
        edge = np.repeat(np.arange(len(phase)), times)
        return edge, (phase[edge] - 1) % common[edge] + common[edge] * _counted(times)

    def flow(self, blind: frozenset[str] = frozenset()) -> DataFlow:
        """Return the data flow, with real data from other sources than those in ``blind``."""
        count, size = len(self.model), self.net.size
        numbers = np.sort(self.edges.reader * count + self.edges.origin)
        new = np.append(np.ones(len(numbers[:1]), bool), numbers[1:] != numbers[:-1])
        reader, origin = np.divmod(numbers[new], count)
        shown = np.array([name not in blind for name in self.source_index])
        source = self.origin[self.reads] - size
        anchored = np.zeros(count, bool)
        anchored[self.read_by[(source >= 0) & shown[np.maximum(source, 0)]]] = True
        return DataFlow(
            Adjacency(reader, origin, count), Adjacency(origin, reader, count), anchored
        )

    def sources_of(self, members: Sequence[int]) -> set[str]:
        """Return the real sources that some vertices read."""
        inside = np.zeros(len(self.model), bool)
        inside[list(members)] = True
        read = {self.feeds[k].origin for k in np.unique(self.reads[inside[self.read_by]]).tolist()}
        return read.intersection(self.source_index)

    def any_phase(self, marks: Bool[np.ndarray, " V"]) -> Bool[np.ndarray, " M"]:
        """Return which models are marked in some phase."""
        result = np.zeros(self.net.size, bool)
        result[self.model[marks]] = True
        return result

    @cached_property
    def origins(self) -> tuple[CollapseOrigin, ...]:
        """The collapse origins of the lift."""
        if self.net.forgives:
            return ()
        return origins_in(self, map(self.flow, blind_sources(self.net)))


class _Vertices(Sequence[Member]):
    """The vertices of a lift, made when they are asked for."""

    def __init__(self, lift: Lift):
        self._lift = lift
        self._made: dict[int, Vertex] = {}

    def __len__(self) -> int:
        return len(self._lift.model)

    def __getitem__(self, v):  # type: ignore[no-untyped-def]  # one position
        try:
            return self._made[v]
        except KeyError:
            lift = self._lift
            name = lift.net.models[lift.model[v]]
            self._made[v] = made = Vertex(name, int(lift.phase[v]), kept=bool(lift.kept[v]))
            return made

    def __iter__(self) -> Iterator[Member]:
        return (self[v] for v in range(len(self)))


def _counted(times: Int[np.ndarray, " n"]) -> Int[np.ndarray, " total"]:
    """Return 0, 1, ... up to each of some numbers, one after the other."""
    ends = np.cumsum(times)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - times, times)
