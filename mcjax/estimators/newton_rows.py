"""Newton's method for many data sets at once, batched by hand, close to the speed of the hardware.

This is :class:`~mcjax.estimators.newton.Newton`, with the same steps and the same convergence
rules, for models of a linear predictor. It works on whole arrays whose last axis is the F fits; a
test compares the two. Each optimisation states what it gains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int32

from mcjax.estimators.estimator import TOLERANCE, Fit, Problem, first_that_holds
from mcjax.estimators.newton import NEWTON_LIMIT, OVERSHOT
from mcjax.estimators.objective import has_minimum
from mcjax.estimators.predictor import LinearPredictor
from mcjax.solvers.cholesky import singular_share, solve_entries
from mcjax.solvers.once import once
from mcjax.solvers.status import Status

AT_ONCE = 8
"""Largest p for which one pass over the rows computes both gradient and Hessian. Beyond that there
are too few registers, and the Hessian is computed in blocks of ``BLOCK`` by ``BLOCK``."""
BLOCK = 5
LOOK = 4
"""Number of passes before the first check for separation."""
MOST = 20
"""Largest p supported; the unrolled loops of more parameters take too long to compile."""


class Rows(NamedTuple):
    """The data of F fits: H even and H odd rows each; rows with x = 0 are padding.

    Rows are last and contiguous, so that eight or sixteen of them fill one vector register.

    Attributes
    ----------
    x : Array
        Covariates of the even and the odd rows, shape (2, p, F, H).
    y : Array
        Labels of the even and the odd rows, shape (2, F, H).
    share : callable
        Returns the weight of a row as a share of the total weight, the same for both rows of a
        pair, shape (F, H).
    size : Array
        Number of rows without padding, in the precision of the fit, shape (F,).
    """

    x: Float[Array, "2 p F H"]
    y: Float[Array, "2 F H"]
    share: Callable[[], Float[Array, "F H"]]
    size: Float[Array, " F"]

    def column(self, odd: int, i: int, dtype: Any) -> Float[Array, "F H"]:
        """Return one covariate, (F, H), by a single slice: a slice of a slice would be stored."""
        end = (odd + 1, i + 1, *self.x.shape[2:])
        return lax.squeeze(lax.slice(self.x, (odd, i, 0, 0), end), (0, 1)).astype(dtype)

    def eta(self, odd: int, theta: Float[Array, "p F"]) -> Float[Array, "F H"]:
        """Return ``x'theta``, (F, H), in the precision of theta."""
        first, *rest = (
            self.column(odd, i, theta.dtype) * theta[i][..., None] for i in range(len(theta))
        )
        return sum(rest, first)


