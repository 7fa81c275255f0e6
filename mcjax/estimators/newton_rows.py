"""Newton's method for many data sets at once, batched by hand, near what a processor can do.

This is :class:`~mcjax.estimators.newton.Newton` (damped steps, when a fit has ended and how) for
models of a linear predictor, written for whole arrays whose last axis is the fits; a test compares
the two. Each trick says what it buys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from mcjax.estimators.estimator import TOLERANCE, Fit, Problem, first_that_holds
from mcjax.estimators.newton import NEWTON_LIMIT, OVERSHOT
from mcjax.estimators.predictor import LinearPredictor
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
    x: of even and of odd rows, (2, p, F, H). y: the same, (2, F, H).
    share: makes the shares of all weight that each of two rows has, (F, H).
    size: rows without padding, in the precision of the fit, (F,).
    """

    x: Array
    y: Array
    share: Callable[[], Array]
    size: Array

    def column(self, odd: int, i: int, dtype: Any) -> Array:
        """(F, H); in one slice, for a slice of a slice is stored."""
        end = (odd + 1, i + 1, *self.x.shape[2:])
        return lax.squeeze(lax.slice(self.x, (odd, i, 0, 0), end), (0, 1)).astype(dtype)

    def eta(self, odd: int, theta: Array) -> Array:
        """x'theta, (F, H), in the precision of theta."""
        first, *rest = (
            self.column(odd, i, theta.dtype) * theta[i][..., None] for i in range(len(theta))
        )
        return sum(rest, first)


