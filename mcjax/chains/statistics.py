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

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import Feeds
from mcjax.chains.lookup import lookup
from mcjax.chains.program import ConditionArrays, Program, Trajectory
from mcjax.chains.step import known_after, status_before_fit
from mcjax.draws.samplers import GAMMA_RAISES, GAMMA_SWITCH, chi, graded_uniform, normal_pair
from mcjax.draws.streams import STATISTIC
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import first_that_holds
from mcjax.solvers.cholesky import UNROLLED, singular_share, solve_entries, solve_swept
from mcjax.solvers.once import once, one_by_one
from mcjax.solvers.status import Status

Lower = list[list[Array]]
"""Rows of lower triangles: entries (i, j) for j <= i, arrays of one shape."""

FEW_ROWS = int(2 * GAMMA_SWITCH)
"""Smallest number of degrees of freedom for which a chi variate needs no extra uniforms."""

TERMS = 64
"""Number of terms of a sum that one loop adds; of 200 it makes no vector instructions."""

WRITTEN_OUT = 8 * TERMS
"""Up to this number of terms all loops are written out, and otherwise those of one column, as their
number decides how long they compile. Written out they are up to a third faster."""


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
    # F^-T error, column by column because F differs between lanes
    columns = (back[None, :, k, None] * white[:, k, None] for k in range(len(truth)))
    theta = truth[None, :, None] + sum(columns)
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
    if p <= UNROLLED:
        zero = jnp.zeros(shape, dtype)
        empty = [[zero] * (i + 1) for i in range(p)], [zero] * p
    begin = _State(
        jnp.zeros((p, *shape), dtype),
        jnp.ones(shape, bool),
        empty if program.memory.adds_up else None,
    )
    key = _lanes_last(keys)[:, None, None]

    def step(state: _State, t: Array) -> tuple[_State, tuple[Array, Array]]:
        feeds: Any = feeds_at(net, t)
        entering = status_before_fit(
            feeds.samples > 0, _parents(state.known, feeds.origin, True), axis=1
        )
        gram, right = _sums(feeds, error=state.error, sigma=sigma, key=key, t=t, program=program)
        pool = None
        if state.pool is not None:
            pool = gram, right = jax.tree.map(jnp.add, state.pool, (gram, right))
            incomplete = (entering == Status.RUNNING) & ~state.known  # the pool lacks a generation
            entering = jnp.where(incomplete, int(Status.PARENT_FAILED), entering)
        error, unexplained = _solve(gram, right, t)
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


def _sums(
    feeds: Feeds, error: Array, sigma: Array, key: Array, t: Array, program: Program
) -> tuple[Any, Any]:
    """Return ``sum_b w_b S_b`` and ``sum_b w_b (S_b e_b + X_b' eps_b)`` for every model's fit.

    The shapes are (M, p, p, lanes) and (M, p, lanes). Up to p = ``UNROLLED`` they are lists of
    entries of shape (M, lanes), those of S the rows of its lower triangle.
    """
    p = error.shape[0]
    normal, chis = _bartlett(feeds, key, t, p=p, program=program)
    weight, origin = jnp.asarray(feeds.weight, error.dtype), jnp.asarray(feeds.origin)
    samples = feeds.samples if program.few_rows else None

    parents = once(t, lambda: _parents(error, origin, 0.0))
    feed = _Feed(normal, chis, samples, parents, weight=weight, sigma=sigma)
    if p <= UNROLLED:
        return _by_entries(feed, t)
    return one_by_one(t, lambda model: _by_columns(_Feed(*model, sigma=sigma[0]), t), feed[:-1], -3)


class _Feed(NamedTuple):
    """Holds what the sums of a feed are computed from; ``e`` are the errors of its origin."""

    normal: Array  # see `_bartlett`, (2 half, M, B, lanes)
    chis: Array  # the diagonal of L, (p, M, B, lanes)
    samples: Array | None  # (M, B, lanes), where columns of L may be zero
    parents: Array  # e, (p, M, B, lanes)
    weight: Array  # (M, B, lanes)
    sigma: Array


