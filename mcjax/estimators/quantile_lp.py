"""Quantile regression by the Frisch-Newton interior-point method.

Reference: Portnoy & Koenker, Statistical Science 12 (1997). The method takes Mehrotra's
predictor-corrector steps on the dual linear program, whose variables are bounded. With residuals
``r = y - x'theta`` and tau the level, the dual is to

    maximise sum_i (a_i - (1 - tau)) y_i   over 0 <= a_i <= 1 with  sum_i (a_i - (1 - tau)) x_i = 0,

A pair (theta, a) is optimal if ``a_i = 1`` wherever ``r_i > 0`` and ``a_i = 0`` wherever
``r_i < 0``. The method keeps ``a``, ``s = 1 - a``, ``up`` and ``down`` positive, with
``up - down = r``, and drives the products ``s up`` and ``a down`` to zero. Rows may carry weights:
the loss is homogeneous, so a weight multiplies its row. Every step also corrects the rounding
errors of the two equality constraints, so that the method works in single precision.

With a ridge penalty the program is quadratic, and the sum over rows in the equation for a is
``ridge theta`` in place of 0, with the sum of the weights as a factor of ridge. As this ties a to
theta, both take steps of one length, which needs more centring.

The code is for one data set. There is no line search: the longest step that keeps all variables
positive is a minimum over rows. Chains on the fast path find the same estimates by other means
(:mod:`mcjax.estimators.quantile_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Key

from mcjax.arguments import checked_fields
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.estimator import (
    Dataset,
    Fit,
    Problem,
    code,
    finished,
    first_that_holds,
    rows_of,
)
from mcjax.solvers.cholesky import singular_share, solve_positive
from mcjax.solvers.status import Status

LIMIT = 60
SHORT_OF = 0.9995
"""Largest share of the way to the boundary that a step may take."""
CENTRING = 0.1
"""Least share of the products that a step keeps with a penalty. Without it, 1 in 5,000 fits to 60
rows or fewer stalled, in single precision 1 in 500."""


@explained
@dataclass(frozen=True)
@checked_fields
class QuantileLP:
    """Regression quantiles by an interior-point method for linear programs.

    Attributes
    ----------
    level : str
        Name of the quantile's level in the model's ``params``.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.quantile(level=0.9).estimator
    QuantileLP(level='level')
    """

    level: str = "level"
    minimises = True
    penalises = True

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`.

        Raises
        ------
        InputError
            If the model has no level.
        """
        ridge = None if model.penalty is None else model.penalty.shrinkage
        end = solve_quantile(self.level_of(model), data, start, ridge)
        status = jnp.where(rows_of(data) > 0, end.status, code(Status.NOT_FITTED))
        return finished(end.theta, status, end.steps)

    def level_of(self, model: Problem) -> Array:
        """Return the level of a model's quantile.

        Raises
        ------
        InputError
            If the model has no level.
        """
        if self.level not in model.params:
            raise InputError("estimator", "QuantileLP is for quantile regression; choose another")
        level: Array = model.params[self.level]
        return level


class _Point(NamedTuple):
    """An iterate: theta, (p,); a, s, up and down, (N,); and the number of steps so far."""

    theta: Array
    a: Array
    s: Array
    up: Array
    down: Array
    status: Array
    steps: Array


