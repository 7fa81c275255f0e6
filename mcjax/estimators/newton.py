"""Damped Newton's method, the estimator for convex losses with few parameters.

The steps are optax transformations. :func:`damped_newton` is ``optax.chain`` of two parts: the
first turns a gradient into a Newton direction, the second takes the full step or, if the last step
overshot, goes back half of it. Each call evaluates one gradient and one Hessian. There is no inner
line search, because in a batch an inner loop would make every lane wait for the slowest at every
step.

Linear systems are solved by LAPACK (``jax.scipy``), so that chains on the reference path check the
kernels of the fast path independently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax
from jax import Array, lax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Bool, Float, Int32, Key, Shaped

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.estimators.estimator import (
    MOST_STEPS,
    TOLERANCE,
    Dataset,
    Fit,
    Problem,
    code,
    finished,
    first_that_holds,
    rows_of,
)
from mcjax.estimators.objective import gradient_and_hessian, has_minimum, separated
from mcjax.numbers import check_between
from mcjax.solvers.cholesky import singular_share
from mcjax.solvers.status import Status

NEWTON_LIMIT = 100
OVERSHOT = 0.9
"""A step overshot if the slope along it changed sign and is larger than this share of its size."""

Solve = Callable[[Any, Any], tuple[Array, Array]]
"""Solves a system for a Newton step, as :func:`solve_newton` does."""
Derivatives = Callable[[Problem, Dataset, Any], tuple[Array, Array]]
"""Returns gradient and Hessian of the mean loss, as :func:`gradient_and_hessian` does."""


@explained
@dataclass(frozen=True)
@checked_fields
class Newton:
    """Damped Newton's method, with closed-form derivatives or automatic differentiation.

    A fit has converged when its Newton step is shorter than 1e-5 (float32: 2e-3) standard errors.
    That step is still taken, which squares the remaining error.

    Attributes
    ----------
    limit : int
        Largest number of steps; a fit that needs more ends with ``STEP_LIMIT``, or ``SEPARATED`` if
        its gradient has vanished.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> rows = mcjax.Dataset(jnp.array([[1.0, -1.0, 1.0]]), jnp.array([1.0, 1.0, 0.0]), jnp.ones(3))
    >>> fit = mcjax.Newton().fit(mcjax.logistic(), rows, jnp.zeros(1), jax.random.key(0))
    >>> round(float(fit.theta[0]), 4), int(fit.status)
    (-0.6931, 0)
    """

    limit: int = NEWTON_LIMIT
    minimises = True
    penalises = True

    def __post_init__(self) -> None:
        check_between("limit", self.limit, 1, MOST_STEPS)

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        return fit_damped(model, data, start, limit=self.limit)


class Loop(NamedTuple):
    """The state of one fit: parameters (p,), the optimiser's state, status and steps so far."""

    theta: Float[Array, " p"]
    optimiser: Any
    status: Int32[Array, ""]
    steps: Int32[Array, ""]


def iterate(
    step: Callable[[Loop], Loop],
    optimiser: optax.GradientTransformation,
    start: Float[Array, " p"],
    *,
    data: Dataset,
    limit: int,
) -> Loop:
    """Run ``step`` until the status is no longer ``RUNNING``, or ``limit`` steps are taken.

    A data set without rows is not fitted.
    """

    def body(loop: Loop) -> Loop:
        after = step(loop)
        late = (after.status == Status.RUNNING) & (after.steps >= limit)
        return after._replace(status=jnp.where(late, code(Status.STEP_LIMIT), after.status))

    status = jnp.where(rows_of(data) > 0, code(Status.RUNNING), code(Status.NOT_FITTED))
    begin = Loop(start, optimiser.init(start), status, jnp.zeros((), jnp.int32))
    return lax.while_loop(lambda loop: loop.status == Status.RUNNING, body, begin)


def standard_errors(
    data: Dataset, gradient: Float[Array, " p"], newton: Float[Array, " p"]
) -> Float[Array, ""]:
    """Return the length of a Newton step in the metric of the Hessian, times sqrt(rows)."""
    return jnp.sqrt(rows_of(data) * jnp.abs(gradient @ newton))


