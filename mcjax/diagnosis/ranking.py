"""Order models by how bad their errors become.

Where rates are known, models come in the order of their failures, and then of how soon their errors
double. Where there are too many models for rates, the slope of each model's error is bounded from
above: the slopes of a collapse origin pass to its readers with the shares of their data. With
s_i the square root of the slope,

    s_i <= sum_j W_ij s_j ,

with equality below a single origin without a period, because standard deviations of what is read
add up at most. The bounds solve a sparse system, from feeders to readers. Derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array, dia_array, tril, triu

from mcjax.laws.collapse.components import DataFlow
from mcjax.laws.collapse.origins import CollapseOrigin
from mcjax.network.markov import stationary_distribution
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

SWEEPS, CLOSE = 50, 1e-6
"""Most sweeps over all models, and the relative change at which they end."""
MOST_DENSE, MIXING = 2_000, 200
"""Most members of an origin whose stationary distribution is exact, and the steps for others."""


def order(*columns: Float[np.ndarray, " M"]) -> Int[np.ndarray, " M"]:
    """Return models by the first column, largest first, then by the second, and so on.

    What is not known counts as the largest.
    """
    keys = [-np.nan_to_num(np.asarray(column, float), nan=np.inf) for column in columns]
    return np.lexsort(keys[::-1])


def slope_bounds(
    net: Network, flow: DataFlow, origins: tuple[CollapseOrigin, ...], shares: csr_array
) -> Float[np.ndarray, " M"]:
    """Return bounds of the slopes of all models, relative to their first errors.

    Parameters
    ----------
    net : Network
        The network of the generation that stays.
    flow : DataFlow
        Its data flow.
    origins : tuple of CollapseOrigin
        Its collapse origins.
    shares : sparse array, shape (M, M)
        W.
    """
    roots, inside = np.zeros(net.size), np.zeros(net.size, bool)
    slopes = origin_slopes(origins, shares, noise_of_fits(net))
    for origin, slope in zip(origins, slopes, strict=True):
        members = list(origin.indices)
        inside[members], roots[members] = True, np.sqrt(slope)
    roots = _passed_on(flow, shares, roots, inside)
    return roots**2 * np.array(net.initial, float)


def noise_of_fits(net: Network) -> Float[np.ndarray, " M"]:
    """Return the variance of each fit in the generation that stays, 0 for frozen models."""
    feeds = net.columns
    mass, noise = np.zeros(net.size), np.zeros(net.size)
    np.add.at(mass, feeds.reader, feeds.weight * feeds.samples)
    np.add.at(noise, feeds.reader, feeds.weight**2 * feeds.samples)
    result: np.ndarray = noise / np.where(mass > 0, mass, 1.0) ** 2
    return result


def origin_slopes(
    origins: Sequence[CollapseOrigin], shares: csr_array, noise: Float[np.ndarray, " M"]
) -> list[float]:
    """Return the slope of the members of each origin, for private samples."""
    slopes = []
    for origin in origins:
        members = np.array(origin.indices)
        pi = _stationary(shares, members)
        slopes.append(float(origin.period * (pi**2 @ noise[members])))
    return slopes


def _stationary(shares: csr_array, members: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the stationary distribution of an origin, nearly so for one of very many members."""
    if len(members) == 1:
        return np.ones(1)
    own = shares[members][:, members]
    if len(members) <= MOST_DENSE:
        return stationary_distribution(own.toarray())
    pi = np.full(len(members), 1 / len(members))
    for _ in range(MIXING):  # half of each step stays where it is, so that periods die out
        pi = (pi + pi @ own) / 2
    return pi


def _passed_on(
    flow: DataFlow,
    shares: csr_array,
    roots: Float[np.ndarray, " M"],
    inside: Bool[np.ndarray, " M"],
) -> Float[np.ndarray, " M"]:
    """Return what origins pass on to their readers, by sweeps from feeders to readers."""
    from scipy.sparse.linalg import spsolve_triangular  # heavy, and rarely needed

    reached = np.flatnonzero(flow.readers.reached(np.flatnonzero(inside)) & ~inside)
    if not len(reached):
        return roots
    reached = reached[np.argsort(flow.readers.components.label[reached], kind="stable")]
    entering = shares[reached] @ roots
    own = shares[reached][:, reached]
    forth = dia_array((np.ones((1, len(reached))), 0), shape=own.shape) - tril(own)
    forth, back = forth.tocsr(), triu(own, 1).tocsr()
    for part in ("indices", "indptr"):  # SciPy 1.15 solves with no others
        setattr(forth, part, getattr(forth, part).astype(np.intc))
    found = np.zeros(len(reached))
    for _ in range(SWEEPS if back.nnz else 1):
        following = spsolve_triangular(forth, entering + back @ found)
        done = np.abs(following - found).max() <= CLOSE * following.max()
        found = following
        if done:
            break
    result = roots.copy()
    result[reached] = found
    return result
