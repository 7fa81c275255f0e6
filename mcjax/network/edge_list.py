"""Graphs from edge lists: tables with a row for each feed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network.edges import READ

COLUMNS = ("from", "to", "rows", *READ)
"""Columns that are read; ``rows`` are those that the reader fits, of which ``share`` is one."""


class EdgeList:
    """The graph of an edge list, with what :mod:`mcjax.network.graphs` asks of one of networkx.

    Parameters
    ----------
    names : sequence of str
        The columns of edges, besides their ends.
    """

    def __init__(self, names: Sequence[str]):
        self.graph: dict[str, Any] = {}
        self._names, self._places = tuple(names), dict[str, int]()
        self._ends: tuple[list[int], list[int]] = [], []
        self._cells: list[tuple[str, ...]] = []
        self._rows: dict[str, str] = {}

    def add(self, origin: str, reader: str, cells: tuple[str, ...]) -> None:
        """Add an edge with the text of each column."""
        places = self._places
        self._ends[0].append(places.setdefault(origin, len(places)))
        self._ends[1].append(places.setdefault(reader, len(places)))
        self._cells.append(cells)

    def give_rows(self, reader: str, rows: str) -> bool:
        """Say how many rows a reader fits; return whether that is what was said before."""
        return self._rows.setdefault(reader, rows) == rows

    def is_directed(self) -> bool:
        """Return True."""
        return True

    def nodes(self, data: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the names that occur, in the order in which they do."""
        known = self._rows
        return ((name, {"rows": known[name]} if name in known else {}) for name in self._places)

    def edges(self, data: bool = True) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Return the edges by their origins and then by their readers, each as they first occur."""
        names, known = tuple(self._places), self._names
        origin, reader = (np.array(ends, np.int64) for ends in self._ends)
        _, first, pair = np.unique(
            origin * len(names) + reader, return_index=True, return_inverse=True
        )
        for k in np.lexsort((np.arange(len(origin)), first[pair], origin)).tolist():
            given = {name: cell for name, cell in zip(known, self._cells[k], strict=True) if cell}
            yield names[self._ends[0][k]], names[self._ends[1][k]], given


def names_edges(names: Iterable[str]) -> bool:
    """Return whether the columns of a table are those of an edge list."""
    return {"from", "to"} <= set(names)


def read_edge_list(header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> EdgeList:
    """Return the graph of an edge list, whose nodes are the names that occur.

    Parameters
    ----------
    header : sequence of str
        The names of the columns.
    rows : iterable of (int, list of str)
        The number of each line, and its cells.

    Raises
    ------
    InputError
        If a column is not known, or a row lacks an end or contradicts another.
    """
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            if name in COLUMNS:
                raise InputError(f"column {name!r}", "is given twice; keep one")
            hint = did_you_mean(name, COLUMNS) or f"; known are {', '.join(COLUMNS)}"
            raise InputError(f"column {name!r}", f"is not a column that is read{hint}")
    source, target = header.index("from"), header.index("to")
    fitted = header.index("rows") if "rows" in header else None
    others = [k for k in range(len(header)) if k not in (source, target, fitted)]
    graph = EdgeList([header[k] for k in others])
    for line, cells in rows:
        if not (cells[source] and cells[target]):
            end = "to" if cells[source] else "from"
            raise InputError(f"line {line}", f"has nothing in the column {end!r}; name a model")
        graph.add(cells[source], cells[target], tuple([cells[k] for k in others]))
        given = cells[fitted] if fitted is not None else ""
        if given and not graph.give_rows(cells[target], given):
            problem = f"has {given} rows for {cells[target]!r}, and an earlier line others"
            raise InputError(f"line {line}", f"{problem}; keep one")
    return graph
