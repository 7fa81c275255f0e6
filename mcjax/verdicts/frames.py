"""Cells as a table, with one row a cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcjax.verdicts.cells import Cell

if TYPE_CHECKING:
    import pyarrow

TEXTS = ("condition", "model", "quantity", "law", "verdict", "note")
COUNTS = ("generation", "chains", "lost", "chains_needed")
"""Columns that hold texts and integers; all others hold floats."""


def cell_columns(cells: Sequence[Cell]) -> dict[str, list[Any]]:
    """Return the table of cells by columns, with the interval as two columns."""
    columns = {
        field.name: [getattr(cell, field.name) for cell in cells]
        for field in dataclasses.fields(Cell)
    }
    intervals = columns.pop("interval")
    return columns | {"low": [low for low, _ in intervals], "high": [high for _, high in intervals]}


def cell_table(cells: Sequence[Cell]) -> pyarrow.Table:
    """Return the table of cells for Arrow, in which only ``chains_needed`` can be null."""
    import pyarrow  # heavy, and for tables alone

    columns = cell_columns(cells)
    kinds = dict.fromkeys(TEXTS, pyarrow.string()) | dict.fromkeys(COUNTS, pyarrow.int64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in columns])
    return pyarrow.table(columns, schema)
