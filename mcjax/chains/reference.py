"""One chain: the whole network from generation 0 to T, for one key.

The code is written for one chain and, within it, one model; the engine batches it. Any model and
any estimator run on this path. Linear systems are solved by LAPACK and optimisers come from optax,
so that these chains check the kernels of the fast path independently.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.files import FileArrays
from mcjax.chains.fitting import fitted, fitting_key, fresh_state, joined, places
from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import Feeds
from mcjax.chains.pool import Past, draw_subsample, pooled
from mcjax.chains.program import ConditionArrays, Fitting, Program, Trajectory, cast
from mcjax.chains.step import known_after, shares_of, status_before_fit
from mcjax.estimators.estimator import Dataset, Fit
from mcjax.estimators.starts import BEHIND, FIRST, GIVEN
from mcjax.estimators.sufficient_statistics import SufficientStatistics, Sums
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
    carried: tuple[Any, ...] = ()  # states of the optimisers of each way of fitting


class _Task(NamedTuple):
    """The fit of one model in one generation."""

    feeds: Feeds  # its row of the table, (B,)
    reader: Array  # number of the model
    take: Array  # rows of a subsample
    status: Array  # with which the model enters the fit
    state: Any = None  # of its optimiser, if that is carried


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
        result, sums, carried = _generation(
            condition, state, key=key, t=t, program=program, files=files
        )
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
        after = _State(theta, known, sums=sums, past=past, first=first, carried=carried)
        return after, Trajectory(reported, result.status, result.steps)

    _, trajectory = lax.scan(step, begin, jnp.arange(program.generations + 1, dtype=jnp.int32))
    return trajectory


def _beginning(condition: ConditionArrays, truth: Array, program: Program) -> _State:
    """Return the state before generation 0."""
    models, p = condition.network.frozen.shape[0], truth.shape[1]
    state = _State(jnp.broadcast_to(truth[0], (models, p)), jnp.ones(models, bool))
    if any(way.carries for way in program.fittings):
        model = cast(condition.model, program.fit_dtype)
        carried = [
            fresh_state(way, model, state.theta[place]) if way.carries else None
            for way, place in zip(program.fittings, places(program, models), strict=True)
        ]
        state = state._replace(carried=tuple(carried))
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
) -> tuple[Fit, Sums | None, tuple[Any, ...]]:
    """Fit every model once.

    Also return the sums over all data so far if data accumulate, and states of optimisers.
    """
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
    begin = _begin(condition, state, t)
    if begin is not None:
        status = jnp.where(active & ~begin.known, int(Status.PARENT_FAILED), status)
    drawing = cast(condition.model, program.draw_dtype)
    fitting = cast(condition.model, program.fit_dtype)

    def refit(task: _Task, before: Sums | None, way: Fitting) -> tuple[Fit, Sums | None, Any]:
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
        if begin is not None:
            behind = begin.behind[task.reader] | ((t == 0) & way.first.minimises)
            start = jnp.where(behind, start, begin.theta[task.reader])
        running = task.status == Status.RUNNING
        data = jax.tree.map(lambda a: a.astype(program.fit_dtype), data)
        total, state = None, task.state
        if isinstance(way.later, SufficientStatistics):
            pivot = start if before is None else truth[0]
            total = way.later.sums(fitting, pivot, data)
            if before is not None:
                total = jax.tree.map(jnp.add, before, total)
            result = way.later.estimate(fitting, pivot, total)
        else:
            # a fit without rows ends at once, so that no lane waits for a fit that does not count
            data = data._replace(weight=jnp.where(running, data.weight, 0))
            stream = fitting_key(key, t, task.reader)
            result, state = fitted(
                fitting, data, start=start, key=stream, way=way, state=state, first=t == 0
            )
        ended = jnp.where(running, result.status, task.status)
        converged = ended == Status.CONVERGED
        estimate = jnp.where(converged, result.theta, jnp.nan)
        steps = jnp.where(running, result.steps, 0)
        if task.state is not None:  # a model that is not fitted keeps it
            fresh = fresh_state(way, fitting, truth[0])
            ended_state = jax.tree.map(partial(jnp.where, converged), state, fresh)
            state = jax.tree.map(
                partial(jnp.where, ended == Status.NOT_FITTED), task.state, ended_state
            )
        return Fit(estimate, ended, steps), None if before is None else total, state

    position = jnp.arange(len(active), dtype=jnp.int32)
    tasks = _Task(feeds, position, now.samples.sum(1, dtype=jnp.int32), status)
    carried = state.carried or (None,) * len(program.fittings)
    found = []
    for way, place, kept in zip(
        program.fittings, places(program, len(active)), carried, strict=True
    ):
        own: Any = jax.tree.map(operator.itemgetter(place), tasks)._replace(state=kept)
        found.append(jax.vmap(partial(refit, way=way))(own, state.sums))
    fits, sums, states = zip(*found, strict=True)
    return joined(fits, program, len(active)), sums[0], states if state.carried else ()


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
    factor, mean = cast((condition.factor, condition.mean), program.draw_dtype)
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
            mean=mean,
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
        mean=mean,
    )


class _Begin(NamedTuple):
    """Starting points of the fits of all models."""

    theta: Array  # (M, p)
    known: Array  # (M,) bool, whether there is such a place
    behind: Array  # (M,) bool, whether it is the mean of the parents instead


def _begin(condition: ConditionArrays, state: _State, t: Array) -> _Begin | None:
    """Return where the steps of all models begin, or None if at the mean of their parents."""
    starts, first = condition.starts, state.first
    if starts is None or first is None:
        return None
    model = jnp.asarray(starts.model)
    last = jnp.maximum(model, 0)
    theta = jnp.where((model == FIRST)[:, None], first.theta, state.theta[last])
    known = jnp.where(model == FIRST, first.known, state.known[last])
    behind, given = model == BEHIND, model == GIVEN
    if starts.base is not None:
        theta = jnp.where(given[:, None], jnp.asarray(starts.base, theta.dtype), theta)
    nothing = (t == 0) & ~given  # is there to begin at
    return _Begin(jnp.where(nothing[:, None], 0, theta), known | behind | given, behind)


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
    factor, mean = cast((condition.factor, condition.mean), program.draw_dtype)
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
            mean=mean,
        )

    return jax.vmap(jax.vmap(draw))(feeds)
