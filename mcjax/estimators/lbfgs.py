"""L-BFGS, the estimator for smooth losses with many parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Key

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.estimators.estimator import (
    MOST_STEPS,
    Dataset,
    Fit,
    Problem,
    finished,
    first_that_holds,
    rows_of,
)
from mcjax.estimators.newton import Loop, iterate, short, solve_newton, standard_errors, tolerance
from mcjax.estimators.objective import gradient_and_hessian, has_minimum, mean_loss, separated
from mcjax.numbers import check_between
from mcjax.solvers.cholesky import singular_share
from mcjax.solvers.status import Status

LBFGS_LIMIT = 500


@explained
@dataclass(frozen=True)
@checked_fields
class LBFGS:
    """The L-BFGS of optax until the gradient is small, followed by one Newton step.

    The length of that Newton step decides whether the fit has converged.

    Attributes
    ----------
    limit : int
        Largest number of steps; a fit that needs more ends with ``STEP_LIMIT``.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.logistic(), theta=[1.0], estimator=mcjax.LBFGS())
    >>> condition.minimises
    True
    """

    limit: int = LBFGS_LIMIT
    minimises = True
    penalises = True

    def __post_init__(self) -> None:
        check_between("limit", self.limit, 1, MOST_STEPS)

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        flat, unravel = ravel_pytree(start)
        optimiser = optax.lbfgs()

        def objective(theta: Array) -> Array:
            return mean_loss(model, data, unravel(theta))

        def step(loop: Loop) -> Loop:
            value, gradient = jax.value_and_grad(objective)(loop.theta)
            updates, state = optimiser.update(
                gradient, loop.optimiser, loop.theta, value=value, grad=gradient, value_fn=objective
            )
            root = jnp.sqrt(rows_of(data))
            size = jnp.linalg.norm(gradient) * root / jnp.maximum(1, jnp.abs(value))
            settled = size <= tolerance(flat)
            finite = jnp.isfinite(value) & jnp.isfinite(gradient).all()
            status = first_that_holds(
                (separated(model, data, unravel(loop.theta)), Status.SEPARATED),
                (~finite, Status.OVERFLOW),
                (settled, Status.CONVERGED),
            )
            theta = loop.theta + jnp.where(settled, jnp.zeros_like(updates), updates)
            return Loop(theta, state, status, loop.steps + 1)

        with jax.numpy_dtype_promotion("standard"):  # optax counts its steps in whole numbers
            loop = iterate(step, optimiser, flat, data=data, limit=self.limit)
        gradient, hessian = gradient_and_hessian(model, data, unravel(loop.theta))
        newton, unexplained = solve_newton(hessian, gradient)
        far = standard_errors(data, gradient, -newton) > 0.1
        moving = Status.STEP_LIMIT if has_minimum(model) else Status.SEPARATED
        judged = first_that_holds(
            (unexplained < singular_share(flat), Status.RANK_DEFICIENT),
            (far, Status.STEP_LIMIT),
            (~short(newton, loop.theta), moving),  # theta is still on its way
            otherwise=Status.CONVERGED,
        )
        status = jnp.where(loop.status == Status.CONVERGED, judged, loop.status)
        return finished(unravel(loop.theta - newton), status, loop.steps)
