"""Write a self-contained page about a run, as HTML and as Markdown."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from mcjax import plot
from mcjax.figures.sections import PANELS, drawing, drawings, networks_of, pages_of
from mcjax.laws.prediction import Predictions
from mcjax.numbers import how_many
from mcjax.report.console import table_console
from mcjax.report.tables import show_verification
from mcjax.report.transcript import Transcript, as_html
from mcjax.study.real_data import read_of
from mcjax.study.study import Study
from mcjax.text import shown
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.quantities.held_out import LEVEL
from mcjax.verdicts.quantities.mse import QUANTITY as MSE


def pages(
    study: Study,
    predictions: Sequence[Predictions],
    verification: Verification,
    seconds: float,
    about: Mapping[str, Any],
) -> dict[str, str]:
    """Return the pages about a run: the texts of ``report.html`` and ``report.md``, by name.

    ``about`` has the keys ``command``, ``file`` (text of the study file) and ``environment``
    (versions and device).
    """
    console, kept = table_console(record=True, file=io.StringIO()), Transcript()
    for target in (console, kept):
        show_verification(target, study, predictions, verification, seconds=seconds)
    read = shown(read_of(study.conditions))
    held_out = _errors(study, verification, LEVEL.name, "excess of the held-out loss")
    sections = {
        **({} if not read else {"Real data": as_html([f"Read: {read}."])}),
        "Networks": networks_of(study.conditions),
        "Errors": _errors(study, verification, MSE.name, "mean squared error"),
        **({} if not held_out else {"Held-out rows": held_out}),
        "Verdicts": as_html(kept.parts),
    }
    question, answer = _question(study, predictions), _answer(study, verification)
    told = (f"Read: {read}.\n\n" if read else "") + console.export_text()
    return pages_of(question, answer, sections=sections, told=told, about=about)


def _question(study: Study, predictions: Sequence[Predictions]) -> str:
    laws = sorted({name for predicted in predictions for name in predicted.laws})
    subject = f"Does the law {laws[0]}" if len(laws) == 1 else f"Do the laws {' and '.join(laws)}"
    return (
        f"{subject if laws else 'Does any law'} hold to within {study.tolerance:.0%}, for"
        f" {how_many(len(study.conditions), 'condition')} and"
        f" {how_many(study.generations, 'generation')}?"
    )


def _answer(study: Study, verification: Verification) -> str:
    cells = how_many(len(verification.cells), "cell")
    chains = how_many(verification.chains, "chain")
    return (
        f"{verification.verdict}, {cells} judged together at {study.confidence:.0%} confidence,"
        f" {chains} for each condition."
    )


def _errors(study: Study, verification: Verification, quantity: str, what: str) -> str:
    """Return charts of simulated means with 95% bands, and the first law of each condition."""
    cells = [cell for cell in reversed(verification.cells) if cell.quantity == quantity]
    laws = {cell.condition: cell.law for cell in cells}
    chosen = [c.name for c in study.conditions if c.name in laws][:PANELS]
    made = []
    for name in chosen:
        caption = (
            f"{f'{name}: {what}' if name else what.capitalize()} of the models by generation."
            f" Points and bands: simulation, with 95% intervals. Lines: the law {laws[name]}"
        )
        made.append(drawing(caption, partial(_chart, verification, name, quantity)))
    return drawings(made)


def _chart(verification: Verification, condition: str, quantity: str, axes: Axes) -> None:
    plot.errors(verification, condition, quantity, ax=axes)
    axes.set_title("", loc="left")
