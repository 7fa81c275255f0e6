"""Growth per generation from the eigenvalues of a linear system.

Topology alone decides who collapses where every real source determines all parameters. On given
designs, or with real sources that leave directions unseen, it does not: the shares W of the
collapse law are replaced by blocks ``K_i^-1 C_b``, which do not average in one common metric. A
component whose transition has a spectral radius above 1 explodes. One that is anchored by fewer
real rows than parameters keeps an eigenvalue 1 in the directions those rows do not see, and
collapses there. So growth is computed from the transition: ``sum P N P*`` over the spectral
projectors P of its eigenvalues of modulus 1, for models that no explosion reaches.

Constants, which are reused real data and frozen models, do not push in such a direction. Summed
over its equations, a left eigenvector ``(K_i g_i)`` of eigenvalue 1 has ``sum_i S_ri g_i = 0`` for
the constants' designs S_r, and rows that leave a direction unseen are linearly independent (or they
are the very same rows, with the same constant). Derived here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.laws.collapse.radius import component_radii, exploding
from mcjax.laws.first_order.growing_samples import NEAR_UNIT, unit_projectors
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


def spectral_growth(
    system: LinearSystem, net: Network, starts: Mapping[int, int] | None = None
) -> tuple[Float[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Return the slope of each model's MSE, nan where it settles, and which models settle.

    The slope is infinite for models that explode. ``starts`` are those of the system, see
    :func:`~mcjax.laws.collapse.components.data_flow`.
    """
    return growth_along(system, data_flow(net, starts=starts))


def growth_along(
    system: LinearSystem, flow: DataFlow
) -> tuple[Float[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Return the slope of each model's MSE, nan where it settles, and which models settle.

    ``flow`` is the data flow of the system, which may be that of a lift.
    """
    p, size = system.p, len(system.frozen)
    explodes = exploding(flow, component_radii(flow, system.transition, p))
    if system.inertia is not None:  # noise fades, so only what amplifies has no limit
        return np.where(explodes, np.inf, np.nan), ~explodes
    moving = np.repeat(~system.frozen & ~explodes, p)
    a = system.transition[np.ix_(moving, moving)]
    growth = np.zeros(len(a))
    for projector in unit_projectors(a):
        grown = projector @ system.noise[np.ix_(moving, moving)] @ projector.conj().T
        growth += np.diagonal(grown).real
    slope = np.zeros((size, p))
    slope[moving.reshape(size, p)] = growth
    slope[explodes] = np.inf
    total = slope[:, : p - system.hidden].sum(1)
    noise = np.diagonal(system.noise).reshape(size, p).max(1)
    grows = explodes | _growing(flow, np.where(explodes, 0, total), noise)
    return np.where(grows, total, np.nan), ~grows


def _growing(
    flow: DataFlow, slopes: Float[np.ndarray, " M"], noise: Float[np.ndarray, " M"]
) -> Bool[np.ndarray, " M"]:
    """Return whose slope is more than rounding.

    That of a component is compared with the noise that reaches it, and that of its readers with its
    own: noises of models, and so slopes, may differ by many orders of magnitude.
    """
    grows = np.zeros(len(slopes), bool)
    for part in flow.readers.components:
        most, heard = slopes[part].max(), noise[flow.feeders.reached(part)].max()
        if most > NEAR_UNIT * heard:
            grows |= flow.readers.reached(part) & (slopes > NEAR_UNIT * most)
    return grows
