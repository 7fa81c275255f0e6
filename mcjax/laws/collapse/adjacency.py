"""A directed graph by position, in compressed rows: what it reaches, and its strong components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

NOTHING = -1
"""Stands for no model before one, on a path."""


class Adjacency(Sequence[list[int]]):
    """The ends of the edges from each of M vertices, a sequence of lists.

    Parameters
    ----------
    origin, end : ndarray of int, shape (E,)
        Where edges begin and end. Those of a vertex keep their order.
    size : int
        M.
    """

    def __init__(self, origin: Int[np.ndarray, " E"], end: Int[np.ndarray, " E"], size: int):
        order = np.argsort(origin, kind="stable")
        self.starts = np.zeros(size + 1, np.int64)
        np.cumsum(np.bincount(origin, minlength=size), out=self.starts[1:])
        self.ends = np.asarray(end)[order]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Adjacency:
        """Return the graph whose edges lead from each position to those in its list."""
        counts = np.fromiter(map(len, lists), np.int64, len(lists))
        ends = np.fromiter(chain.from_iterable(lists), np.int64, int(counts.sum()))
        return cls(np.repeat(np.arange(len(lists)), counts), ends, len(lists))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i):  # type: ignore[no-untyped-def]  # one position
        return self.ends[self.starts[i] : self.starts[i + 1]].tolist()

    @cached_property
    def origins(self) -> Int[np.ndarray, " E"]:
        """Vertex at which each edge begins, in the order of ``ends``."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def components(self) -> Components:
        """The strongly connected components."""
        size = len(self)
        ones = np.ones(len(self.ends), np.int8)
        graph = csr_array((ones, self.ends, self.starts), shape=(size, size))
        count, label = connected_components(graph, connection="strong")
        # numbered in the order in which a depth-first search leaves them, so the last comes first
        label = count - 1 - label
        assert (label[self.origins] <= label[self.ends]).all(), "SciPy orders components otherwise"
        return Components(label, count)

    def reached(self, start: Iterable[int]) -> Bool[np.ndarray, " M"]:
        """Return which vertices some of them reach, themselves included."""
        return self.before(start) != NOTHING

    def before(self, start: Iterable[int]) -> Int[np.ndarray, " M"]:
        """Return the vertex before each one on a shortest path from some of them.

        Returns
        -------
        ndarray of int, shape (M,)
            A vertex of ``start`` comes before itself; ``NOTHING`` where none of them leads.
        """
        size = len(self)
        begin = np.array(list(dict.fromkeys(start)), np.int64)
        result = np.full(size, NOTHING)
        if not len(begin):
            return result
        # one vertex more, from which edges lead to where paths may begin
        starts = np.append(self.starts, self.starts[-1] + len(begin)).astype(np.int32)
        ends = np.append(self.ends, begin).astype(np.int32)
        whole = (size + 1, size + 1)
        graph = csr_array((np.ones(len(ends)), ends, starts), shape=whole)
        found, before = breadth_first_order(graph, size, return_predecessors=True)
        result[found[1:]] = before[found[1:]]
        result[begin] = begin
        return result


class Components(Sequence[list[int]]):
    """The strongly connected components of a graph, each before the components it leads to.

    Attributes
    ----------
    label : ndarray of int, shape (M,)
        The component of each vertex.
    members : ndarray of int, shape (M,)
        The vertices component by component, those of each in ascending order.
    starts : ndarray of int, shape (components + 1,)
        Where each component begins in ``members``.
    """

    def __init__(self, label: Int[np.ndarray, " M"], count: int):
        self.label = label
        self.members = np.argsort(label, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=count))])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, k):  # type: ignore[no-untyped-def]  # one position
        if not 0 <= k < len(self):
            raise IndexError(k)
        return self.members[self.starts[k] : self.starts[k + 1]].tolist()

    def __iter__(self) -> Iterator[list[int]]:
        members, starts = self.members.tolist(), self.starts.tolist()
        return (members[a:b] for a, b in pairwise(starts))

    @property
    def sizes(self) -> Int[np.ndarray, " components"]:
        """The number of members of each."""
        return np.diff(self.starts)

    def having(self, vertices: Bool[np.ndarray, " M"]) -> Bool[np.ndarray, " components"]:
        """Return which components have one of some vertices."""
        result = np.zeros(len(self), bool)
        result[self.label[vertices]] = True
        return result
