"""One M-estimate from one data set, with the reason it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from mcjax.fits.newton import damped_newton
from mcjax.fits.objective import Dataset, gradient_and_hessian, mean_loss, separated
from mcjax.models.model import Model
from mcjax.solvers.cholesky import singular_share, solve_positive
from mcjax.solvers.status import Status

NEWTON_LIMIT = 100
LBFGS_LIMIT = 500
LARGE = 64
"""Above this p a Hessian at every step costs more than it saves: L-BFGS is the default."""

SOLVERS = ("newton", "lbfgs")
TOLERANCE = {"float64": 1e-5, "float32": 2e-3}
"""Length of the last Newton step, in standard errors."""


class Fit(NamedTuple):
    """theta: the estimate, shape (p,), not-a-number unless converged; status: a
    :class:`Status` code; steps: gradients evaluated."""

    theta: Array
    status: Array
    steps: Array


class _Loop(NamedTuple):
    theta: Array
    optimiser: Any
    status: Array
    steps: Array


def default_solver(p: int) -> str:
    """The solver for p parameters."""
    return "newton" if p <= LARGE else "lbfgs"


def fit(model: Model, data: Dataset, start: Array, active: Array, solver: str = "newton") -> Fit:
    """Minimise the weighted mean loss of ``family`` on ``data`` from ``start``.

    A family that brings its own solver is fitted with that one, whatever ``solver`` says.
    Converged means that the Newton step is shorter than 1e-5 (float32: 2e-3) standard errors; it
    is still taken, which squares what is left of the error. A lane that has ended changes no
    more, whatever the other lanes of a batch do.

    Parameters
    ----------
    start: shape (p,). active: scalar bool; an inactive fit ends at once, with ``NOT_FITTED``.
    solver: ``newton`` (damped, closed-form or autodiff Hessian) or ``lbfgs``.
    """
    if model.solve is not None:
        theta, status, steps = model.solve(model.params, data, start)
        ended = jnp.where(active, status, _code(Status.NOT_FITTED))
        return _result(_Loop(theta, None, ended, jnp.where(active, steps, 0)))
    if solver == "lbfgs":
        return _lbfgs(model, data, start, active)
    optimiser = damped_newton()

    def step(loop: _Loop) -> _Loop:
        gradient, hessian = gradient_and_hessian(model, data, loop.theta)
        updates, state = optimiser.update(
            gradient, loop.optimiser, loop.theta, gradient=gradient, hessian=hessian
        )
        whole = optax.tree.get(state, "fraction") == 1
        near = _standard_errors(data, gradient, updates) <= _tolerance(start)
        settled = whole & near & _short(updates, loop.theta)
        singular = optax.tree.get(state, "unexplained") < singular_share(start)
        status = _first(
            (separated(model, data, loop.theta), Status.SEPARATED),
            ((loop.steps == 0) & ~_finite(gradient, hessian), Status.OVERFLOW),
            (settled & singular, Status.RANK_DEFICIENT),
            (settled, Status.CONVERGED),
        )
        return _Loop(loop.theta + updates, state, status, loop.steps + 1)

    return _result(_run(step, optimiser, start, active, NEWTON_LIMIT))


def _lbfgs(model: Model, data: Dataset, start: Array, active: Array) -> Fit:
    """optax's L-BFGS until the gradient is small, then one Newton step that also judges the end."""
    optimiser = optax.lbfgs()

    def objective(theta: Array) -> Array:
        return mean_loss(model, data, theta)

    def step(loop: _Loop) -> _Loop:
        value, gradient = jax.value_and_grad(objective)(loop.theta)
        updates, state = optimiser.update(
            gradient, loop.optimiser, loop.theta, value=value, grad=gradient, value_fn=objective
        )
        size = jnp.linalg.norm(gradient) * jnp.sqrt(_rows(data)) / jnp.maximum(1, jnp.abs(value))
        settled = size <= _tolerance(start)
        status = _first(
            (separated(model, data, loop.theta), Status.SEPARATED),
            (~_finite(value, gradient), Status.OVERFLOW),
            (settled, Status.CONVERGED),
        )
        theta = loop.theta + jnp.where(settled, jnp.zeros_like(updates), updates)
        return _Loop(theta, state, status, loop.steps + 1)

    loop = _run(step, optimiser, start, active, LBFGS_LIMIT)
    gradient, hessian = gradient_and_hessian(model, data, loop.theta)
    newton, unexplained = solve_positive(hessian, gradient)
    far = (_standard_errors(data, gradient, -newton) > 0.1) | ~_short(newton, loop.theta)
    judged = _first(
        (unexplained < singular_share(start), Status.RANK_DEFICIENT),
        (far, Status.STEP_LIMIT),
        otherwise=Status.CONVERGED,
    )
    status = jnp.where(loop.status == Status.CONVERGED, judged, loop.status)
    return _result(loop._replace(theta=loop.theta - newton, status=status))


def _run(
    step: Callable[[_Loop], _Loop], optimiser: Any, start: Array, active: Array, limit: int
) -> _Loop:
    def body(loop: _Loop) -> _Loop:
        after = step(loop)
        late = (after.status == Status.RUNNING) & (after.steps >= limit)
        return after._replace(status=jnp.where(late, _code(Status.STEP_LIMIT), after.status))

    status = jnp.where(active, _code(Status.RUNNING), _code(Status.NOT_FITTED))
    begin = _Loop(start, optimiser.init(start), status, jnp.zeros((), jnp.int32))
    return lax.while_loop(lambda loop: loop.status == Status.RUNNING, body, begin)


def _result(loop: _Loop) -> Fit:
    theta = jnp.where(loop.status == Status.CONVERGED, loop.theta, jnp.nan)
    return Fit(theta, loop.status, loop.steps)


def _first(*cases: tuple[Array, Status], otherwise: Status = Status.RUNNING) -> Array:
    """The status of the first case that holds."""
    result = _code(otherwise)
    for holds, status in reversed(cases):
        result = jnp.where(holds, _code(status), result)
    return result


def _code(status: Status) -> Array:
    return jnp.asarray(int(status), jnp.int32)


def _finite(*arrays: Array) -> Array:
    return jnp.all(jnp.stack([jnp.isfinite(array).all() for array in arrays]))


def _rows(data: Dataset) -> Array:
    return jnp.sum(data.weight > 0).astype(data.x.dtype)


def _standard_errors(data: Dataset, gradient: Array, newton: Array) -> Array:
    """Length of a Newton step in the metric of the Hessian, in units of 1 / sqrt(rows)."""
    return jnp.sqrt(_rows(data) * jnp.abs(gradient @ newton))


def _short(step: Array, theta: Array) -> Array:
    """Whether a step is short for theta. Where a loss falls for ever, the gradient vanishes as the
    steps go on: that is no convergence."""
    return jnp.max(jnp.abs(step)) <= 1e-3 * (1 + jnp.max(jnp.abs(theta)))


def _tolerance(like: Array) -> float:
    return TOLERANCE[like.dtype.name]
