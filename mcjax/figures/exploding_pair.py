"""Draw a pair whose errors explode, although half of every fit is real data.

Each model is fitted to what the other generates and to real data, well specified and of equal
size. Covariates decide: model 0 reads synthetic rows that vary along one axis, and real rows that
vary along another direction. A step from one fit to the next has an eigenvalue of 2.36. With one
law of covariates it is 0.5, and the pair is sound.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mcjax.figures.chains import COLUMNS, draw, estimates, key, rows
from mcjax.figures.files import save
from mcjax.models.location import linear
from mcjax.network import Source, build_network
from mcjax.plot.style import PALETTE, figure
from mcjax.study.study import Condition, condition

HALF, GENERATIONS, LABELLED = 250, 10, 7
SYNTHETIC = {"1": ((1.0, 0.0), (0.0, 0.01)), "0": ((0.01, 0.0), (0.0, 1.0))}
"""Covariances of the covariates of what each model generates, which the other reads."""
REAL = {"a": ((1.0, 0.3), (0.3, 0.1)), "b": ((0.1, 0.3), (0.3, 1.0))}
"""Covariances of the real data of model 0 and of model 1."""


def pair(own: bool) -> Condition:
    """Return the pair, with covariates of their own or with one law of covariates."""
    kinds = REAL if own else dict.fromkeys(REAL, ((1.0, 0.0), (0.0, 1.0)))
    net = build_network(
        2,
        [
            (origin, reader, HALF)
            for origin, reader in (("1", "0"), ("0", "1"), ("a", "0"), ("b", "1"))
        ],
        2 * HALF,
        sources=[Source(name, covariance=covariance) for name, covariance in kinds.items()],
    )
    name = "covariates differ" if own else "one law of covariates"
    return condition(
        net, linear(), [0.0, 0.0], label=name, own_covariances=SYNTHETIC if own else None
    )


def exploding_pair(folder: Path, chains: int | None) -> list[Path]:
    """Draw the mean squared error by generation, with and without covariates of their own."""
    table: list[dict[str, Any]] = []
    with figure(1, 3, 2.8) as (fig, panels):
        panels[0, 0].get_gridspec().set_width_ratios([1, 1, 2])
        *covariates, right = panels[0]
        for axes, reader, synthetic, real in zip(
            covariates, "01", SYNTHETIC.values(), REAL.values(), strict=True
        ):
            _ellipse(axes, real, PALETTE[2])
            _ellipse(axes, synthetic, PALETTE[4])
            axes.set(title=f"model {reader} reads", aspect="equal", xlim=(-2.4, 2.4))
            axes.set(ylim=(-2.4, 2.4), xticks=[-2, 0, 2], yticks=[-2, 0, 2])
            axes.set_xlabel("first covariate")
        covariates[0].set_ylabel("second covariate")
        covariates[0].text(0.6, 0.9, "real", color=PALETTE[2])
        covariates[0].text(-0.2, -0.8, "synthetic", color=PALETTE[4])
        found = estimates([pair(True), pair(False)], GENERATIONS, chains or 1000)
        for one, colour in zip(found, PALETTE, strict=False):
            series = one.mean_square()
            draw(right, series, colour)
            above = series.predicted[LABELLED] * 3
            right.text(LABELLED, above, one.name, color=colour, ha="right")
            table += rows("mse", series)
        right.set(yscale="log", xlabel="generation", title="half of every fit is real")
        right.set_ylabel("mean squared error")
        key(right, loc="upper left", fontsize=7)
        return save(
            fig,
            folder,
            "exploding-pair",
            rows=table,
            about="A pair that explodes although half of each fit is real",
            columns=COLUMNS,
        )


def _ellipse(axes: Axes, covariance: Any, colour: str) -> None:
    """Draw where most covariates lie: two standard deviations in every direction."""
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    x, y = 2 * np.linalg.cholesky(np.array(covariance)) @ circle
    axes.fill(x, y, facecolor=colour, alpha=0.25)
    axes.plot(x, y, color=colour)
