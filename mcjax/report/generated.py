"""Data that the models of the first chain generate, as JSON, as a table and as a text file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcjax.generators.judge import GeneratorVerification
from mcjax.report.console import PLAIN, label, numbers, show_table
from mcjax.text import shown, shown_lines


def samples_json(verification: GeneratorVerification) -> dict[str, Any]:
    """Return all rows that are shown, by condition and model: a list for each generation."""
    return {
        condition.name: {
            model: rows[:, m].tolist() for m, model in enumerate(condition.network.models)
        }
        for condition, rows in _shown(verification)
    }


def show_samples(console: Console, verification: GeneratorVerification) -> None:
    """Print the first text of every model at the first and the last generation."""
    for condition, rows in _texts(verification):
        title = Text(f"{condition.name}: generated in chain 0" if condition.name else "generated")
        table = Table("model", numbers("t"), "text", title=title, title_justify="left", **PLAIN)
        for m, model in enumerate(condition.network.models):
            for t in dict.fromkeys((0, len(rows) - 1)):
                table.add_row(label(model), str(t), label(str(rows[t, m, 0])))
        show_table(console, table)


def samples_text(verification: GeneratorVerification) -> str:
    """Return all texts that are shown; empty if there are none."""
    parts = []
    for condition, rows in _texts(verification):
        for t, m, k in np.ndindex(*rows.shape):
            place = (condition.name, condition.network.models[m], f"t = {t}")
            heading = ", ".join(shown(part) for part in place if part)
            parts.append(f"== {heading}\n{shown_lines(str(rows[t, m, k]))}\n")
    return "\n".join(parts)


def _shown(verification: GeneratorVerification) -> Iterator[tuple[Any, Any]]:
    for condition, rows in zip(verification.study.conditions, verification.shown, strict=False):
        if rows is not None:
            yield condition, rows


def _texts(verification: GeneratorVerification) -> Iterator[tuple[Any, Any]]:
    """Yield conditions with texts, shape (T + 1, M, 2); pictures have numbers instead."""
    return ((c, rows) for c, rows in _shown(verification) if rows.dtype.kind == "U")