# S e + X' eps = L (L' e + sigma z): first the vector in brackets, then times L


def _by_entries(feed: _Feed, t: Array) -> tuple[Lower, list[Array]]:
    """Return the sums over feeds, with all arithmetic written out entry by entry."""
    p, dtype = len(feed.chis), feed.parents.dtype
    lower, z = _entries(feed.normal, feed.chis, feed.samples)

    def entry(i: int, k: int) -> Array:
        return lower[i, k].astype(dtype)

    def along() -> list[Array]:
        return [
            feed.sigma * z[k].astype(dtype)
            + sum(entry(i, k) * feed.parents[i] for i in range(k, p))
            for k in range(p)
        ]

    inner = once(t, along)  # or each entry of the right-hand side would compute it again

    def sums() -> tuple[Lower, list[Array]]:
        gram, right = [], []
        for i in range(p):
            right.append((feed.weight * sum(entry(i, k) * inner[k] for k in range(i + 1))).sum(1))
            products = (sum(entry(i, k) * entry(j, k) for k in range(j + 1)) for j in range(i + 1))
            gram.append([(feed.weight * product).sum(1) for product in products])
        return gram, right

    return once(t, sums)


def _entries(
    normal: Array, chis: Array, samples: Array | None
) -> tuple[dict[tuple[int, int], Array], list[Array]]:
    """Return the entries of L and the vector z of every feed, each of shape (M, B, lanes)."""
    p = len(chis)
    lower = {(i, i): chis[i] for i in range(p)}
    for at, (i, j) in enumerate(_below(p), 2 * p):
        lower[i, j] = normal[at] if samples is None else jnp.where(samples > j, normal[at], 0)
    return lower, [normal[k] for k in range(p, 2 * p)]


