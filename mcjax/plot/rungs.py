"""Plot how simulated over predicted numbers approach a limit on a ladder of sample sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from mcjax.arguments import checked
from mcjax.errors import InputError
from mcjax.plot.results import first_models, results_of
from mcjax.plot.style import (
    MARKERS,
    PALETTE,
    axes_for,
    heading,
    label_ends,
    margin,
    ratio_bars,
    ratio_limits,
    title,
)
from mcjax.verdicts.judge import Verification

if TYPE_CHECKING:
    import xarray


@checked
def ladder(
    data: Verification | xarray.Dataset,
    condition: str | None = None,
    quantity: str = "mse",
    law: str | None = None,
    generation: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot simulated over predicted against sample size, and the limit that is judged.

    Sample counts increase to the left, where the limit stands at 0. Bars of the rungs are of 95%;
    those of the limit are the interval that its verdict is about.

    Parameters
    ----------
    data : Verification or xarray.Dataset
        A judged study, or the Dataset of its results.
    condition : str, optional
        Name of the ladder, which is that of its conditions without the scale; may be left out if
        there is only one.
    quantity, law : str, optional
        Names, see :func:`mcjax.plot.errors`.
    generation : int, optional
        The generation; defaults to the last.
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
    >>> rungs = mcjax.ladder(condition, [1, 2, 4])
    >>> study = mcjax.Study(rungs, generations=1, chains=512, tolerance=0.3)
    >>> axes = mcjax.plot.ladder(mcjax.verify(study))
    >>> axes.get_xlabel()
    'factor of all sample counts'
    """
    results = results_of(data)
    limits = results.limits(condition, quantity, law)
    scales = results.scales.get(limits[0].condition, {})
    last = max(cell.generation for cell in limits) if generation is None else generation
    limits = [cell for cell in limits if cell.generation == last]
    if not limits:
        raise InputError("generation", f"{last} was not judged; give one that was")
    rungs = [
        cell
        for cell in results.cells
        if (cell.quantity, cell.law, cell.generation) == (quantity, limits[0].law, last)
        and cell.condition in scales
    ]
    if not rungs:
        raise InputError(
            "data", "has the limits of a ladder, but none of its rungs; keep these too"
        )
    models, note = first_models(limits, len(PALETTE))
    sizes = sorted({1 / scale for scale in scales.values()})
    with axes_for(ax) as axes:
        margin(axes, results.tolerance)
        ends, shown, bars = [], [], []
        for k, (model, colour) in enumerate(zip(models, PALETTE, strict=False)):
            shift = 0.012 * (k - (len(models) - 1) / 2) * sizes[-1]
            own = sorted(
                (cell for cell in rungs if cell.model == model),
                key=lambda cell: 1 / scales[cell.condition],
            )
            x = np.array([1 / scales[cell.condition] for cell in own]) + shift
            y = [cell.ratio for cell in own]
            error = [1.96 * cell.standard_error / cell.predicted for cell in own]
            ratio_bars(axes, x, y, error, colour=colour, marker=MARKERS[k])
            bars += [(at - half, at + half) for at, half in zip(y, error, strict=True)]
            [end] = (cell for cell in limits if cell.model == model)
            shown.append((shift, end, colour))
            ends.append((y[-1], model, colour))
        axes.set_ylim(
            *ratio_limits(
                [cell.ratio for cell in rungs if cell.model in models],
                [*bars, *(end.interval for _, end, _ in shown)],
                results.tolerance,
            )
        )
        bottom, top = axes.get_ylim()
        for at, end, colour in shown:
            span = np.clip(end.interval, bottom - 1, top + 1)
            axes.plot([at, at], span, color=colour, linewidth=2.5)
            axes.plot([at], [end.empirical], "_", color=colour, markersize=9)
        axes.set_xticks([0, *sizes], ["limit", *(f"{1 / size:g}" for size in sizes)])
        axes.set_xlabel("factor of all sample counts")
        axes.set_ylabel("simulated / predicted")
        key = (
            f"generation {last}; grey: ±{100 * results.tolerance:g}%; thick: interval of the limit"
        )
        title(axes, heading(limits[0], quantity), key, note)
        label_ends(axes, ends)
    return axes
