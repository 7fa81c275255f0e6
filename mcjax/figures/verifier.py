"""Draw estimates that contract to the centre of a verifier instead of the truth.

A row is kept if its label is close to the verifier's prediction. A model that reads verified output
of its own alone ends at the verifier, wherever it begins. Real data hold it between verifier and
truth.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from mcjax.figures.chains import COLUMNS, Series, draw, estimates, key, label, rows
from mcjax.figures.files import save
from mcjax.models.location import linear
from mcjax.network import REAL, Feed, build_network
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.selections.verifier import Verifier
from mcjax.study.study import Condition, condition

ROWS, GENERATIONS = 400, 8
CENTRE, WITHIN = (0.5, 0.5), 1.5
"""The verifier of the loops that read nothing else, and the distance within which it accepts."""
ANGLES, RADIUS = np.arange(20, 380, 60), 2.0
"""Directions of their truths, seen from the verifier, in degrees."""
SHARES = (1.0, 0.9, 0.5, 0.1)
"""Shares of verified rows in a fit."""


def _loop(truth: Any, keep: Verifier, share: float, label: str) -> Condition:
    """Return a model that reads verified output of its own, and real data."""
    own = round(share * ROWS)
    feeds = [Feed("model", "model", own, keep=keep)]
    if own < ROWS:
        feeds.append(Feed(REAL, "model", ROWS - own))
    return condition(build_network(["model"], feeds, ROWS), linear(), truth, label=label)


def verifier(folder: Path, chains: int | None) -> list[Path]:
    """Draw the paths from several truths, and mixtures with real data."""
    turns = np.deg2rad(ANGLES)
    truths = np.array(CENTRE) + RADIUS * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    alone = [_loop(v, Verifier(CENTRE, WITHIN), 1.0, f"truth {k}") for k, v in enumerate(truths, 1)]
    mixed = [
        _loop([0.0], Verifier((1.0,), 1.0), share, f"{share:.0%} verified") for share in SHARES
    ]
    table: list[dict[str, Any]] = []
    with figure(1, 3, 2.7) as (fig, panels):
        left, middle, right = panels[0]
        for one in estimates(alone, GENERATIONS, chains or 400):
            x, y = one.mean(0), one.mean(1)
            _path(left, x, y)
            table += [*rows("alone", x), *rows("alone", y)]
        left.plot(*CENTRE, "*", color=PALETTE[1], markersize=11, zorder=4)
        left.annotate("verifier", CENTRE, (13, -5), textcoords="offset points")
        left.set(title="verified alone, six truths", aspect="equal", xlabel="first parameter")
        left.set_ylabel("second parameter")
        for k, one in enumerate(estimates(mixed, GENERATIONS, chains or 3000)):
            mean, variance = one.mean(), one.variance(ROWS)
            for axes, series in ((middle, mean), (right, variance)):
                draw(axes, series, PALETTE[k], MARKERS[k])
                label(axes, series, f"{SHARES[k]:.0%}", PALETTE[k])
                table += rows("mixed", series)
        middle.set(title="verified share, rest real", xlabel="generation", ylim=(-0.14, 1.14))
        middle.set_ylabel("mean of estimates")
        for height, name, side in ((0.0, "truth", "top"), (1.0, "verifier", "bottom")):
            middle.axhline(height, color="0.3", linewidth=0.8, linestyle="--")
            middle.text(0, height + 0.07 * height - 0.03, name, va=side)
        key(middle, loc="center", bbox_to_anchor=(0.64, 0.54), fontsize=7)
        right.set(title="verified share, rest real", xlabel="generation", ylim=(0, None))
        right.set_ylabel("n \N{MULTIPLICATION SIGN} variance of estimates")
        return save(
            fig,
            folder,
            "verifier",
            rows=table,
            about="Verified feeds, alone and with real data",
            columns=COLUMNS,
        )


def _path(axes: Axes, x: Series, y: Series) -> None:
    """Draw the way of the centre in the plane, with a ring around the truth."""
    axes.plot(x.predicted, y.predicted, color=PALETTE[0], linewidth=1.2)
    axes.plot(x.observed, y.observed, "o", color=PALETTE[0], markersize=2.6)
    axes.plot(x.predicted[0], y.predicted[0], "o", color=PALETTE[0], markersize=6, fillstyle="none")
