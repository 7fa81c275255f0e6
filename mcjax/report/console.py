"""Tables and verdicts on a terminal. Imports no JAX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from mcjax.text import shown
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED

STYLE = {VERIFIED: "blue", REFUTED: "bold red", INCONCLUSIVE: "yellow"}
MARK = {VERIFIED: "+", REFUTED: "x", INCONCLUSIVE: "?"}
"""Verdicts differ by mark and word as well as by colour."""
PLAIN: dict[str, Any] = {"box": None, "header_style": "dim"}
"""Style of tables that stand among lines of text."""
PIPE_WIDTH = 134
NAMES = ("model", "law", "condition", "ladder", "data of", "workflow")
"""Columns that hold names, which are never wrapped or truncated."""
WIDEST = 100_000
"""A width beyond that of any table."""
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def table_console(**settings: Any) -> Console:
    """Return a console on standard output, wide enough for the tables if that is not a terminal.

    Names are not read as markup or emoji codes.
    """
    console = Console(highlight=False, emoji=False, **settings)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def numbers(heading: str) -> Column:
    """Return a column of numbers, which are aligned at the right."""
    return Column(heading, justify="right")


def label(name: str) -> Text:
    """Return a name for a console, which does not read it as markup."""
    return Text(shown(name))


def show_table(console: Console, table: Table) -> None:
    """Print a table.

    A table that is wider than the console runs over its edge, so that no name is wrapped or
    truncated.
    """
    for column in table.columns:
        if str(column.header) in NAMES:
            column.no_wrap = True
            column.min_width = max((cell_len(str(cell)) for cell in column.cells), default=0)
    measured = Measurement.get(console, console.options.update(width=WIDEST), table)
    if measured.minimum > console.width:
        table.width = measured.maximum
    console.print(table, crop=False)


def counted(verdicts: Iterable[str]) -> str:
    """Return how many verdicts there are of each kind, as text."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[v]} {v}" for v in (VERIFIED, REFUTED, INCONCLUSIVE))


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items by their key, in the order in which keys and items first appear."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
