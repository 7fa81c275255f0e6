"""Write a self-contained page about a run, as HTML and as Markdown."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes

from mcjax import plot
from mcjax.diagnosis import diagnose
from mcjax.laws.prediction import Predictions
from mcjax.numbers import how_many
from mcjax.pictures.scene import scene_of
from mcjax.pictures.svg import NARROW, svg_of
from mcjax.plot.style import figure
from mcjax.report.console import table_console
from mcjax.report.document import document
from mcjax.report.tables import show_verification
from mcjax.report.transcript import Grid, Transcript, as_html
from mcjax.study.study import Condition, Study
from mcjax.text import fenced, markdown, shown, shown_lines
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.quantities.held_out import LEVEL
from mcjax.verdicts.quantities.mse import QUANTITY as MSE

MOST_DIAGNOSED = 2_000
"""Largest number of models of a network that is drawn."""
BOXES = 12
"""Number of models up to which none are folded."""
PANELS = 12
"""Largest number of conditions, and of networks, that are drawn."""
WIDTH, HEIGHT = 3.6, 2.6
"""Inches of a drawing, which can be read on a phone."""


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
    question, answer = _question(study, predictions), _answer(study, verification)
    environment = [(key, str(value)) for key, value in _flat(about["environment"])]
    console, kept = table_console(record=True, file=io.StringIO()), Transcript()
    for target in (console, kept):
        show_verification(target, study, predictions, verification, seconds=seconds)
    blocks = {"To run it again": about["command"], "The study file": about["file"]}
    made = Grid("Versions, device and time", ("what", "value"), environment, (False, False))
    held_out = _errors(study, verification, LEVEL.name, "excess of the held-out loss")
    sections = {
        "Networks": _networks(study),
        "Errors": _errors(study, verification, MSE.name, "mean squared error"),
        **({} if not held_out else {"Held-out rows": held_out}),
        "Verdicts": as_html(kept.parts),
        **{k: f"<pre><code>{html.escape(shown_lines(v))}</code></pre>" for k, v in blocks.items()},
        "Made with": as_html([made]),
    }
    page = document(question, answer, sections)
    lines = "\n".join(f"{key}: {value}" for key, value in environment)
    texts = {"Verdicts": console.export_text(), **blocks, "Made with": lines}
    text = [f"# {markdown(question)}\n\n**{markdown(answer)}**\n"]
    text += [f"## {name}\n\n{fenced(part)}\n" for name, part in texts.items()]
    return {"report.html": page, "report.md": "\n".join(text)}


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


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat = []
    for key, value in values.items():
        flat += _flat(value) if isinstance(value, Mapping) else [(key, value)]
    return flat


def _networks(study: Study) -> str:
    """Return drawings of the networks; of those that differ in their counts alone, the first."""
    found: dict[Any, list[Condition]] = {}
    for condition in study.conditions:
        net = condition.network
        feeds = frozenset((feed.origin, feed.reader) for feed in net.recurring)
        if net.size <= MOST_DIAGNOSED:
            found.setdefault((net.models, feeds, net.later.turns), []).append(condition)
    drawings = []
    for first, *others in list(found.values())[:PANELS]:
        of = f" of {first.name}" if first.name else ""
        more = f"; also that of {how_many(len(others), 'condition')} more" if others else ""
        caption = f"The network{of}: {first.network.heading}{more}"
        scene = scene_of(first.network, diagnose(first.network), BOXES)
        drawings.append(_figure(svg_of(scene, NARROW), caption))
    return _drawings(drawings)


def _errors(study: Study, verification: Verification, quantity: str, what: str) -> str:
    """Return charts of simulated means with 95% bands, and the first law of each condition."""
    cells = [cell for cell in reversed(verification.cells) if cell.quantity == quantity]
    laws = {cell.condition: cell.law for cell in cells}
    chosen = [c.name for c in study.conditions if c.name in laws][:PANELS]
    drawings = []
    for name in chosen:
        caption = (
            f"{f'{name}: {what}' if name else what.capitalize()} of the models by generation."
            f" Points and bands: simulation, with 95% intervals. Lines: the law {laws[name]}"
        )
        drawings.append(_drawing(caption, partial(_chart, verification, name, quantity)))
    return _drawings(drawings)


def _chart(verification: Verification, condition: str, quantity: str, axes: Axes) -> None:
    plot.errors(verification, condition, quantity, ax=axes)
    axes.set_title("", loc="left")


def _drawing(caption: str, draw: Callable[[Axes], None]) -> str:
    """Return a drawing with its caption, as SVG that says what it is."""
    with figure(1, 1, HEIGHT, width=WIDTH, settings={"svg.fonttype": "none"}) as (fig, panels):
        draw(panels[0, 0])
        file = io.StringIO()
        fig.savefig(file, format="svg", metadata={"Date": None, "Title": shown(caption)})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # a page has each of them once
    label = html.escape(shown(caption))
    return _figure(text.replace("<svg", f"""<svg role="img" aria-label="{label}" """, 1), caption)


def _figure(svg: str, caption: str) -> str:
    label = html.escape(shown(caption))
    return f"<figure>\n{svg}<figcaption>{label}.</figcaption>\n</figure>\n"


def _drawings(drawings: Sequence[str]) -> str:
    return f'<div class="drawings">\n{"".join(drawings)}</div>' if drawings else ""
