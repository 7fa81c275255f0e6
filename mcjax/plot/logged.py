"""Plot logged losses with the laws that were fitted to them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from mcjax.arguments import checked
from mcjax.logs.judgement import LossJudgement
from mcjax.numbers import how_many
from mcjax.plot.style import MARKERS, PALETTE, axes_for, legend, title, whole_numbers


@checked
def losses(data: LossJudgement, ax: Axes | None = None) -> Axes:
    """Plot logged losses by generation, with the law that each workflow is judged by.

    Points are losses. Lines are the laws with the L0 and V that the workflows share; that of a
    workflow that was refuted is dashed.

    Parameters
    ----------
    data : LossJudgement
        Judged losses.
    ax : Axes, optional
        Axes to draw on; defaults to those of a new figure.

    Returns
    -------
    Axes
        The axes.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.logs.table import BUILTIN
    >>> axes = mcjax.plot.losses(mcjax.judge_losses(mcjax.read_losses(BUILTIN)))
    >>> axes.get_ylabel()
    'loss'
    """
    names = list(data.workflows)[: len(PALETTE)]
    with axes_for(ax) as axes:
        points = []
        for name, colour, marker in zip(names, PALETTE, MARKERS, strict=False):
            generations, values = data.losses.rows[name]
            points += axes.plot(generations, values, marker, color=colour, markersize=4)
            span = np.arange(data.first, generations.max() + 1)
            refuted = data.workflows[name].verdict == "refuted"
            style = "--" if refuted else "-"
            axes.plot(span, data.curve(name, span), style, color=colour)
        whole_numbers(axes)
        axes.set_ylabel("loss")
        left = len(data.workflows) - len(names)
        note = f"{how_many(left, 'more workflow')} not drawn" if left else ""
        title(axes, "points: logged; lines: law, dashed if refuted", note)
        told = [f"{name}: {data.workflows[name].verdict}" for name in names]
        legend(axes, points, told)
    return axes


def loss_rows(data: LossJudgement) -> list[dict[str, object]]:
    """Return the plotted numbers: every logged loss, with the one that the law says."""
    return [
        {
            "workflow": name,
            "law": data.workflows[name].law,
            "generation": int(generation),
            "loss": float(value),
            "predicted": float(predicted),
            "verdict": data.workflows[name].verdict,
        }
        for name, (generations, values) in data.losses.rows.items()
        for generation, value, predicted in zip(
            generations, values, data.curve(name, generations), strict=True
        )
    ]