def short(step: Float[Array, " p"], theta: Float[Array, " p"]) -> Bool[Array, ""]:
    """Return True if a step is short relative to theta.

    If a loss keeps falling as theta goes to infinity, the gradient vanishes although the steps do
    not: a small gradient alone does not mean convergence.
    """
    return jnp.max(jnp.abs(step)) <= 1e-3 * (1 + jnp.max(jnp.abs(theta)))


def tolerance(like: Shaped[Array, " ..."]) -> float:
    """Return the convergence tolerance, in standard errors, for the dtype of ``like``."""
    return TOLERANCE[like.dtype.name]


class NewtonState(NamedTuple):
    """State of :func:`scale_by_newton`.

    Attributes
    ----------
    unexplained : Array
        How far the last Hessian was from singular; see :func:`solve_newton`.
    decrease : Array
        Slope of the loss along the Newton step, ``-g'H^{-1} g``.
    """

    unexplained: Float[Array, ""]
    decrease: Float[Array, ""]


class RetreatState(NamedTuple):
    """State of :func:`retreat_if_overshot`: the step being tried.

    Attributes
    ----------
    step : Array
        The full step, shape (p,).
    fraction : Array
        The fraction of it that is taken at present.
    slope : Array
        Slope of the loss along the step at its start (negative).
    """

    step: Float[Array, " p"]
    fraction: Float[Array, ""]
    slope: Float[Array, ""]


def solve_newton(
    hessian: Float[Array, "p p"], gradient: Float[Array, " p"]
) -> tuple[Float[Array, " p"], Float[Array, ""]]:
    """Solve ``hessian x = gradient`` for a Newton step.

    The matrix is scaled to a unit diagonal, which is then raised by the rounding error so that a
    singular matrix still gives a finite direction. If it is not positive definite, because the loss
    is not convex, the solution is the gradient divided by the diagonal, a descent direction.

    Returns
    -------
    x : Array
        Shape (p,).
    unexplained : Array
        The smallest ``1 - R**2`` of a parameter regressed on all the others; of the order of the
        rounding unit for a singular matrix.
    """
    p = len(gradient)
    eye = jnp.eye(p, dtype=hessian.dtype)
    diagonal = jnp.diagonal(hessian)
    scale = jnp.where(diagonal > 0, jnp.where(diagonal > 0, diagonal, 1) ** -0.5, 1)
    scaled = hessian * scale[:, None] * scale[None, :]
    lifted = scaled + 4 * p * float(jnp.finfo(hessian.dtype).eps) * eye
    factor = cho_factor(lifted, lower=True)
    solved = cho_solve(factor, jnp.concatenate([(scale * gradient)[:, None], eye], axis=1))
    definite = jnp.isfinite(solved).all()
    solution = jnp.where(definite, solved[:, 0], scale * gradient)
    inflation = jnp.max(jnp.diagonal(solved[:, 1:]))
    return scale * solution, jnp.where(definite, 1 / inflation, 0)


def scale_by_newton(solve: Solve) -> optax.GradientTransformationExtraArgs:
    """Replace a gradient g by ``-H^{-1} g``; ``update`` needs the keyword ``hessian``."""

    def init(params: Array) -> NewtonState:
        return NewtonState(jnp.ones((), params.dtype), jnp.zeros((), params.dtype))

    def update(
        updates: Array, state: NewtonState, params: Any = None, *, hessian: Array, **extra: Any
    ) -> tuple[Array, NewtonState]:
        solution, unexplained = solve(hessian, updates)
        return -solution, NewtonState(unexplained, -updates @ solution)

    return optax.GradientTransformationExtraArgs(init, update)


