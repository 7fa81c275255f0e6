"""Tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mcjax.fits.status import Status
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.report.text import number, with_error
from mcjax.study.study import Condition, Study
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import Cell, Verification

STYLE = {VERIFIED: "blue", REFUTED: "bold red", INCONCLUSIVE: "yellow"}
MARK = {VERIFIED: "+", REFUTED: "x", INCONCLUSIVE: "?"}
"""Verdicts differ by mark and word as well as by colour."""


def show_predictions(console: Console, study: Study, predictions: Sequence[Predictions]) -> None:
    """Predicted MSE of every model at a few generations, and its fate."""
    shown = _some_generations(study.generations)
    for condition, found in zip(study.conditions, predictions, strict=True):
        for name, law in found.laws.items():
            kind = "exact" if law.exact else "asymptotic"
            table = Table(title=_title(condition, f"{name} ({kind}), predicted MSE"))
            table.add_column("model")
            for t in shown:
                table.add_column(f"t = {t}", justify="right")
            table.add_column("fate")
            for i, model in enumerate(condition.network.models):
                values = [number(law.mse[t, i]) for t in shown]
                table.add_row(model, *values, _fate(law, i))
            console.print(table)
        for name, reason in found.inapplicable.items():
            console.print(f"{condition.name or 'study'}: {name} does not apply: {reason}")


def show_verification(
    console: Console,
    study: Study,
    predictions: Sequence[Predictions],
    verification: Verification,
    seconds: float,
) -> None:
    """The last generation of every model, the verdicts on all generations, and failures."""
    table = Table(title="Mean squared error at the last generation: simulation against law")
    for heading in ("condition", "model", "fate by the law"):
        table.add_column(heading)
    for heading in ("simulated", "predicted", "ratio", "interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"cells {MARK[VERIFIED]}/{MARK[REFUTED]}/{MARK[INCONCLUSIVE]}")
    table.add_column("verdict", no_wrap=True)
    for condition, found in zip(study.conditions, predictions, strict=True):
        for k, (i, model, law) in enumerate(
            (i, model, law)
            for i, model in enumerate(condition.network.models)
            for law in found.laws.values()
        ):
            cells = [
                c
                for c in verification.cells
                if (c.condition, c.model, c.law) == (condition.name, model, law.law)
            ]
            name = condition.name if k == 0 else ""
            table.add_row(name, model, _fate(law, i), *_row(cells))
        table.add_section()
    console.print(table)
    _show_undecided(console, verification)
    for reason, count in verification.failures.items():
        advice = Status[reason.upper()].advice
        console.print(f"[bold]{count}[/] fits ended as [bold]{reason}[/]: {advice}")
    for condition_name, laws in verification.inapplicable.items():
        for name, reason in laws.items():
            console.print(f"{condition_name or 'study'}: {name} does not apply: {reason}")
    counts = Counter(cell.verdict for cell in verification.cells)
    parts = ", ".join(f"{counts[v]} {v}" for v in (VERIFIED, REFUTED, INCONCLUSIVE))
    console.print(
        f"[{STYLE[verification.verdict]}]{verification.verdict}[/]: {len(verification.cells)} cells"
        f" ({parts}) at ±{study.tolerance:.0%} with confidence {study.confidence:.0%} together;"
        f" {verification.chains} chains for each condition; {seconds:.0f} s"
    )


def _show_undecided(console: Console, verification: Verification) -> None:
    needed = [c.chains_needed for c in verification.cells if c.chains_needed is not None]
    if needed:
        console.print(f"The undecided cells need up to {max(needed)} chains to be decided.")
    for note in sorted({c.note for c in verification.cells if c.note}):
        console.print(f"Not judged: {note}")


def _row(cells: Sequence[Cell]) -> list[str]:
    last = cells[-1]
    counts = Counter(cell.verdict for cell in cells)
    tally = "/".join(str(counts[v]) for v in (VERIFIED, REFUTED, INCONCLUSIVE))
    verdict = next(v for v in (REFUTED, INCONCLUSIVE, VERIFIED) if counts[v])
    return [
        with_error(last.empirical, last.standard_error),
        number(last.predicted),
        number(last.ratio),
        f"{number(last.interval[0], 3)} to {number(last.interval[1], 3)}",
        tally,
        f"[{STYLE[verdict]}]{MARK[verdict]} {verdict}[/]",
    ]


def _fate(law: Prediction, model: int) -> str:
    if law.growth[model] == law.growth[model]:
        return f"collapses, {number(law.growth[model], 3)} a generation"
    return f"settles at {number(law.limit[model], 3)}"


def _title(condition: Condition, text: str) -> str:
    return f"{condition.name}: {text}" if condition.name else text


def _some_generations(last: int) -> list[int]:
    steps = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    return [*(t for t in steps if t < last), last]
