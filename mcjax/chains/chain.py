"""One chain: the whole network from generation 0 to T, for one key.

The code is written for one chain and, inside it, one model; batching is the engine's business.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from mcjax.chains.dataset import SourceArrays, draw_dataset, grown
from mcjax.chains.layout import Feeds, NetworkArrays
from mcjax.chains.pool import Past, draw_subsample, pooled
from mcjax.chains.sums import Sums, fit_sums, fits_sums, no_sums, sums_of
from mcjax.fits.fit import Fit, fit
from mcjax.fits.objective import Dataset
from mcjax.models.model import Model
from mcjax.solvers.status import Status


class ConditionArrays(NamedTuple):
    """All that one chain's law depends on, as data."""

    network: NetworkArrays
    truth: Any  # (S, p), the parameters of the real sources
    factor: Any  # (p, p), a root F of the covariance of x
    whitener: Any  # (p, p), F^-T, or zero where F is singular
    model: Model
    design: Any = None  # (2,), the key of fixed designs; None where designs are random
    sources: SourceArrays | None = None  # real sources' own laws, where some have one


class Program(NamedTuple):
    """What a program is compiled for; everything else is data."""

    generations: int  # T
    pairs: int  # pairs of rows a fit; 0: chains draw sufficient statistics, not rows
    few_rows: bool  # whether some feed is too small for the cheap statistics
    solver: str  # newton | lbfgs
    draw_dtype: str  # precision of covariates and labels
    fit_dtype: str  # precision of the fits
    memory: str = "replace"  # what a fit is of: this generation's data, all so far, or some of all
    growth: float = 0.0  # generation t feeds t^growth times the samples of the first
    path: str = "reference"  # reference: run_chain; fast: see mcjax.chains.fast


class Trajectory(NamedTuple):
    """What a chain reports."""

    theta: Any  # (T + 1, M, p), not-a-number where a fit failed
    status: Any  # (T + 1, M), Status codes
    steps: Any  # (T + 1, M), gradients evaluated


class _State(NamedTuple):
    """What the next generation needs of this one; parameters are finite even where ``known`` is
    false, so that a lost model cannot make others' arithmetic fail."""

    theta: Array  # (M, p)
    known: Array  # (M,) bool, whether the model has an estimate
    sums: Sums | None = None  # over all data so far, (M, ...), where these accumulate
    past: Past | None = None  # where fits are of rows of earlier generations


class _Reads(NamedTuple):
    """What one model fits."""

    feeds: Feeds  # its row of the table, (B,)
    reader: Array  # its position
    take: Array  # rows of a subsample
    active: Array  # whether it fits at all


def run_chain(condition: ConditionArrays, key: Array, program: Program) -> Trajectory:
    """Run one chain. ``key``: uint32, shape (2,)."""
    truth = jnp.asarray(condition.truth, program.fit_dtype)
    begin = _beginning(condition, truth, program)

    def step(state: _State, t: Array) -> tuple[_State, Trajectory]:
        result, sums = _generation(condition, state, key, t, program)
        kept = result.status == Status.NOT_FITTED
        theta = jnp.where(kept[:, None], state.theta, result.theta)
        known = jnp.where(kept, state.known, result.status == Status.CONVERGED)
        seen = jnp.where(known[:, None], theta, jnp.nan)
        theta = jnp.where(known[:, None], theta, truth[:1])
        past = state.past and state.past.with_generation(t, theta, known)
        return _State(theta, known, sums, past), Trajectory(seen, result.status, result.steps)

    _, trajectory = lax.scan(step, begin, jnp.arange(program.generations + 1, dtype=jnp.int32))
    return trajectory


def _beginning(condition: ConditionArrays, truth: Array, program: Program) -> _State:
    """The state before generation 0."""
    models, p = condition.network.frozen.shape[0], truth.shape[1]
    state = _State(jnp.broadcast_to(truth[0], (models, p)), jnp.ones(models, bool))
    if program.memory == "replace":
        return state
    if program.memory == "accumulate" and fits_sums(condition.model, program.memory):
        model = _cast(condition.model, program.fit_dtype)
        return state._replace(sums=no_sums(model, truth[0], models))
    whole = (program.generations + 1, models)
    return state._replace(past=Past(jnp.zeros((*whole, p), truth.dtype), jnp.zeros(whole, bool)))


