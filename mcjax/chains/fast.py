"""Blocks of chains at once, with the draws of :mod:`mcjax.chains.reference`, close to full speed.

This path is for models of a linear predictor that are fitted by Newton's method, or to quantiles,
and to the data of one generation (:func:`reason_against`). Arrays hold a block of lanes: the F fits
of one generation (lanes, then models), and last the H pairs of rows of each fit. Each optimisation
states what it gains; a test compares estimates with those of the reference path.

Results of one stage are packed into one array, because every stored array is a separate loop, which
takes 20 ms to compile.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import UInt32

from mcjax.chains.dataset import sample_keys
from mcjax.chains.fast_rows import Selected, Sources, draw_rows
from mcjax.chains.generation import feeds_at
from mcjax.chains.lookup import lookup
from mcjax.chains.program import ConditionArrays, Program, Trajectory
from mcjax.chains.step import shares_of, status_before_fit
from mcjax.draws.streams import design_streams
from mcjax.draws.threefry import threefry
from mcjax.estimators import newton_rows, quantile_rows
from mcjax.estimators.estimator import Estimator, Fit
from mcjax.estimators.newton import Newton
from mcjax.estimators.newton_rows import MOST
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.models.model import Model
from mcjax.network.memory import Memory
from mcjax.solvers.once import once, where_needed
from mcjax.solvers.status import Status

FITS: dict[Estimator, Any] = {
    Newton(): newton_rows.fit_rows,
    QuantileLP(): quantile_rows.fit_rows,
}
"""Estimators that fit many data sets at once, and how."""


def reason_against(
    model: Model, p: int, estimator: Estimator, memory: Memory, selections: tuple[Any, ...] = ()
) -> str:
    """Return why the fast path cannot run such chains, or an empty string."""
    if model.predictor is None:
        return "the model is not one of a linear predictor"
    if estimator not in FITS:
        return "models are fitted neither by Newton's method nor to quantiles"
    if p > MOST:
        return f"there are more than {MOST} parameters"
    if model.penalty is not None and estimator == QuantileLP():
        return "regression quantiles with a penalty fit no rows exactly"
    if model.penalty is not None and model.penalty.by_rows:
        return "the penalty depends on the rows of a fit"
    if not all(selection.fast for selection in selections):
        return "readers keep what only the reference path can draw"
    return "" if memory.current_only else "fits are of more than one generation's data"


def run_chains(
    conditions: ConditionArrays, keys: UInt32[Array, "blocks lanes 2"], program: Program
) -> Trajectory:
    """Run blocks of chains, one after the other.

    All arrays, and those of the result, have leading axes (blocks, lanes).
    """
    (blocks, lanes, models), p = conditions.network.frozen.shape, conditions.truth.shape[-1]
    span, dtype = np.int32(program.generations + 1), jnp.dtype(program.fit_dtype)
    shape = (blocks, lanes, int(span), models)

    def step(k: Array, carry: tuple[Array, Trajectory]) -> tuple[Array, Trajectory]:
        before, results = carry
        block, t = lax.div(k, span), lax.rem(k, span)
        condition, key = jax.tree.map(
            lambda a: lax.dynamic_index_in_dim(a, block, 0, False, allow_negative_indices=False),
            (conditions, keys),
        )
        fit = _generation(condition, before, key=key, t=t, program=program)

        def written(table: Array, values: Array) -> Array:
            # (F, ...) into (blocks, lanes, T + 1, models, ...) at this block and generation
            zero = np.int32(0)
            place: list[Any] = [block, zero, t, *[zero] * (table.ndim - 3)]
            entry = values.reshape(1, lanes, 1, models, *table.shape[4:])
            return lax.dynamic_update_slice(table, entry, place, allow_negative_indices=False)

        now = Trajectory(fit.theta.T, fit.status, fit.steps)
        return fit.theta, jax.tree.map(written, results, now)

    begin = Trajectory(
        jnp.zeros((*shape, p), dtype), jnp.zeros(shape, jnp.int32), jnp.zeros(shape, jnp.int32)
    )
    # a single loop over blocks and generations: nested loops would copy all results each time
    before = jnp.zeros((p, lanes * models), dtype)
    return lax.fori_loop(jnp.int32(0), jnp.int32(blocks * span), step, (before, begin))[1]


def _generation(
    conditions: ConditionArrays, before: Array, key: Array, t: Array, program: Program
) -> Fit:
    """Fit every model of every lane once; frozen models keep their estimates.

    ``before`` holds the estimates of the previous generation, (p, F), NaN where there is none; it
    is not used at t = 0.
    """
    sources, start, status = _sources(conditions, before, key, t)
    models = conditions.network.frozen.shape[-1]
    # the numbers of each lane's model, (F, 1), in the precisions of draws and of fits
    drawing, fitting = (
        jax.tree.map(lambda leaf, to=to: jnp.repeat(leaf.astype(to), models)[:, None], model)
        for model in (conditions.model,)
        for to in (program.draw_dtype, program.fit_dtype)
    )
    selections: tuple[Any, ...] = jax.tree.map(
        lambda leaf: jnp.repeat(leaf.astype(program.draw_dtype), models), conditions.selections
    )
    running = status == Status.RUNNING

    def drawn_and_fitted() -> Fit:
        rows, lacking = draw_rows(
            drawing,
            jnp.asarray(conditions.factor, program.draw_dtype),
            sources,
            Selected(selections, running),
            count=t,
            pairs=program.pairs,
        )
        entering = status
        if lacking is not None:
            entering = jnp.where(lacking, int(Status.NOTHING_KEPT), status)
        return FITS[program.estimator](fitting, rows, start, entering)

    def left_alone() -> Fit:
        return Fit(jnp.full_like(start, jnp.nan), status, jnp.zeros_like(status))

    # nothing is drawn for a block in which no model is left to fit, as happens after explosions
    fit = where_needed(running.any(), drawn_and_fitted, left_alone)
    truth = jnp.repeat(conditions.truth[:, 0].astype(before.dtype).T, models, axis=1)
    frozen = jnp.where(t == 0, truth, before)
    theta = jnp.where(fit.status == Status.NOT_FITTED, frozen, fit.theta)
    return fit._replace(theta=theta)


def _sources(
    conditions: ConditionArrays, before: Array, key: Array, t: Array
) -> tuple[Sources, Array, Array]:
    """Gather each fit's feeds, its Newton start (p, F) and its initial status (F,)."""
    net, dtype = conditions.network, before.dtype
    lanes, _, models, slots = net.feeds.samples.shape
    p, fits = before.shape
    # as a stage of its own, or the compiler selects them again in each loop over the rows
    feeds: Any = once(t, lambda: jax.vmap(feeds_at, (0, None))(net, t))
    feeds = jax.tree.map(lambda entry: entry.reshape(fits, slots), feeds)
    weight = feeds.weight.astype(dtype)
    observation, share = shares_of(feeds.samples, weight, axis=-1)
    truth = jnp.moveaxis(conditions.truth.astype(dtype), 2, 0)
    parents = jnp.concatenate([before.reshape(p, lanes, models), truth], -1)
    theta = lookup(parents, feeds.origin.reshape(lanes, models * slots), -1).reshape(p, fits, slots)
    unknown = jnp.isnan(theta[0])
    status = status_before_fit(feeds.samples > 0, ~unknown, axis=-1)
    theta = jnp.where(unknown[None], 0, theta)  # NaN would spread to the start of the fit
    # start from the weighted mean of the parents: four passes over the rows instead of six
    start = (share[None] * theta).sum(-1)
    stamp = jnp.where(feeds.renewed, t, 0).astype(jnp.uint32)
    chain = jnp.repeat(key, models, axis=0)  # (F, 2)
    own = sample_keys((chain[:, :1], chain[:, 1:]), feeds)

    def streams() -> Array:
        drawn = threefry(own, (stamp, feeds.stream))
        return lax.complex(*(lax.bitcast_convert_type(word, jnp.float32) for word in drawn))

    # computed once for both words, as in `draw_rows`
    stream = once(t, streams)
    keys = tuple(lax.bitcast_convert_type(a, jnp.uint32) for a in (stream.real, stream.imag))
    if conditions.design is not None:
        design = jnp.repeat(conditions.design, models, axis=0)
        keys += design_streams(design.T[..., None], feeds.stream)
    rows = jnp.where(weight > 0, feeds.samples, 0)  # rows of weight 0 are not drawn
    # (F, B): cumulative sum of pairs over the slots, as a product with a lower triangle of ones
    ends = ((rows + 1) // 2)[:, None, :] * np.tri(slots, dtype=np.int32)[None]
    words = (ends.sum(-1, dtype=jnp.int32), rows, *keys, feeds.origin >= models)
    packed = jnp.stack([word.astype(jnp.uint32) for word in words])
    return Sources(packed, theta, observation, feeds.selection), start, status
