"""Unstable sources: the parts of a network from which collapse comes.

An *unstable source* is a strongly connected component of the graph of models that contains a cycle
(a self-loop counts), gets no real data, and has no feed from outside itself. It lives on its own
output alone. A frozen model has no cycle and is none.

**Law.** The variance of a model grows without bound if and only if an unstable source reaches it
along the data flow; otherwise it converges. Derived here, for the errors
``e_t = W e_{t-1} + noise_t (+ bounded constants)`` of :mod:`mcjax.laws.system`, with W the shares,
whose rows sum to 1 less the real share:

* In an unstable source C the rows of ``W_CC`` sum to 1, so with pi its stationary row vector
  ``pi e_{C,t} = pi e_{C,t-1} + pi noise_t`` is a random walk. Every member's noise has positive
  variance, hence the walk's variance grows linearly, and so does that of whatever reads C, even
  indirectly: errors of the first order do not cancel, because all shares are positive.
* A set of models closed under "is fed by" and free of unstable sources has, after frozen models
  are taken out (they are constants), no recurrent class: from each model the backward walk with
  transition probabilities W leaves, for real data or for a frozen model. So the spectral radius of
  the rest of W is below 1, and the covariance converges.

Where data accumulate nothing collapses: generation t is a share of 1 / t of a model's data, so what
it adds to the variance is of the order of 1 / t^2 (:mod:`mcjax.laws.accumulation`).

With p parameters, and different positive definite H for real and synthetic data, the verdict is the
same. In coordinates in which both are diagonal the errors follow p networks of their own, coupled
only by their noise, in which just the real shares differ: positive still where they were.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from mcjax.network.network import REAL, Network

CLAUSES = ("closed", "self-loop", "period")
"""What the law says that one could overlook: a source has no feed from outside; a self-loop is a
cycle; cyclic classes do not average one another's noise."""


@dataclass(frozen=True)
class UnstableSource:
    """A closed cycle of models without real data.

    Attributes
    ----------
    members: names, in the order of the network.
    period: greatest common divisor d of the lengths of its cycles.
    indices: positions of the members in the network.
    phases: cyclic class of each member, 0 to d - 1; every feed inside leads from one to the next.
    """

    members: tuple[str, ...]
    period: int
    indices: tuple[int, ...]
    phases: tuple[int, ...]


@dataclass(frozen=True)
class DataFlow:
    """The network as adjacency lists, by position; ``anchored``: which models read real data."""

    feeders: list[list[int]]
    readers: list[list[int]]
    anchored: list[bool]


def data_flow(net: Network) -> DataFlow:
    """Who feeds whom, and who reads real data."""
    feeders: list[list[int]] = [[] for _ in net.models]
    readers: list[list[int]] = [[] for _ in net.models]
    anchored = [False] * net.size
    for feed in net.feeds:
        i = net.index[feed.reader]
        if feed.origin == REAL:
            anchored[i] = True
        else:
            j = net.index[feed.origin]
            feeders[i].append(j)
            readers[j].append(i)
    return DataFlow(feeders, readers, anchored)


def strong_components(readers: list[list[int]]) -> list[list[int]]:
    """Strongly connected components, each before the components that it feeds.

    Tarjan's algorithm with an explicit stack, since networks are deeper than Python recurses.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    open_models: list[int] = []
    is_open = [False] * len(readers)
    found: list[list[int]] = []
    for root in range(len(readers)):
        if root in order:
            continue
        walk = [(root, iter(readers[root]))]
        order[root] = low[root] = len(order)
        open_models.append(root)
        is_open[root] = True
        while walk:
            model, pending = walk[-1]
            for reader in pending:
                if reader not in order:
                    order[reader] = low[reader] = len(order)
                    open_models.append(reader)
                    is_open[reader] = True
                    walk.append((reader, iter(readers[reader])))
                    break
                if is_open[reader]:
                    low[model] = min(low[model], order[reader])
            else:
                walk.pop()
                if walk:
                    parent = walk[-1][0]
                    low[parent] = min(low[parent], low[model])
                if low[model] == order[model]:
                    component = []
                    while is_open[model]:
                        component.append(open_models.pop())
                        is_open[component[-1]] = False
                    found.append(component)
    return found[::-1]


def unstable_sources(
    net: Network, flow: DataFlow | None = None, without: str | None = None
) -> tuple[UnstableSource, ...]:
    """All unstable sources of a network, in the order of their first members.

    Parameters
    ----------
    without: one of ``CLAUSES`` to leave out of the law, to see that a simulation then refutes it.
    """
    flow = flow or data_flow(net)
    sources: list[UnstableSource] = []
    if net.forgives:
        return ()
    for component in strong_components(flow.readers):
        inside = set(component)
        feeders = [j for i in component for j in flow.feeders[i]]
        closed = inside.issuperset(feeders) or without == "closed"
        cyclic = not inside.isdisjoint(feeders)
        if without == "self-loop" and len(component) == 1:
            cyclic = False
        if cyclic and closed and not any(flow.anchored[i] for i in component):
            members = sorted(component)
            period, phase = _cyclic_classes(members[0], flow.readers, inside)
            if without == "period":
                period, phase = 1, dict.fromkeys(phase, 0)
            sources.append(
                UnstableSource(
                    members=tuple(net.models[i] for i in members),
                    period=period,
                    indices=tuple(members),
                    phases=tuple(phase[i] for i in members),
                )
            )
    return tuple(sorted(sources, key=lambda source: source.indices))


def collapsing(flow: DataFlow, sources: tuple[UnstableSource, ...]) -> list[bool]:
    """The law: which models an unstable source reaches, its members included."""
    waiting = [i for source in sources for i in source.indices]
    reached = [False] * len(flow.readers)
    for i in waiting:
        reached[i] = True
    while waiting:
        for i in flow.readers[waiting.pop()]:
            if not reached[i]:
                reached[i] = True
                waiting.append(i)
    return reached


def _cyclic_classes(
    root: int, readers: list[list[int]], inside: set[int]
) -> tuple[int, dict[int, int]]:
    """Period of a component, and the phase of each member relative to the root.

    With ``depth`` the distance from the root, the period is the greatest common divisor of
    ``depth(j) + 1 - depth(i)`` over the feeds j -> i inside.
    """
    depth = {root: 0}
    queue = deque([root])
    period = 0
    while queue:
        j = queue.popleft()
        for i in readers[j]:
            if i not in inside:
                continue
            if i not in depth:
                depth[i] = depth[j] + 1
                queue.append(i)
            period = math.gcd(period, depth[j] + 1 - depth[i])
    return period, {i: d % period for i, d in depth.items()}
