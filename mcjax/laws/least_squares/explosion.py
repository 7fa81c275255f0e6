"""Exact second moments in the long run: explosion, growth or a limit.

The map of :mod:`mcjax.laws.least_squares.second_moments` is linear, ``M <- T(M) + noise``, and
keeps the cone of positive semi-definite matrices. **Law**: a model's second moment explodes (grows
by a factor every generation) if it is reached by a strongly connected component C whose own map T_C
has a spectral radius above 1, with or without real data. At small n topology alone does not decide;
as n grows the radius falls to ``rho(W_CC)^2``, which is below 1 in every component that is not a
collapse origin.

Components suffice. T is block triangular in their order. Its diagonal blocks are T_C and, for two
components with their independent designs, ``W_CC (x) W_DD``, of radius
``rho(W_CC) rho(W_DD) <= sqrt(radius(T_C) radius(T_D))``, because a second moment is at least the
square of a mean. A collapse origin has a radius of at least 1, since models that agree go on to
agree: ``T(11') = 11'``.

Where nothing explodes, ``M_t / t -> S``. Inside a collapse origin of period d only models of one
cyclic class share data, so ``S = s R`` with ``R_ik = 1`` for i, k of one class and 0 otherwise, and
``M_t ~ t s R + X`` gives ``(I - T) X + s R = noise``: one linear system for s and for X, which is
determined up to a multiple of R. Readers of origins have ``S = T(S)``. Models that no origin
reaches have the limit ``M = T(M) + noise``, with frozen models at their generation-0 value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.laws.collapse.origins import CollapseOrigin, collapse_origins, collapsing
from mcjax.laws.least_squares.second_moments import SecondMomentMap
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    Map = Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]  # a linear map of vectors

DENSE = 1_500
"""Largest number of unknowns for which a linear system is solved as a matrix, not by GMRES."""
ROUNDING = 1e-9
"""Distance from 1 below which a radius counts as 1, that of a collapse origin."""


@dataclass(frozen=True)
class LongRun:
    """Long-run behaviour of each model's second moment ``m_ii``.

    Attributes
    ----------
    radius : ndarray, shape (M,)
        Spectral radius of the model's own component; 0 if that has no cycle.
    explodes : ndarray of bool, shape (M,)
        Whether a component of radius above 1 reaches the model.
    growth : ndarray, shape (M,)
        Slope per generation of a model that collapses, infinite if it explodes, otherwise nan.
    limit : ndarray, shape (M,)
        Limit of a model that neither explodes nor collapses, otherwise nan.
    """

    radius: Float[np.ndarray, " M"]
    explodes: Bool[np.ndarray, " M"]
    growth: Float[np.ndarray, " M"]
    limit: Float[np.ndarray, " M"]


def long_run(step: SecondMomentMap, net: Network, initial: Float[np.ndarray, " M"]) -> LongRun:
    """Return the long-run behaviour of every model; ``initial`` is ``m_ii`` at generation 0."""
    flow = data_flow(net)
    origins = collapse_origins(net, flow)
    radius, explodes = explosion(step, flow, origins)
    collapses = collapsing(flow, origins) & ~explodes
    growth = np.full(net.size, np.nan)
    growth[explodes] = np.inf
    slopes = _slopes(step, origins, collapses)
    growth[collapses] = slopes[collapses]
    limit = np.full(net.size, np.nan)
    stable = ~collapses & ~explodes
    limit[stable] = _limits(step, stable, initial)[stable]
    return LongRun(radius, explodes, growth, limit)


def explosion(
    step: SecondMomentMap, flow: DataFlow, origins: tuple[CollapseOrigin, ...]
) -> tuple[Float[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Return the radius of each model's component, and which models an exploding one reaches."""
    closed = {i for origin in origins for i in origin.indices}
    radius = np.zeros(len(flow.feeders))
    explodes = np.zeros(len(flow.feeders), bool)
    for component in flow.readers.components:  # feeders before readers
        members = np.array(component)
        if len(component) > 1 or component[0] in flow.feeders[component[0]]:
            radius[members] = spectral_radius(step.restricted(members))
        bound = 1 + ROUNDING if component[0] in closed else 1.0
        above = any(explodes[j] for i in component for j in flow.feeders[i])
        explodes[members] = above or bool(radius[component[0]] >= bound)
    return radius, explodes


