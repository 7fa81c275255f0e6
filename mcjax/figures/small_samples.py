"""Draw the errors of fits to few rows beside the laws of first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, ScalarFormatter

from mcjax import api
from mcjax.figures.files import save
from mcjax.models.registry import FAMILIES
from mcjax.network import topologies
from mcjax.plot.style import PALETTE, figure
from mcjax.study.study import Condition, Study, condition

SHOWN = ("linear", "logistic", "poisson", "huber")
RUNGS = (50, 100, 200, 400, 800, 1600)
BETWEEN = 4
"""Number of points of a curve from one rung to the next."""
THETA, LAST = (0.5, -0.5), 5
FIRST, SECOND = "first_order", "second_order"


def small_samples(folder: Path, chains: int | None) -> list[Path]:
    """Draw the simulated MSE, and that of the second-order law, over the first-order law.

    A model at generation 5, whose fits have n rows: half are its own output, and half are real.
    """
    table: list[dict[str, Any]] = []
    for name in SHOWN:
        table += _curve(name)
        table += _simulated(name, chains or 65536)
    with figure(2, 2, 4.6) as (fig, panels):
        for axes, name, colour in zip(panels.flat, SHOWN, PALETTE, strict=False):
            _panel(axes, [row for row in table if row["family"] == name], colour)
            axes.set_title(name, loc="left")
        _key(panels[0, 0])
        fig.supxlabel("rows a fit, n", fontsize=9)
        fig.supylabel("MSE / first-order law", fontsize=9)
        about = "Mean squared errors over those of the first-order law, by rows of a fit"
        columns = {
            "ratio": "mean squared error over that of the first-order law",
            "ratio_error": "standard error of a simulated ratio",
            "judged": "whether the second-order law is accurate enough to be judged",
        }
        return save(fig, folder, "small-samples", rows=table, about=about, columns=columns)


def _loops(name: str, rungs: Sequence[int]) -> list[Condition]:
    loops = [topologies.self_loop(samples=n // 2, real=n // 2, initial=n) for n in rungs]
    return [
        condition(loop, FAMILIES[name](), THETA, label=f"{name}, n={n}")
        for n, loop in zip(rungs, loops, strict=True)
    ]


def _curve(name: str) -> list[dict[str, Any]]:
    """Return the ratio of the second-order law, at the rungs and between them."""
    steps = BETWEEN * (len(RUNGS) - 1) + 1
    rungs = [2 * round(n / 2) for n in np.geomspace(RUNGS[0], RUNGS[-1], steps)]
    points = []
    predicted = api.predict(Study(tuple(_loops(name, rungs)), generations=LAST), [SECOND])
    for n, found in zip(rungs, predicted, strict=True):
        law = found.laws[SECOND]
        assert law.validity is not None
        ratio = float(law.mse[LAST, 0] / found.laws[FIRST].mse[LAST, 0])
        points.append(_row(name, n, SECOND, ratio, judged=bool(law.validity.judged[LAST, 0])))
    return points


def _simulated(name: str, chains: int) -> list[dict[str, Any]]:
    study = Study(tuple(_loops(name, RUNGS)), generations=LAST, chains=chains)
    cells = [
        cell
        for cell in api.verify(study).cells
        if (cell.generation, cell.law, cell.quantity) == (LAST, FIRST, "mse")
    ]
    return [
        _row(name, n, "simulated", cell.ratio, error=cell.standard_error / cell.predicted)
        for n, cell in zip(RUNGS, cells, strict=True)
    ]


def _row(
    family: str, rows: int, law: str, ratio: float, *, error: float = 0.0, judged: bool = True
) -> dict[str, Any]:
    return {
        "family": family,
        "rows": rows,
        "generation": LAST,
        "law": law,
        "quantity": "mse",
        "ratio": ratio,
        "ratio_error": error,
        "judged": judged,
    }


def _panel(axes: Axes, table: Sequence[dict[str, Any]], colour: str) -> None:
    law = [row for row in table if row["law"] == SECOND]
    drawn = [row for row in table if row["law"] != SECOND]
    axes.axhline(1, color="0.5", linewidth=0.8)
    n, ratio = [row["rows"] for row in law], [row["ratio"] for row in law]
    axes.plot(n, ratio, color=colour, linestyle=":")
    judged = [row["ratio"] if row["judged"] else np.nan for row in law]
    axes.plot(n, judged, color=colour)
    axes.errorbar(
        [row["rows"] for row in drawn],
        [row["ratio"] for row in drawn],
        [1.96 * row["ratio_error"] for row in drawn],
        color="black",
        fmt="o",
        markersize=3,
        capsize=2,
        linewidth=0.8,
    )
    axes.set_xscale("log")
    axes.set_xticks(RUNGS)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _key(axes: Axes) -> None:
    lines = [
        Line2D([], [], color="black", marker="o", linestyle="", markersize=3),
        Line2D([], [], color="0.3"),
        Line2D([], [], color="0.3", linestyle=":"),
        Line2D([], [], color="0.5", linewidth=0.8),
    ]
    names = ["simulated, 95% bars", "second order", "… not judged", "first order"]
    axes.legend(lines, names)
