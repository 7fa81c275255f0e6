"""Transfer between models' tasks, as a table and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

from mcjax.generators.judge import GeneratorVerification
from mcjax.generators.transfer import transfers
from mcjax.report.console import PLAIN, label, numbers, show_table
from mcjax.text import with_error
from mcjax.verdicts.estimates import Estimate, estimate_mean

Row = tuple[str, str, list[Estimate]]
"""A condition, whose data the loss is of, and its change by generation."""


def show_transfers(console: Console, verification: GeneratorVerification) -> None:
    """Print changes of losses on a model's own data, on others' and on public data."""
    rows = _rows(verification)
    if not rows:
        return
    last = verification.study.generations
    times = [t for t in dict.fromkeys((1, 2, last)) if t <= last]
    headings = [numbers(f"t = {t}") for t in times]
    title = "change of the loss since t = 0, mean over models"
    table = Table("condition", "loss on", *headings, title=title, title_justify="left", **PLAIN)
    for condition, whose, changes in rows:
        told = (with_error(changes[t].value, changes[t].error) for t in times)
        table.add_row(label(condition or "-"), whose, *told)
    show_table(console, table)


def transfers_json(verification: GeneratorVerification) -> dict[str, Any]:
    """Return the same of all generations, by condition and by whose data a loss is of."""
    found: dict[str, Any] = {}
    for condition, whose, changes in _rows(verification):
        found.setdefault(condition, {})[whose] = {
            "change": [one.value for one in changes],
            "standard_error": [one.error for one in changes],
        }
    return found


def _rows(verification: GeneratorVerification) -> list[Row]:
    parts = zip(
        verification.study.conditions, verification.measures, verification.values, strict=True
    )
    return [
        (condition.name, whose, [_estimate(at) for at in changes.T])
        for condition, names, values in parts
        for whose, changes in transfers(condition.network.models, names, values).items()
    ]


def _estimate(change: Float[np.ndarray, " C"]) -> Estimate:
    return estimate_mean(change[np.isfinite(change)])
