"""The graph of models: who feeds whom, strongly connected components, and cyclic classes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from mcjax.network.feed import Feed
from mcjax.network.network import Network

UNSEEN = 1e-8
"""Variance in a direction, relative to the largest, up to which a source does not show it: a model
would take as many generations as its inverse to learn what the source says there."""


@dataclass(frozen=True)
class Vertex:
    """A model in one phase of feeds that come and go.

    Attributes
    ----------
    model : str
        Its name.
    phase : int
        z, from 0 to L - 1: the generations t >= 1 with ``(t - 1) mod L = z``.
    kept : bool
        Whether it reads nothing then, and keeps its estimate.
    """

    model: str
    phase: int
    kept: bool = False

    def __str__(self) -> str:
        """Return model and phase."""
        return f"{self.model}@{self.phase}" + (" (kept)" if self.kept else "")


Member = str | Vertex
"""A model by its name; where feeds come and go, in one of their phases."""


class Graph(Protocol):
    """Models and what they read: a network, or its lift (:mod:`mcjax.laws.collapse.lift`)."""

    @property
    def models(self) -> Sequence[Member]:
        """The vertices."""

    @property
    def feeds_by_reader(self) -> tuple[tuple[Feed, ...], ...]:
        """The feeds of each vertex."""

    @property
    def source_index(self) -> dict[str, int]:
        """Number of each real source."""


@dataclass(frozen=True)
class DataFlow:
    """A network as adjacency lists, by position.

    Attributes
    ----------
    feeders : list of list of int
        The models that feed each model.
    readers : list of list of int
        The models that read each model.
    anchored : list of bool
        Which models read real data, in the directions that are looked at.
    """

    feeders: list[list[int]]
    readers: list[list[int]]
    anchored: list[bool]


def data_flow(
    net: Network, blind: frozenset[str] = frozenset(), starts: Mapping[int, int] | None = None
) -> DataFlow:
    """Return who feeds whom, and who reads real data from other sources than those in ``blind``.

    Models also feed those whose fits begin at their parameters: ``starts`` maps the positions of
    these to that of the model where they begin.
    """
    feeders: list[list[int]] = [[] for _ in net.models]
    readers: list[list[int]] = [[] for _ in net.models]
    anchored = [False] * net.size
    for feed in net.feeds:
        i = net.index[feed.reader]
        if feed.origin in net.source_index:
            anchored[i] |= feed.origin not in blind
        else:
            j = net.index[feed.origin]
            feeders[i].append(j)
            readers[j].append(i)
    for i, j in (starts or {}).items():
        if feeders[i] or anchored[i]:  # a model that reads nothing takes no steps
            feeders[i].append(j)
            readers[j].append(i)
    return DataFlow(feeders, readers, anchored)


def blind_sources(net: Network) -> list[frozenset[str]]:
    """Return the largest sets of real sources that share a direction which none of them shows.

    A source shows the directions in which its covariates vary. Where every source shows all of
    them, the only such set is empty.
    """
    scaled = {
        source.name: np.array(source.covariance) / (np.linalg.norm(source.covariance, 2) or 1.0)
        for source in net.sources
        if source.covariance is not None
    }
    narrow = {name: covariance for name, covariance in scaled.items() if _unseen(covariance).size}
    spaces: dict[frozenset[str], np.ndarray] = {}
    for covariance in narrow.values():
        whole = np.eye(len(covariance))
        for space in (whole, *list(spaces.values())):
            common = space @ _unseen(space.T @ covariance @ space)
            if common.size:
                names = frozenset(
                    name
                    for name, other in narrow.items()
                    if _unseen(common.T @ other @ common).shape[1] == common.shape[1]
                )
                spaces[names] = common
    return [a for a in spaces if not any(a < b for b in spaces)] or [frozenset()]


def _unseen(covariance: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the directions without variance, (p, number of them)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors[:, values <= UNSEEN])


def strong_components(readers: list[list[int]]) -> list[list[int]]:
    """Return the strongly connected components, each before the components that it feeds.

    They are found from the readers of each model, and their members are in ascending order.
    """
    size = len(readers)
    starts = np.cumsum([0, *map(len, readers)])
    columns = np.fromiter(chain.from_iterable(readers), np.int32, starts[-1])
    graph = csr_array((np.ones(len(columns), np.int8), columns, starts), shape=(size, size))
    count, labels = connected_components(graph, connection="strong")
    components = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    order = _feeders_first(graph, labels, count)
    return [components[k].tolist() for k in order]


def reached(readers: list[list[int]], start: Iterable[int]) -> list[bool]:
    """Return which models some models reach along the data flow, themselves included."""
    waiting = list(start)
    result = [False] * len(readers)
    for i in waiting:
        result[i] = True
    while waiting:
        for i in readers[waiting.pop()]:
            if not result[i]:
                result[i] = True
                waiting.append(i)
    return result


def cyclic_classes(
    root: int, readers: list[list[int]], inside: set[int]
) -> tuple[int, dict[int, int]]:
    """Return the period of a component, and the phase of each member relative to the root.

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


def _feeders_first(graph: csr_array, labels: np.ndarray, count: int) -> list[int]:
    """Return the components in an order in which feeders come before readers."""
    origins = np.repeat(labels, np.diff(graph.indptr)).astype(np.int64)
    codes = np.unique(origins * count + labels[graph.indices])
    between = np.stack(np.divmod(codes, count))
    between = between[:, between[0] != between[1]]
    waits = np.bincount(between[1], minlength=count).tolist()
    readers = np.split(between[1], np.cumsum(np.bincount(between[0], minlength=count))[:-1])
    order = [k for k in range(count) if not waits[k]]
    for k in order:
        for reader in readers[k].tolist():
            waits[reader] -= 1
            if not waits[reader]:
                order.append(reader)  # the loop goes on with what it finds
    return order
