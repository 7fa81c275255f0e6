"""Console output, kept as lines and tables, and written as HTML."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcjax.text import shown

FURTHER = "Other quantities"
"""The caption of a table that no line announces."""


class Grid(NamedTuple):
    """A table of texts.

    Attributes
    ----------
    caption : str
        What it holds.
    headings : sequence of str
        Headings of its columns.
    rows : sequence of sequence of str
        Its rows. The first entry of each names it.
    numbers : sequence of bool
        Which columns hold numbers.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[bool]


class Transcript(Console):
    """A console that keeps what is printed, in place of showing it.

    Attributes
    ----------
    parts : list of Grid or str
        Tables and lines. Lines in bold or italics announce tables, and are in their captions.
    """

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), highlight=False, emoji=False)
        self.parts: list[Grid | str] = []
        self._heading = self._place = ""
        self._announced = False

    def print(self, *objects: Any, style: Any = None, **settings: Any) -> None:
        """Keep a table or a line."""
        for one in objects:
            if isinstance(one, Table):
                self.parts.append(self._grid(one))
            elif style == "bold":
                self._heading, self._place, self._announced = _plain(one), "", False
            elif style == "italic":
                self._place = _plain(one)
            else:
                self.parts.append(_plain(one))

    def _grid(self, table: Table) -> Grid:
        caption = _plain(table.title or FURTHER)
        if not table.title and (self._place or not self._announced):
            caption = ". ".join(filter(None, (self._place, self._heading)))
        self._place, self._announced = "", True
        columns = table.columns
        cells = [[_plain(cell) for cell in column.cells] for column in columns]
        return Grid(
            caption,
            [_plain(column.header) for column in columns],
            list(zip(*cells, strict=True)),
            [column.justify == "right" for column in columns],
        )


def as_html(parts: Sequence[Grid | str]) -> str:
    """Return tables and lines as HTML."""
    return "".join(
        f"<p>{html.escape(shown(part))}</p>\n" if isinstance(part, str) else _table(part)
        for part in parts
    )


def _table(grid: Grid) -> str:
    caption = html.escape(shown(grid.caption))
    head = "".join(
        f'<th scope="col"{_class(number)}>{html.escape(shown(name))}</th>'
        for name, number in zip(grid.headings, grid.numbers, strict=True)
    )
    body = ""
    for name, *rest in grid.rows:
        cells = "".join(
            f"<td{_class(number)}>{html.escape(shown(text))}</td>"
            for text, number in zip(rest, grid.numbers[1:], strict=True)
        )
        body += f'<tr><th scope="row">{html.escape(shown(name))}</th>{cells}</tr>\n'
    # a table that is wider than the screen scrolls by itself, also by the keyboard
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0"><table>\n'
        f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def _class(number: bool) -> str:
    return ' class="number"' if number else ""


def _plain(text: Any) -> str:
    """Return a text without its colours; only those of the program itself are markup."""
    return (text if isinstance(text, Text) else Text.from_markup(str(text))).plain
