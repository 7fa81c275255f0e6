"""Parts of the pages about runs: drawings with captions, networks, and how to run again."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from mcjax.diagnosis import Diagnosis, diagnose
from mcjax.generators.study import GeneratorCondition
from mcjax.network import Network
from mcjax.numbers import how_many
from mcjax.pictures.scene import scene_of
from mcjax.pictures.svg import NARROW, svg_of
from mcjax.plot.style import figure
from mcjax.report.document import document
from mcjax.report.transcript import Grid, as_html
from mcjax.study.study import Condition
from mcjax.text import fenced, markdown, shown, shown_lines

MOST_DIAGNOSED = 2_000
"""Largest number of models of a network that is drawn."""
BOXES = 12
"""Number of models up to which none are folded."""
PANELS = 12
"""Largest number of charts, and of networks, that are drawn."""
WIDTH, HEIGHT = 3.6, 2.6
"""Inches of a drawing, which can be read on a phone."""


def pages_of(
    question: str, answer: str, *, sections: Mapping[str, str], told: str, about: Mapping[str, Any]
) -> dict[str, str]:
    """Return the texts of ``report.html`` and ``report.md``, by name.

    Parameters
    ----------
    question, answer : str
        The heading, and the sentence below it.
    sections : dict of str to str
        HTML by heading, which the page alone has.
    told : str
        The verdicts as text, which the Markdown file has in place of them.
    about : dict
        With the keys ``command``, ``file`` (text of the study file) and ``environment`` (versions
        and device).
    """
    environment = [(key, str(value)) for key, value in _flat(about["environment"])]
    blocks = {"To run it again": about["command"], "The study file": about["file"]}
    made = Grid("Versions, device and time", ("what", "value"), environment, (False, False))
    page = document(
        question,
        answer,
        {
            **sections,
            **{
                k: f"<pre><code>{html.escape(shown_lines(v))}</code></pre>"
                for k, v in blocks.items()
            },
            "Made with": as_html([made]),
        },
    )
    lines = "\n".join(f"{key}: {value}" for key, value in environment)
    texts = {"Verdicts": told, **blocks, "Made with": lines}
    text = [f"# {markdown(question)}\n\n**{markdown(answer)}**\n"]
    text += [f"## {name}\n\n{fenced(part)}\n" for name, part in texts.items()]
    return {"report.html": page, "report.md": "\n".join(text)}


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat = []
    for key, value in values.items():
        flat += _flat(value) if isinstance(value, Mapping) else [(key, value)]
    return flat


def networks_of(
    conditions: Sequence[Condition | GeneratorCondition],
    diagnosed: Callable[[Network], Diagnosis] = diagnose,
) -> str:
    """Return drawings of networks; of those that differ in their counts alone, the first."""
    found: dict[Any, list[Condition | GeneratorCondition]] = {}
    for condition in conditions:
        net = condition.network
        feeds = frozenset((feed.origin, feed.reader) for feed in net.recurring)
        if net.size <= MOST_DIAGNOSED:
            found.setdefault((net.models, feeds, net.later.turns), []).append(condition)
    made = []
    for first, *others in list(found.values())[:PANELS]:
        of = f" of {first.name}" if first.name else ""
        more = f"; also that of {how_many(len(others), 'condition')} more" if others else ""
        caption = f"The network{of}: {first.network.heading}{more}"
        scene = scene_of(first.network, diagnosed(first.network), BOXES)
        made.append(captioned(svg_of(scene, NARROW), caption))
    return drawings(made)


def drawing(caption: str, draw: Callable[[Axes], None]) -> str:
    """Return a drawing with its caption, as SVG that says what it is."""
    with figure(1, 1, HEIGHT, width=WIDTH, settings={"svg.fonttype": "none"}) as (fig, panels):
        draw(panels[0, 0])
        file = io.StringIO()
        fig.savefig(file, format="svg", metadata={"Date": None, "Title": shown(caption)})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # a page has each of them once
    label = html.escape(shown(caption))
    return captioned(text.replace("<svg", f"""<svg role="img" aria-label="{label}" """, 1), caption)


def captioned(picture: str, caption: str) -> str:
    """Return a picture with its caption."""
    label = html.escape(shown(caption))
    return f"<figure>\n{picture}<figcaption>{label}.</figcaption>\n</figure>\n"


def drawings(found: Sequence[str]) -> str:
    """Return drawings side by side; empty if there are none."""
    return f'<div class="drawings">\n{"".join(found)}</div>' if found else ""
