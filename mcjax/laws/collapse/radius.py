"""Spectral radii of strongly connected components.

The transition A of errors, and of centres, is block triangular over the strongly connected
components of a network, so its eigenvalues are those of the components. A component of radius
above 1 *explodes*, together with all models that it reaches: errors are multiplied every
generation, their mean included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import DataFlow, reached, strong_components
from mcjax.laws.first_order.growing_samples import NEAR_UNIT

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STEPS, PRECISE = 60, 1e-13
"""Most steps to the radius of shares, and the relative width of its bounds at which they end."""


def component_radii(
    flow: DataFlow, transition: Float[np.ndarray, "M*p M*p"], p: int = 1
) -> Float[np.ndarray, " M"]:
    """Return the spectral radius of A on the component of each model, nan outside of cycles."""
    radii, cyclic = np.full(len(flow.readers), np.nan), in_cycles(flow)
    for members in strong_components(flow.readers):
        if not cyclic[members[0]]:
            continue
        own = (p * np.array(members)[:, None] + np.arange(p)).ravel()
        radii[members] = _radius(transition[np.ix_(own, own)])
    return radii


def in_cycles(flow: DataFlow) -> Bool[np.ndarray, " M"]:
    """Return which models are in a cycle; a self-loop is one."""
    cyclic = np.ones(len(flow.readers), bool)
    for members in strong_components(flow.readers):
        cyclic[members] = len(members) > 1 or members[0] in flow.feeders[members[0]]
    return cyclic


def exploding(flow: DataFlow, radii: Float[np.ndarray, " M"]) -> Bool[np.ndarray, " M"]:
    """Return which models explode: those that a component of radius above 1 reaches."""
    return np.array(reached(flow.readers, np.flatnonzero(radii > 1 + NEAR_UNIT)))


def _radius(block: Float[np.ndarray, "n n"]) -> float:
    return _perron_root(block) if (block >= 0).all() else _largest(block)


def _largest(block: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(block)).max())


def _perron_root(block: np.ndarray) -> float:
    """Return the spectral radius of an irreducible matrix without negative entries.

    It lies between the smallest and the largest ratio of entries of ``block x`` and x, for every
    positive x. Inverse iteration from the largest one converges quadratically (Noda 1971).
    """
    x = np.ones(len(block))
    for _ in range(STEPS):
        ratios = block @ x / x
        highest = ratios.max()
        if highest - ratios.min() <= PRECISE * highest:
            return float(highest)
        try:
            x = np.linalg.solve(highest * np.eye(len(block)) - block, x)
        except np.linalg.LinAlgError:  # it has come as close as rounding lets it
            break
        x /= x.max()
        if not (x > 0).all():
            break
    return _largest(block)
