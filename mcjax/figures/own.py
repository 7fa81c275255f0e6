"""Draw the results of one's own study as figures, one panel for each condition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mcjax import plot
from mcjax.errors import InputError, did_you_mean
from mcjax.figures.files import save
from mcjax.plot.chances import announced
from mcjax.plot.results import Results, results_of
from mcjax.plot.style import figure, title
from mcjax.report.origin import load_again, read_about
from mcjax.study.study import Condition, Study
from mcjax.verdicts.frames import cell_columns
from mcjax.verdicts.labelled import LONG_NAMES
from mcjax.verdicts.ladder import limit_of

PANELS = 12
"""Largest number of panels of a figure."""
PANEL = 3.0
"""Width in inches at which a panel can be read."""
KINDS = {
    "errors": "Simulated and predicted numbers of models by generation",
    "ratios": "Simulated over predicted numbers of models by generation",
    "verdicts": "Verdicts on models by generation",
    "ladder": "Simulated over predicted numbers on ladders of sample sizes, and their limits",
    "network": "Feeds of the networks in generation 1",
    "power": "Announced power of the study against the number of chains",
}
"""Kinds of figures by name, and what each shows."""
OF_CONDITIONS = ("errors", "ratios", "verdicts")
COLUMNS = {
    **LONG_NAMES,
    "from": "the origin of a feed",
    "to": "the reader of a feed",
    "samples": "observations in a generation",
    "power": "probability that all cells are verified if the law is true",
    "chains": "chains of each condition",
}


class Wanted(NamedTuple):
    """The results to draw, and the names that choose among them.

    Attributes
    ----------
    folder : Path
        The folder of results.
    results : xarray.Dataset
        The results in it.
    condition, quantity, law : str or None
        Names, see :func:`mcjax.plot.errors`; without a condition, all of them.
    file : Path, optional
        The study file, if it has moved.
    """

    folder: Path
    results: Any
    condition: str | None
    quantity: str
    law: str | None
    file: Path | None = None

    def usual_kinds(self) -> tuple[str, ...]:
        """Return what is drawn unless something else is asked for."""
        results = results_of(self.results)
        ladders = results.conditions(limit_of(self.quantity))
        own = [cell for cell in results.cells if cell.quantity == self.quantity]
        without = bool(own) and not any(math.isfinite(c.ratio) and not c.note for c in own)
        kinds = tuple(kind for kind in OF_CONDITIONS if not (without and kind == "ratios"))
        if self.condition is not None:
            return ("ladder",) if self.condition in ladders else kinds
        return (*kinds, "ladder") if ladders else kinds

    def study(self) -> Study:
        """Load the study again."""
        return load_again(self.folder, read_about(self.folder), self.file)


class Sheet(NamedTuple):
    """A figure that was drawn, with its data.

    Attributes
    ----------
    name : str
        The kind.
    figure : Figure
        The figure.
    rows : list of dict
        The plotted numbers.
    note : str
        What was left out; empty if nothing was.
    """

    name: str
    figure: Figure
    rows: list[dict[str, Any]]
    note: str

    def save(self, folder: Path, formats: Sequence[str]) -> list[Path]:
        """Write the files of the figure, see :func:`mcjax.figures.files.save`."""
        return save(
            self.figure,
            folder,
            self.name,
            rows=self.rows,
            about=KINDS[self.name],
            columns=COLUMNS,
            formats=formats,
        )


Panel = tuple[Callable[[Axes], object], list[dict[str, Any]]]
"""A function that draws a panel, and the plotted numbers."""


def draw_results(kind: str, wanted: Wanted, width: float, settings: Mapping[str, Any]) -> Sheet:
    """Draw a figure of one kind.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    wanted : Wanted
        What is to be drawn.
    width : float
        Width in inches.
    settings : mapping of str to object
        Settings of Matplotlib, see :func:`mcjax.plot.style.figure`.

    Raises
    ------
    InputError
        If nothing of that name was judged, or the study is needed and cannot be loaded again.
    """
    panels = _PANELS[kind](wanted) if kind in _PANELS else _of_cells(kind, wanted)
    drawn = panels[:PANELS]
    columns = max(1, min(3, len(drawn), int(width // PANEL)))
    lines = -(-len(drawn) // columns)
    height = lines * max(2.6, 0.62 * width / columns)
    with figure(lines, columns, height, width=width, settings=settings) as (fig, grid):
        for axes in grid.flat[len(drawn) :]:
            axes.axis("off")
        for axes, (draw, _) in zip(grid.flat, drawn, strict=False):
            draw(axes)
        note = f"the first {PANELS} of {len(panels)} panels" if len(panels) > PANELS else ""
        return Sheet(kind, fig, [row for _, rows in drawn for row in rows], note)


def _of_cells(kind: str, wanted: Wanted) -> list[Panel]:
    """Return a panel for each condition, or for each ladder."""
    results, quantity = results_of(wanted.results), wanted.quantity
    ladders = results.conditions(limit_of(quantity))
    known = ladders if kind == "ladder" else results.conditions(quantity)
    names: list[Any] = [wanted.condition] if wanted.condition is not None else known or [None]
    draw = getattr(plot, kind)

    def panel(name: str | None) -> Panel:
        how: dict[str, Any] = {"condition": name, "quantity": quantity, "law": wanted.law}
        return lambda axes: draw(wanted.results, **how, ax=axes), _cells(results, kind, **how)

    return [panel(name) for name in names]


def _cells(
    results: Results, kind: str, *, condition: str | None, quantity: str, law: str | None
) -> list[dict[str, Any]]:
    if kind == "ladder":
        chosen = results.limits(condition, quantity, law)
        rungs = results.scales.get(chosen[0].condition, {})
        chosen += [
            cell
            for cell in results.cells
            if cell.condition in rungs and (cell.quantity, cell.law) == (quantity, chosen[0].law)
        ]
    else:
        chosen = results.chosen(condition, quantity, law)
    columns = cell_columns(chosen)
    del columns["chains_needed"]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _networks(wanted: Wanted) -> list[Panel]:
    conditions = wanted.study().conditions
    names = [condition.name for condition in conditions]
    if wanted.condition is not None and wanted.condition not in names:
        hint = did_you_mean(wanted.condition, names)
        problem = f"{wanted.condition!r} is not a condition of the study{hint}"
        raise InputError("condition", problem)
    return [
        (partial(_graph, one), _feeds(one))
        for one in conditions
        if wanted.condition in (None, one.name)
    ]


def _graph(condition: Condition, axes: Axes) -> None:
    plot.network(condition.network, ax=axes)
    if condition.name:
        title(axes, condition.name, axes.get_title("left"))


def _feeds(condition: Condition) -> list[dict[str, Any]]:
    return [
        {
            "condition": condition.name,
            "from": feed.origin,
            "to": feed.reader,
            "samples": feed.samples,
        }
        for feed in condition.network.recurring
    ]


def _power(wanted: Wanted) -> list[Panel]:
    study = wanted.study()
    rows = [
        {"law": law, "quantity": quantity, "power": power, "chains": chains}
        for (law, quantity), points in announced(study).items()
        for chains, power in points
    ]
    return [(lambda axes: plot.power(study, ax=axes), rows)]


_PANELS: dict[str, Callable[[Wanted], list[Panel]]] = {"network": _networks, "power": _power}