def retreat_if_overshot() -> optax.GradientTransformationExtraArgs:
    """Take the proposed step, or go back half of the last one if that overshot.

    For a convex loss, the slope along the last step, ``g'step``, tells on which side of the minimum
    along that line the step ended. A slope above ``0.9 |slope at its start|`` means that the step
    went too far beyond the minimum, where undamped Newton steps can cycle. A gradient that is not
    finite also counts as overshooting. The loss itself is not evaluated.
    """

    def init(params: Array) -> RetreatState:
        return RetreatState(
            jnp.zeros_like(params), jnp.ones((), params.dtype), jnp.zeros((), params.dtype)
        )

    def update(
        updates: Array, state: RetreatState, params: Any = None, *, gradient: Array, **extra: Any
    ) -> tuple[Array, RetreatState]:
        slope = gradient @ state.step
        overshot = ~(slope <= OVERSHOT * jnp.abs(state.slope))  # true for NaN
        half = state.fraction / 2
        retreat = RetreatState(state.step, half, state.slope)
        advance = RetreatState(updates, jnp.ones_like(half), gradient @ updates)
        chosen = RetreatState(
            *(jnp.where(overshot, a, b) for a, b in zip(retreat, advance, strict=True))
        )
        return jnp.where(overshot, -half * state.step, updates), chosen

    return optax.GradientTransformationExtraArgs(init, update)


def damped_newton(solve: Solve = solve_newton) -> optax.GradientTransformationExtraArgs:
    """Return Newton's method with retreats; ``update`` needs ``gradient`` and ``hessian``."""
    return optax.chain(scale_by_newton(solve), retreat_if_overshot())


def fit_damped(
    model: Problem,
    data: Dataset,
    start: Any,
    *,
    limit: int,
    solve: Solve = solve_newton,
    derivatives: Derivatives = gradient_and_hessian,
) -> Fit:
    """Fit a data set by damped Newton steps, which ``solve`` solves for; by default, LAPACK."""
    flat, unravel = ravel_pytree(start)
    optimiser = damped_newton(solve)

    def step(loop: Loop) -> Loop:
        theta = unravel(loop.theta)
        gradient, hessian = derivatives(model, data, theta)
        updates, state = optimiser.update(
            gradient, loop.optimiser, loop.theta, gradient=gradient, hessian=hessian
        )
        whole = optax.tree.get(state, "fraction") == 1
        near = standard_errors(data, gradient, updates) <= tolerance(flat)
        settled = whole & near & short(updates, loop.theta)
        decrement = jnp.sqrt(rows_of(data) * jnp.abs(optax.tree.get(state, "decrease")))
        vanished = (decrement <= tolerance(flat)) & (not has_minimum(model))
        singular = optax.tree.get(state, "unexplained") < singular_share(flat)
        finite = jnp.isfinite(gradient).all() & jnp.isfinite(hessian).all()
        status = first_that_holds(
            (separated(model, data, theta), Status.SEPARATED),
            ((loop.steps == 0) & ~finite, Status.OVERFLOW),
            # a minimum that singular matrices leave open is never settled on
            (whole & near & singular & (has_minimum(model) | settled), Status.RANK_DEFICIENT),
            (settled, Status.CONVERGED),
            # the gradient has vanished, and theta is still on its way
            (vanished & (loop.steps + 1 >= limit), Status.SEPARATED),
        )
        return Loop(loop.theta + updates, state, status, loop.steps + 1)

    loop = iterate(step, optimiser, flat, data=data, limit=limit)
    status, predictors = loop.status, model.predictors
    if predictors is not None and predictors.canonical and not has_minimum(model):
        apart = (status == Status.RANK_DEFICIENT) & _spanned(data)
        status = jnp.where(apart, code(Status.SEPARATED), status)
    return finished(unravel(loop.theta), status, loop.steps)


def _spanned(data: Dataset) -> Bool[Array, ""]:
    """Return whether rows have as many independent directions as covariates.

    With a canonical link the Hessian of several predictors is then positive at every theta, so that
    one that has become singular has followed theta to infinity: part of the classes is separated.
    """
    share = data.weight / jnp.sum(data.weight)
    squares = jnp.matmul(data.x * share[None], data.x.T, precision="highest")
    _, unexplained = solve_newton(squares, jnp.zeros_like(squares[0]))
    return unexplained >= singular_share(squares)
