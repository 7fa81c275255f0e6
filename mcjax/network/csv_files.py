"""CSV files with a header row: edge lists, and triples of subject, relation and object."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcjax.errors import InputError
from mcjax.network.edge_list import EdgeList, names_edges, read_edge_list
from mcjax.network.triples import names_triples, read_csv_triples
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from mcjax.network.lineage import Lineage

DELIMITERS = ",;\t"


def delimiter_of(text: str) -> str | None:
    """Return what separates the columns of an edge list or of triples; None for other text."""
    header = text.lstrip().partition("\n")[0]
    for delimiter in DELIMITERS:
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        if names_edges(names) or names_triples(names):
            return delimiter
    return None


def read_csv(text: str) -> EdgeList | Lineage:
    """Return the graph of a CSV file.

    Raises
    ------
    InputError
        If its header is neither of an edge list nor of triples, or a row cannot be read.
    """
    delimiter = delimiter_of(text) or DELIMITERS[0]
    # not `splitlines`, which also breaks within names, such as at U+2028
    lines = csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(lines, ())]

    def rows() -> Iterator[tuple[int, list[str]]]:
        for cells in lines:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if len(cells) != len(header):
                problem = f"has {how_many(len(cells), 'cell')}; give {len(header)}, as the header"
                raise InputError(f"line {lines.line_num}", problem)
            yield lines.line_num, cells

    if names_triples(header):
        return read_csv_triples(header, rows())
    if names_edges(header):
        return read_edge_list(header, rows())
    raise InputError(
        "",
        "is no edge list: its header has no columns from and to, nor subject, relation and object;"
        " add them",
    )
