"""Plot the verdicts on every model in every generation as a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from mcjax.arguments import checked
from mcjax.plot.results import results_of
from mcjax.plot.style import axes_for, heading, title, whole_numbers
from mcjax.text import drawn
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import Verification

if TYPE_CHECKING:
    import xarray

COLOURS = {VERIFIED: "#56B4E9", INCONCLUSIVE: "#F0E442", REFUTED: "#D55E00"}
MARKS = {VERIFIED: "", INCONCLUSIVE: "?", REFUTED: "×"}
"""Verdicts differ by mark as well as by colour."""
MOST_NAMED = 40
"""Largest number of models that are named."""
MOST_MARKED = 600
"""Largest number of cells that have marks."""


@checked
def verdicts(
    data: Verification | xarray.Dataset,
    condition: str | None = None,
    quantity: str = "mse",
    law: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Plot the verdict on every model in every generation, as a map of models by generations.

    Parameters
    ----------
    data : Verification or xarray.Dataset
        A judged study, or the Dataset of its results.
    condition, quantity, law : str, optional
        Names, see :func:`mcjax.plot.errors`.
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
    >>> axes = mcjax.plot.verdicts(mcjax.verify(study))
    >>> axes.get_xlabel()
    'generation'
    """
    cells = results_of(data).chosen(condition, quantity, law)
    models = list(dict.fromkeys(cell.model for cell in cells))
    row = {model: i for i, model in enumerate(models)}
    order = list(COLOURS)
    times = range(max(cell.generation for cell in cells) + 1)
    grid = np.full((len(models), len(times)), np.nan)
    for cell in cells:
        grid[row[cell.model], cell.generation] = order.index(cell.verdict)
    height = 1.2 + 0.25 * min(max(len(models), 3), MOST_NAMED)
    with axes_for(ax, height=height) as axes:
        axes.pcolormesh(
            np.arange(len(times) + 1) - 0.5,
            np.arange(len(models) + 1) - 0.5,
            grid,
            cmap=ListedColormap(list(COLOURS.values())),
            vmin=-0.5,
            vmax=len(order) - 0.5,
            edgecolors="white",
            linewidth=0.8 if len(cells) <= MOST_MARKED else 0,
        )
        if len(cells) <= MOST_MARKED:
            how: Any = {"ha": "center", "va": "center", "fontsize": 8}
            for cell in cells:
                axes.text(cell.generation, row[cell.model], MARKS[cell.verdict], **how)
        axes.invert_yaxis()
        whole_numbers(axes)
        step = -(-len(models) // MOST_NAMED)
        axes.set_yticks(range(0, len(models), step), [drawn(name) for name in models[::step]])
        axes.set_ylabel("model" if step == 1 else f"model, every {step}th named")
        title(axes, heading(cells[0], quantity))
        handles = [
            Patch(color=COLOURS[verdict], label=f"{verdict} {MARKS[verdict]}".strip())
            for verdict in order
            if any(cell.verdict == verdict for cell in cells)
        ]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return axes
