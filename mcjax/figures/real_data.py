"""Draw laws on real data: held-out losses, and a law that trusts the model on a ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import NullFormatter, ScalarFormatter

from mcjax import api
from mcjax.data.data import Data
from mcjax.figures.files import save
from mcjax.laws.user import user_law
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.plot.style import (
    MARKERS,
    PALETTE,
    curves,
    figure,
    from_zero,
    label_ends,
    legend,
    ratio_bars,
    whole_numbers,
)
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import Cell

KEPT = (
    "model",
    "generation",
    "law",
    "quantity",
    "empirical",
    "standard_error",
    "predicted",
    "ratio",
)
RUNGS = (50, 100, 200, 400, 800, 1600)
GENERATIONS = 8
TRUSTING = "of the model"
LAWS = {"first_order": "law of the rows", TRUSTING: "law of the model"}


def real_data(folder: Path, chains: int | None) -> list[Path]:
    """Draw held-out losses of digits, and what a law of equal variances predicts for engel."""
    losses = _losses(chains or 2048)
    rungs = _rungs(chains or 8192)
    with figure(1, 2, 3.2) as (fig, panels):
        left, right = panels[0]
        models = ("lone", "half real")
        curves(left, losses, models)
        from_zero(left)
        whole_numbers(left)
        left.set_title("digits: above 4 or not")
        left.set_xlabel("generation")
        left.set_ylabel("excess of the held-out loss")
        ends = [[c.predicted for c in losses if c.model == model][-1] for model in models]
        label_ends(left, list(zip(ends, models, PALETTE, strict=False)))
        right.axhline(1, color="0.5", linewidth=0.8)
        for k, (law, name) in enumerate(LAWS.items()):
            own = {n: cell for n, cell in rungs if cell.law == law}
            ratio_bars(
                right,
                [n * 1.03 ** (k - 0.5) for n in own],
                [cell.ratio for cell in own.values()],
                [1.96 * cell.standard_error / cell.predicted for cell in own.values()],
                colour=PALETTE[k],
                marker=MARKERS[k],
                label=name,
            )
        right.set_xscale("log", base=2)
        right.set_xticks(RUNGS)
        right.xaxis.set_major_formatter(ScalarFormatter())
        right.xaxis.set_minor_formatter(NullFormatter())
        right.set_title("engel: food against income")
        right.set_xlabel("rows in a fit")
        right.set_ylabel("simulated / predicted error")
        right.set_ylim(bottom=0)
        legend(right, *right.get_legend_handles_labels())
        rows: list[dict[str, Any]] = [
            {"panel": "digits", "rows": 1000} | _numbers(cell) for cell in losses
        ]
        rows += [{"panel": "engel", "rows": n} | _numbers(cell) for n, cell in rungs]
        about = "Errors on real data, by the law of the rows and by one that trusts the model"
        columns = {"ratio": "empirical over predicted"}
        return save(fig, folder, "real-data", rows=rows, about=about, columns=columns)


def _losses(chains: int) -> list[Cell]:
    """Return the excess of the held-out loss of a model that reads itself, and of one half real."""
    data = Data.from_file(
        "sklearn:digits",
        positive=(5, 6, 7, 8, 9),
        standardise=True,
        components=5,
        held_out=0.2,
    )
    feeds = [("lone", "lone", 1000), ("half real", "half real", 500), ("real", "half real", 500)]
    network = build_network(("lone", "half real"), feeds, 1000)
    study = Study(
        (condition(network, logistic(), data=data, label="digits"),),
        generations=GENERATIONS,
        chains=chains,
        quantities=("held_out",),
    )
    return list(api.verify(study).cells)


def _rungs(chains: int) -> list[tuple[int, Cell]]:
    """Return the errors at the last generation, with the rows of a fit, by two laws."""
    data = Data.from_file("statsmodels:engel", "foodexp", standardise=True)
    loops = [topologies.self_loop(samples=n // 2, real=n // 2, initial=n) for n in RUNGS]
    fitted = condition(loops[0], linear(), data=data)
    spread = float(np.std(data.y - data.x @ fitted.theta))
    model = linear(sigma=spread)
    made = [
        condition(loop, model, data=data, label=f"n={n}")
        for n, loop in zip(RUNGS, loops, strict=True)
    ]
    study = Study(tuple(made), generations=2, chains=chains)

    def trusting(one: Any, generations: int) -> tuple[None, np.ndarray]:
        """Return the law for data with normal noise of one variance."""
        alone = condition(one.network, model, one.theta, covariance=data.second_moments)
        [found] = api.predict(Study((alone,), generations=generations))
        return None, found.laws["first_order"].covariance

    cells = api.verify(study, laws=[user_law(trusting, name=TRUSTING)]).cells
    rows = {one.name: n for one, n in zip(made, RUNGS, strict=True)}
    return [(rows[cell.condition], cell) for cell in cells if cell.generation == 2]


def _numbers(cell: Cell) -> dict[str, Any]:
    return {key: getattr(cell, key) for key in KEPT}
