"""Show what was measured on held-out rows as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

from mcjax.numbers import how_many
from mcjax.report.console import PLAIN, grouped, label, numbers, show_table
from mcjax.text import number, shown, with_error
from mcjax.verdicts.measured import Measured

MOST_MODELS = 7
"""Largest number of models of a condition that are shown."""


def show_measured(console: Console, measured: Sequence[Measured]) -> None:
    """Print means over chains at the first, the middle and the last generation."""
    if not measured:
        return
    last = max(one.generation for one in measured)
    times = sorted({0, last // 2, last})
    width = max(12, *(cell_len(shown(one.model)) for one in measured))
    console.print("Held-out rows: shown, not judged", style="bold")
    for name, about in grouped(measured, lambda one: one.condition).items():
        table = Table(
            Column("model", width=width),
            Column("measure", width=17),
            Column("at the truth", width=12, justify="right"),
            *(numbers(f"t = {t}") for t in times),
            **PLAIN,
        )
        for column in table.columns[3:]:
            column.width = 14
        models = list(dict.fromkeys(one.model for one in about))
        rows = grouped(about, lambda one: (one.model, one.measure))
        for (model, measure), values in rows.items():
            if model in models[:MOST_MODELS]:
                means = [with_error(values[t].mean, values[t].standard_error) for t in times]
                truth = number(values[0].at_truth)
                table.add_row(label(model), label(measure), truth, *means)
        if name:
            console.print(label(name), style="italic", soft_wrap=True)
        show_table(console, table)
        further = len(models) - MOST_MODELS
        if further > 0:
            console.print(f"{how_many(further, 'model')} more: see --json, or --out")
