"""What exact second moments do in the long run: explosion, growth or a limit.

The map of :mod:`mcjax.laws.design_moments` is linear, ``M <- T(M) + noise``, and keeps the cone of
positive semi-definite matrices. **Law**: a model's second moment explodes (grows by a factor every
generation) if it is reached by a strongly connected component C whose own map T_C has a spectral
radius above 1, real data or not. Topology is necessary, not sufficient, at small n: as n grows the
radius falls to ``rho(W_CC)^2``, which is below 1 in every component that is no unstable source.

Components suffice: T is block triangular in their order, its diagonal blocks are T_C and, for two
components with their independent designs, ``W_CC (x) W_DD``, of radius
``rho(W_CC) rho(W_DD) <= sqrt(radius(T_C) radius(T_D))``, because a second moment is at least the
square of a mean. An unstable source has a radius of at least 1, since models that agree go on to
agree: ``T(11') = 11'``.

Where nothing explodes, ``M_t / t -> S``. Inside an unstable source of period d only models of one
cyclic class share data, so ``S = s R`` with ``R_ik = 1`` for i, k of one class and 0 otherwise, and
``M_t ~ t s R + X`` gives ``(I - T) X + s R = noise``: one linear system for X, up to a multiple of
R, and s. Its readers have ``S = T(S)``, and the models that no unstable source reaches have the
limit ``M = T(M) + noise``, with frozen models at their generation-0 value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcjax.laws.design_moments import SecondMomentMap
from mcjax.laws.sources import (
    DataFlow,
    UnstableSource,
    collapsing,
    data_flow,
    strong_components,
    unstable_sources,
)
from mcjax.network.network import Network

DENSE = 1_500
"""Up to this many unknowns a linear system is solved as a matrix, above it by GMRES."""
ROUNDING = 1e-9
"""A radius so close to 1 is that of an unstable source, 1 itself."""


@dataclass(frozen=True)
class Fates:
    """What becomes of each model's second moment ``m_ii``, all arrays of shape (M,).

    Attributes
    ----------
    radius: spectral radius of the model's own component; 0 if that has no cycle.
    explodes: whether a component of radius above 1 reaches the model.
    growth: slope per generation of a model that collapses, infinite if it explodes, else nan.
    limit: of a model that neither explodes nor collapses, else nan.
    """

    radius: np.ndarray
    explodes: np.ndarray
    growth: np.ndarray
    limit: np.ndarray


def fates(one: SecondMomentMap, net: Network, initial: np.ndarray) -> Fates:
    """Long-run behaviour of every model; ``initial``: m_ii at generation 0, shape (M,)."""
    flow = data_flow(net)
    sources = unstable_sources(net, flow)
    radius, explodes = explosion(one, flow, sources)
    collapses = np.array(collapsing(flow, sources)) & ~explodes
    growth = np.full(net.size, np.nan)
    growth[explodes] = np.inf
    slopes = _slopes(one, sources, collapses)
    growth[collapses] = slopes[collapses]
    limit = np.full(net.size, np.nan)
    stable = ~collapses & ~explodes
    limit[stable] = _limits(one, stable, initial)[stable]
    return Fates(radius, explodes, growth, limit)


def explosion(
    one: SecondMomentMap, flow: DataFlow, sources: tuple[UnstableSource, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Radius of each model's component, and which models an exploding component reaches."""
    closed = {i for source in sources for i in source.indices}
    radius = np.zeros(len(flow.feeders))
    explodes = np.zeros(len(flow.feeders), bool)
    for component in strong_components(flow.readers):  # feeders before readers
        members = np.array(component)
        if len(component) > 1 or component[0] in flow.feeders[component[0]]:
            radius[members] = spectral_radius(one.restricted(members))
        bound = 1 + ROUNDING if component[0] in closed else 1.0
        above = any(explodes[j] for i in component for j in flow.feeders[i])
        explodes[members] = above or bool(radius[component[0]] >= bound)
    return radius, explodes


