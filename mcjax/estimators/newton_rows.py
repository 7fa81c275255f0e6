"""Newton's method for many data sets at once, batched by hand, close to the speed of the hardware.

This is :class:`~mcjax.estimators.newton.Newton`, with the same steps and the same convergence
rules, for models of a linear predictor. It works on whole arrays whose last axis is the F fits; a
test compares the two. Each optimisation states what it gains.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int32

from mcjax.estimators.estimator import TOLERANCE, Fit, Problem, first_that_holds
from mcjax.estimators.newton import NEWTON_LIMIT, OVERSHOT
from mcjax.estimators.newton_sums import NewtonStep, newton_step, predictor_of
from mcjax.estimators.objective import has_minimum
from mcjax.estimators.rows import Rows, sum_rows
from mcjax.solvers.cholesky import singular_share
from mcjax.solvers.once import hidden, where_needed
from mcjax.solvers.status import Status

LOOK = 4
"""Number of passes before the first check for separation."""
MOST = 20
"""Largest p supported; the unrolled loops of more parameters take too long to compile."""


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
    if rows.dtype != start.dtype:
        # A pass over rows in single precision takes a third of the time. Its result is the start of
        # the fit in double precision, which then usually converges in its first step.
        single = rows.dtype
        near = newton(
            _cast(model, single), rows, start.astype(single), status=status, suspect=suspect
        )
        use = (near.status == Status.CONVERGED) | (near.status == Status.SEPARATED)
        start = jnp.where(use[None], near.theta.astype(start.dtype), start)
        steps, suspect = near.steps, near.status == Status.SEPARATED
    end = newton(model, rows, start, status=status, suspect=suspect)
    theta = jnp.where((end.status == Status.CONVERGED)[None], end.theta, jnp.nan)
    return Fit(theta, end.status, steps + end.steps)


def _cast(model: Problem, dtype: Any) -> Problem:
    cast: Problem = jax.tree.map(lambda leaf: leaf.astype(dtype), model)
    return cast


def newton(model: Problem, rows: Rows, start: Array, *, status: Array, suspect: Array) -> _Loop:
    """Take Newton steps in the precision of ``start`` until every fit has ended.

    ``suspect``, (F,), marks the fits to check for separation from the first pass on.
    """

    def body(loop: _Loop) -> _Loop:
        # Each pass reads covariates as they are stored. Otherwise the compiler would store them in
        # double precision before the loop, and fits would take a sixth longer.
        x, loop = hidden((rows.x, loop))
        own = rows._replace(x=x)
        separated = _separated(model, own, loop, suspect)
        found = newton_step(model, own, loop.theta, last=loop.step, count=loop.steps)
        return _advanced(
            found, loop, separated=separated, size=rows.size, minimum=has_minimum(model)
        )

    zero = jnp.zeros_like(start[:1])
    begin = _Loop(
        # theta, step, fraction, slope
        jnp.concatenate([start, jnp.zeros_like(start), zero + 1, zero]),
        jnp.stack([status, jnp.zeros_like(status)]),
    )
    return lax.while_loop(lambda loop: (loop.status == Status.RUNNING).any(), body, begin)


def _advanced(
    found: NewtonStep, loop: _Loop, *, separated: Array, size: Array, minimum: bool
) -> _Loop:
    """Return the state after one more step, given the Newton step at ``loop.theta``.

    ``minimum`` tells whether the loss has a minimum whatever the rows.
    """
    dtype, running = loop.theta.dtype, loop.status == Status.RUNNING
    overshot = ~(found.along <= OVERSHOT * jnp.abs(loop.slope))
    half = loop.fraction / 2
    update = jnp.where(overshot[None], -half[None] * loop.step, found.step)
    fraction = jnp.where(overshot, half, 1)
    decrease = jnp.abs(jnp.where(overshot, half * found.along, found.slope))
    length = jnp.sqrt(size.astype(dtype) * decrease)
    longest = jnp.where(overshot, half * found.last, found.longest)
    short = longest <= 1e-3 * (1 + found.at)
    settled = (fraction == 1) & (length <= TOLERANCE[dtype.name]) & short
    vanished = (jnp.sqrt(size.astype(dtype) * jnp.abs(found.slope)) <= TOLERANCE[dtype.name]) & (
        not minimum
    )
    steps = loop.steps + 1
    status = first_that_holds(
        (separated, Status.SEPARATED),
        ((loop.steps == 0) & ~found.finite, Status.OVERFLOW),
        (settled & (found.unexplained < singular_share(update)), Status.RANK_DEFICIENT),
        (settled, Status.CONVERGED),
        ((steps >= NEWTON_LIMIT) & vanished, Status.SEPARATED),  # theta is still on its way
        (steps >= NEWTON_LIMIT, Status.STEP_LIMIT),
    )
    step = jnp.where(overshot[None], loop.step, found.step)
    slope = jnp.where(overshot, loop.slope, found.slope)
    after = _Loop(
        jnp.concatenate([loop.theta + update, step, fraction[None], slope[None]]),
        jnp.stack([status, steps]),
    )
    # a fit that has ended no longer changes, whatever the others of its block do
    return _Loop(
        *(jnp.where(running[None], new, old) for new, old in zip(after, loop, strict=True))
    )


def _separated(model: Problem, rows: Rows, loop: _Loop, suspect: Array) -> Array:
    """Return True for fits, (F,), in which theta separates the labels.

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

    return where_needed(due.any(), lambda: due & ask(), lambda: due)
