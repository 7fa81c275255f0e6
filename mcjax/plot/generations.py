"""Plot simulated and predicted numbers, and their ratio, against the generation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.numbers import how_many
from mcjax.plot.results import first_models, results_of
from mcjax.plot.style import (
    MARKERS,
    PALETTE,
    axes_for,
    curves,
    from_zero,
    heading,
    label_ends,
    margin,
    ratio_limits,
    title,
    whole_numbers,
)
from mcjax.text import drawn
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED
from mcjax.verdicts.judge import Verification

if TYPE_CHECKING:
    import xarray

NAMES = {"mse": "mean squared error", "held_out": "excess of the held-out loss"}
"""Quantities whose name is short for something."""


@checked
def errors(
    data: Verification | xarray.Dataset,
    condition: str | None = None,
    quantity: str = "mse",
    law: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot a quantity of every model against the generation, simulated and by a law.

    Points are means over chains, with Monte Carlo bands of 95%, and lines are the law. Of more than
    seven models the first seven are drawn.

    Parameters
    ----------
    data : Verification or xarray.Dataset
        A judged study, or the Dataset of its results.
    condition : str, optional
        Name of the condition; may be left out if there is only one.
    quantity : str
        Name of the quantity.
    law : str, optional
        Name of the law; defaults to the first that was judged.
    ax : Axes, optional
        Axes to draw on; defaults to those of a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    InputError
        If nothing of that name was judged.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> axes = mcjax.plot.errors(mcjax.verify(study))
    >>> axes.get_xlabel()
    'generation'
    """
    cells = results_of(data).chosen(condition, quantity, law)
    models, note = first_models(cells, len(PALETTE))
    with axes_for(ax) as axes:
        curves(axes, cells, models)
        whole_numbers(axes)
        axes.set_ylabel(NAMES.get(quantity, drawn(quantity)))
        if quantity in NAMES:
            from_zero(axes)
        key = f"points: simulated, 95% bands; lines: {cells[0].law}"
        title(axes, cells[0].condition, key, note)
        label_ends(axes, _ends(cells, models, "predicted"))
    return axes


@checked
def ratios(
    data: Verification | xarray.Dataset,
    condition: str | None = None,
    quantity: str = "mse",
    law: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot simulated over predicted against the generation, with the margin of agreement.

    Bars are the intervals that the verdicts are about, which hold for all cells together. Full
    points are verified, hollow ones inconclusive, and crosses refuted. Cells that are not judged
    are not drawn, and counted. Parameters, of which all but ``data`` are optional, are those of
    :func:`errors`.

    Parameters
    ----------
    data : Verification or xarray.Dataset
        A judged study, or the Dataset of its results.
    condition, quantity, law : str, optional
        Names, see :func:`errors`.
    ax : Axes, optional
        Axes to draw on; defaults to those of a new figure.

    Returns
    -------
    Axes
        The axes.

    Raises
    ------
    InputError
        If nothing of that name was judged, or the quantity is not judged as a ratio.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> axes = mcjax.plot.ratios(mcjax.verify(study), law="finite_sample")
    >>> axes.get_xlabel()
    'generation'
    """
    results = results_of(data)
    chosen = results.chosen(condition, quantity, law)
    if not any(math.isfinite(cell.ratio) for cell in chosen):
        raise InputError("quantity", f"{quantity!r} has no ratio; plot errors instead")
    models, note = first_models(chosen, len(PALETTE))
    own_cells = [cell for cell in chosen if cell.model in models]
    cells = [cell for cell in own_cells if math.isfinite(cell.ratio) and not cell.note]
    with axes_for(ax) as axes:
        margin(axes, results.tolerance)
        points = [cell.ratio for cell in cells]
        intervals = [cell.interval for cell in cells]
        axes.set_ylim(*ratio_limits(points, intervals, results.tolerance))
        for k, (model, colour) in enumerate(zip(models, PALETTE, strict=False)):
            shift = 0.5 * (k - (len(models) - 1) / 2) / len(models)
            own = [cell for cell in cells if cell.model == model]
            _bars(axes, own, shift=shift, colour=colour, marker=MARKERS[k])
        axes.update_datalim([(cell.generation, 1) for cell in own_cells])  # also if none is drawn
        axes.autoscale_view(scaley=False)
        whole_numbers(axes)
        axes.set_ylabel("simulated / predicted")
        key = f"grey: ±{100 * results.tolerance:g}%; full: verified, hollow: inconclusive"
        if any(cell.verdict == REFUTED for cell in cells):
            key += ", ×: refuted"
        if len(own_cells) > len(cells):
            key += (
                f"; {len(own_cells) - len(cells)} of {how_many(len(own_cells), 'cell')} not judged"
            )
        title(axes, heading(chosen[0], quantity), key, note)
        label_ends(axes, _ends(cells, models, "ratio"))
    return axes


def _bars(axes: Axes, cells: Sequence[Cell], *, shift: float, colour: str, marker: str) -> None:
    bottom, top = axes.get_ylim()
    for cell in cells:
        x, y = cell.generation + shift, float(np.clip(cell.ratio, bottom, top))
        low, high = np.clip(cell.interval, bottom - 1, top + 1)
        axes.plot([x, x], [low, high], color=colour, linewidth=0.9)
        hollow = cell.verdict == INCONCLUSIVE
        axes.plot(
            x,
            y,
            "x" if cell.verdict == REFUTED else marker,
            color=colour,
            markerfacecolor="white" if hollow else colour,
            markersize=6 if cell.verdict == REFUTED else 4,
            zorder=3,
        )


def _ends(
    cells: Sequence[Cell], models: Sequence[str], number: str
) -> list[tuple[float, str, str]]:
    """Return the last values of models, with their names and colours."""
    ends = []
    for model, colour in zip(models, PALETTE, strict=False):
        values = [getattr(cell, number) for cell in cells if cell.model == model]
        known = [value for value in values if math.isfinite(value)]
        if known:
            ends.append((known[-1], model, colour))
    return ends
