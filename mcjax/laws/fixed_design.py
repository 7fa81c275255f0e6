"""The exact law of least squares on fixed designs, with any weights, shared or private draws.

Let X_b be the covariates of batch b, the same in every generation and every chain, and
``S_b = X_b'X_b``. Model i's weighted least squares fit of its batches is then linear in the errors
of its parents and in the noise,

    e_i = K_i^-1 sum_b w_b (S_b e_{parent(b)} + X_b' eps_b),     K_i = sum_b w_b S_b,

exactly and at every sample size, with ``e = delta``, its truth less theta*, of a real source. This
is the linear system of :mod:`mcjax.laws.batches` with ``S_b`` in place of ``n_b H_b``. Two readers
of one sample have the noise covariance ``w_ij w_kj var K_i^-1 S_j K_k^-1``.

In the long run topology is not enough: the W of the collapse law is replaced by blocks
``K_i^-1 w_b S_b``, which do not average in one common metric. A component whose transition has a
spectral radius above 1 explodes, and one that is anchored by fewer real rows than parameters keeps
an eigenvalue 1, in the directions those rows do not see, and collapses there. So growth is computed
from the transition: ``sum P N P*`` over the spectral projectors P of its eigenvalues of modulus 1,
for models that no explosion reaches. Constants, which are reused real data and frozen models, do
not push in such a direction: a left eigenvector ``(K_i g_i)`` of eigenvalue 1 has, summed over its
equations, ``sum_i S_ri g_i = 0`` for the constants' designs S_r, and rows that leave a direction
unseen are linearly independent (or the very same rows, with the same constant).

Source: derived here, by linearity. Covariates are drawn in float32, as studies do by default; in a
study in float64 they differ by rounding, some 1e-7 of themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from mcjax.chains.dataset import design_streams
from mcjax.chains.layout import Feeds, NetworkArrays, network_arrays, shape_of
from mcjax.chains.observations import draw_normals
from mcjax.draws.streams import condition_word, design_key
from mcjax.laws.asymptotics import limit, mean_limit
from mcjax.laws.batches import Batches, batch_system, pooled_mse
from mcjax.laws.finite_sample import check_least_squares, source_variances
from mcjax.laws.growing import UNIT, unit_projectors
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.laws.sources import data_flow, strong_components
from mcjax.laws.system import LARGEST_CONDITION, LinearSystem, block_diagonal, covariances, means
from mcjax.network.network import Network
from mcjax.study.study import Condition, covariance_root

NAME = "fixed_design"
SOURCE = "linear in the noise given the designs, derived in mcjax.laws.fixed_design"


def fixed_design(condition: Condition, generations: int) -> Prediction:
    """The law's moments of one condition, its designs taken for fixed; see :class:`Prediction`.

    Raises
    ------
    Inapplicable: for another family, subsamples, growing sample counts, or designs that do not
        determine a fit.
    """
    variances = check_least_squares(condition)
    for reason, holds in (
        ("a model fits a subsample of its past", condition.network.memory == "subsample"),
        ("sample counts grow, and so do the designs", condition.network.growth > 0),
    ):
        if holds:
            raise Inapplicable(reason)
    arrays, batches, offsets = _designs(condition, *variances)
    system = _system(condition.network, arrays, batches, offsets)
    size, p = condition.network.size, system.p
    covariance, mean = covariances(system, generations), means(system, generations)
    blocks = covariance.reshape(-1, size, p, size, p)
    slope, settled = long_run(system, condition)
    limits = limit(system, settled).reshape(size, p, size, p)
    limits = np.einsum("iaia->i", limits) + (mean_limit(system, settled) ** 2).sum(1)
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=covariance,
        mse=np.einsum("tiaia->ti", blocks) + (mean**2).sum(-1),
        standard_error=np.zeros((generations + 1, size)),
        growth=slope,
        limit=np.where(settled, limits, np.nan),
        mean=mean if offsets.any() else None,
        pooled=pooled_mse(arrays, batches, offsets),
    )


def design_system(condition: Condition, variance: float, real_variance: float) -> LinearSystem:
    """The linear law of a network on its fixed designs.

    Raises
    ------
    Inapplicable: if the weighted designs of a fit do not determine every parameter.
    """
    return _system(condition.network, *_designs(condition, variance, real_variance))


def _system(
    net: Network, arrays: NetworkArrays, batches: Callable[[Feeds], Batches], offsets: np.ndarray
) -> LinearSystem:
    system = batch_system(arrays, batches, offsets)
    if net.memory != "accumulate":
        return system
    first, later = (batches(feeds).curvature.sum(1) for feeds in (arrays.initial, arrays.feeds))
    later[system.frozen] = np.eye(system.p)
    return replace(system, inertia=block_diagonal(np.linalg.solve(later, first)))


def _designs(
    condition: Condition, variance: float, real_variance: float
) -> tuple[NetworkArrays, Callable[[Feeds], Batches], np.ndarray]:
    net, laws = condition.network, condition.sources
    arrays = network_arrays(net, shape_of([net]))
    spread = np.concatenate(
        [np.full(net.size, variance), source_variances(condition, real_variance)]
    )
    grams = [_grams(condition, feeds) for feeds in (arrays.initial, arrays.feeds)]

    def batches(feeds: Feeds) -> Batches:
        gram = grams[0 if feeds.samples is arrays.initial.samples else 1]
        weighted = feeds.weight[..., None, None] * gram
        reads = (feeds.samples > 0).any(1)
        if not (np.linalg.cond(weighted.sum(1)[reads]) < LARGEST_CONDITION).all():
            raise Inapplicable("the designs of a fit do not determine every parameter")
        return Batches(weighted, spread[feeds.origin][..., None, None] * gram)

    return arrays, batches, laws.offsets


def long_run(system: LinearSystem, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Slope of each model's MSE, nan where it settles, and which models settle; shapes (M,)."""
    p, size = system.p, len(system.frozen)
    flow = data_flow(condition.network)
    explodes = np.zeros(size, bool)
    pooled = system.inertia is not None
    for component in strong_components(flow.readers):  # feeders before readers
        members = np.array(component)
        own = np.repeat(np.isin(np.arange(size), members), p)
        radius = np.abs(np.linalg.eigvals(system.transition[np.ix_(own, own)])).max()
        above = any(explodes[j] for i in component for j in flow.feeders[i])
        explodes[members] = above or bool(radius > 1 + UNIT)
    if pooled:  # noise fades, so only what amplifies has no limit
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
    total = slope.sum(1)
    settled = total <= UNIT * np.diagonal(system.noise).max(initial=0)
    return np.where(settled, np.nan, total), settled


def _grams(condition: Condition, feeds: Feeds) -> np.ndarray:
    """``X_b'X_b`` of every feed slot, shape (M, B, p, p)."""
    p = len(condition.theta)
    pairs = max(1, int(feeds.samples.max() + 1) // 2)
    key = jnp.asarray(design_key(condition.seed, condition_word(condition.label)))
    words = design_streams(key, jnp.asarray(feeds.stream.ravel()))
    keys = tuple(jnp.repeat(word, pairs) for word in words)
    place = jnp.tile(jnp.arange(pairs, dtype=jnp.uint32), feeds.stream.size)
    z = np.asarray(draw_normals((keys[0], keys[1]), place, p, jnp.float32))
    rows = np.stack([z.real, z.imag], -1).reshape(p, *feeds.stream.shape, 2 * pairs).astype(float)
    used = np.arange(2 * pairs) < feeds.samples[..., None]
    x = np.moveaxis(np.where(used, rows, 0.0), 0, -2)  # (M, B, p, rows)
    roots = np.array([covariance_root(own) for own in condition.sources.covariance])
    factor = roots[np.maximum(feeds.origin - condition.network.size, 0)]
    return factor @ (x @ np.swapaxes(x, -1, -2)) @ np.swapaxes(factor, -1, -2)
