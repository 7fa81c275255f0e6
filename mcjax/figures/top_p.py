"""Draw what becomes of rare classes where models sample from the most probable ones.

The fewest classes whose probabilities add up to p are kept. A model that reads its own output alone
loses the others for ever. With a share r of real data, the probability of a class that is cut off
is r times the true one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from mcjax.figures.chains import COLUMNS, draw, estimates, key, label, rows
from mcjax.figures.files import save
from mcjax.models.generative import categorical
from mcjax.network import REAL, Feed, build_network
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.selections.top_p import TopP
from mcjax.study.study import Condition, condition

ROWS, GENERATIONS, P = 10_000, 6, 0.85
CLASSES = (0.36, 0.26, 0.19, 0.09, 0.06, 0.04)
SHARES = (0.0, 0.2)
"""Shares of real rows in a fit."""
LOW = 5e-3
"""Lower end of the axis."""


def _loop(real: float) -> Condition:
    rest = round(real * ROWS)
    feeds = [Feed("model", "model", ROWS - rest, keep=TopP(P))]
    if rest:
        feeds.append(Feed(REAL, "model", rest))
    net = build_network(["model"], feeds, ROWS)
    return condition(
        net, categorical(), CLASSES, label=f"{real:.0%} real data" if real else "own output alone"
    )


def top_p(folder: Path, chains: int | None) -> list[Path]:
    """Draw the probabilities of six classes by generation, alone and with real data."""
    found = estimates([_loop(real) for real in SHARES], GENERATIONS, chains or 100)
    table: list[dict[str, Any]] = []
    with figure(1, 2, 3.0) as (fig, panels):
        for axes, real, one in zip(panels[0], SHARES, found, strict=True):
            axes.set(yscale="log", ylim=(LOW, 0.8), xlabel="generation", title=one.name)
            for k, truth in enumerate(CLASSES):
                series = one.mean(k)
                table += rows(one.name, series)
                alive = int(np.count_nonzero(series.predicted))
                draw(axes, series.until(alive), PALETTE[k], MARKERS[k])
                if alive <= GENERATIONS:
                    way = [alive - 1, alive], [series.predicted[alive - 1], LOW]
                    axes.plot(*way, color=PALETTE[k], linewidth=1.2, linestyle=":")
                elif real and series.predicted[-1] < truth:
                    at = [0, GENERATIONS], [real * truth] * 2
                    axes.plot(*at, color=PALETTE[k], linewidth=0.8, linestyle="--")
                    label(axes, series, f"{real:g} \N{MULTIPLICATION SIGN} {truth:g}", PALETTE[k])
        panels[0, 0].set_ylabel("probability of a class")
        lost = Line2D([], [], color="0.3", linewidth=1.2, linestyle=":", label="lost for ever")
        key(panels[0, 0], lost, loc="center right", bbox_to_anchor=(1, 0.35), fontsize=7)
        return save(
            fig,
            folder,
            "top-p",
            rows=table,
            about="Probabilities of classes where the most probable ones are sampled",
            columns=COLUMNS,
        )