class _Loop(NamedTuple):
    """State of F fits, in two arrays: each further array would cost another compiled loop."""

    numbers: Array  # (2 p + 2, F)
    codes: Array  # (2, F)

    @property
    def theta(self) -> Array:
        return self.numbers[: len(self.numbers) // 2 - 1]

    @property
    def step(self) -> Array:
        """Return the step being tried, (p, F)."""
        return self.numbers[len(self.numbers) // 2 - 1 : -2]

    @property
    def fraction(self) -> Array:
        """Return the fraction of the step that is taken, (F,)."""
        return self.numbers[-2]

    @property
    def slope(self) -> Array:
        """Return the slope along the step at its start, (F,)."""
        return self.numbers[-1]

    @property
    def status(self) -> Array:
        return self.codes[0]

    @property
    def steps(self) -> Array:
        return self.codes[1]


def fit_rows(
    model: Problem, rows: Rows, start: Float[Array, "p F"], status: Int32[Array, " F"]
) -> Fit:
    """Minimise the weighted mean loss of every data set, and a penalty, by damped Newton steps.

    Parameters
    ----------
    model : Problem
        A model of a linear predictor, whose numbers broadcast against (F, 1).
    rows : Rows
        The data of F fits.
    start : Array
        Where iterations begin, shape (p, F).
    status : Array
        int32, shape (F,). Fits that are not ``RUNNING`` are left unchanged.

    Returns
    -------
    Fit
        Estimates (p, F), statuses (F,) and steps (F,).
    """
    steps, suspect = jnp.zeros_like(status), jnp.zeros(status.shape, bool)
    if rows.x.dtype != start.dtype:
        # A pass over rows in single precision takes a third of the time. Its result is the start of
        # the fit in double precision, which then usually converges in its first step.
        single = rows.x.dtype
        near = newton(
            _cast(model, single), rows, start.astype(single), status=status, suspect=suspect
        )
        use = (near.status == Status.CONVERGED) | (near.status == Status.SEPARATED)
        start = jnp.where(use[None], near.theta.astype(start.dtype), start)
        steps, suspect = near.steps, near.status == Status.SEPARATED
    end = newton(model, rows, start, status=status, suspect=suspect)
    theta = jnp.where((end.status == Status.CONVERGED)[None], end.theta, jnp.nan)
    return Fit(theta, end.status, steps + end.steps)


def predictor_of(model: Problem) -> LinearPredictor:
    """Return the linear predictor of a model, which must have one."""
    assert model.predictor is not None, "only models of a linear predictor run on the fast path"
    return model.predictor


def _cast(model: Problem, dtype: Any) -> Problem:
    cast: Problem = jax.tree.map(lambda leaf: leaf.astype(dtype), model)
    return cast


def newton(model: Problem, rows: Rows, start: Array, *, status: Array, suspect: Array) -> _Loop:
    """Take Newton steps in the precision of ``start`` until every fit has ended.

    ``suspect``, (F,), marks the fits to check for separation from the first pass on.
    """

    def body(loop: _Loop) -> _Loop:
        separated = _separated(model, rows, loop, suspect)
        derivatives = _sums(model, rows, loop)
        return _advanced(
            *derivatives, loop, separated=separated, size=rows.size, minimum=has_minimum(model)
        )

    zero = jnp.zeros_like(start[:1])
    begin = _Loop(
        # theta, step, fraction, slope
        jnp.concatenate([start, jnp.zeros_like(start), zero + 1, zero]),
        jnp.stack([status, jnp.zeros_like(status)]),
    )
    return lax.while_loop(lambda loop: (loop.status == Status.RUNNING).any(), body, begin)


def _advanced(
    gradient: list[Array],
    hessian: list[list[Array]],
    loop: _Loop,
    *,
    separated: Array,
    size: Array,
    minimum: bool,
) -> _Loop:
    """Return the state after one more step, given gradient and Hessian at ``loop.theta``.

    ``minimum`` tells whether the loss has a minimum whatever the rows.
    """
    dtype, running = loop.theta.dtype, loop.status == Status.RUNNING

    def solve() -> list[Array]:
        solution, unexplained = solve_entries(hessian, gradient)
        slopes = (dot(gradient, step)[None] for step in (-solution, loop.step))
        return [-solution, unexplained[None], *slopes]

    if len(gradient) > AT_ONCE:
        # without `once`, large systems would be solved again for every number computed from them
        solved = once(loop.steps[0], lambda: jnp.concatenate(solve()))
        newton, others = solved[:-3], list(solved[-3:, None])
    else:
        newton, *others = solve()
    # slope at theta along the new step, and along the step that led here
    unexplained, slope, along = (row[0] for row in others)
    overshot = ~(along <= OVERSHOT * jnp.abs(loop.slope))
    half = loop.fraction / 2
    update = jnp.where(overshot[None], -half[None] * loop.step, newton)
    fraction = jnp.where(overshot, half, 1)
    length = jnp.sqrt(size.astype(dtype) * jnp.abs(jnp.where(overshot, half * along, slope)))
    longest, at = _largest(update), _largest(loop.theta)
    settled = (fraction == 1) & (length <= TOLERANCE[dtype.name]) & (longest <= 1e-3 * (1 + at))
    # no entry of a positive semi-definite matrix is larger than the largest on its diagonal
    finite = jnp.isfinite(sum(gradient) + sum(row[-1] for row in hessian))
    vanished = (jnp.sqrt(size.astype(dtype) * jnp.abs(slope)) <= TOLERANCE[dtype.name]) & (
        not minimum
    )
    steps = loop.steps + 1
    status = first_that_holds(
        (separated, Status.SEPARATED),
        ((loop.steps == 0) & ~finite, Status.OVERFLOW),
        (settled & (unexplained < singular_share(newton)), Status.RANK_DEFICIENT),
        (settled, Status.CONVERGED),
        ((steps >= NEWTON_LIMIT) & vanished, Status.SEPARATED),  # theta is still on its way
        (steps >= NEWTON_LIMIT, Status.STEP_LIMIT),
    )
    step = jnp.where(overshot[None], loop.step, newton)
    slope = jnp.where(overshot, loop.slope, slope)
    after = _Loop(
        jnp.concatenate([loop.theta + update, step, fraction[None], slope[None]]),
        jnp.stack([status, steps]),
    )
    # a fit that has ended no longer changes, whatever the others of its block do
    return _Loop(
        *(jnp.where(running[None], new, old) for new, old in zip(after, loop, strict=True))
    )


def dot(a: Sequence[Array] | Array, b: Array) -> Array:
    """Sum products over the first axis: (p, F), (p, F) to (F,).

    The sum is written out because XLA does not vectorise a reduction over the first axis, and
    repeats it for every number computed from it.
    """
    return sum((a[i] * b[i] for i in range(1, len(a))), a[0] * b[0])


def _largest(a: Array) -> Array:
    """Return the largest absolute value over the first axis, written out as in :func:`dot`."""
    return reduce(jnp.maximum, (jnp.abs(a[i]) for i in range(len(a))))


def _separated(model: Problem, rows: Rows, loop: _Loop, suspect: Array) -> Array:
    """Whether theta separates the labels of a fit, (F,).

    The check is a separate pass over the rows, from pass ``LOOK`` on, or from the first if
    ``suspect``. Most fits have converged before; separated ones have not, because their steps grow.
    """
    separates = predictor_of(model).separates
    if separates is None or model.penalty is not None:
        return jnp.zeros_like(suspect)
    due = (loop.status == Status.RUNNING) & (suspect | (loop.steps >= LOOK))

    def ask() -> Array:
        dtype = loop.theta.dtype
        apart = (
            separates(rows.eta(odd, loop.theta), rows.y[odd].astype(dtype)) for odd in range(2)
        )
        loose = sum_rows([jnp.where(half, 0, 1).astype(dtype) for half in apart])
        # every row is apart except the padding, whose eta is 0
        return loose[0] + loose[1] + rows.size.astype(dtype) == 2 * rows.y.shape[-1]

    return due & once(jnp.where(due.any(), 0, -1), ask)


def _sums(model: Problem, rows: Rows, loop: _Loop) -> tuple[list[Array], list[list[Array]]]:
    """Return gradient (p entries) and lower triangle of the Hessian, each entry of shape (F,).

    They are those of the weighted mean loss, and of the penalty if there is one.
    """
    derivatives = predictor_of(model).derivatives
    p, dtype = len(loop.theta), loop.theta.dtype

    def residuals() -> tuple[Array, ...]:
        terms: list[Array] = []
        share = rows.share().astype(dtype)
        for odd in range(2):
            eta, y = rows.eta(odd, loop.theta), rows.y[odd].astype(dtype)
            slope, curvature = derivatives(model.params, eta, y)
            terms += [share * slope, share * curvature]
        return tuple(terms)

    at_once = p <= AT_ONCE
    # for even and for odd rows: weighted slope and curvature of the loss in eta, each (F, H)
    terms = residuals() if at_once else once(loop.steps[0], residuals)
    even, odd = terms[: len(terms) // 2], terms[len(terms) // 2 :]
    xe, xo = ([rows.column(odd, i, dtype) for i in range(p)] for odd in range(2))
    gradients = [xe[i] * even[0] + xo[i] * odd[0] for i in range(p)]

    def products(places: Sequence[tuple[int, int]]) -> list[Array]:
        return [xe[i] * even[1] * xe[j] + xo[i] * odd[1] * xo[j] for i, j in places]

    lower = [(i, j) for i in range(p) for j in range(i + 1)]
    if at_once:
        total = sum_rows(gradients + products(lower))
        gradient, entries = (
            total[: len(gradients)],
            dict(zip(lower, total[-len(lower) :], strict=True)),
        )
    else:
        gradient, entries = sum_rows(gradients), {}
        for a in range(0, p, BLOCK):
            for b in range(0, a + 1, BLOCK):
                places = [ij for ij in lower if a <= ij[0] < a + BLOCK and b <= ij[1] < b + BLOCK]
                entries |= dict(zip(places, sum_rows(products(places)), strict=True))
    if model.penalty is not None:
        strength = jnp.ravel(model.penalty.shrinkage)  # one for all fits, or (F,)
        gradient = [gradient[i] + strength * loop.theta[i] for i in range(p)]
        entries |= {(i, i): entries[i, i] + strength for i in range(p)}
    return gradient, [[entries[i, j] for j in range(i + 1)] for i in range(p)]


def sum_rows(rows: list[Array]) -> list[Array]:
    """Sum several arrays over their last axis in one loop: (F, H) to (F,) each.

    The accumulators stay in registers, which at p = 5 is 13 times as fast as a batched matrix
    product. Only a variadic reduction compiles to such a loop.
    """

    def add(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        return [x + y for x, y in zip(a, b, strict=True)]

    zeros = [jnp.zeros((), rows[0].dtype)] * len(rows)
    return list(lax.reduce(rows, zeros, add, (rows[0].ndim - 1,)))
