"""Summaries of the main objects: a line and a short table, as text and in notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from mcjax.numbers import how_many
from mcjax.text import shown

MOST_ROWS = 8
"""Largest number of rows of a table."""
LONGEST = 72
"""Largest number of characters of an entry."""


class Summary(NamedTuple):
    """Summary of an object: a line and a table.

    Attributes
    ----------
    title : str
        What it is, in one line.
    rows : iterable of sequence of str
        Rows of a table, of which the first few are shown. Names in it need no escape.
    total : int
        Number of rows.
    noun : str
        What a row is about.
    """

    title: str
    rows: Iterable[Sequence[str]] = ()
    total: int = 0
    noun: str = "model"


class Summarised:
    """An object with a summary."""

    def _summary(self) -> Summary:
        raise NotImplementedError

    def __repr__(self) -> str:
        title, rows, more = _entries(self._summary())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(("", *map(str.ljust, row, widths))).rstrip() for row in rows]
        return "\n".join([title, *lines, *([f"  {more}"] if more else [])])

    def _repr_html_(self) -> str:
        title, rows, more = _entries(self._summary())
        cells = (
            "".join(f'<td style="text-align:left">{html.escape(entry)}</td>' for entry in row)
            for row in rows
        )
        table = "".join(f"<tr>{row}</tr>" for row in cells)
        last = f"<div>{html.escape(more)}</div>" if more else ""
        return (
            f"<div><div><strong>{html.escape(title)}</strong></div>"
            f"{f'<table>{table}</table>' if table else ''}{last}</div>"
        )


def few(names: Iterable[str], total: int, most: int = 4) -> str:
    """Return a few names in one line, and how many more there are."""
    more = f" and {total - most:,} more" if total > most else ""
    return ", ".join(islice(names, most)) + more


def _entries(summary: Summary) -> tuple[str, list[list[str]], str]:
    """Return title, rows of equal length and what is left out, fit to be shown."""
    rows = [list(map(_short, row)) for row in islice(summary.rows, MOST_ROWS)]
    width = max(map(len, rows), default=0)
    rows = [row + [""] * (width - len(row)) for row in rows]
    left = summary.total - len(rows)
    more = f"... and {how_many(left, f'more {summary.noun}')}" if left > 0 else ""
    return _short(summary.title, 2 * LONGEST), rows, more


def _short(entry: str, most: int = LONGEST) -> str:
    whole = shown(entry[: most + 1])
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
