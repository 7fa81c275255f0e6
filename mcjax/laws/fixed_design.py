"""The exact law of least squares on fixed designs, with any weights, shared or private draws.

Let X_b be the covariates of batch b, the same in every generation and every chain, and
``S_b = X_b'X_b``. Model i's weighted least squares fit of its batches is then linear in the errors
of its parents and in the noise,

    e_i = K_i^-1 sum_b w_b (S_b e_{parent(b)} + X_b' eps_b),     K_i = sum_b w_b S_b,

exactly and at every sample size, which is the linear system of :mod:`mcjax.laws.system` with
``S_b`` in place of ``n_b H_b``. Two readers of one shared sample have the noise covariance
``w_ij w_kj var K_i^-1 S_j K_k^-1``; reused real data are generation 0's, with
``X_r' eps = S_r e_{i,0}``.

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

import jax.numpy as jnp
import numpy as np

from mcjax.chains.dataset import design_streams
from mcjax.chains.layout import Feeds, network_arrays, shape_of
from mcjax.draws.streams import condition_word, design_key
from mcjax.families.observations import draw_normals
from mcjax.laws.asymptotics import limit
from mcjax.laws.finite_sample import check_least_squares
from mcjax.laws.growing import UNIT, unit_projectors
from mcjax.laws.inapplicable import Inapplicable
from mcjax.laws.prediction import Prediction
from mcjax.laws.sources import data_flow, strong_components
from mcjax.laws.system import LARGEST_CONDITION, LinearSystem, covariances
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
    system = design_system(condition, *variances)
    size, p = condition.network.size, system.p
    covariance = covariances(system, generations)
    blocks = covariance.reshape(-1, size, p, size, p)
    slope, settled = long_run(system, condition)
    limits = limit(system, settled).reshape(size, p, size, p)
    return Prediction(
        law=NAME,
        source=SOURCE,
        exact=True,
        covariance=covariance,
        mse=np.einsum("tiaia->ti", blocks),
        standard_error=np.zeros((generations + 1, size)),
        growth=slope,
        limit=np.where(settled, np.einsum("iaia->i", limits), np.nan),
    )


def design_system(condition: Condition, variance: float, real_variance: float) -> LinearSystem:
    """The linear law of a network on its fixed designs.

    Raises
    ------
    Inapplicable: if the weighted designs of a fit do not determine every parameter.
    """
    net, p = condition.network, len(condition.theta)
    arrays = network_arrays(net, shape_of([net]))
    start, later = _grams(condition, arrays.initial), _grams(condition, arrays.feeds)
    frozen = np.array(net.frozen)
    feeds = arrays.feeds
    weighted = feeds.weight[..., None, None] * later
    curvature = weighted.sum(1)
    curvature[frozen] = np.eye(p)
    conditions = np.linalg.cond(np.concatenate([start[:, 0], curvature]))
    if not (conditions < LARGEST_CONDITION).all():
        raise Inapplicable("the designs of a fit do not determine every parameter")
    inverse = np.linalg.inv(curvature)
    gains = inverse[:, None] @ weighted  # (M, B, p, p)

    transition = np.zeros((net.size, p, net.size, p))
    noise, reuse, initial = (np.zeros_like(transition) for _ in range(3))
    places = [(i, b) for i, b in np.argwhere(feeds.samples > 0)]
    for i, b in places:
        origin = feeds.origin[i, b]
        if origin < net.size:
            transition[i, :, origin] += gains[i, b]
        elif not feeds.renewed[i, b]:
            reuse[i, :, i] += gains[i, b]
            continue
        spread = variance if origin < net.size else real_variance
        for k, c in places:
            if feeds.stream[k, c] == feeds.stream[i, b]:  # one sample, and so one noise
                noise[i, :, k] += spread * feeds.weight[k, c] * gains[i, b] @ inverse[k]
    for i in range(net.size):
        initial[i, :, i] = real_variance * np.linalg.inv(start[i, 0])
        if frozen[i]:
            transition[i, :, i] = np.eye(p)
    flat = (net.size * p, net.size * p)
    a, n, r, x = (part.reshape(flat) for part in (transition, noise, reuse, initial))
    inertia = None
    if net.memory == "accumulate":
        worth = np.zeros_like(transition)
        for i in range(net.size):
            worth[i, :, i] = arrays.initial.weight[i, 0] * inverse[i] @ start[i, 0]
        inertia = worth.reshape(flat)
    return LinearSystem(a, n, r, x, frozen, p, inertia)


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
    factor = covariance_root(condition.covariance)
    return factor @ (x @ np.swapaxes(x, -1, -2)) @ factor.T
