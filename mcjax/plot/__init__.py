"""Plots of one's own studies and networks, each on Matplotlib axes.

Every function draws on ``ax`` or, without it, on a new figure in the style of the package, and
returns the axes. Global settings of Matplotlib are left alone. Names are drawn as they are.

What is judged comes from a :class:`mcjax.Verification`, or from the Dataset of a results folder::

    mcjax.plot.errors(xarray.load_dataset("results/results.nc"), condition="scale=1")
"""

from mcjax.plot.chances import power
from mcjax.plot.generations import errors, ratios
from mcjax.plot.graph import network
from mcjax.plot.logged import losses
from mcjax.plot.rungs import ladder
from mcjax.plot.verdict_map import verdicts

__all__ = ["errors", "ladder", "losses", "network", "power", "ratios", "verdicts"]
