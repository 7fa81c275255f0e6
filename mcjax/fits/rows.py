"""Many M-estimates at once, batched by hand: the law of :mod:`mcjax.fits.fit`, near what a
processor can do.

For losses of ``x'theta`` with closed-form slopes. What :func:`~mcjax.fits.fit.fit` says of one fit
(damped Newton steps, when it has ended and how) is done here to whole arrays, fits last, and a test
compares the two. Each trick says what it buys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.families.family import Family
from mcjax.fits.fit import NEWTON_LIMIT, TOLERANCE, Fit
from mcjax.fits.newton import OVERSHOT
from mcjax.solvers.cholesky import singular_share, solve_entries, solve_positive
from mcjax.solvers.once import once, one_kernel
from mcjax.solvers.status import Status

AT_ONCE = 8
"""Up to this p one pass over the rows makes gradient and Hessian; above, there are not registers
enough, and the Hessian is made in blocks of ``BLOCK`` by ``BLOCK``."""
BLOCK = 5
VECTOR = 16
"""Numbers of single precision in the longest vector of a processor."""
LOOK = 4
"""Passes before one looks for separation."""
MOST = 20
"""The largest p: beyond, unrolled factorisations take too long to compile."""


class Rows(NamedTuple):
    """What F fits are of: H even rows and H odd rows each; those with x = 0 are padding.

    Rows are last and contiguous, so that eight or sixteen of them make one vector.

    Attributes
    ----------
    x: even and odd rows, each (p, F, H). y: the same, each (F, H).
    share: makes the shares of all weight that each of two rows has, (F, H). It is called in every
        pass over the rows: to choose between two numbers is quicker than to read many.
    size: rows without padding, (F,).
    """

    x: tuple[Array, Array]
    y: tuple[Array, Array]
    share: Callable[[], Array]
    size: Array


class _Loop(NamedTuple):
    theta: Array  # (p, F)
    step: Array  # (p, F), being tried
    fraction: Array  # how much of it is taken
    slope: Array  # along it where it began
    status: Array
    steps: Array


def fit_rows(family: Family, rows: Rows, start: Array, active: Array) -> Fit:
    """Minimise the weighted mean loss of every data set, as :func:`mcjax.fits.fit.fit` does.

    Parameters
    ----------
    family: its numbers of shapes that broadcast against (F, 1). start: shape (p, F).
    active: shape (F,).

    Returns
    -------
    A :class:`~mcjax.fits.fit.Fit` of shapes (p, F), (F,) and (F,).
    """
    steps, suspect = jnp.zeros(active.shape, jnp.int32), jnp.zeros(active.shape, bool)
    if rows.y[0].dtype != start.dtype:
        # a pass over rows in single precision takes a third of the time; what it finds is where
        # the fit that counts begins, and mostly ends at once
        single = rows.y[0].dtype
        near = _newton(_cast(family, single), rows, start.astype(single), active, suspect)
        use = (near.status == Status.CONVERGED) | (near.status == Status.SEPARATED)
        start = jnp.where(use[None], near.theta.astype(start.dtype), start)
        steps, suspect = near.steps, near.status == Status.SEPARATED
    end = _newton(family, rows, start, active, suspect)
    theta = jnp.where((end.status == Status.CONVERGED)[None], end.theta, jnp.nan)
    return Fit(theta, end.status, steps + end.steps)


def _cast(family: Family, dtype: Any) -> Family:
    return jax.tree.map(lambda leaf: leaf.astype(dtype), family)


def _newton(family: Family, rows: Rows, start: Array, active: Array, suspect: Array) -> _Loop:
    """Newton steps in the precision of ``start``; ``suspect``: whether to look for separation from
    the first pass on."""

    def body(loop: _Loop) -> _Loop:
        sums: tuple[Any, Any]
        if len(start) > AT_ONCE and jax.default_backend() == "cpu":
            sums = _sums_one_by_one(family, rows, loop.theta, loop.status == Status.RUNNING)
        else:
            sums = _sums(family, rows, loop.theta)
        separated = _separated(family, rows, loop, suspect)
        return one_kernel(_advanced, *sums, loop, separated, rows.size)

    zero = jnp.zeros(active.shape, start.dtype)
    begin = _Loop(
        start,
        jnp.zeros_like(start),
        zero + 1,
        zero,
        jnp.where(active, int(Status.RUNNING), int(Status.NOT_FITTED)).astype(jnp.int32),
        jnp.zeros(active.shape, jnp.int32),
    )
    return lax.while_loop(lambda loop: (loop.status == Status.RUNNING).any(), body, begin)


def _advanced(gradient: Any, hessian: Any, loop: _Loop, separated: Array, size: Array) -> _Loop:
    """One step on, from gradient (p, F) and lower triangle of the Hessian (p, p, F), as arrays or
    as lists of entries."""
    dtype, running = loop.theta.dtype, loop.status == Status.RUNNING
    solve = solve_positive if isinstance(hessian, Array) else solve_entries
    solution, unexplained = solve(hessian, gradient)
    lower = [hessian[i][j] for i in range(len(solution)) for j in range(i + 1)]
    g = jnp.stack(list(gradient))
    newton = -solution
    overshot = ~(_dot(g, loop.step) <= OVERSHOT * jnp.abs(loop.slope))
    half = loop.fraction / 2
    update = jnp.where(overshot[None], -half[None] * loop.step, newton)
    fraction = jnp.where(overshot, half, 1)
    length = jnp.sqrt(size.astype(dtype) * jnp.abs(_dot(g, update)))
    longest, at = _largest(update), _largest(loop.theta)
    settled = (fraction == 1) & (length <= TOLERANCE[dtype.name]) & (longest <= 1e-3 * (1 + at))
    finite = jnp.isfinite(reduce(jnp.add, (*g, *lower)))
    steps = loop.steps + 1
    status = jnp.full(running.shape, int(Status.RUNNING), jnp.int32)
    for holds, code in (
        (steps >= NEWTON_LIMIT, Status.STEP_LIMIT),
        (settled, Status.CONVERGED),
        (settled & (unexplained < singular_share(g)), Status.RANK_DEFICIENT),
        ((loop.steps == 0) & ~finite, Status.OVERFLOW),
        (separated, Status.SEPARATED),
    ):
        status = jnp.where(holds, int(code), status)
    after = _Loop(
        loop.theta + update,
        jnp.where(overshot[None], loop.step, newton),
        fraction,
        jnp.where(overshot, loop.slope, _dot(g, newton)),
        status,
        steps,
    )
    # a fit that has ended changes no more, whatever the others of its block do
    return jax.tree.map(
        lambda new, old: jnp.where(running if new.ndim == 1 else running[None], new, old),
        after,
        loop,
    )


def _dot(a: Array, b: Array) -> Array:
    """Sum of products over the first axis. Written out: a reduction over it is no vector loop, and
    is done again for every number made of it."""
    return sum((a[i] * b[i] for i in range(1, len(a))), a[0] * b[0])


def _largest(a: Array) -> Array:
    """The largest size of (p, F), (F,); written out, see :func:`_dot`."""
    return reduce(jnp.maximum, (jnp.abs(a[i]) for i in range(len(a))))


def _separated(family: Family, rows: Rows, loop: _Loop, suspect: Array) -> Array:
    """Whether theta has every row of a fit on its own side, (F,).

    Asked from pass ``LOOK`` on, or from the first where ``suspect``, by a pass of its own: most
    fits end before, and no other does, for the steps of a separated one grow.
    """
    if family.separates is None:
        return jnp.zeros_like(suspect)
    separates, padding = family.separates, 2 * rows.y[0].shape[-1] - rows.size
    due = (loop.status == Status.RUNNING) & (suspect | (loop.steps >= LOOK))

    def ask() -> Array:
        loose: list[Array] = []
        for x, y in zip(rows.x, rows.y, strict=True):
            eta = _eta(x, loop.theta)
            loose.append(jnp.where(separates(eta, y.astype(eta.dtype)), 0, 1).astype(eta.dtype))
        [count] = _reduce([loose[0] + loose[1]])
        return count == padding.astype(count.dtype)

    return due & once(jnp.where(due.any(), 0, -1), ask)


def _eta(x: Array, theta: Array) -> Array:
    """(p, F, H) and (p, F) to (F, H), in the precision of theta."""
    first, *rest = (x[i].astype(theta.dtype) * theta[i][..., None] for i in range(len(theta)))
    return sum(rest, first)


def _sums(family: Family, rows: Rows, theta: Array) -> tuple[list[Array], list[list[Array]]]:
    """Gradient (p) and lower triangle of the Hessian, each (F,)."""
    assert family.slopes is not None  # such a family alone is fitted here
    slopes = family.slopes
    p, dtype = len(theta), theta.dtype
    share = rows.share().astype(dtype)
    found: list[Array] = []
    for x, y in zip(rows.x, rows.y, strict=True):
        slope, curvature = slopes(family.params, _eta(x, theta), y.astype(dtype))
        found += [share * slope, share * curvature]
    even, odd = found[: len(found) // 2], found[len(found) // 2 :]
    xe, xo = ([x[i].astype(dtype) for i in range(p)] for x in rows.x)
    gradients = [xe[i] * even[0] + xo[i] * odd[0] for i in range(p)]

    def products(places: Sequence[tuple[int, int]]) -> list[Array]:
        return [xe[i] * even[1] * xe[j] + xo[i] * odd[1] * xo[j] for i, j in places]

    lower = [(i, j) for i in range(p) for j in range(i + 1)]
    if p <= AT_ONCE:
        total = _reduce(gradients + products(lower))
        gradient, entries = (
            total[: len(gradients)],
            dict(zip(lower, total[-len(lower) :], strict=True)),
        )
    else:
        gradient, entries = _reduce(gradients), {}
        for a in range(0, p, BLOCK):
            for b in range(0, a + 1, BLOCK):
                places = [ij for ij in lower if a <= ij[0] < a + BLOCK and b <= ij[1] < b + BLOCK]
                entries |= dict(zip(places, _reduce(products(places)), strict=True))
    return gradient, [[entries[i, j] for j in range(i + 1)] for i in range(p)]


def _sums_one_by_one(
    family: Family, rows: Rows, theta: Array, running: Array
) -> tuple[Array, Array]:
    """Gradient (p, F) and lower triangle of the Hessian (p, p, F) of the fits that are running; the
    upper one means nothing.

    For processors and p > ``AT_ONCE``, in a loop over fits: what is read of one fit then stays in
    the first cache from block to block, one that has ended costs nothing, and blocks share two
    programs: those on the diagonal one, which makes the gradient as well, all others the other.
    """
    assert family.slopes is not None
    slopes = family.slopes
    (p, fits), dtype, pairs = theta.shape, theta.dtype, rows.y[0].shape[-1]
    padding = -pairs % VECTOR
    square = [(i, j) for i in range(BLOCK) for j in range(BLOCK)]
    count = -(-p // BLOCK)
    below, left = (jnp.asarray(k) for k in np.tril_indices(count, -1))

    def sums(
        params: Any,
        xs: tuple[Array, Array],
        ys: tuple[Array, Array],
        share: Array,
        theta: Array,
        times: Array,
    ) -> tuple[Array, Array]:
        def fit(f: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            def cut(values: Array) -> Array:
                """What is of this fit, padded to whole vectors: no row runs one by one."""
                mine = lax.dynamic_index_in_dim(values, f, values.ndim - 2, keepdims=False)
                return jnp.pad(mine.astype(dtype), [(0, 0)] * (mine.ndim - 1) + [(0, padding)])

            own = jax.tree.map(lambda leaf: leaf[f], params)
            halves: list[tuple[Array, Array, Array]] = []
            for x, y in zip(map(cut, xs), map(cut, ys), strict=True):
                found = slopes(own, _dot(x, theta[:, f]), y)
                slope, curvature = (cut(share) * v for v in found)
                halves.append((x, slope, curvature))

            def part(a: Array) -> list[Array]:
                return [lax.dynamic_slice_in_dim(x, a, BLOCK) for x, _, _ in halves]

            def products(first: list[Array], second: list[Array], i: int, j: int) -> Array:
                even, odd = (
                    u[i] * w[2] * v[j] for u, w, v in zip(first, halves, second, strict=True)
                )
                return even + odd

            # the last block may overlap the one before, and finds the same again
            def begins(block: Array) -> Array:
                return jnp.minimum(block * BLOCK, p - BLOCK)

            def corner(k: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
                gradient, hessian = now
                a = begins(k)
                own = part(a)
                slopes = [own[0][i] * halves[0][1] + own[1][i] * halves[1][1] for i in range(BLOCK)]
                lower = [(i, j) for i, j in square if j <= i]
                total = _reduce(slopes + [products(own, own, i, j) for i, j in lower])
                found = dict(zip(lower, total[BLOCK:], strict=True))
                gradient = put(gradient, total[:BLOCK], (BLOCK, 1), (a, f))
                values = [found[max(ij), min(ij)] for ij in square]
                return gradient, put(hessian, values, (BLOCK, BLOCK, 1), (a, a, f))

            def other(k: Array, hessian: Array) -> Array:
                a, b = begins(below[k]), begins(left[k])
                first, second = part(a), part(b)
                total = _reduce([products(first, second, i, j) for i, j in square])
                return put(hessian, total, (BLOCK, BLOCK, 1), (a, b, f))

            gradient, hessian = lax.fori_loop(0, count, corner, now)
            return gradient, lax.fori_loop(0, len(below), other, hessian)

        def put(to: Array, values: list[Array], shape: tuple[int, ...], at: Any) -> Array:
            return lax.dynamic_update_slice(to, jnp.stack(values).reshape(shape), at)

        # a loop of one step or none: a condition would copy what it changes
        def due(f: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            return lax.fori_loop(0, times[f], lambda _, now: fit(f, now), now)

        begin = jnp.zeros((p, fits), dtype), jnp.zeros((p, p, fits), dtype)
        return lax.fori_loop(0, fits, due, begin)

    times = running.astype(jnp.int32)
    return one_kernel(sums, family.params, rows.x, rows.y, rows.share(), theta, times)


def _reduce(rows: list[Array]) -> list[Array]:
    """Sums over the last axis, all in one loop whose accumulators stay in registers: 13 times the
    speed of a batched matrix product at p = 5. Only a variadic reduction compiles to this."""

    def add(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        return [x + y for x, y in zip(a, b, strict=True)]

    zeros = [jnp.zeros((), rows[0].dtype)] * len(rows)
    return list(lax.reduce(rows, zeros, add, (rows[0].ndim - 1,)))
