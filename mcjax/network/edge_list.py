"""Graphs from edge lists: CSV files with a row for each feed."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from mcjax.errors import InputError, did_you_mean
from mcjax.numbers import how_many

if TYPE_CHECKING:
    import networkx as nx

COLUMNS = ("from", "to", "samples", "weight", "every", "first", "until")
DELIMITERS = ",;\t"


def delimiter_of(text: str) -> str | None:
    """Return what separates the columns of an edge list; None for a text that is none.

    The header of an edge list has ``from``, ``to``, and ``samples`` or ``share``. The latter is
    recognised so that it can be refused.
    """
    delimiter, names = _header(text)
    return delimiter if {"from", "to"} <= names and names & {"samples", "share"} else None


def _header(text: str) -> tuple[str, set[str]]:
    """Return what separates the names in the first line, a comma if nothing does, and the names."""
    header = text.lstrip().partition("\n")[0]
    names: set[str] = set()
    for delimiter in DELIMITERS:
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        if {"from", "to"} <= names:
            return delimiter, names
    return DELIMITERS[0], names


def read_edge_list(text: str) -> nx.MultiDiGraph:
    """Return the graph of an edge list, whose nodes are the names that occur.

    Raises
    ------
    InputError
        If a column is not known, or a row has not all columns.
    """
    import networkx as nx

    delimiter, _ = _header(text)
    # not `splitlines`, which also breaks within names, such as at U+2028
    lines = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(lines)]
    if not {"from", "to"} <= set(header):
        raise InputError("", "is no edge list: its header has no columns from and to; add them")
    for name in header:
        if name not in COLUMNS or header.count(name) > 1:
            problem = "is given twice" if name in COLUMNS else "is not a column that is read"
            hint = did_you_mean(name, COLUMNS) or f"; known are {', '.join(COLUMNS)}"
            raise InputError(f"column {name!r}", problem + hint)
    graph = nx.MultiDiGraph()
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        field = f"line {lines.line_num}"
        if len(cells) != len(header):
            raise InputError(
                field, f"has {how_many(len(cells), 'cell')}; give {len(header)}, as the header"
            )
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}
        for end in ("from", "to"):
            if end not in row:
                raise InputError(field, f"has nothing in the column {end!r}; name a model")
        graph.add_edge(row.pop("from"), row.pop("to"), None, **row)
    return graph
