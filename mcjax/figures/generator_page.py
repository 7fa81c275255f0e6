"""Write a self-contained page about a run of generators, as HTML and as Markdown."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.special import stdtrit

from mcjax.diagnosis import Diagnosis, diagnose
from mcjax.figures.sections import PANELS, captioned, drawing, drawings, networks_of, pages_of
from mcjax.generators.judge import GeneratorVerification
from mcjax.network import Network
from mcjax.numbers import how_many
from mcjax.plot.style import MARKERS, PALETTE, label_ends, whole_numbers
from mcjax.report.console import table_console
from mcjax.report.generated import show_samples
from mcjax.report.generator_claims import show_budget, show_claims
from mcjax.report.generators import show_arrivals, show_generators, show_measures, show_notes
from mcjax.report.transcript import Transcript, as_html
from mcjax.report.transfer import show_transfers
from mcjax.text import drawn

LEVEL = 0.95
"""Confidence level of the bands."""
DASHED = (
    "Dashed lines are no verdict. They mix the drift of a model that reads itself alone by the ages"
    " of the rows behind a model, in fits since real data. That is exact for measures that are"
    " linear in the rows, and a first guess for neural networks: a loss begins below its line, and"
    " a saturated measure leaves it."
)
NO_LINE = (
    "No line says where measures should be: no condition of the study has a model that reads itself"
    " alone, with as many rows in every fit, whose drift would tell."
)


def generator_pages(
    verification: GeneratorVerification, seconds: float, about: Mapping[str, Any], pictures: bytes
) -> dict[str, str]:
    """Return the pages about a run: the texts of ``report.html`` and ``report.md``, by name.

    Parameters
    ----------
    verification : GeneratorVerification
        The judged study.
    seconds : float
        Time that the run took.
    about : dict
        See :func:`mcjax.figures.sections.pages_of`.
    pictures : bytes
        A PNG file of what models generate; empty if there is none.
    """
    console = table_console(record=True, file=io.StringIO())
    show_generators(console, verification, seconds)
    for show in (show_budget, show_claims):
        show(console, verification)
    sections = {
        "Networks": networks_of(verification.study.conditions, _without_rates),
        "Measures by generation": _charts(verification),
        "Verdicts": _printed(verification, show_budget, show_arrivals, show_claims, show_notes),
        "Generated": _generated(pictures) + _printed(verification, show_samples),
        "Numbers": _printed(verification, show_measures, show_transfers),
    }
    return pages_of(
        _question(verification),
        _answer(verification),
        sections=sections,
        told=console.export_text(),
        about=about,
    )


def _question(verification: GeneratorVerification) -> str:
    study = verification.study
    names = " and ".join(dict.fromkeys(c.generator.name for c in study.conditions))
    return (
        f"Does what holds for any generator hold for {names}, in"
        f" {how_many(len(study.conditions), 'condition')} and"
        f" {how_many(study.generations, 'generation')}?"
    )


def _answer(verification: GeneratorVerification) -> str:
    cells = how_many(len(verification.cells), "cell")
    chains = how_many(verification.chains, "chain")
    return (
        f"{verification.verdict}, {cells} judged together at"
        f" {verification.study.confidence:.0%} confidence, {chains} for each condition."
    )


def _without_rates(network: Network) -> Diagnosis:
    """Return the diagnosis of a network without rates of errors, which generators do not have."""
    found = diagnose(network)
    models = {k: replace(v, growth=None, limit=None) for k, v in found.models.items()}
    return replace(found, models=models)


def _printed(verification: GeneratorVerification, *shows: Any) -> str:
    """Return what some functions print, as HTML."""
    kept = Transcript()
    for show in shows:
        show(kept, verification)
    return as_html(kept.parts)


def _generated(pictures: bytes) -> str:
    """Return the pictures that models generate, within the page."""
    if not pictures:
        return ""
    text = base64.b64encode(pictures).decode()
    what = "What models of chain 0 generate, by model and generation"
    return captioned(f'<img alt="{what}" src="data:image/png;base64,{text}">\n', what)


def _charts(verification: GeneratorVerification) -> str:
    """Return charts of every measure in every condition, those of one measure side by side."""
    study = verification.study
    places = [
        (i, name)
        for name in dict.fromkeys(name for names in verification.measures for name in names)
        for i, names in enumerate(verification.measures)
        if name in names
    ]
    made, curved = [], False
    for i, name in places[:PANELS]:
        models = study.conditions[i].network.models
        k = verification.measures[i].index(name)
        curve = verification.curve(i)[..., k]
        known = bool(np.isfinite(curve[:, : len(PALETTE)]).any())
        curved |= known
        where = study.conditions[i].name
        caption = (
            f"{f'{where}: {name}' if where else name} by generation. Points and bands: means over"
            f" chains, with {LEVEL:.0%} intervals"
            f"{'. Dashed: the curve law, drawn and not judged' if known else ''}"
            f"{f'. The first {len(PALETTE)} models' if len(models) > len(PALETTE) else ''}"
        )
        made.append(drawing(caption, partial(_chart, verification, i, k)))
    notes = [DASHED if curved else NO_LINE]
    if len(places) > PANELS:
        notes.append(f"{len(places) - PANELS:,} more are in measures.csv.")
    return drawings(made) + "".join(f"<p>{html.escape(note)}</p>\n" for note in notes)


def _chart(verification: GeneratorVerification, position: int, measure: int, axes: Axes) -> None:
    """Draw the means of a measure of every model with bands, and the curve law."""
    values = verification.values[position][..., measure]
    mean = verification.mean(position)[..., measure]
    freedom = np.maximum(np.isfinite(values).sum(0) - 1, 1)
    reach = stdtrit(freedom, (1 + LEVEL) / 2) * verification.standard_error(position)[..., measure]
    curve = verification.curve(position)[..., measure]
    times = np.arange(len(mean))
    models = verification.study.conditions[position].network.models
    ends = []
    for m, (model, colour, marker) in enumerate(zip(models, PALETTE, MARKERS, strict=False)):
        low, high = mean[:, m] - reach[:, m], mean[:, m] + reach[:, m]
        axes.fill_between(times, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(times, mean[:, m], marker, color=colour, markersize=3)
        if np.isfinite(curve[:, m]).any():
            axes.plot(times, curve[:, m], "--", color=colour)
        if np.isfinite(mean[-1, m]):
            ends.append((float(mean[-1, m]), model, colour))
    whole_numbers(axes)
    axes.set_ylabel(drawn(verification.measures[position][measure]))
    label_ends(axes, ends)
