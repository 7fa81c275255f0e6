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
from jax import Array, lax

from mcjax.families.family import Family
from mcjax.fits.fit import NEWTON_LIMIT, TOLERANCE, Fit
from mcjax.fits.newton import OVERSHOT
from mcjax.solvers.cholesky import singular_share, solve_entries
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

AT_ONCE = 8
"""Up to this p one pass over the rows makes gradient and Hessian; above, there are not registers
enough, and the Hessian is made in blocks of ``BLOCK`` by ``BLOCK``."""
BLOCK = 5
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
    share: makes the shares of all weight that each of two rows has, (F, H).
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
        separated = _separated(family, rows, loop, suspect)
        return _advanced(*_sums(family, rows, loop), loop, separated, rows.size)

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


def _advanced(
    gradient: list[Array],
    hessian: list[list[Array]],
    loop: _Loop,
    separated: Array,
    size: Array,
) -> _Loop:
    """One step on."""
    dtype, running = loop.theta.dtype, loop.status == Status.RUNNING

    def solve() -> tuple[Array, ...]:
        return jnp.stack(gradient), *solve_entries(hessian, gradient)

    # of large matrices the solution would be worked out again for every number made of it
    g, solution, unexplained = once(loop.steps[0], solve) if len(gradient) > AT_ONCE else solve()
    newton = -solution
    overshot = ~(_dot(g, loop.step) <= OVERSHOT * jnp.abs(loop.slope))
    half = loop.fraction / 2
    update = jnp.where(overshot[None], -half[None] * loop.step, newton)
    fraction = jnp.where(overshot, half, 1)
    length = jnp.sqrt(size.astype(dtype) * jnp.abs(_dot(g, update)))
    longest, at = _largest(update), _largest(loop.theta)
    settled = (fraction == 1) & (length <= TOLERANCE[dtype.name]) & (longest <= 1e-3 * (1 + at))
    finite = jnp.isfinite(sum(gradient) + sum(entry for row in hessian for entry in row))
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


def _sums(family: Family, rows: Rows, loop: _Loop) -> tuple[list[Array], list[list[Array]]]:
    """Gradient (p) and lower triangle of the Hessian, each (F,)."""
    assert family.slopes is not None  # such a family alone is fitted here
    slopes = family.slopes
    p, dtype = len(loop.theta), loop.theta.dtype

    def residuals() -> tuple[Array, ...]:
        found: list[Array] = []
        share = rows.share().astype(dtype)
        for x, y in zip(rows.x, rows.y, strict=True):
            slope, curvature = slopes(family.params, _eta(x, loop.theta), y.astype(dtype))
            found += [share * slope, share * curvature]
        return tuple(found)

    at_once = p <= AT_ONCE
    found = residuals() if at_once else once(loop.steps[0], residuals)
    even, odd = found[: len(found) // 2], found[len(found) // 2 :]
    xe, xo = ([x[i].astype(dtype) for i in range(p)] for x in rows.x)
    gradients = [xe[i] * even[0] + xo[i] * odd[0] for i in range(p)]

    def products(places: Sequence[tuple[int, int]]) -> list[Array]:
        return [xe[i] * even[1] * xe[j] + xo[i] * odd[1] * xo[j] for i, j in places]

    lower = [(i, j) for i in range(p) for j in range(i + 1)]
    if at_once:
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


def _reduce(rows: list[Array]) -> list[Array]:
    """Sums over the last axis, all in one loop whose accumulators stay in registers: 13 times the
    speed of a batched matrix product at p = 5. Only a variadic reduction compiles to this."""

    def add(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        return [x + y for x, y in zip(a, b, strict=True)]

    zeros = [jnp.zeros((), rows[0].dtype)] * len(rows)
    return list(lax.reduce(rows, zeros, add, (rows[0].ndim - 1,)))
