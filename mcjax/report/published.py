"""Show the table of published results on a terminal, as JSON, and keep it on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mcjax.engine.outcome import Outcome, Tally
from mcjax.numbers import how_many
from mcjax.published.entry import BOUND, Entry
from mcjax.published.judge import CONFIDENCE, PLANTED, Result
from mcjax.report.console import MARK, STYLE, counted, grouped, numbers
from mcjax.report.folder import ResultFolder
from mcjax.report.store import Store
from mcjax.study.study import Study
from mcjax.text import number, with_error
from mcjax.verdicts.equivalence import REFUTED, Verdict, worst


class PublishedStore:
    """A folder with the table of results, and one subfolder for the study of each entry.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it does not exist.

    Raises
    ------
    InputError
        See :class:`mcjax.report.folder.ResultFolder`.
    """

    def __init__(self, folder: Path):
        self._folder = ResultFolder(folder, {"holds": "published results"}, "published")
        self._stores: dict[str, Store] = {}

    @property
    def path(self) -> Path:
        """Path of the folder."""
        return self._folder.path

    def load(self, entry: Entry, depth: int, study: Study) -> list[Tally[Outcome]] | None:
        """Load the tallies of earlier runs of an entry; None if there are none."""
        name = f"{slug(entry)}-deep" if depth > 1 else slug(entry)
        self._stores[entry.id] = Store(self._folder.path / name, study)
        return self._stores[entry.id].load()

    def save(self, entry: Entry, tallies: Sequence[Tally[Outcome]]) -> None:
        """Keep the tallies of an entry."""
        self._stores[entry.id].save(tallies)

    def finish(self, results: Sequence[Result], tolerance: float) -> None:
        """Keep the table as ``published.json`` and ``published.csv``."""
        self._folder.write_json("published.json", published_json(results, tolerance))
        self._folder.write_csv("published.csv", [_row(r) for r in results], ["id"])


def slug(entry: Entry) -> str:
    """Return an entry's id as a file name."""
    return entry.id.replace("'", "p")


def verdict_of(results: Sequence[Result]) -> Verdict:
    """Return the worst verdict."""
    return worst(np.array([result.verdict for result in results]))


def published_json(results: Sequence[Result], tolerance: float) -> dict[str, Any]:
    """Return what ``mcjax published --json`` prints."""
    return {
        "results": [_row(result) for result in results],
        "tolerance": tolerance,
        "confidence": CONFIDENCE,
        "planted_error": PLANTED,
        "verdict": verdict_of(results),
    }


def _row(result: Result) -> dict[str, Any]:
    entry, row, cell = result.entry, result.row, result.cell
    return {
        "id": entry.id,
        "setting": row.setting,
        "claim": entry.claim,
        "formula": entry.formula,
        "source": entry.reference,
        "kind": entry.kind,
        "expected": cell.predicted,
        "published": row.constant,
        "empirical": cell.empirical,
        "standard_error": cell.standard_error,
        "ratio": cell.ratio,
        "low": cell.interval[0],
        "high": cell.interval[1],
        "verdict": result.verdict,
        "published_verdict": None if result.published is None else result.published.verdict,
        "planted_verdict": result.planted,
        "chains": cell.chains,
        "lost": cell.lost,
        "note": cell.note,
    }


def show_published(
    console: Console, results: Sequence[Result], tolerance: float, seconds: float
) -> None:
    """Print the table, entry by entry, and a summary line."""
    right = map(numbers, ("published", "by the law", "simulated", "ratio"))
    title = "Published results, simulated"
    table = Table("", "setting", *right, "verdict", f"{PLANTED:.0%} off", title=title)
    by_entry = grouped(results, lambda result: result.entry)
    for entry, rows in by_entry.items():
        table.add_section()
        table.add_row(f"[bold]{entry.id}[/]", f"[italic]{entry.claim}[/]")
        bound = "<= " if entry.kind == BOUND else ""
        for result in rows:
            cell = result.cell
            table.add_row(
                "",
                result.row.setting,
                number(result.row.constant, 6),
                bound + number(cell.predicted, 6),
                with_error(cell.empirical, cell.standard_error),
                f"{cell.ratio:.4f}" if math.isfinite(cell.ratio) else "-",
                f"[{STYLE[result.verdict]}]{MARK[result.verdict]} {result.verdict}[/]",
                f"[{STYLE[result.planted]}]{result.planted}[/]",
            )
    console.print(table)
    for entry in by_entry:
        console.print(
            f"{entry.id}: {entry.formula}  ({entry.kind}; {entry.reference})", markup=False
        )
    for result in results:
        if result.cell.note:
            console.print(
                f"{result.entry.id}, {result.row.setting}: {result.cell.note}", markup=False
            )
    planted = sum(result.planted == REFUTED for result in results)
    verdict = verdict_of(results)
    console.print(
        f"[{STYLE[verdict]}]{verdict}[/]: {how_many(len(results), 'number')}"
        f" ({counted(result.verdict for result in results)}) at ±{tolerance:.0%} with"
        f" confidence {CONFIDENCE:.0%} together; of the constants planted {PLANTED:.0%} off,"
        f" {planted:,} {'is' if planted == 1 else 'are'} refuted and {len(results) - planted:,}"
        f" {'is' if len(results) - planted == 1 else 'are'} not;"
        f" {seconds:.0f} s",
        soft_wrap=True,
    )
