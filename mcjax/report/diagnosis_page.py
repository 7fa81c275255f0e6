"""Draw a diagnosis: as a page with the network and the report in words, or as a picture."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mcjax.diagnosis import Diagnosis
from mcjax.errors import InputError, did_you_mean
from mcjax.network.network import Network
from mcjax.numbers import how_many
from mcjax.pictures.scene import MOST_BOXES, scene_of
from mcjax.pictures.sketch import sketch_of
from mcjax.pictures.svg import NARROW, WIDE, svg_of
from mcjax.report.diagnosis import told_of_models
from mcjax.report.document import document
from mcjax.text import shown_lines

MARK = "<!-- Written by mcjax diagnose. -->\n"
"""First line of a file that may be overwritten."""
FEW_BOXES = 12
"""Number of models up to which none are folded in a narrow drawing."""
MOST_SKETCHED = 2_000
"""Largest number of models of a network that is sketched unless that is asked for."""
LONG = 60
"""Number of lines of a report from which it is folded."""


class Drawn(NamedTuple):
    """Contents of a diagnosis page.

    Attributes
    ----------
    net : Network
        The network.
    diagnosis : Diagnosis
        Its diagnosis.
    words : str
        The diagnosis in words.
    note : str
        What was read.
    """

    net: Network
    diagnosis: Diagnosis
    words: str
    note: str


def page_of(drawn: Drawn) -> str:
    """Return a page with the network, drawn for narrow and for wide screens, and the report."""
    title = repr(drawn.diagnosis).partition("\n")[0]
    narrow = svg_of(scene_of(drawn.net, drawn.diagnosis, FEW_BOXES), NARROW)
    wide = svg_of(scene_of(drawn.net, drawn.diagnosis), WIDE)
    words = f"<pre>{html.escape(shown_lines(drawn.words.rstrip()))}</pre>"
    count = drawn.words.count("\n")
    words = _folded(words, f"The report, {count:,} lines", count)
    drawing = f'<div class="phone">{narrow}</div>\n<div class="desk">{wide}</div>'
    if drawn.net.size > MOST_BOXES:
        drawing += "<p>Models that matter less are folded.</p>"
    sections = {"The network": drawing, "The models": _table_of(drawn.diagnosis), "In words": words}
    return document(title, f"Read: {drawn.note}.", sections, MARK)


def _table_of(diagnosis: Diagnosis) -> str:
    """Return a table of the models as HTML, folded if it is long."""
    from mcjax.report.transcript import Grid, as_html  # heavy, and for pages alone

    rows = [
        (told.name, told.fate, f"{told.rate} {told.unit}".strip(), told.size, told.reasons)
        for told in told_of_models(diagnosis)
    ]
    headings = ["model", "verdict", "error", "against the first", "why"]
    shown_first = f"{len(rows):,} of {how_many(diagnosis.counts.models, 'model')}"
    table = as_html([Grid(shown_first, headings, rows, [False] * len(headings))])
    return _folded(table, f"The table, {how_many(len(rows), 'row')}", len(rows))


def _folded(part: str, summary: str, lines: int) -> str:
    """Return a part of a page, folded if it is long."""
    return part if lines <= LONG else f"<details><summary>{summary}</summary>{part}</details>"


def picture_of(drawn: Drawn) -> str:
    """Return a picture of the network, as SVG."""
    return MARK + svg_of(scene_of(drawn.net, drawn.diagnosis), WIDE)


KINDS: dict[str, Callable[[Drawn], str]] = {".html": page_of, ".svg": picture_of}
"""Functions that write a page or a picture, by the ending of the file's name."""


def kind_of(out: Path) -> Callable[[Drawn], str]:
    """Return how a diagnosis is drawn in a file.

    Raises
    ------
    InputError
        If the suffix of the file name is not in :data:`KINDS`.
    """
    ending = out.suffix.lower()
    if ending not in KINDS:
        hint = did_you_mean(ending, KINDS)
        problem = f"ends in {ending!r}" if ending else "has no ending"
        remedy = f"end it in {' for a page, or in '.join(KINDS)} for a picture"
        raise InputError("--out", f"{problem}; {remedy}{hint}", str(out))
    return KINDS[ending]


def sketch_lines(net: Network, diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the lines of a sketch of the network for a terminal; none if it is very large."""
    if net.size <= MOST_SKETCHED:
        yield from sketch_of(scene_of(net, diagnosis, FEW_BOXES))
