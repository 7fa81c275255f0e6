"""Newton's method for many parameters, whose Hessians are few and in single precision.

A Hessian of p parameters takes as many operations as p / 2 gradients. It decides how quickly steps
converge, but not where to: that depends on the gradient alone. The inverse of one Hessian is
therefore used again as long as steps contract (the chord method; Kelley 1995, *Iterative Methods
for Linear and Nonlinear Equations*, section 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int32, Key

from mcjax.estimators.estimator import (
    Dataset,
    Fit,
    Problem,
    code,
    first_that_holds,
    rows_of,
)
from mcjax.estimators.newton import NEWTON_LIMIT, fit_damped, short, standard_errors, tolerance
from mcjax.estimators.objective import separated
from mcjax.estimators.predictor import linear_predictor
from mcjax.solvers.cholesky import invert_swept, singular_share
from mcjax.solvers.status import Status

CONTRACTION = 0.25
"""A Hessian is used again if each step is at most this share of the last."""
REMAINDER = {"float64": 1e-10, "float32": 5e-4}
"""Largest error that the last step of a fit leaves, in standard errors, by the contraction so far.
In single precision, steps contract no further than to their rounding errors."""
MOST_HESSIANS = 20


@dataclass(frozen=True)
class Chord:
    """The chord method, and where that does not converge, damped Newton steps.

    It is :class:`~mcjax.estimators.newton.Newton` for models of a linear predictor with many
    parameters, without LAPACK. Fits that it does not end as converged or separated are fitted again
    by the damped steps of that method, so that all others end as they do there.

    Attributes
    ----------
    limit : int
        Largest number of damped Newton steps.
    """

    limit: int = NEWTON_LIMIT
    minimises = True
    penalises = True

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        near = _chord_steps(model, data, start)
        ended = (near.status == Status.CONVERGED) | (near.status == Status.SEPARATED)
        # a fit without rows ends at once
        rest = data._replace(weight=jnp.where(ended, 0, data.weight))
        far = fit_damped(model, rest, start, limit=self.limit, solve=_solve)
        theta = jnp.where(near.status == Status.CONVERGED, near.theta, jnp.nan)
        return Fit(
            jnp.where(ended, theta, far.theta),
            jnp.where(ended, near.status, far.status),
            near.steps + far.steps,
        )


def fits_by_chords(model: Problem) -> bool:
    """Return whether :class:`Chord` fits a model."""
    by_rows = model.penalty is not None and model.penalty.by_rows
    return model.predictor is not None and not by_rows


class _Rows(NamedTuple):
    """One data set and its model, with the derivatives of the mean loss."""

    model: Problem
    data: Dataset

    def derivatives(self, theta: Array) -> tuple[Array, Array]:
        """Return slope and curvature of the loss of each row in eta, times its share, (N,)."""
        model, (x, y, weight) = self.model, self.data
        assert model.predictor is not None, "the chord method is for linear predictors"
        share = weight / weight.sum()
        slope, curvature = model.predictor.derivatives(model.params, linear_predictor(x, theta), y)
        return share * slope, share * curvature

    def penalty(self, theta: Array) -> tuple[Any, Any]:
        """Return gradient and Hessian of the penalty, or zeros."""
        if self.model.penalty is None:
            return 0, 0
        return self.model.penalty.derivatives(theta, self.model, self.data)

    def gradient(self, theta: Array) -> Float[Array, " p"]:
        """Return the gradient at theta, in the precision of the data."""
        slope, _ = self.derivatives(theta)
        gradient = jnp.matmul(self.data.x, slope, precision="highest")
        return jnp.asarray(gradient + self.penalty(theta)[0])

    def hessian(self, theta: Array) -> Float[Array, "p p"]:
        """Return the Hessian at theta, in the precision of the data."""
        _, curvature = self.derivatives(theta)
        x = self.data.x
        hessian = jnp.matmul(x * curvature[None], x.T, precision="highest")
        return jnp.asarray(hessian + self.penalty(theta)[1])


class _Step(NamedTuple):
    """A step that is not taken yet: from where, its length in standard errors, and what follows."""

    theta: Float[Array, " p"]
    step: Float[Array, " p"]
    length: Float[Array, ""]
    settled: Bool[Array, ""]
    contracts: Bool[Array, ""]
    steps: Int32[Array, ""]


class _Loop(NamedTuple):
    """The state of one fit before each Hessian; ``lost`` if other means must fit it."""

    theta: Float[Array, " p"]
    status: Int32[Array, ""]
    lost: Bool[Array, ""]
    steps: Int32[Array, ""]
    hessians: Int32[Array, ""]


def _chord_steps(model: Problem, data: Dataset, start: Array) -> _Loop:
    """Return a fit that has converged or is separated, or whose status is another."""
    rows = _Rows(model, data)
    single = _Rows(*jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), (model, data)))

    def step_from(theta: Array, inverse: Array, before: Array, steps: Array) -> _Step:
        """Return the step at theta that follows one of length ``before``; 0 if it is the first."""
        gradient = rows.gradient(theta)
        step = -jnp.matmul(inverse, gradient.astype(inverse.dtype), precision="highest")
        step = step.astype(theta.dtype)
        length = standard_errors(data, gradient, step)
        first = before == 0
        share = jnp.where(first, 1, length / jnp.where(first, 1, before))
        near = (length <= tolerance(theta)) & (share * length <= REMAINDER[theta.dtype.name])
        contracts = first | (share <= CONTRACTION)
        settled = contracts & near & short(step, theta)
        return _Step(theta, step, length, settled=settled, contracts=contracts, steps=steps + 1)

    def with_new_hessian(loop: _Loop) -> _Loop:
        inverse, unexplained = invert_swept(single.hessian(loop.theta.astype(jnp.float32)))
        first = step_from(loop.theta, inverse, jnp.zeros_like(loop.theta[0]), loop.steps)
        last = lax.while_loop(
            lambda now: now.contracts & ~now.settled,
            lambda now: step_from(now.theta + now.step, inverse, now.length, now.steps),
            first,
        )
        sure = unexplained >= singular_share(inverse)
        status = first_that_holds(
            (separated(model, data, loop.theta), Status.SEPARATED),
            (sure & last.settled, Status.CONVERGED),
        )
        hessians = loop.hessians + 1
        closer = last.length < first.length  # false for NaN
        lost = ~sure | ~(last.settled | closer) | (hessians >= MOST_HESSIANS)
        theta = last.theta + jnp.where(last.settled, last.step, 0)
        return _Loop(theta, status, lost, steps=last.steps, hessians=hessians)

    zero = jnp.zeros((), jnp.int32)
    status = jnp.where(rows_of(data) > 0, code(Status.RUNNING), code(Status.NOT_FITTED))
    begin = _Loop(start, status, zero > 0, steps=zero, hessians=zero)
    return lax.while_loop(
        lambda loop: (loop.status == Status.RUNNING) & ~loop.lost, with_new_hessian, begin
    )


def _solve(hessian: Array, gradient: Array) -> tuple[Array, Array]:
    """Solve for a Newton step as :func:`~mcjax.estimators.newton.solve_newton`, by sweeps."""
    inverse, unexplained = invert_swept(hessian)
    return jnp.matmul(inverse, gradient, precision="highest"), unexplained