def solve_quantile(
    level: Float[Array, ""],
    data: Dataset,
    start: Float[Array, " p"],
    ridge: Float[Array, ""] | None = None,
) -> _Point:
    """Return the regression quantile of one weighted data set, from ``start``, shape (p,).

    The status is ``RANK_DEFICIENT`` if the rows of x do not span its p dimensions, and there is no
    ridge penalty, whose strength is ``ridge``.

    Notes
    -----
    Convergence is certified by duality. For feasible a, the loss at theta exceeds its minimum by at
    most ``gap = sum_i w_i ((1 - a_i) r_i^+ + a_i r_i^-)``, a sum without cancellation. A fit has
    converged when ``gap <= tol^2 (loss at theta) / n``, with the effective number of rows
    ``n = (sum w)^2 / sum w^2``, and the equation for a holds to tol standard deviations of the
    score. The loss at the truth exceeds the minimum by about ``p (loss) / n``, so theta is about
    ``tol = 1e-5`` (float32: 2e-3) standard errors from the minimiser. A gap that rounding of the
    residuals explains is allowed in addition.
    """
    weight, number = data.weight, data.x.dtype
    x, y = data.x * weight[None, :], data.y * weight  # (p, N), (N,); 0 for padding
    used = weight > 0
    count = jnp.maximum(jnp.sum(used), 1).astype(number)
    effective = jnp.sum(weight) ** 2 / jnp.sum(weight**2)  # n, the effective number of rows
    eps = float(jnp.finfo(number).eps)
    tolerance = 1e-5 if number == jnp.float64 else 2e-3

    def times(rows: Array) -> Array:
        return jnp.matmul(x, rows, precision="highest")

    def fitted(theta: Array) -> Array:
        return jnp.matmul(theta, x, precision="highest")

    def bent(matrix: Array) -> Array:
        """Add the curvature of the penalty."""
        if ridge is None:
            return matrix
        return matrix + ridge * jnp.sum(weight) * jnp.eye(len(start), dtype=number)

    def pulled(sums: Array, theta: Array) -> Array:
        """Subtract the slope of the penalty."""
        return sums if ridge is None else sums - ridge * jnp.sum(weight) * theta

    def step(at: _Point) -> _Point:
        eta = fitted(at.theta)
        r = y - eta
        # (p,), 0 if a is feasible
        uneven = pulled(times(jnp.where(used, at.a - (1 - level), 0)), at.theta)
        gap = jnp.sum(jnp.where(r > 0, at.s * r, -at.a * r))
        rounding = 4 * eps * jnp.sum(jnp.minimum(at.a, at.s) * (jnp.abs(y) + jnp.abs(eta)))
        loss = jnp.sum(r * (level - (r < 0).astype(number)))
        feasible = jnp.all(jnp.abs(uneven) <= tolerance * score)
        settled = feasible & (gap <= tolerance**2 * loss / effective + rounding)

        # normal equations of the Newton step: X D X' with D = 1 / (up / s + down / a), and ridge
        ratio = at.up / at.s + at.down / at.a
        scale = jnp.where(used, 1 / ratio, 0)
        matrix = bent(jnp.matmul(x * scale[None, :], x.T, precision="highest"))

        def towards(wanted_s: Array, wanted_a: Array) -> tuple[Array, Array, Array, Array]:
            """Return the Newton step towards given values of ``s up`` and ``a down``."""
            push = wanted_s / at.s - wanted_a / at.a
            d_theta, _ = solve_positive(matrix, uneven + times(scale * (r - push)))
            d_a = scale * (r - push - fitted(d_theta))
            if number == jnp.float32:  # refine once: large scales would keep a infeasible
                more, _ = solve_positive(matrix, pulled(uneven + times(d_a), d_theta))
                d_theta = d_theta + more
                d_a = scale * (r - push - fitted(d_theta))
            d_up = jnp.where(used, wanted_s / at.s - at.up + at.up / at.s * d_a, 0)
            d_down = jnp.where(used, wanted_a / at.a - at.down - at.down / at.a * d_a, 0)
            return d_theta, d_a, d_up, d_down

        # the longest dual and primal steps, at most 1, that keep all variables positive
        def longest(d_a: Array, d_up: Array, d_down: Array) -> tuple[Array, Array]:
            dual = jnp.max(jnp.maximum(-d_a / at.a, d_a / at.s))
            primal = jnp.max(jnp.maximum(-d_up / at.up, -d_down / at.down))
            if ridge is not None:
                dual = primal = jnp.maximum(dual, primal)
            return SHORT_OF / jnp.maximum(dual, SHORT_OF), SHORT_OF / jnp.maximum(primal, SHORT_OF)

        # predictor: towards products of 0; its progress sets the centring of the corrector
        zero = jnp.zeros_like(at.a)
        _, d_a, d_up, d_down = towards(zero, zero)
        dual, primal = longest(d_a, d_up, d_down)
        before = jnp.sum(jnp.where(used, at.s * at.up + at.a * at.down, 0))
        after = jnp.sum(
            jnp.where(
                used,
                (at.s - dual * d_a) * (at.up + primal * d_up)
                + (at.a + dual * d_a) * (at.down + primal * d_down),
                0,
            )
        )
        kept = (after / before) ** 3
        if ridge is not None:
            kept = jnp.maximum(kept, CENTRING)
        centre = kept * before / (2 * count)
        d_theta, d_a, d_up, d_down = towards(centre + d_a * d_up, centre - d_a * d_down)
        dual, primal = longest(d_a, d_up, d_down)
        theta = at.theta + primal * d_theta
        finite = jnp.isfinite(theta).all() & jnp.isfinite(gap)
        status = first_that_holds(
            (settled, Status.CONVERGED),
            (~finite, Status.OVERFLOW),
            (at.steps + 1 >= LIMIT, Status.STEP_LIMIT),
        )
        return _Point(
            theta=jnp.where(settled, at.theta, theta),
            a=at.a + dual * d_a,
            s=at.s - dual * d_a,
            up=at.up + primal * d_up,
            down=at.down + primal * d_down,
            status=status,
            steps=at.steps + 1,
        )

    gram = jnp.matmul(x, x.T, precision="highest")
    score = jnp.sqrt(level * (1 - level) * jnp.diagonal(gram))
    _, unexplained = solve_positive(bent(gram), jnp.zeros_like(start))
    finite = jnp.isfinite(gram).all() & jnp.isfinite(y).all()
    deficient = ~(unexplained >= singular_share(start))
    status = first_that_holds((~finite, Status.OVERFLOW), (deficient, Status.RANK_DEFICIENT))
    r = y - fitted(start)
    # start strictly inside: up - down = r, both at least a tenth of the mean absolute residual
    margin = 0.1 * jnp.sum(jnp.abs(r)) / count + jnp.finfo(number).tiny
    begin = _Point(
        theta=start,
        a=jnp.full_like(y, 1 - level),
        s=jnp.full_like(y, level),
        up=jnp.maximum(r, 0) + margin,
        down=jnp.maximum(-r, 0) + margin,
        status=status,
        steps=jnp.zeros((), jnp.int32),
    )
    return lax.while_loop(lambda at: at.status == Status.RUNNING, step, begin)