class _Loop(NamedTuple):
    """In two arrays, for each would be one loop more of the compiled program."""

    numbers: Array  # (2 p + 2, F)
    codes: Array  # (2, F)

    @property
    def theta(self) -> Array:
        return self.numbers[: len(self.numbers) // 2 - 1]

    @property
    def step(self) -> Array:
        """Being tried, (p, F)."""
        return self.numbers[len(self.numbers) // 2 - 1 : -2]

    @property
    def fraction(self) -> Array:
        """How much of it is taken."""
        return self.numbers[-2]

    @property
    def slope(self) -> Array:
        """Along it where it began."""
        return self.numbers[-1]

    @property
    def status(self) -> Array:
        return self.codes[0]

    @property
    def steps(self) -> Array:
        return self.codes[1]


def fit_rows(model: Problem, rows: Rows, start: Array, status: Array) -> Fit:
    """Minimise the weighted mean loss of every data set by damped Newton steps.

    Parameters
    ----------
    model : Problem
        A model of a linear predictor, whose numbers broadcast against (F, 1).
    rows : Rows
        The data of F fits.
    start : Array
        Shape (p, F).
    status : Array
        int32, shape (F,). Fits that are not ``RUNNING`` stay as they are.

    Returns
    -------
    Fit
        Of shapes (p, F), (F,) and (F,).
    """
    steps, suspect = jnp.zeros_like(status), jnp.zeros(status.shape, bool)
    if rows.x.dtype != start.dtype:
        # a pass over rows in single precision takes a third of the time; what it finds is where
        # the fit that counts begins, and mostly ends at once
        single = rows.x.dtype
        near = _newton(_cast(model, single), rows, start.astype(single), status, suspect)
        use = (near.status == Status.CONVERGED) | (near.status == Status.SEPARATED)
        start = jnp.where(use[None], near.theta.astype(start.dtype), start)
        steps, suspect = near.steps, near.status == Status.SEPARATED
    end = _newton(model, rows, start, status, suspect)
    theta = jnp.where((end.status == Status.CONVERGED)[None], end.theta, jnp.nan)
    return Fit(theta, end.status, steps + end.steps)


def predictor_of(model: Problem) -> LinearPredictor:
    """Return the scalar form of a model that is fitted here."""
    assert model.predictor is not None, "only models of a linear predictor run on the fast path"
    return model.predictor


def _cast(model: Problem, dtype: Any) -> Problem:
    return jax.tree.map(lambda leaf: leaf.astype(dtype), model)


def _newton(model: Problem, rows: Rows, start: Array, status: Array, suspect: Array) -> _Loop:
    """Newton steps in the precision of ``start``; ``suspect``: whether to look for separation from
    the first pass on."""

    def body(loop: _Loop) -> _Loop:
        separated = _separated(model, rows, loop, suspect)
        return _advanced(*_sums(model, rows, loop), loop, separated, rows.size)

    row = jnp.zeros_like(start[:1])
    begin = _Loop(
        jnp.concatenate([start, jnp.zeros_like(start), row + 1, row]),
        jnp.stack([status, jnp.zeros_like(status)]),
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

    def solve() -> list[Array]:
        solution, unexplained = solve_entries(hessian, gradient)
        slopes = (_dot(gradient, step)[None] for step in (-solution, loop.step))
        return [-solution, unexplained[None], *slopes]

    if len(gradient) > AT_ONCE:
        # of large matrices all this would be worked out again for every number made of it
        solved = once(loop.steps[0], lambda: jnp.concatenate(solve()))
        newton, others = solved[:-3], list(solved[-3:, None])
    else:
        newton, *others = solve()
    unexplained, slope, along = (each[0] for each in others)
    overshot = ~(along <= OVERSHOT * jnp.abs(loop.slope))
    half = loop.fraction / 2
    update = jnp.where(overshot[None], -half[None] * loop.step, newton)
    fraction = jnp.where(overshot, half, 1)
    length = jnp.sqrt(size.astype(dtype) * jnp.abs(jnp.where(overshot, half * along, slope)))
    longest, at = _largest(update), _largest(loop.theta)
    settled = (fraction == 1) & (length <= TOLERANCE[dtype.name]) & (longest <= 1e-3 * (1 + at))
    # the other entries of a sum of squares are not larger than those on the diagonal
    finite = jnp.isfinite(sum(gradient) + sum(row[-1] for row in hessian))
    steps = loop.steps + 1
    status = first_that_holds(
        (separated, Status.SEPARATED),
        ((loop.steps == 0) & ~finite, Status.OVERFLOW),
        (settled & (unexplained < singular_share(newton)), Status.RANK_DEFICIENT),
        (settled, Status.CONVERGED),
        (steps >= NEWTON_LIMIT, Status.STEP_LIMIT),
    )
    step = jnp.where(overshot[None], loop.step, newton)
    slope = jnp.where(overshot, loop.slope, slope)
    after = _Loop(
        jnp.concatenate([loop.theta + update, step, fraction[None], slope[None]]),
        jnp.stack([status, steps]),
    )
    # a fit that has ended changes no more, whatever the others of its block do
    return jax.tree.map(lambda new, old: jnp.where(running[None], new, old), after, loop)


def _dot(a: Sequence[Array] | Array, b: Array) -> Array:
    """Sum of products over the first axis. Written out: a reduction over it is no vector loop, and
    is done again for every number made of it."""
    return sum((a[i] * b[i] for i in range(1, len(a))), a[0] * b[0])


def _largest(a: Array) -> Array:
    """The largest size of (p, F), (F,); written out, see :func:`_dot`."""
    return reduce(jnp.maximum, (jnp.abs(a[i]) for i in range(len(a))))


def _separated(model: Problem, rows: Rows, loop: _Loop, suspect: Array) -> Array:
    """Whether theta has every row of a fit on its own side, (F,).

    Asked from pass ``LOOK`` on, or from the first where ``suspect``, by a pass of its own: most
    fits end before, and no other does, for the steps of a separated one grow.
    """
    separates = predictor_of(model).separates
    if separates is None:
        return jnp.zeros_like(suspect)
    due = (loop.status == Status.RUNNING) & (suspect | (loop.steps >= LOOK))

    def ask() -> Array:
        dtype = loop.theta.dtype
        apart = (
            separates(rows.eta(odd, loop.theta), rows.y[odd].astype(dtype)) for odd in range(2)
        )
        loose = _reduce([jnp.where(each, 0, 1).astype(dtype) for each in apart])
        # padding alone is not apart
        return loose[0] + loose[1] + rows.size.astype(dtype) == 2 * rows.y.shape[-1]

    return due & once(jnp.where(due.any(), 0, -1), ask)


def _sums(model: Problem, rows: Rows, loop: _Loop) -> tuple[list[Array], list[list[Array]]]:
    """Gradient (p) and lower triangle of the Hessian, each (F,)."""
    derivatives = predictor_of(model).derivatives
    p, dtype = len(loop.theta), loop.theta.dtype

    def residuals() -> tuple[Array, ...]:
        found: list[Array] = []
        share = rows.share().astype(dtype)
        for odd in range(2):
            eta, y = rows.eta(odd, loop.theta), rows.y[odd].astype(dtype)
            slope, curvature = derivatives(model.params, eta, y)
            found += [share * slope, share * curvature]
        return tuple(found)

    at_once = p <= AT_ONCE
    found = residuals() if at_once else once(loop.steps[0], residuals)
    even, odd = found[: len(found) // 2], found[len(found) // 2 :]
    xe, xo = ([rows.column(odd, i, dtype) for i in range(p)] for odd in range(2))
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