def spectral_radius(one: SecondMomentMap) -> float:
    """Spectral radius of the isotropic map of some models; infinite where a fit has no more than
    p + 1 rows, and so no second moment."""
    if (one.rows <= one.p + 1).any():
        return np.inf
    size = len(one.rows)
    apply, count = _on_pairs(one, np.ones((size, size), bool))
    if count <= DENSE // 5:
        return float(np.abs(np.linalg.eigvals(_matrix(apply, count))).max())
    from scipy.sparse.linalg import LinearOperator, eigs  # heavy, and rarely needed

    # a cone-preserving map has its radius among its eigenvalues (Krein & Rutman 1948)
    operator = LinearOperator((count, count), matvec=apply, dtype=float)
    start = np.eye(size)[np.triu_indices(size)]
    values = eigs(operator, k=1, which="LR", v0=start, return_eigenvectors=False, tol=1e-10)
    return float(values[0].real)


def _slopes(
    one: SecondMomentMap, sources: tuple[UnstableSource, ...], collapses: np.ndarray
) -> np.ndarray:
    """Diagonal of S, for the models that collapse without exploding."""
    slope = np.zeros((len(collapses), len(collapses)))
    inside = np.zeros(len(collapses), bool)
    for source in sources:
        members = np.array(source.indices)
        if not collapses[members].all():
            continue
        inside[members] = True
        phases = np.array(source.phases)
        together = phases[:, None] == phases[None, :]
        own = one.restricted(members)
        apply, _ = _on_pairs(own, together)
        noise = own.added[_pairs(together)]

        def bordered(x: np.ndarray, apply: Callable = apply) -> np.ndarray:
            return np.append(x[:-1] - apply(x[:-1]) + x[-1], x[:-1].sum())

        found = _solve(bordered, np.append(noise, 0.0))
        slope[np.ix_(members, members)] = found[-1] * together
    return np.diagonal(_fixed_point(one, slope, np.zeros_like(slope), collapses, inside))


def _limits(one: SecondMomentMap, stable: np.ndarray, initial: np.ndarray) -> np.ndarray:
    still = stable & one.frozen
    start = np.diag(np.where(still, initial, 0.0))
    return np.diagonal(_fixed_point(one, start, one.added, stable, still))


def _fixed_point(
    one: SecondMomentMap,
    known: np.ndarray,
    noise: np.ndarray,
    models: np.ndarray,
    settled: np.ndarray,
) -> np.ndarray:
    """``M = T(M) + noise`` for the pairs of ``models``, where those of ``settled`` are known."""
    unknown = np.outer(models, models) & ~np.outer(settled, settled)
    if not unknown.any():
        return known
    apply, _ = _on_pairs(one, unknown)
    pairs = _pairs(unknown)
    right = (one.isotropic(known) + noise)[pairs]
    result = known.copy()
    result[pairs] = _solve(lambda x: x - apply(x), right)
    result.T[pairs] = result[pairs]
    return result


def _pairs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs i <= k of a symmetric mask."""
    rows, columns = np.nonzero(np.triu(mask))
    return rows, columns


def _on_pairs(one: SecondMomentMap, mask: np.ndarray) -> tuple[Callable, int]:
    """The map of symmetric matrices that vanish outside a mask, as one of vectors."""
    pairs = _pairs(mask)

    def apply(x: np.ndarray) -> np.ndarray:
        m = np.zeros(mask.shape)
        m[pairs] = x
        m.T[pairs] = x
        return one.isotropic(m)[pairs]

    return apply, len(pairs[0])


def _matrix(apply: Callable, count: int) -> np.ndarray:
    return np.stack([apply(unit) for unit in np.eye(count)], axis=1)


def _solve(apply: Callable, right: np.ndarray) -> np.ndarray:
    """Solve ``apply(x) = right``; nan where that does not succeed."""
    if len(right) <= DENSE:
        return np.linalg.solve(_matrix(apply, len(right)), right)
    from scipy.sparse.linalg import LinearOperator, gmres  # heavy, and rarely needed

    operator = LinearOperator((len(right), len(right)), matvec=apply, dtype=float)
    found, failed = gmres(operator, right, rtol=1e-12, restart=100, maxiter=50)
    return np.full(len(right), np.nan) if failed else found
