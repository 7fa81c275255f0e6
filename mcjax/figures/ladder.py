"""Draw how simulated errors approach an asymptotic law on a ladder of sample sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.ticker import NullFormatter, ScalarFormatter

from mcjax import api
from mcjax.figures.files import save
from mcjax.models.registry import FAMILIES
from mcjax.network import topologies
from mcjax.plot.style import MARKERS, PALETTE, figure, ratio_bars
from mcjax.study.study import Study, condition

LADDERS = ("linear", "logistic", "poisson", "huber", "quantile")
KEPT = ("condition", "model", "generation", "law", "quantity", "chains", "lost")
RUNGS = (50, 100, 200, 400, 800, 1600)


def ladder(folder: Path, chains: int | None) -> list[Path]:
    """Draw the ratio of simulated to first-order MSE, whose distance from 1 falls as 1/n.

    Each point is one model at generation 5, whose fits have n rows: half are its own output, and
    half are real.
    """
    theta, last = (0.5, -0.5), 5
    rows: list[dict[str, Any]] = []
    for name in LADDERS:
        loops = {n: topologies.self_loop(samples=n // 2, real=n // 2, initial=n) for n in RUNGS}
        conditions = [
            condition(loop, FAMILIES[name](), theta, label=f"{name}, n={n}")
            for n, loop in loops.items()
        ]
        study = Study(tuple(conditions), generations=last, chains=chains or 8192)
        cells = [
            cell
            for cell in api.verify(study).cells
            if (cell.generation, cell.law) == (last, "first_order")
        ]
        for n, cell in zip(RUNGS, cells, strict=True):
            error = cell.standard_error / cell.predicted
            rows.append(
                {"family": name, "rows": n}
                | {key: getattr(cell, key) for key in KEPT}
                | {"ratio": cell.ratio, "ratio_error": error}
            )
    with figure(1, 1, 3.2) as (fig, panels):
        axes = panels[0, 0]
        axes.axhline(1, color="0.5", linewidth=0.8)
        for i, name in enumerate(LADDERS):
            points = [row for row in rows if row["family"] == name]
            ratio_bars(
                axes,
                [row["rows"] * 1.03 ** (i - 1.5) for row in points],
                [row["ratio"] for row in points],
                [1.96 * row["ratio_error"] for row in points],
                colour=PALETTE[i],
                marker=MARKERS[i],
                label=name,
            )
        axes.set(
            xscale="log",
            xlabel="rows a fit, n",
            ylabel="simulated MSE / first-order law",
            title="One model, half its own output, half fresh real data; generation 5,"
            " 95% intervals",
        )
        axes.set_xticks(RUNGS)
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend()
        about = "Simulated MSE over that by the first-order law, on ladders of sample sizes"
        columns = {"ratio": "simulated over predicted", "ratio_error": "standard error of ratio"}
        return save(fig, folder, "ladder", rows=rows, about=about, columns=columns)
