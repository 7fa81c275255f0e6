"""Write a self-contained page about a run, as HTML and as Markdown."""

from __future__ import annotations

import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

from mcjax.laws.prediction import Predictions
from mcjax.numbers import how_many
from mcjax.plot.style import PALETTE, curves, figure, legend
from mcjax.report.tables import grouped, show_verification, table_console
from mcjax.study.study import Study
from mcjax.text import drawn, fenced, markdown, shown, shown_lines
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.quantities.mse import QUANTITY as MSE

PANELS = 12
"""Largest number of conditions that are drawn."""
CSS = (
    "body{font:15px/1.5 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "pre{background:#f6f6f6;padding:.8rem;overflow:auto;font-size:12px;line-height:1.35}"
    "svg{max-width:100%;height:auto}dt{font-weight:bold}"
)


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
    console = table_console(record=True, file=io.StringIO())
    show_verification(console, study, predictions, verification, seconds=seconds)
    verdicts = console.export_html(inline_styles=True, code_format="{code}", clear=False)
    laws = sorted({name for predicted in predictions for name in predicted.laws})
    question = (
        f"Do {' and '.join(laws) or 'no laws'} hold for"
        f" {how_many(len(study.conditions), 'condition')},"
        f" {how_many(study.generations, 'generation')} and"
        f" {how_many(verification.chains, 'chain')} each, within"
        f" {study.tolerance:.0%}?"
    )
    environment = "\n".join(f"{key}: {value}" for key, value in _flat(about["environment"]))
    answer = (
        f"{verification.verdict}, {how_many(len(verification.cells), 'cell')} judged together at"
    )
    answer += f" {study.confidence:.0%} confidence."
    parts = {
        "Verdicts": console.export_text(),
        "To run it again": about["command"],
        "The study file": about["file"],
        "Made with": environment,
    }
    text = [f"# {markdown(question)}\n\n**{markdown(answer)}**\n"]
    text += [f"## {title}\n\n{fenced(body)}\n" for title, body in parts.items()]
    blocks = {**{k: html.escape(shown_lines(v)) for k, v in parts.items()}, "Verdicts": verdicts}
    question = shown(question)
    body = "".join(f"<h2>{title}</h2>\n<pre>{block}</pre>\n" for title, block in blocks.items())
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(question)}'
        f"</title>\n<style>{CSS}</style>\n<h1>{html.escape(question)}</h1>\n"
        f"<p><strong>{html.escape(answer)}</strong></p>\n{_chart(study, verification)}\n{body}"
        "</html>\n"
    )
    return {"report.html": page, "report.md": "\n".join(text)}


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat = []
    for key, value in values.items():
        flat += _flat(value) if isinstance(value, Mapping) else [(key, value)]
    return flat


def _chart(study: Study, verification: Verification) -> str:
    """Return a chart as SVG: simulated MSEs with 95% bands, and the first law of each condition."""
    mse = [cell for cell in verification.cells if cell.quantity == MSE.name]
    by_condition = grouped(mse, lambda cell: cell.condition)
    shown = [c for c in study.conditions[:PANELS] if c.name in by_condition]
    if not shown:
        return ""
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    with figure(rows, columns, 2.2 * rows + 0.3) as (fig, panels):
        for axes in panels.flat[len(shown) :]:
            axes.axis("off")
        for axes, condition in zip(panels.flat, shown, strict=False):
            cells = by_condition[condition.name]
            law = cells[0].law
            models = condition.network.models[: len(PALETTE)]
            points = curves(axes, [cell for cell in cells if cell.law == law], models)
            axes.set(title=drawn(condition.name or law), xlabel="generation")
            axes.set_ylim(bottom=0)
            if len(condition.network.models) <= len(PALETTE):
                legend(axes, points, models)
        panels[0, 0].set_ylabel("mean squared error")
        text = io.StringIO()
        fig.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
