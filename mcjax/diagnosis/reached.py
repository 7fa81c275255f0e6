"""Find which failures reach a model of a network whose feeds change, in its lift.

Diagnoses of feeds that take turns, and of feeds that are drawn, begin with it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.diagnosis.failure import Anchor, what_is_known
from mcjax.diagnosis.graph import origins_before
from mcjax.diagnosis.long_run import Facts, false_anchors
from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin, collapsing
from mcjax.network.feed import Feed
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Int


class Reached(NamedTuple):
    """Failures that reach the V vertices of a lift, each a model in a phase.

    Attributes
    ----------
    lift : Lift
        The lift.
    flow : DataFlow
        Its data flow.
    origins : tuple of CollapseOrigin
        Where noise accumulates.
    noise, unknown : ndarray of bool, shape (V,)
        Where noise accumulates, and where it may do so.
    anchors : tuple of (Anchor, ndarray of bool)
        False anchors, and which vertices each of them reaches.
    """

    lift: Lift
    flow: DataFlow
    origins: tuple[CollapseOrigin, ...]
    noise: Bool[np.ndarray, " V"]
    unknown: Bool[np.ndarray, " V"]
    anchors: tuple[tuple[Anchor, Bool[np.ndarray, " V"]], ...]

    @property
    def states(self) -> Int[np.ndarray, " V"]:
        """Return a number for each vertex, the same where the same reaches it."""
        sets: dict[int, int] = {}
        found = origins_before(self.flow, self.origins)
        result = np.array([sets.setdefault(bits, len(sets)) for bits in found])
        for mark in (self.noise, self.unknown, *(far for _, far in self.anchors)):
            result = np.unique(2 * result + mark, return_inverse=True)[1]
        return result

    def anchors_of_models(self) -> list[tuple[Anchor, ...]]:
        """Return the false anchors that reach each model, in some phase."""
        reached = [(anchor, self.lift.any_phase(far).tolist()) for anchor, far in self.anchors]
        models = range(self.lift.net.size)
        return [tuple(anchor for anchor, far in reached if far[i]) for i in models]


def reached(net: Network, facts: Facts, lift: Lift) -> Reached:
    """Return which failures reach the vertices of a network's lift."""
    flow = lift.flow()
    noise, anchors = _noise(net, facts, lift, flow), _anchors(net, facts, lift, flow)
    return Reached(lift, flow, *noise, anchors)


def _noise(
    net: Network, facts: Facts, lift: Lift, flow: DataFlow
) -> tuple[tuple[CollapseOrigin, ...], Bool[np.ndarray, " V"], Bool[np.ndarray, " V"]]:
    """Return the collapse origins, where noise accumulates, and where it may do so.

    Penalties and selections may hold noise. So may a memory, or steps, of which nothing is known.
    """
    if not (facts.refits and (net.memory.current_only or net.memory.vanishing)):
        return (), np.zeros(len(lift.model), bool), ~lift.frozen
    marked = np.full(len(lift.model), facts.penalised)
    keeps = np.array([feed.keep is not None for feed in lift.feeds], bool)
    marked[lift.read_by[keeps[lift.reads]]] = True
    if not marked.any():
        noise = collapsing(flow, lift.origins)
        return lift.origins, noise, np.zeros(len(marked), bool)
    edges = lift.edges
    whole = ~np.append(keeps, False)[edges.feed]  # an estimate that is kept is passed on as it is
    raw = Adjacency(edges.origin[whole], edges.reader[whole], len(marked))
    return what_is_known(flow, lift.origins, marked, raw)


def _anchors(
    net: Network, facts: Facts, lift: Lift, flow: DataFlow
) -> tuple[tuple[Anchor, Bool[np.ndarray, " V"]], ...]:
    """Return the false anchors, and which vertices each of them reaches.

    Whether false anchors cancel is not asked.
    """
    found = []
    parts = flow.readers.components
    false = false_anchors(net, facts)
    for name in (name for name, s in lift.source_index.items() if false[s]):
        read = np.array([feed.origin == name for feed in lift.feeds], bool)
        begins = lift.read_by[read[lift.reads]]
        # what closed components and frozen models begin with stays
        entered = np.zeros(len(parts), bool)
        ends, starts = parts.label[flow.feeders.origins], parts.label[flow.feeders.ends]
        entered[ends[ends != starts]] = True
        closed = ~(entered | parts.having(flow.anchored))[parts.label]
        held = np.array(_held(net, name))[lift.model]
        begun = closed & held & (lift.frozen | lift.begun)
        found.append((Anchor(name, "source", None), [*begins, *np.flatnonzero(begun)]))
    if facts.penalised:
        found.append((Anchor("penalty", "penalty", None), list(range(len(lift.model)))))
    kept: dict[Anchor, list[int]] = {}
    for k, feed in enumerate(lift.feeds):
        if feed.keep is not None:
            kind = fields(feed.keep)[0].name
            anchor = Anchor(f"{feed.origin} -> {feed.reader}", kind, None)
            kept.setdefault(anchor, []).extend(lift.read_by[lift.reads == k])
    return tuple(
        (anchor, flow.readers.reached(begins))
        for anchor, begins in (*found, *kept.items())
        if begins
    )


def _held(net: Network, source: str) -> list[bool]:
    """Return which models have read a source, at first or through others, before the turns."""
    held = [source in _origins(feeds) for feeds in net.first_by_reader]
    for table in map(net.reads, range(1, net.later.before + 1)):
        carried = {source} | {name for name, has in zip(net.models, held, strict=True) if has}
        held = [
            bool(carried & _origins(feeds)) if feeds else before
            for feeds, before in zip(table, held, strict=True)
        ]
    return held


def _origins(feeds: tuple[Feed, ...]) -> set[str]:
    return {feed.origin for feed in feeds if feed.weight}
