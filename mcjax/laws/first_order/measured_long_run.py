"""The long run of steps whose maps are measured: what their Monte Carlo error leaves open.

The spectral radius of a component that lives on its own output is 1 for linear steps, whatever they
are. A measured one differs from 1 by its error, and for adaptive steps also truly, because their
drift depends on where they are. So a radius is above or below 1 only where it is by several
standard errors. Where it is not, a closed component counts as linear steps do: its rows are made to
sum to the identity. Of others nothing is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.laws.collapse.radius import component_radii
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.jackknife import jackknife_error
from mcjax.laws.law import Inapplicable
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from mcjax.estimators.starts import Starts

CLEAR = 4.0
"""Standard errors between a radius and 1 from which it is not 1."""


def settling(
    system: LinearSystem, versions: Sequence[LinearSystem], net: Network, starts: Starts
) -> Bool[np.ndarray, " M"]:
    """Return the models that only components of radii clearly below 1 reach."""
    flow = data_flow(net, starts=starts.edges)
    open_ = ~(_sides(flow, system, versions) < 0) & ~system.frozen
    return ~flow.readers.reached(np.flatnonzero(open_))


def resolved(
    system: LinearSystem, versions: Sequence[LinearSystem], net: Network, starts: Starts
) -> LinearSystem:
    """Return a system whose radii are 1 where measured ones may be, in closed components.

    Raises
    ------
    Inapplicable
        If the radius of a component that is not closed may be 1.
    """
    flow = data_flow(net, starts=starts.edges)
    sides = _sides(flow, system, versions)
    size, p = len(system.frozen), system.p
    transition = system.transition.reshape(size, p, size, p).copy()
    reads = [{net.index.get(feed.origin) for feed in feeds} for feeds in net.feeds_by_reader]
    for part in flow.readers.components:
        if sides[part[0]] != 0 or system.frozen[part[0]]:
            continue
        for i in part:
            inside = starts.behind[i] or starts.model[i] in part
            if flow.anchored[i] or not inside or not reads[i] <= set(part):
                raise Inapplicable(
                    f"steps make too little progress to tell from {len(versions)} batches of"
                    " replicates what becomes of the models; raise steps or learning_rate"
                )
            left = np.eye(p) - transition[i].sum(1)
            for j in reads[i]:
                transition[i, :, j] += left / len(reads[i])
    return replace(system, transition=transition.reshape(system.transition.shape))


def _sides(
    flow: DataFlow, system: LinearSystem, versions: Sequence[LinearSystem]
) -> Float[np.ndarray, " M"]:
    """Return 1 and -1 where the radius of a model's component is clearly above and below 1."""
    radius, *others = (
        component_radii(flow, one.transition, system.p) for one in (system, *versions)
    )
    error = jackknife_error(np.array(others))
    apart = np.where(np.isnan(radius), -1.0, radius - 1)  # outside of cycles
    return np.sign(apart) * (np.abs(apart) > CLEAR * np.where(np.isnan(radius), 0, error))