def spectral_radius(step: SecondMomentMap) -> float:
    """Return the spectral radius of the isotropic map.

    It is infinite if a fit has at most p + 1 rows, and therefore no finite second moment.
    """
    if (step.rows <= step.p + 1).any():
        return np.inf
    size = len(step.rows)
    apply, count = _on_pairs(step, np.ones((size, size), bool))
    if count <= DENSE // 5:
        return float(np.abs(np.linalg.eigvals(_matrix(apply, count))).max())
    from scipy.sparse.linalg import LinearOperator, eigs  # heavy, and rarely needed

    # a cone-preserving map has its radius among its eigenvalues (Krein & Rutman 1948)
    operator = LinearOperator((count, count), matvec=apply, dtype=float)
    start = np.eye(size)[np.triu_indices(size)]
    values = eigs(operator, k=1, which="LR", v0=start, return_eigenvectors=False, tol=1e-10)
    return float(values[0].real)


def _slopes(
    step: SecondMomentMap, origins: tuple[CollapseOrigin, ...], collapses: np.ndarray
) -> np.ndarray:
    """Return the diagonal of S for the models that collapse without exploding."""
    slope = np.zeros((len(collapses), len(collapses)))
    inside = np.zeros(len(collapses), bool)
    for origin in origins:
        members = np.array(origin.indices)
        if not collapses[members].all():
            continue
        inside[members] = True
        phases = np.array(origin.phases)
        together = phases[:, None] == phases[None, :]
        own = step.restricted(members)
        apply, _ = _on_pairs(own, together)
        noise = own.added[_pairs(together)]

        def bordered(x: np.ndarray, apply: Map = apply) -> np.ndarray:
            return np.append(x[:-1] - apply(x[:-1]) + x[-1], x[:-1].sum())

        solution = _solve(bordered, np.append(noise, 0.0))
        slope[np.ix_(members, members)] = solution[-1] * together
    nothing = np.zeros_like(slope)
    return np.diagonal(_fixed_point(step, slope, nothing, models=collapses, settled=inside))


def _limits(step: SecondMomentMap, stable: np.ndarray, initial: np.ndarray) -> np.ndarray:
    still = stable & step.frozen
    start = np.diag(np.where(still, initial, 0.0))
    return np.diagonal(_fixed_point(step, start, step.added, models=stable, settled=still))


def _fixed_point(
    step: SecondMomentMap,
    known: np.ndarray,
    noise: np.ndarray,
    *,
    models: np.ndarray,
    settled: np.ndarray,
) -> np.ndarray:
    """Solve ``M = T(M) + noise`` for pairs of ``models``, given those of ``settled``."""
    unknown = np.outer(models, models) & ~np.outer(settled, settled)
    if not unknown.any():
        return known
    apply, _ = _on_pairs(step, unknown)
    pairs = _pairs(unknown)
    right = (step.isotropic(known) + noise)[pairs]
    result = known.copy()
    result[pairs] = _solve(lambda x: x - apply(x), right)
    result.T[pairs] = result[pairs]
    return result


def _pairs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs i <= k of a symmetric mask."""
    rows, columns = np.nonzero(np.triu(mask))
    return rows, columns


def _on_pairs(step: SecondMomentMap, mask: np.ndarray) -> tuple[Map, int]:
    """Return the map of symmetric matrices that vanish outside a mask, as a map of vectors."""
    pairs = _pairs(mask)

    def apply(x: np.ndarray) -> np.ndarray:
        m = np.zeros(mask.shape)
        m[pairs] = x
        m.T[pairs] = x
        return step.isotropic(m)[pairs]

    return apply, len(pairs[0])


def _matrix(apply: Map, count: int) -> np.ndarray:
    return np.stack([apply(unit) for unit in np.eye(count)], axis=1)


def _solve(apply: Map, right: np.ndarray) -> np.ndarray:
    """Solve ``apply(x) = right``; nan where that does not succeed."""
    if len(right) <= DENSE:
        return np.linalg.solve(_matrix(apply, len(right)), right)
    from scipy.sparse.linalg import LinearOperator, gmres  # heavy, and rarely needed

    operator = LinearOperator((len(right), len(right)), matvec=apply, dtype=float)
    solution, failed = gmres(operator, right, rtol=1e-12, restart=100, maxiter=50)
    return np.full(len(right), np.nan) if failed else solution
