"""Spectral radii of strongly connected components.

The transition A of errors, and of centres, is block triangular over the strongly connected
components of a network, so its eigenvalues are those of the components. A component of radius
above 1 *explodes*, together with all models that it reaches: errors are multiplied every
generation, their mean included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from mcjax.laws.collapse.adjacency import Components
from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.first_order.growing_samples import NEAR_UNIT

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

MOST_DENSE, SEARCHES = 2_000, 50
"""Most members of a component whose block of shares is not sparse, and, for one that is, most
restarts of the search for its radius."""
STEPS, PRECISE = 60, 1e-13
"""Most steps to the radius of shares, and the relative width of its bounds at which they end."""


def component_radii(
    flow: DataFlow, transition: Float[np.ndarray, "M*p M*p"] | csr_array, p: int = 1
) -> Float[np.ndarray, " M"]:
    """Return the spectral radius of A on the component of each model, nan outside of cycles.

    It is nan as well for a component of a sparse A that is too large for its radius to be found.
    """
    parts, cyclic = flow.readers.components, in_cycles(flow)
    radii = np.full(len(flow.readers), np.nan)
    waiting = np.unique(parts.label[cyclic])
    if isinstance(transition, csr_array):
        radii, waiting = _by_rows(parts, transition, cyclic)
    for k in waiting.tolist():
        members = parts[k]
        if isinstance(transition, csr_array):
            radii[members] = _of_shares(transition[members][:, members])
        else:
            own = (p * np.array(members)[:, None] + np.arange(p)).ravel()
            radii[members] = _radius(transition[np.ix_(own, own)])
    return radii


def _by_rows(
    parts: Components, shares: csr_array, cyclic: Bool[np.ndarray, " M"]
) -> tuple[Float[np.ndarray, " M"], Int[np.ndarray, " K"]]:
    """Return the radii of components whose rows all have one sum, and the other components."""
    edges = shares.tocoo()
    reader, origin = edges.coords
    inside = parts.label[reader] == parts.label[origin]
    sums = np.zeros(len(cyclic))
    np.add.at(sums, reader[inside], edges.data[inside])
    ordered = sums[parts.members]
    high = np.maximum.reduceat(ordered, parts.starts[:-1])
    even = high - np.minimum.reduceat(ordered, parts.starts[:-1]) <= PRECISE * high
    radii = np.where(cyclic & even[parts.label], high[parts.label], np.nan)
    return radii, np.unique(parts.label[cyclic & ~even[parts.label]])


def in_cycles(flow: DataFlow) -> Bool[np.ndarray, " M"]:
    """Return which models are in a cycle; a self-loop is one."""
    parts, readers = flow.readers.components, flow.readers
    cyclic: np.ndarray = parts.sizes[parts.label] > 1
    cyclic[readers.ends[readers.ends == readers.origins]] = True
    return cyclic


def exploding(flow: DataFlow, radii: Float[np.ndarray, " M"]) -> Bool[np.ndarray, " M"]:
    """Return which models explode: those that a component of radius above 1 reaches."""
    return flow.readers.reached(np.flatnonzero(radii > 1 + NEAR_UNIT))


def _of_shares(block: csr_array) -> float:
    """Return the spectral radius of a sparse irreducible matrix without negative entries."""
    if block.shape[0] <= MOST_DENSE:
        return _perron_root(block.toarray())
    from scipy.sparse.linalg import ArpackNoConvergence, eigs  # heavy, and rarely needed

    start = np.ones(block.shape[0])
    try:
        values = eigs(block, k=1, which="LR", v0=start, return_eigenvectors=False, maxiter=SEARCHES)
    except ArpackNoConvergence:
        return float("nan")
    return float(values[0].real)


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
