"""Draw networks that take turns: what collapses, what is sound, and how real data should come.

Two networks that are sound by themselves may collapse in turn, and two that collapse may be sound
in turn. A loop has a smaller error if its real data come in every generation, not in bursts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from mcjax import api
from mcjax.figures.chains import COLUMNS, Series, draw, key, rows
from mcjax.figures.files import save
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, Generation, Network, build_network, cycle
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.study.study import Study, condition

ROWS, REAL_ROWS, GENERATIONS = 200, 100, 12
THETA = (0.5, -0.5)
LAW = "finite_sample"
DAY = Generation([Feed("b", "a", ROWS), Feed(REAL, "b", ROWS)])
NIGHT = Generation([Feed(REAL, "a", ROWS), Feed("a", "b", ROWS)])
HALF = ROWS // 2
LEFT = Generation([Feed("a", "a", HALF), Feed(REAL, "a", HALF), Feed("b", "b", ROWS)])
RIGHT = Generation([Feed("a", "a", ROWS), Feed("b", "b", HALF), Feed(REAL, "b", HALF)])
BURSTS = (1, 2, 4)
"""Generations from one burst of real data to the next."""


def taking_turns(folder: Path, chains: int | None) -> list[Path]:
    """Draw the mean squared error of a model by generation, in turns and without."""
    pairs = {
        "two sound networks": {
            "b reads real data": cycle(DAY),
            "a reads real data": cycle(NIGHT),
            "in turn": cycle(DAY, NIGHT),
        },
        "two that collapse": {
            "b collapses": cycle(LEFT),
            "a collapses": cycle(RIGHT),
            "in turn": cycle(LEFT, RIGHT),
        },
    }
    panels = {
        title: {name: build_network("ab", later, ROWS) for name, later in pair.items()}
        for title, pair in pairs.items()
    }
    loops = {f"{REAL_ROWS * k} every {_ordinal(k)}": _bursts(k) for k in BURSTS}
    panels["real rows of a loop"] = loops
    table: list[dict[str, Any]] = []
    with figure(1, 3, 2.7) as (fig, axes_of):
        for axes, (title, nets) in zip(axes_of[0], panels.items(), strict=True):
            found, lines = _series(nets, chains or 4096), []
            for k, series in enumerate(found):
                draw(axes, series, PALETTE[k], MARKERS[k])
                style: dict[str, Any] = {
                    "color": PALETTE[k],
                    "marker": MARKERS[k],
                    "markersize": 3.2,
                }
                lines.append(Line2D([], [], label=series.condition, **style))
                table += ({**row, "law": LAW} for row in rows(title, series))
            highest = max(series.predicted.max() for series in found)
            axes.set(title=title, xlabel="generation", ylim=(0, 1.75 * highest))
            key(axes, *lines, law="exact law", loc="upper left", fontsize=7)
        axes_of[0, 0].set_ylabel("mean squared error of model a")
        return save(
            fig,
            folder,
            "taking-turns",
            rows=table,
            about="Networks that take turns, and real data in bursts",
            columns=COLUMNS,
        )


def _bursts(every: int) -> Network:
    """Return a loop with the same real rows on average, every few generations."""
    feeds = [Feed("a", "a", ROWS), Feed(REAL, "a", REAL_ROWS * every, every=every, first=every)]
    return build_network("a", feeds, ROWS)


def _ordinal(every: int) -> str:
    return {1: "generation", 2: "2nd", 4: "4th"}[every]


def _series(nets: Mapping[str, Network], chains: int) -> Sequence[Series]:
    """Simulate networks, and return the error of their first model beside the exact law."""
    conditions = (condition(net, linear(), THETA, label=name) for name, net in nets.items())
    verified = api.verify(Study(tuple(conditions), GENERATIONS, chains))
    found = []
    for name in nets:
        cells = [c for c in verified.cells if (c.condition, c.model, c.law) == (name, "a", LAW)]
        numbers = [(cell.empirical, cell.standard_error, cell.predicted) for cell in cells]
        found.append(Series(name, "a", "mse", *np.array(numbers).T))
    return found