def _by_columns(feed: _Feed, t: Array) -> tuple[Array, Array]:
    """Return the same sums of one model, in loops over entries of L.

    They compile as quickly whatever p. Arrays of the feed have no axis M.
    """
    p, dtype = len(feed.chis), feed.parents.dtype
    place, below = np.zeros((p, p), np.int32), np.tri(p, k=-1, dtype=bool)
    place[tuple(np.transpose(_below(p)))] = 2 * p + np.arange(p * (p - 1) // 2)

    def columns() -> Array:
        # (p, p, B, lanes): columns of L first, then rows
        strict, diagonal = (mask.T[..., None, None] for mask in (below, np.eye(p, dtype=bool)))
        if feed.samples is not None:
            number = np.arange(p, dtype=np.int32)[:, None, None, None]
            strict = strict & (feed.samples[None, None] > number)
        return jnp.where(diagonal, feed.chis[None], jnp.where(strict, feed.normal[place.T], 0))

    lower = once(t, columns)

    def dot(i: Array, total: Array) -> Array:
        row, error = (
            lax.dynamic_index_in_dim(a, i, axis, False, allow_negative_indices=False)
            for a, axis in ((lower, 1), (feed.parents, 0))
        )
        return total + row.astype(dtype) * error[None]

    z = feed.sigma[None] * feed.normal[p : 2 * p].astype(dtype)
    inner = lax.fori_loop(jnp.int32(0), jnp.int32(p), dot, z)

    def factors() -> Array:
        # (p, B, p + 1, lanes): columns of L, each with its entry of the vector
        return jnp.concatenate([jnp.moveaxis(lower, 2, 1).astype(dtype), inner[:, :, None]], 2)

    right = once(t, factors)
    slots = range(right.shape[1])

    def more(system: Array | float, some: Sequence[tuple[int, int]], columns: Array) -> Array:
        for k, b in some:
            left = feed.weight[b, None] * columns[k, b, :p]
            system += left[:, None] * columns[k, b, None]
        return jnp.asarray(system)

    def summed(system: Array | float, columns: Array) -> Array:
        terms = [(k, b) for k in range(len(columns)) for b in slots]
        for begin in range(0, len(terms), TERMS):
            some = terms[begin : begin + TERMS]
            system = once(t, partial(more, system, some, columns))
        return jnp.asarray(system)

    def column(k: Array, system: Array) -> Array:
        return summed(system, once(k, lambda: lax.dynamic_slice_in_dim(right, k, 1)))

    if p * len(slots) <= WRITTEN_OUT:
        system = summed(0.0, right)
    else:
        zero = jnp.zeros((p, p + 1, right.shape[-1]), dtype)
        system = lax.fori_loop(jnp.int32(0), jnp.int32(p), column, zero)
    return system[:, :p], system[:, p]


def _below(p: int) -> list[tuple[int, int]]:
    """Return the places of L below the diagonal, in the order in which they are drawn."""
    return [(i, j) for i in range(p) for j in range(i)]


def _bartlett(feeds: Feeds, key: Array, t: Array, p: int, program: Program) -> tuple[Array, Array]:
    """Draw normals and the diagonal of L for every feed.

    Of the ``p (p + 3) / 2`` normals, the first p make the diagonal of L, the next p are z, and the
    others fill L below the diagonal, row by row. They have shape (2 half, M, B, lanes), where one
    may be left over. The diagonal has shape (p, M, B, lanes).
    """
    dtype = jnp.dtype(program.draw_dtype)
    half = -(-p * (p + 3) // 4)
    streams = _streams(feeds, key, t)
    # stages of their own, as in `mcjax.chains.fast_rows`: together they run out of registers
    words = _pair(t, lambda: _words(streams, count=half, kind=0))
    drawn = once(t, lambda: lax.complex(*normal_pair(words, dtype)))
    # as one array, because entries of it are read in place, and parts of complex numbers are not
    normal = once(t, lambda: jnp.concatenate([drawn.real, drawn.imag]))

    def diagonal() -> Array:
        uniforms = []
        if program.few_rows:
            half_each = GAMMA_RAISES // 2  # a counter gives two words
            words, finer = (_words(streams, count=p * half_each, kind=kind) for kind in (1, 2))
            # inverses of small chi variates have heavy tails
            halves = [graded_uniform(*pair, dtype) for pair in zip(words, finer, strict=True)]
            each = [u.reshape(p, half_each, *u.shape[1:]) for u in halves]
            uniforms = [u[:, j] for u in each for j in range(half_each)]
        lost = jnp.arange(p, dtype=feeds.samples.dtype)  # which may have 64 bits
        degrees = feeds.samples[None] - lost[:, None, None, None]
        return chi(normal[:p], degrees.astype(dtype), uniforms)

    return normal, once(t, diagonal)


def _streams(feeds: Feeds, key: Array, t: Array) -> tuple[Array, Array]:
    """Return the two words of the stream key of every feed, each of shape (M, B, lanes)."""
    stamp = jnp.where(feeds.renewed, t, 0).astype(jnp.uint32)

    return _pair(t, lambda: threefry((key[0], key[1]), (stamp, feeds.stream)))


def _pair(t: Array, compute: Callable[[], tuple[Array, Array]]) -> tuple[Array, Array]:
    """Compute two words in one loop, as one array of complex numbers, and store them."""
    drawn = once(
        t, lambda: lax.complex(*(lax.bitcast_convert_type(a, jnp.float32) for a in compute()))
    )
    first, second = (lax.bitcast_convert_type(a, jnp.uint32) for a in (drawn.real, drawn.imag))
    return first, second


def _words(streams: tuple[Array, Array], count: int, kind: int) -> tuple[Array, Array]:
    """Return ``count`` pairs of words for every feed, each of shape (count, M, B, lanes)."""
    first, second = (word[None] for word in streams)
    place = lax.broadcasted_iota(jnp.uint32, (count, *streams[0].shape), 0)
    return threefry((first, second), (place, jnp.uint32(STATISTIC + kind)))


def _solve(gram: Any, right: Any, t: Array) -> tuple[Array, Array]:
    """Return solutions (p, M, lanes) and unexplained shares (M, lanes); see `solve_positive`."""
    if isinstance(right, list):
        return once(t, lambda: solve_entries(gram, right))
    error, unexplained = one_by_one(t, lambda system: solve_swept(*system), (gram, right), 0)
    return jnp.moveaxis(error, 0, 1), unexplained
