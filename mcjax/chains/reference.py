"""One chain: the whole network from generation 0 to T, for one key.

The code is written for one chain and, within it, one model; the engine batches it. Any model and
any estimator run on this path. Linear systems are solved by LAPACK and optimisers come from optax,
so that these chains check the kernels of the fast path independently.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.files import FileArrays
from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import Feeds
from mcjax.chains.pool import Past, draw_subsample, pooled
from mcjax.chains.program import ConditionArrays, Program, Trajectory, cast
from mcjax.chains.step import known_after, shares_of, status_before_fit
from mcjax.draws.streams import fitting_stream
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset, Estimator, Fit
from mcjax.estimators.starts import FIRST, GIVEN
from mcjax.estimators.sufficient_statistics import SufficientStatistics, Sums
from mcjax.faults import users_code
from mcjax.models.model import Model
from mcjax.solvers.status import Status


class _Estimates(NamedTuple):
    """Estimates of all models, (M, p), and whether there are any, (M,)."""

    theta: Array
    known: Array


class _State(NamedTuple):
    """Carry the state of a chain from one generation to the next.

    Parameters are finite even where ``known`` is false, so that NaN cannot spread from a model
    without an estimate to others.
    """

    theta: Array  # (M, p)
    known: Array  # (M,) bool, whether the model has an estimate
    sums: Sums | None = None  # over all data so far, (M, ...), if data accumulate
    past: Past | None = None  # if fits use rows of earlier generations
    first: _Estimates | None = None  # of generation 0, if fits may begin there


class _Task(NamedTuple):
    """The fit of one model in one generation."""

    feeds: Feeds  # its row of the table, (B,)
    reader: Array  # number of the model
    take: Array  # rows of a subsample
    status: Array  # with which the model enters the fit


def run_chain(
    condition: ConditionArrays,
    key: UInt32[Array, " 2"],
    program: Program,
    files: FileArrays | None = None,
) -> Trajectory:
    """Run one chain of a condition without further axes, whose files all chains share."""
    truth = jnp.asarray(condition.truth, program.fit_dtype)
    begin = _beginning(condition, truth, program)

    def step(state: _State, t: Array) -> tuple[_State, Trajectory]:
        result, sums = _generation(condition, state, key=key, t=t, program=program, files=files)
        kept = result.status == Status.NOT_FITTED
        theta = jnp.where(kept[:, None], state.theta, result.theta)
        known = known_after(result.status, state.known)
        reported = jnp.where(known[:, None], theta, jnp.nan)
        theta = jnp.where(known[:, None], theta, truth[:1])
        past = state.past and state.past.with_generation(t, theta, known)
        first = state.first
        if first is not None:
            first = jax.tree.map(
                lambda new, old: jnp.where(t == 0, new, old), _Estimates(theta, known), first
            )
        after = _State(theta, known, sums=sums, past=past, first=first)
        return after, Trajectory(reported, result.status, result.steps)

    _, trajectory = lax.scan(step, begin, jnp.arange(program.generations + 1, dtype=jnp.int32))
    return trajectory


def _beginning(condition: ConditionArrays, truth: Array, program: Program) -> _State:
    """Return the state before generation 0."""
    models, p = condition.network.frozen.shape[0], truth.shape[1]
    state = _State(jnp.broadcast_to(truth[0], (models, p)), jnp.ones(models, bool))
    if condition.starts is not None:
        state = state._replace(first=_Estimates(state.theta, state.known))
    if program.memory.current_only:
        return state
    if program.memory.adds_up and isinstance(program.estimator, SufficientStatistics):
        model = cast(condition.model, program.fit_dtype)
        return state._replace(sums=program.estimator.nothing(model, truth[0], models))
    whole = (program.generations + 1, models)
    return state._replace(past=Past(jnp.zeros((*whole, p), truth.dtype), jnp.zeros(whole, bool)))


def _generation(
    condition: ConditionArrays,
    state: _State,
    key: Array,
    t: Array,
    program: Program,
    files: FileArrays | None,
) -> tuple[Fit, Sums | None]:
    """Fit every model once; also return the sums over all data so far if data accumulate."""
    truth = jnp.asarray(condition.truth, program.fit_dtype)
    now = feeds_at(condition.network, t)
    theta, known, feeds, when = state.theta, state.known, now, t
    if state.past is not None:
        feeds, when = pooled(condition.network, t, program.memory)
        theta, known = state.past.theta.reshape(-1, theta.shape[1]), state.past.known.ravel()
    feeds = feeds._replace(weight=feeds.weight.astype(program.fit_dtype))
    parents = jnp.concatenate([theta, truth])
    known = jnp.concatenate([known, jnp.ones(len(truth), bool)])
    status = status_before_fit(feeds.samples > 0, known[feeds.origin], axis=1)
    active = jnp.any(now.samples > 0, axis=1)  # a frozen model does not fit its pool again
    status = jnp.where(active, status, int(Status.NOT_FITTED))
    if state.sums is not None:  # sums that lack a generation cannot be continued
        status = jnp.where(active & ~state.known, int(Status.PARENT_FAILED), status)
    begin = _begin(condition, state)
    if begin is not None:
        status = jnp.where(active & ~begin.known, int(Status.PARENT_FAILED), status)
    drawing = cast(condition.model, program.draw_dtype)
    fitting = cast(condition.model, program.fit_dtype)

    def refit(task: _Task, before: Sums | None) -> tuple[Fit, Sums | None]:
        data = _draw(
            condition,
            drawing,
            parents=parents,
            task=task,
            key=key,
            when=when,
            t=t,
            program=program,
            models=len(theta),
            files=files,
        )
        if condition.selections:
            kept = data.weight > 0
            some = kept.any() if before is None else kept.any() | (before.mass > 0)
            lacking = (jnp.isnan(data.y) & kept).any() | ~some
            lacking &= task.status == Status.RUNNING
            task = task._replace(status=jnp.where(lacking, int(Status.NOTHING_KEPT), task.status))
        samples, weight = jnp.asarray(task.feeds.samples), jnp.asarray(task.feeds.weight)
        _, share = shares_of(samples, weight, axis=0)
        start = share @ parents[task.feeds.origin]
        refits = _refits(condition, task.reader, t)
        if begin is not None:
            start = jnp.where(refits, start, begin.theta[task.reader])
        running = task.status == Status.RUNNING
        data = jax.tree.map(lambda a: a.astype(program.fit_dtype), data)
        if isinstance(program.estimator, SufficientStatistics):
            pivot = start if before is None else truth[0]
            total = program.estimator.sums(fitting, pivot, data)
            if before is not None:
                total = jax.tree.map(jnp.add, before, total)
            result = program.estimator.estimate(fitting, pivot, total)
        else:
            total = None
            # a fit without rows ends at once, so that no lane waits for a fit that does not count
            data = data._replace(weight=jnp.where(running, data.weight, 0))
            stream = _fitting_key(key, t, task.reader)
            result = _fit(fitting, data, start=start, key=stream, program=program, refits=refits)
        ended = jnp.where(running, result.status, task.status)
        converged = ended == Status.CONVERGED
        estimate = jnp.where(converged, result.theta, jnp.nan)
        steps = jnp.where(running, result.steps, 0)
        return Fit(estimate, ended, steps), None if before is None else total

    position = jnp.arange(len(active), dtype=jnp.int32)
    tasks = _Task(feeds, position, now.samples.sum(1, dtype=jnp.int32), status)
    return jax.vmap(refit)(tasks, state.sums)


def _draw(
    condition: ConditionArrays,
    drawing: Model,
    parents: Array,
    task: _Task,
    key: Array,
    when: Array,
    t: Array,
    program: Program,
    models: int,
    files: FileArrays | None,
) -> Dataset:
    """Draw the rows of one fit; origins from ``models`` on are real."""
    factor = jnp.asarray(condition.factor, program.draw_dtype)
    visible = parents.astype(program.draw_dtype)
    if program.memory.selects:
        return draw_subsample(
            drawing,
            factor=factor,
            parents=visible,
            pool=task.feeds,
            key=key,
            when=when,
            t=t,
            reader=task.reader,
            take=task.take,
            models=models,
            rows=2 * program.pairs,
            design=condition.design,
        )
    return draw_dataset(
        drawing,
        factor=factor,
        parents=visible,
        feeds=task.feeds,
        key=key,
        generation=when,
        models=models,
        pairs=program.pairs,
        design=condition.design,
        sources=condition.sources,
        selections=cast(condition.selections, program.draw_dtype),
        files=files,
    )


def _begin(condition: ConditionArrays, state: _State) -> _Estimates | None:
    """Return where the steps of all models begin, or None if at the mean of their parents."""
    starts, first = condition.starts, state.first
    if starts is None or first is None:
        return None
    model = jnp.asarray(starts.model)
    last = jnp.maximum(model, 0)
    begun = _Estimates(
        jnp.where((model == FIRST)[:, None], first.theta, state.theta[last]),
        jnp.where(model == FIRST, first.known, state.known[last]),
    )
    if starts.refits is not None:
        begun = begun._replace(known=begun.known | jnp.asarray(starts.refits))
    if starts.base is None:
        return begun
    given, base = model == GIVEN, jnp.asarray(starts.base, state.theta.dtype)
    return _Estimates(jnp.where(given[:, None], base, begun.theta), given | begun.known)


def _refits(condition: ConditionArrays, reader: Array, t: Array) -> Array:
    """Whether a model is fitted to the minimum; the same for all unless some always are."""
    refits = None if condition.starts is None else condition.starts.refits
    return t == 0 if refits is None else (t == 0) | jnp.asarray(refits)[reader]


def _fit(
    model: Model, data: Dataset, start: Array, key: Array, program: Program, refits: Array
) -> Fit:
    """Fit one data set; return the estimate as a vector, whatever the structure of the model."""

    def fitted(estimator: Estimator) -> Fit:
        with users_code("estimator", estimator):
            result = estimator.fit(model, data, model.parameters(start), key)
        theta = result.theta if model.structure is None else ravel_pytree(result.theta)[0]
        return result._replace(theta=theta)

    if program.refit is None:
        return fitted(program.estimator)
    whole, steps = program.refit, program.estimator
    fit: Fit = lax.cond(refits, lambda: fitted(whole), lambda: fitted(steps))
    return fit


def _fitting_key(key: Array, t: Array, reader: Array) -> Array:
    """Return the JAX key for the random numbers of an estimator."""
    stream = fitting_stream(reader.astype(jnp.uint32))
    words = threefry((key[0], key[1]), (t.astype(jnp.uint32), stream))
    return jax.random.wrap_key_data(jnp.stack(words), impl="threefry2x32")


def draw_samples(
    condition: ConditionArrays,
    parents: Float[Array, "M+S p"],
    feeds: Feeds,
    key: UInt32[Array, " 2"],
    t: Int32[Array, ""],
    program: Program,
    files: FileArrays | None = None,
) -> Dataset:
    """Draw one generation's data as :func:`run_chain` does, but each sample separately.

    A row depends only on its stream and its place in the sample, so these are the rows that were
    fitted.

    Parameters
    ----------
    condition : ConditionArrays
        The condition, without further axes.
    parents : Array
        Finite parameters of the models, then of the real sources, shape (M + S, p).
    feeds : Feeds
        The feeds of generation t, shape (M, B).
    key : Array
        Chain key.
    t : Array
        The generation.
    program : Program
        Settings of the run; ``pairs`` is that of the largest feed.
    files : FileArrays, optional
        The files that rows are drawn from.

    Returns
    -------
    Dataset
        The samples, with leading axes (M, B).
    """
    drawing = cast(condition.model, program.draw_dtype)
    factor = jnp.asarray(condition.factor, program.draw_dtype)
    visible = parents.astype(program.draw_dtype)
    models = condition.network.frozen.shape[0]

    def draw(feed: Feeds) -> Dataset:
        alone: Any = jax.tree.map(lambda value: value[None], feed)
        return draw_dataset(
            drawing,
            factor=factor,
            parents=visible,
            feeds=alone,
            key=key,
            generation=t,
            models=models,
            pairs=program.pairs,
            design=condition.design,
            sources=condition.sources,
            selections=cast(condition.selections, program.draw_dtype),
            files=files,
        )

    return jax.vmap(jax.vmap(draw))(feeds)
