"""Draw three ways to fail on one graph: noise accumulates, the truth is forgotten, explosion.

The graph is a model that is fitted to its own output. What differs is the temperature at which the
output is generated. By the law the centre of logistic regression is ``theta / T^t``, so the same
number decides what becomes of the truth, and of errors: the eigenvalue of a generation is 1 / T.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mcjax.figures.chains import COLUMNS, Estimates, draw, estimates, key, rows
from mcjax.figures.files import save
from mcjax.models.glm import logistic
from mcjax.network import Feed, build_network
from mcjax.plot.style import PALETTE, figure
from mcjax.selections.temperature import Temperature
from mcjax.study.study import condition

ROWS, GENERATIONS, TRUTH, SHOWN = 2000, 8, 1.0, 12


class Failure(NamedTuple):
    """A way to fail.

    Attributes
    ----------
    temperature : float
        T.
    name, remark : str
        What happens, and what the variance does.
    top : float
        Upper end of the axis of estimates.
    """

    temperature: float
    name: str
    remark: str
    top: float


FAILURES = (
    Failure(1.0, "noise accumulates (T = 1)", "grows by a constant", 2.0),
    Failure(1.25, "the truth is forgotten (T = 1.25)", "stays bounded", 2.0),
    Failure(0.8, "explosion (T = 0.8)", "grows by a factor", 8.0),
)


def three_failures(folder: Path, chains: int | None) -> list[Path]:
    """Draw centre and variance by generation of a closed loop at three temperatures."""
    conditions = []
    for failure in FAILURES:
        keep = None if failure.temperature == 1 else Temperature(failure.temperature)
        net = build_network(["model"], [Feed("model", "model", ROWS, keep=keep)], ROWS)
        conditions.append(condition(net, logistic(), [TRUTH], label=failure.name))
    found = estimates(conditions, GENERATIONS, chains or 2000)
    table: list[dict[str, Any]] = []
    with figure(2, 3, 4.4) as (fig, panels):
        for k, (failure, one) in enumerate(zip(FAILURES, found, strict=True)):
            (above, below), colour = panels[:, k], PALETTE[k]
            mean, variance = one.mean(), one.variance(ROWS)
            _paths(above, one, colour)
            draw(above, mean, colour)
            draw(below, variance, colour)
            above.set(title=failure.name, ylim=(0, failure.top))
            below.set(xlabel="generation", yscale="log")
            below.text(0.05, 0.93, failure.remark, transform=below.transAxes, va="top")
            table += [*rows(failure.name, mean), *rows(failure.name, variance)]
        ends = [axes.get_ylim() for axes in panels[1]]
        for axes in panels[1]:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
        panels[0, 0].set_ylabel("estimate (log odds for x = 1)")
        panels[1, 0].set_ylabel("n \N{MULTIPLICATION SIGN} variance of estimates")
        key(
            panels[0, 1],
            Line2D([], [], color="0.3", linewidth=0.8, linestyle="--", label="truth"),
            Line2D([], [], color="0.6", linewidth=0.5, label="single chains"),
            loc="upper right",
            ncols=1,
            fontsize=7,
        )
        return save(
            fig,
            folder,
            "three-failures",
            rows=table,
            about="A closed loop that fails in three ways, at three temperatures",
            columns=COLUMNS,
        )


def _paths(axes: Axes, one: Estimates, colour: str) -> None:
    """Draw some chains, the truth, and the law's band for 95% of all chains."""
    at = np.arange(len(one.centre))
    half = 1.96 * np.sqrt(one.covariance[:, 0, 0])
    centre = one.centre[:, 0]
    axes.fill_between(at, centre - half, centre + half, color=colour, alpha=0.15, linewidth=0)
    axes.plot(at, one.theta[:SHOWN, :, 0].T, color="0.6", linewidth=0.4)
    axes.axhline(TRUTH, color="0.3", linewidth=0.8, linestyle="--")
