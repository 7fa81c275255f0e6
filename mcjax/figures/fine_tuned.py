"""Draw refits beside fine-tuned models, in directions of large and of small curvature.

Few steps of gradient descent from a model's own last parameters hardly move it where the loss is
flat. There its variance grows slowly, or settles low, and a refit takes all the noise of its data.
Where the loss is curved, the steps reach the minimum, and both are alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import optax
from matplotlib.lines import Line2D

from mcjax.estimators.gradient_steps import Optax
from mcjax.figures.chains import draw, estimates, key, rows
from mcjax.figures.files import save
from mcjax.models.location import linear
from mcjax.network import REAL, build_network
from mcjax.plot.style import MARKERS, PALETTE, figure
from mcjax.study.study import condition

ROWS, GENERATIONS = 500, 20
CURVATURE = (1.0, 0.03)
TUNED = Optax(optax.sgd(0.5), 4, start="own", name="sgd(0.5)")
FEEDS = {
    "own output": [("a", "a", ROWS)],
    "half real": [("a", "a", ROWS // 2), (REAL, "a", ROWS // 2)],
}


def fine_tuned(folder: Path, chains: int | None) -> list[Path]:
    """Draw the variance of both parameters by generation, of refits and of fine-tuned models."""
    conditions = [
        condition(
            build_network("a", feeds, ROWS),
            linear(),
            (0.5, -0.5),
            covariance=np.diag(CURVATURE),
            estimator=estimator,
            label=f"{name}, {how}",
        )
        for name, feeds in FEEDS.items()
        for how, estimator in (("refit", None), ("fine-tuned", TUNED))
    ]
    found = estimates(conditions, GENERATIONS, chains or 4096)
    table: list[dict[str, Any]] = []
    with figure(1, 2, 2.7) as (fig, axes_of):
        for k, axes in enumerate(axes_of[0]):
            title = f"curvature {CURVATURE[k]:g}"
            lines = []
            for place, one in enumerate(found):
                series = one.variance_of(k, ROWS)
                draw(axes, series, PALETTE[place], MARKERS[place])
                style: dict[str, Any] = {
                    "color": PALETTE[place],
                    "marker": MARKERS[place],
                    "markersize": 3.2,
                }
                lines.append(Line2D([], [], label=one.name, **style))
                table += rows(title, series)
            axes.set(title=title, xlabel="generation", yscale="log")
        axes_of[0, 0].set_ylabel("variance, times rows of a fit")
        low, high = axes_of[0, 0].get_ylim()
        axes_of[0, 0].set_ylim(low, high**1.6 / low**0.6)  # for the legend
        key(axes_of[0, 0], *lines, loc="upper left", fontsize=7)
        return save(
            fig,
            folder,
            "fine-tuned",
            rows=table,
            about="Refits and fine-tuned models, in directions of large and small curvature",
            columns={"quantity": "variance k: of parameter k, times the rows of a fit"},
        )
