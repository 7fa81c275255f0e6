"""Draw the pictures that models of the first chain generate, by model and generation."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Shaped

from mcjax.generators.judge import GeneratorVerification
from mcjax.generators.shown import EXPECTATIONS
from mcjax.plot.style import figure, title
from mcjax.text import drawn

MOST = 12
"""Largest numbers of conditions, models and generations that are drawn."""
GREY, COLOURS = 5, (3, 4)
"""Dimensions of grey pictures, by generation, model and row; numbers of colours of others."""
CELL = 0.55
"""Inches of a picture."""


def samples_png(verification: GeneratorVerification) -> bytes:
    """Return a PNG file of all pictures, a panel for each condition; empty if there are none.

    Rows are models, columns are generations: at most 12, the first and the last among them.
    """
    study = verification.study
    found = [
        (condition, rows)
        for condition, rows in zip(study.conditions, verification.shown, strict=False)
        if rows is not None and _are_pictures(rows)
    ]
    if not found:
        return b""
    panels = found[:MOST]
    times = np.unique(np.linspace(0, study.generations, MOST).round().astype(int))
    models = max(min(condition.network.size, MOST) for condition, _ in panels)
    width, height = 1.5 + CELL * max(len(times), 4), len(panels) * (0.7 + CELL * models)
    with figure(len(panels), 1, height, width=width) as (fig, axes):
        for (condition, rows), ax in zip(panels, axes[:, 0], strict=True):
            names = condition.network.models[:MOST]
            tall, wide = rows.shape[3:5]
            pictures = _tiled(rows[times][:, : len(names), 0])
            ax.imshow(pictures, cmap="gray_r", interpolation="nearest")
            ax.set_xticks(wide / 2 - 0.5 + (wide + 1) * np.arange(len(times)), times)
            ax.set_yticks(
                tall / 2 - 0.5 + (tall + 1) * np.arange(len(names)), [drawn(n) for n in names]
            )
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            left = condition.network.size - len(names)
            title(ax, condition.name, f"{left} more models are not drawn" if left else "")
        more = f"; {len(found) - MOST} more conditions" if len(found) > MOST else ""
        kinds = {condition.generator.expected is not None for condition, _ in panels}
        what = f"; {EXPECTATIONS}" if all(kinds) else ""
        fig.supxlabel(f"generation (chain 0{more}{what})", fontsize="medium")
        file = io.BytesIO()
        fig.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _are_pictures(rows: Shaped[np.ndarray, "t+1 M 2 ..."]) -> bool:
    """Return whether rows are numbers of height and width, or of these and colour."""
    colours = rows.ndim == GREY + 1 and rows.shape[-1] in COLOURS
    return rows.dtype.kind in "biuf" and rows.size > 0 and (rows.ndim == GREY or colours)


def _tiled(pictures: Shaped[np.ndarray, "t M h w ..."]) -> np.ma.MaskedArray:
    """Return pictures side by side, a pixel apart, which is masked."""
    t, m, tall, wide, *colour = pictures.shape
    kind = pictures.dtype if pictures.dtype.kind != "b" else np.uint8
    shape = (m * (tall + 1) - 1, t * (wide + 1) - 1, *colour)
    whole = np.ma.MaskedArray(np.zeros(shape, kind), mask=True)
    for k, i in np.ndindex(t, m):
        top, left = i * (tall + 1), k * (wide + 1)
        whole[top : top + tall, left : left + wide] = pictures[k, i]
    return whole
