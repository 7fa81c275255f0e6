"""The graph of models: who feeds whom, strongly connected components, and cyclic classes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool

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

    def sources_of(self, members: Sequence[int]) -> set[str]:
        """Return the real sources that some vertices read."""


@dataclass(frozen=True)
class DataFlow:
    """A network as adjacency lists, by position.

    Attributes
    ----------
    feeders : Adjacency
        The models that feed each model.
    readers : Adjacency
        The models that read each model.
    anchored : ndarray of bool, shape (M,)
        Which models read real data, in the directions that are looked at.
    """

    feeders: Adjacency
    readers: Adjacency
    anchored: Bool[np.ndarray, " M"]


def data_flow(
    net: Network, blind: frozenset[str] = frozenset(), starts: Mapping[int, int] | None = None
) -> DataFlow:
    """Return who feeds whom, and who reads real data from other sources than those in ``blind``.

    Models also feed those whose fits begin at their parameters: ``starts`` maps the positions of
    these to that of the model where they begin.
    """
    feeds, size = net.columns, net.size
    origin, reader = feeds.origin, feeds.reader
    anchored = np.zeros(size, bool)
    seen = np.array([name not in blind for name in net.source_index])
    real = origin >= size
    anchored[reader[real][seen[origin[real] - size]]] = True
    origin, reader = origin[~real], reader[~real]
    if starts:  # a model that reads nothing takes no steps
        takes = np.bincount(reader, minlength=size).astype(bool) | anchored
        begun = np.array([[j, i] for i, j in starts.items() if takes[i]], int).reshape(-1, 2)
        origin, reader = np.append(origin, begun[:, 0]), np.append(reader, begun[:, 1])
    return DataFlow(Adjacency(reader, origin, size), Adjacency(origin, reader, size), anchored)


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


def cyclic_classes(
    root: int, readers: Sequence[list[int]], inside: set[int]
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
