"""Draw where real data do not prevent an explosion: few rows for many parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm

from mcjax.figures.files import save
from mcjax.laws.least_squares.explosion import ROUNDING, spectral_radius
from mcjax.laws.least_squares.second_moments import SecondMomentMap
from mcjax.plot.style import figure

PARAMETERS = (3, 5, 10, 30)
SHARES = np.linspace(0, 0.6, 61)
LOWEST, HIGHEST = 0.2, 2.0


def explosion_map(folder: Path, chains: int | None) -> list[Path]:
    """Draw the factor by which a linear regression's MSE is multiplied every generation.

    A single model reads itself and a share of fresh real data. The factor is exact, as a function
    of that share and of the rows of a fit; nothing is simulated.
    """
    rows = []
    with figure(1, len(PARAMETERS), 2.9) as (fig, panels):
        for axes, p in zip(panels[0], PARAMETERS, strict=True):
            counts = np.unique(np.geomspace(p + 2, 5 * p, 150).round().astype(int))
            radius = np.array([[_radius(p, int(n), s) for n in counts] for s in SHARES])
            mesh = axes.pcolormesh(
                counts / p,
                SHARES,
                np.clip(radius, LOWEST, HIGHEST),
                cmap="PuOr_r",
                norm=TwoSlopeNorm(1.0, LOWEST, HIGHEST),
                shading="nearest",
                rasterized=True,
            )
            _border(axes, counts / p, radius > 1 + ROUNDING)
            axes.set(xscale="log", xlim=(1, 5), xlabel="rows a fit / parameters", title=f"p = {p}")
            axes.set_xticks([1, 1.5, 2, 3, 5], ["1", "1.5", "2", "3", "5"])
            axes.set_xticks([], minor=True)
            axes.text(3, 0.5, "settles", ha="center", color="white")
            axes.set_facecolor("0.85")
            edge = {"ha": "center", "va": "center", "rotation": 90}
            axes.text(0.5 * (1 + (p + 1.5) / p), 0.3, "no second moment" if p < 10 else "", **edge)
            if p >= 10:
                axes.text(max((p + 2.5) / p, 1.12), 0.4, "explodes", color="white", **edge)
            rows += [
                {"parameters": p, "rows": int(n), "real_share": round(float(s), 4)}
                | {"law": "finite_sample", "quantity": "radius", "predicted": f"{r:.5g}"}
                for s, line in zip(SHARES, radius, strict=True)
                for n, r in zip(counts, line, strict=True)
            ]
        for axes in panels[0, 1:]:
            axes.set_yticklabels([])
        panels[0, 0].set_ylabel("share of fresh real data")
        bar = fig.colorbar(mesh, ax=panels[0, -1], extend="both", ticks=[0.2, 0.6, 1, 1.5, 2])
        bar.set_label("factor a generation (line: 1)")
        about = "Factor by which a linear regression's MSE is multiplied every generation"
        columns = {
            "parameters": "p, of the regression",
            "real_share": "share of fresh real data among the rows of a fit",
            "predicted": "the factor; infinite where there is no second moment",
        }
        return save(fig, folder, "explosion-map", rows=rows, about=about, columns=columns)


def _border(axes: Axes, x: np.ndarray, explodes: np.ndarray) -> None:
    """Draw the border of the cells that explode, which are the first of each row."""
    middle = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
    half = (SHARES[1] - SHARES[0]) / 2
    counts = explodes.sum(1)
    rows = np.flatnonzero(counts)
    if len(rows) == 0:
        return
    across = edges[np.repeat(counts[rows], 2)]
    up = np.ravel([SHARES[rows] - half, SHARES[rows] + half], order="F")
    ends = [up[0], *up, up[-1]]
    axes.plot([edges[0], *across, edges[0]], ends, color="black", linewidth=1.3)


def _radius(p: int, rows: int, share: float) -> float:
    one = SecondMomentMap(
        shares=np.array([[1 - share]]),
        rows=np.array([float(rows)]),
        noise=np.zeros(1),
        frozen=np.zeros(1, bool),
        p=p,
    )
    return spectral_radius(one)
