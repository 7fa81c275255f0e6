"""Least squares without rows: the sufficient statistics of a sample, drawn directly.

With ``x ~ N(0, I)`` and normal noise, least squares depends on a sample of n rows only through
``S = X'X`` and ``X'y = S theta + X' eps``. In distribution, ``S = L L'`` with L lower triangular,
``L_ii ~ chi(n - i)`` for i = 0, 1, ... and ``L_ij ~ N(0, 1)`` below the diagonal (Bartlett 1933),
and ``X' eps = sigma L z`` with z standard normal. This takes ``p (p + 3) / 2`` random numbers
instead of ``n (p + 1)``. With fewer rows than parameters, the columns of L from n on are zero and
the same formulas hold. A general covariance ``F F'`` follows by equivariance: errors are ``F^-T``
times those for the identity.

A statistic, like a row, is a function of its stream and its place. Hence a sample that two models
share has one S and one ``X' eps``, and reused real data are those of generation 0.

Data that accumulate over generations are represented by the sums of their statistics, so a
generation costs the same however many there were before.

Lanes come last in every array, so that each entry of a matrix is one long vector. Matrix arithmetic
is written out entry by entry where p is small, and otherwise in loops, which compile quickly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.bartlett import bartlett
from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import Feeds
from mcjax.chains.lookup import lookup
from mcjax.chains.program import ConditionArrays, Program, Trajectory
from mcjax.chains.statistic_sums import WRITTEN_OUT, Feed, normal_equations
from mcjax.chains.step import known_after, status_before_fit
from mcjax.estimators.estimator import first_that_holds
from mcjax.solvers.cholesky import singular_share, solve_columns, solve_entries, solve_swept
from mcjax.solvers.once import once, one_by_one
from mcjax.solvers.status import Status

RECOMPUTED = 5
"""Largest number of parameters for which it is quicker to compute factors again in every loop than
to store their columns."""


class _State(NamedTuple):
    error: Array  # (p, M, lanes), for covariates N(0, I); finite even where not known
    known: Array  # (M, lanes), whether the model has an estimate
    pool: tuple[Any, Any] | None = None  # sums over all data so far, if data accumulate


def run_statistics(
    conditions: ConditionArrays, keys: UInt32[Array, "lanes 2"], program: Program
) -> Trajectory:
    """Run a block of chains; all arrays, and those of the result, have a leading axis of lanes."""
    white, status = run_white(conditions, keys, program)
    truth = _lanes_last(jnp.asarray(conditions.truth, program.fit_dtype))[0]
    back = _lanes_last(jnp.asarray(conditions.whitener, program.fit_dtype))

    def estimates() -> Array:
        # F^-T error, column by column because F differs between lanes
        columns = (back[None, :, k, None] * white[:, k, None] for k in range(len(truth)))
        return truth[None, :, None] + sum(columns)

    theta = once(status[0], estimates)
    fits = (status != Status.NOT_FITTED) & (status != Status.PARENT_FAILED)
    return Trajectory(
        jnp.transpose(theta, (3, 0, 2, 1)),
        jnp.transpose(status, (2, 0, 1)),
        jnp.transpose(fits.astype(jnp.int32), (2, 0, 1)),
    )


def run_white(
    conditions: ConditionArrays, keys: UInt32[Array, "lanes 2"], program: Program
) -> tuple[Float[Array, "T+1 p M lanes"], Int32[Array, "T+1 M lanes"]]:
    """Return the errors that chains have for covariates N(0, I), and the statuses of their fits.

    Conditions and keys have a leading axis of lanes. Errors are nan where a model has no estimate.
    """
    net = jax.tree.map(_lanes_last, conditions.network)
    least_squares = conditions.model.least_squares
    assert least_squares is not None, "only least squares runs without rows"
    variance, _ = least_squares.variances(conditions.model.params)
    sigma = jnp.sqrt(jnp.asarray(variance, program.fit_dtype))[None, None]
    p, models = conditions.truth.shape[-1], net.frozen.shape[0]
    shape, dtype = (models, len(keys)), program.fit_dtype
    matrix, vector = (jnp.zeros((models, *axes, len(keys)), dtype) for axes in ((p, p), (p,)))
    empty: tuple[Any, Any] = matrix, vector
    if p <= WRITTEN_OUT:
        zero = jnp.zeros(shape, dtype)
        empty = [[zero] * (i + 1) for i in range(p)], [zero] * p
    begin = _State(
        jnp.zeros((p, *shape), dtype),
        jnp.ones(shape, bool),
        empty if program.memory.adds_up else None,
    )
    key = _lanes_last(keys)[:, None, None]

    def step(state: _State, t: Array) -> tuple[_State, tuple[Array, Array]]:
        # a stage of a few stages, which are run one after the other: see `mcjax.solvers.once`
        return once(t, lambda: generation(state, t))

    def generation(state: _State, t: Array) -> tuple[_State, tuple[Array, Array]]:
        feeds: Any = once(t, lambda: feeds_at(net, t))
        normal, chis = bartlett(feeds, key, t, p=p, program=program)
        parents = once(t, lambda: _parents(state.error, feeds.origin, 0.0))
        feed = Feed(
            normal,
            chis,
            feeds.samples if program.few_rows else None,
            parents,
            weight=jnp.asarray(feeds.weight, dtype),
            sigma=sigma,
        )
        gram, right = normal_equations(feed, t)
        pool = None
        if state.pool is not None:
            pool = gram, right = once(t, lambda: jax.tree.map(jnp.add, state.pool, (gram, right)))
        error, unexplained = _solve(gram, right, t)
        return once(t, lambda: after(state, feeds, (error, unexplained), pool))

    def after(
        state: _State, feeds: Feeds, solved: tuple[Array, Array], pool: Any
    ) -> tuple[_State, tuple[Array, Array]]:
        error, unexplained = solved
        known = _parents(state.known, feeds.origin, True)
        entering = status_before_fit(feeds.samples > 0, known, axis=1)
        if pool is not None:
            incomplete = (entering == Status.RUNNING) & ~state.known  # the pool lacks a generation
            entering = jnp.where(incomplete, int(Status.PARENT_FAILED), entering)
        status = first_that_holds(
            (~jnp.isfinite(error).all(0), Status.OVERFLOW),
            (unexplained < singular_share(error), Status.RANK_DEFICIENT),
            otherwise=Status.CONVERGED,
        )
        status = jnp.where(entering == Status.RUNNING, status, entering)
        kept = status == Status.NOT_FITTED
        fitted = status == Status.CONVERGED
        error = jnp.where(kept[None], state.error, jnp.where(fitted[None], error, 0))
        now = _State(error, known_after(status, state.known), pool)
        return now, (jnp.where(now.known[None], error, jnp.nan), status)

    _, results = lax.scan(step, begin, jnp.arange(program.generations + 1, dtype=jnp.int32))
    return results


def _lanes_last(array: Array) -> Array:
    return jnp.moveaxis(jnp.asarray(array), 0, -1)


def _parents(values: Array, origin: Array, real: bool | float) -> Array:
    """Look up the value of each feed's origin: (..., M, lanes) to (..., M, B, lanes).

    ``real`` is the value of a real source.
    """
    models, place = values.shape[-2], origin.reshape(-1, origin.shape[-1])
    parents = lookup(values, jnp.minimum(place, models - 1), -2)
    return jnp.where(origin < models, parents.reshape(*values.shape[:-2], *origin.shape), real)


def _solve(gram: Any, right: Any, t: Array) -> tuple[Array, Array]:
    """Return solutions (p, M, lanes) and unexplained shares (M, lanes); see `solve_positive`."""
    if isinstance(right, list):
        if len(right) <= RECOMPUTED:
            return once(t, lambda: solve_entries(gram, right))
        return solve_columns(t, gram, right)
    error, unexplained = one_by_one(t, lambda system: solve_swept(*system), (gram, right), 0)
    return jnp.moveaxis(error, 0, 1), unexplained
