"""The common style of figures: colour-blind safe, with names shown as they are."""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from mcjax.text import drawn, shown
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.claims import Interval

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


LABEL_SIZE, TITLE_SIZE = 8, 9
"""Sizes of direct labels and of lines above axes, in points."""


@contextmanager
def figure(
    rows: int,
    columns: int,
    height: float,
    width: float = WIDTH,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[tuple[Figure, Any]]:
    """Provide an empty figure in the common style; global settings are restored afterwards.

    Parameters
    ----------
    rows, columns : int
        Numbers of panels.
    height, width : float
        Size in inches; as wide as a text block by default.
    settings : mapping of str to object, optional
        Settings of Matplotlib in place of those of the common style. Names are never given to TeX.

    Yields
    ------
    figure : Figure
        The figure.
    panels : ndarray of Axes, shape (rows, columns)
        Its panels.
    """
    own = SETTINGS | dict(settings or {}) | {"text.usetex": False}
    with matplotlib.rc_context(own), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # in a name
        fig = Figure(figsize=(width, height), layout="constrained")
        yield fig, fig.subplots(rows, columns, squeeze=False)


@contextmanager
def axes_for(ax: Axes | None, width: float = 5.0, height: float = 3.2) -> Iterator[Axes]:
    """Provide axes to draw on: those given, or those of a new figure in the common style.

    The figure is one of pyplot, so that notebooks show it.
    """
    if ax is not None:
        yield ax
        return
    from matplotlib import pyplot  # chooses a backend, so it is for new figures alone

    with matplotlib.rc_context(SETTINGS):
        _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
        interactive = matplotlib.is_interactive()
        yield ax
    matplotlib.interactive(interactive)  # the backend of a notebook, just loaded, turns it on


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


def label_ends(axes: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write names beside the right edge of axes, moved apart where they would overlap.

    Parameters
    ----------
    axes : Axes
        The axes, with their limits.
    ends : sequence of (float, str, str)
        For each curve, the height at which it ends, its name and its colour.
    """
    heights = [float(axes.transData.transform((0, y))[1]) for y, *_ in ends]
    point = axes.get_figure().dpi / 72  # type: ignore[union-attr]
    gap = 1.2 * LABEL_SIZE * point
    placed = heights.copy()
    order = sorted(range(len(ends)), key=heights.__getitem__)
    for below, above in itertools.pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    middle = (sum(heights) - sum(placed)) / max(len(ends), 1)  # the stack stays where curves end
    for (y, name, colour), at, own in zip(ends, placed, heights, strict=True):
        axes.annotate(
            drawn(name),
            (1, y),
            (4, (at + middle - own) / point),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=LABEL_SIZE,
            annotation_clip=False,
        )


def ratio_limits(
    points: Sequence[float], intervals: Sequence[Interval], tolerance: float
) -> tuple[float, float]:
    """Return limits of an axis: all points, the margin, and intervals that are not very wide."""
    low, high = min([*points, 1 - tolerance]), max([*points, 1 + tolerance])
    reach = 2 * (high - low)
    ends = [end for pair in intervals for end in pair if low - reach < end < high + reach]
    low, high = min([low, *ends]), max([high, *ends])
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def from_zero(axes: Axes) -> None:
    """Begin the vertical axis at 0. Its top follows what is drawn later, also on shared axes."""
    axes.update_datalim([(0, 0)], updatex=False)
    for line in axes.lines:
        line.sticky_edges.y.append(0)
    axes.autoscale_view(scalex=False)


def margin(axes: Axes, tolerance: float) -> None:
    """Draw the ratio 1, and the margin around it within which a law agrees."""
    axes.axhspan(1 - tolerance, 1 + tolerance, color="0.92", linewidth=0, zorder=0)
    axes.axhline(1, color="0.5", linewidth=0.8, zorder=1)


def ratio_bars(
    axes: Axes,
    x: ArrayLike,
    ratio: ArrayLike,
    error: ArrayLike,
    *,
    colour: str,
    marker: str,
    label: str = "",
) -> None:
    """Draw ratios as points on a line, with bars of the given half-lengths."""
    axes.errorbar(
        x,
        ratio,
        error,
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=0.8,
        capsize=2,
        label=label,
    )


def title(axes: Axes, *lines: str) -> None:
    """Write lines above axes, at the left, wrapped to their width; empty ones are left out."""
    fig = axes.get_figure()
    assert fig is not None
    points = 72 * axes.get_window_extent().width / fig.dpi
    letters = max(16, int(2 * points / TITLE_SIZE))  # a letter is about half as wide as high
    how: Any = {"width": letters, "max_lines": 3, "placeholder": "…"}
    wrapped = (part for line in lines for part in textwrap.wrap(shown(line), **how))
    text = "\n".join(drawn(part, letters) for part in wrapped)
    axes.set_title(text, loc="left", fontsize=TITLE_SIZE)


def heading(cell: Cell, quantity: str) -> str:
    """Return a line that names a quantity, the law of a cell, and its condition.

    The condition is last, because a name that is too long loses its end.
    """
    return ", ".join(filter(None, (f"{quantity} by {cell.law}", cell.condition)))


def whole_numbers(axes: Axes) -> None:
    """Use whole numbers on the horizontal axis, which is that of generations."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("generation")
