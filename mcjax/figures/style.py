"""The common style of figures: colour-blind safe, with names shown as they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mcjax.text import drawn
from mcjax.verdicts.cells import Cell

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito's colours, which can be distinguished with every common type of colour vision."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDTH = 7.0  # inches: a text block

SETTINGS: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,  # text stays text
    "text.usetex": False,
    "savefig.dpi": 200,
}


@contextmanager
def figure(rows: int, columns: int, height: float) -> Iterator[tuple[Figure, Any]]:
    """Provide an empty figure in the common style; global settings are restored afterwards.

    Yields
    ------
    figure : Figure
        The figure, as wide as a text block and ``height`` inches high.
    panels : ndarray of Axes, shape (rows, columns)
        Its panels.
    """
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # in a name
        fig = Figure(figsize=(WIDTH, height), layout="constrained")
        yield fig, fig.subplots(rows, columns, squeeze=False)


def curves(axes: Axes, cells: Sequence[Cell], models: Sequence[str]) -> list[Line2D]:
    """Draw the simulated means of every model with 95% bands, and the law as a line.

    Cells are those of one law at every generation. Return the points of each model, for a legend.
    """
    points = []
    for model, colour, marker in zip(models, PALETTE, MARKERS, strict=False):
        own = [cell for cell in cells if cell.model == model]
        t, mean = [cell.generation for cell in own], [cell.empirical for cell in own]
        low = [cell.empirical - 1.96 * cell.standard_error for cell in own]
        high = [cell.empirical + 1.96 * cell.standard_error for cell in own]
        axes.fill_between(t, low, high, color=colour, alpha=0.25, linewidth=0)
        axes.plot(t, [cell.predicted for cell in own], color=colour)
        points += axes.plot(t, mean, marker, color=colour, markersize=3)
    return points


def legend(axes: Axes, handles: Sequence[Artist], names: Sequence[str], **how: Any) -> None:
    """Draw a legend that shows every name as it is.

    Matplotlib itself would leave out names that begin with an underscore.
    """
    box = axes.legend(handles, [str(k) for k in range(len(names))], **how)
    for text, name in zip(box.get_texts(), names, strict=True):
        text.set_text(drawn(name))
