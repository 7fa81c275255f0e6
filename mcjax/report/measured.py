"""Show what was measured on held-out rows as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mcjax.report.console import PLAIN, grouped, label, show_table
from mcjax.text import number, with_error
from mcjax.verdicts.measured import Measured


def show_measured(console: Console, measured: Sequence[Measured]) -> None:
    """Print means over chains at the first, the middle and the last generation."""
    if not measured:
        return
    last = max(one.generation for one in measured)
    times = sorted({0, last // 2, last})
    console.print("Held-out rows: shown, not judged", style="bold")
    table = Table("model", "measure", "at the truth", *(f"t = {t}" for t in times), **PLAIN)
    for name, about in grouped(measured, lambda one: one.condition).items():
        if name:
            table.add_row(label(name))
        rows = grouped(about, lambda one: (one.model, one.measure))
        for (model, measure), values in rows.items():
            means = [with_error(values[t].mean, values[t].standard_error) for t in times]
            truth = number(values[0].at_truth)
            table.add_row(label(model), label(measure), truth, *means)
    show_table(console, table)