def _generation(
    condition: ConditionArrays, state: _State, key: Array, t: Array, program: Program
) -> tuple[Fit, Sums | None]:
    """Fit every model once; with it, the sums over all data so far, where they accumulate."""
    truth = jnp.asarray(condition.truth, program.fit_dtype)
    first, later = condition.network.initial, _later(condition.network, t, program)
    now = jax.tree.map(lambda a, b: jnp.where(t == 0, a, b), first, later)
    active = jnp.any(now.samples > 0, axis=1)
    theta, seen, feeds, when = state.theta, state.known, now, t
    if state.past is not None:
        feeds, when = pooled(first, later, t, program.generations)
        theta, seen = state.past.theta.reshape(-1, theta.shape[1]), state.past.known.ravel()
    parents = jnp.concatenate([theta, truth])
    visible = parents.astype(program.draw_dtype)
    known = jnp.concatenate([seen, jnp.ones(len(truth), bool)])
    drawing = _cast(condition.model, program.draw_dtype)
    fitting = _cast(condition.model, program.fit_dtype)
    factor = jnp.asarray(condition.factor, program.draw_dtype)

    def draw(reads: _Reads) -> Dataset:
        shared = (drawing, factor, visible, reads.feeds, key, when)
        if program.memory == "subsample":
            size = (len(theta), 2 * program.pairs)
            return draw_subsample(*shared, t, reads.reader, reads.take, *size, condition.design)
        own = (condition.design, condition.sources)
        return draw_dataset(*shared, len(theta), program.pairs, *own)

    def refit(reads: _Reads, before: Sums | None, whole: Array) -> tuple[Fit, Sums | None]:
        own = reads.feeds._replace(weight=reads.feeds.weight.astype(program.fit_dtype))
        lost = reads.active & jnp.any((own.samples > 0) & ~known[own.origin])
        if before is not None:
            lost = lost | (reads.active & ~whole)  # what it accumulates lacks a generation
        data = draw(reads._replace(feeds=own))
        mass = own.samples.astype(program.fit_dtype) * own.weight
        start = (mass / jnp.maximum(mass.sum(), 1)) @ parents[own.origin]
        data = jax.tree.map(lambda a: a.astype(program.fit_dtype), data)
        active, sums = reads.active & ~lost, None
        if fits_sums(fitting, program.memory):
            pivot = start if before is None else truth[0]
            every = sums_of(fitting, pivot, data)
            if before is not None:
                every = sums = jax.tree.map(jnp.add, before, every)
            result = fit_sums(fitting, pivot, every, active)
        else:
            result = fit(fitting, data, start, active, program.solver)
        status = jnp.where(lost, int(Status.PARENT_FAILED), result.status)
        return result._replace(status=status), sums

    position = jnp.arange(len(active), dtype=jnp.int32)
    reads = _Reads(feeds, position, now.samples.sum(1, dtype=jnp.int32), active)
    return jax.vmap(refit)(reads, state.sums, state.known)


def _later(network: NetworkArrays, t: Array, program: Program) -> Feeds:
    """The feeds of generation t, from 1 on."""
    feeds = jax.tree.map(jnp.asarray, network.feeds)
    if network.schedule is not None:
        place = jnp.clip(t - 1, 0, len(network.schedule) - 1)
        feeds = feeds._replace(weight=jnp.asarray(network.schedule)[place])
    samples = grown(feeds.samples, t, program.generations, program.growth)
    return feeds._replace(samples=samples)


def draw_samples(
    condition: ConditionArrays, parents: Array, feeds: Feeds, key: Array, t: Array, program: Program
) -> Dataset:
    """One generation's data as :func:`run_chain` draws them, each feed's sample by itself.

    A row depends on its stream and its place in the sample, so these are the rows of every fit.

    Parameters
    ----------
    parents: parameters of the models, finite, then of the real sources, shape (M + S, p).
    feeds: those of generation t, (M, B).

    Returns
    -------
    A :class:`Dataset` with leading axes (M, B).
    """
    drawing = _cast(condition.model, program.draw_dtype)
    factor = jnp.asarray(condition.factor, program.draw_dtype)
    visible = parents.astype(program.draw_dtype)
    models = condition.network.frozen.shape[0]

    def draw(feed: Feeds) -> Dataset:
        alone = jax.tree.map(lambda value: value[None], feed)
        return draw_dataset(
            drawing,
            factor,
            visible,
            alone,
            key,
            t,
            models,
            program.pairs,
            condition.design,
            condition.sources,
        )

    return jax.vmap(jax.vmap(draw))(feeds)


def _cast(model: Model, dtype: str) -> Model:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), model)
