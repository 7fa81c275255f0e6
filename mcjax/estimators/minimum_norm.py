"""Minimum-norm least squares, ``theta = pinv(X) y``, for any number of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int32, Key

from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset, Fit, Problem, finished, first_that_holds
from mcjax.solvers.cholesky import singular_share, solve_positive
from mcjax.solvers.status import Status


@explained
@dataclass(frozen=True)
class MinimumNorm:
    """The minimiser of smallest norm of a weighted sum of squares, computed without iterations.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> rows = mcjax.Dataset(jnp.array([[1.0], [1.0]]), jnp.array([2.0]), jnp.ones(1))
    >>> fit = mcjax.MinimumNorm().fit(mcjax.minimum_norm(), rows, jnp.zeros(2), jax.random.key(0))
    >>> fit.theta.round(4).tolist()
    [1.0, 1.0]
    """

    minimises = True

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`.

        ``start`` and ``key`` are not used.

        Raises
        ------
        InputError
            If the model is not one of least squares.
        """
        if model.least_squares is None:
            raise InputError("estimator", "MinimumNorm is for least squares; choose another")
        theta, status = solve_minimum_norm(data)
        return finished(theta, status, jnp.ones((), jnp.int32))


def solve_minimum_norm(data: Dataset) -> tuple[Float[Array, " p"], Int32[Array, ""]]:
    """Return the minimum-norm least-squares estimate, shape (p,), and its status.

    Notes
    -----
    With n rows of positive weight and p parameters, the estimate is ``(X'WX)^-1 X'Wy`` for n > p
    and ``X'(XX')^-1 y`` for n <= p; the latter passes through all labels, whatever their weights.
    Each is one positive definite system of at most p equations, so a single Cholesky factorisation
    serves both cases, with identity rows in place of padding. The second form lies exactly in the
    row space, which a solution from the eigenvectors of a p x p Gram matrix would do only to
    rounding.

    Both forms square the condition number. A second solve, for the residuals of the first,
    compensates for that.

    The rank is judged from the Gram matrix in use. A float64 fit fails if the others explain a row
    (or column) up to a relative residual below 5e-7, the square root of ``singular_share``. That is
    rare even at n = p, where the squared distance of a row from the span of the others is
    chi-squared with one degree of freedom, and errors have no second moment.
    """
    p, rows = data.x.shape
    number = data.x.dtype
    few = min(p, rows)
    used = data.weight > 0
    wide = jnp.sum(used) <= p
    first = jnp.argsort(~used, stable=True)[:few]  # all rows, if the fit is wide
    real = used[first]
    x = jnp.where(real[None, :], data.x[:, first], 0)  # (p, few), columns are rows of the data
    # (few, few): XX' of a wide fit, with rows of the identity for padding
    matrix = _times(x.T, x) + jnp.diag((~real).astype(number))
    weighted = data.x * data.weight[None, :]
    if few == p:  # otherwise the fit is wide; here either may hold, and X'WX has the same size
        matrix = jnp.where(wide, matrix, _times(weighted, data.x.T))

    def advance(left: Array) -> tuple[Array, Array]:
        """Return what residual labels ``left`` add to theta, and the unexplained share."""
        right = jnp.where(real, left[first], 0)
        if few == p:
            right = jnp.where(wide, right, _times(weighted, left))
        solution, unexplained = solve_positive(matrix, right)
        wide_theta = _times(x, solution)
        return (jnp.where(wide, wide_theta, solution) if few == p else wide_theta), unexplained

    theta, unexplained = advance(data.y)
    more, _ = advance(data.y - _times(theta, data.x))
    theta = theta + more
    finite = jnp.isfinite(matrix).all() & jnp.isfinite(data.y).all()
    deficient = ~(unexplained >= singular_share(matrix))
    status = first_that_holds(
        (~used.any(), Status.NOT_FITTED),
        (~finite, Status.OVERFLOW),
        (deficient, Status.RANK_DEFICIENT),
        otherwise=Status.CONVERGED,
    )
    return theta, status


def _times(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")
