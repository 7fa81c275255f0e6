"""Estimates from sums over rows, for models with sufficient statistics.

Sums of several generations add up, so a model that fits all data it has ever read keeps only these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Key

from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset, Fit, Problem, finished, first_that_holds
from mcjax.estimators.predictor import Params
from mcjax.solvers.status import Status


class Sums(NamedTuple):
    """Sums over one model's data.

    Attributes
    ----------
    total : Array
        Weighted sums of the summary about a pivot, shape (K,), or (M, K) for M models.
    mass : Array
        Sum of the weights, a scalar or shape (M,).
    squares : Array
        Sum of the squared weights, of the same shape.
    """

    total: Float[Array, "*M K"]
    mass: Float[Array, "*M"]
    squares: Float[Array, "*M"]

    @property
    def rows(self) -> Float[Array, "*M"]:
        """Effective number of rows, ``(sum w)**2 / sum w**2``."""
        return self.mass**2 / self.squares


@explained
@dataclass(frozen=True)
class Statistics:
    """Sums that suffice for an estimate.

    Attributes
    ----------
    summary : callable
        ``(params, pivot, x, y) -> (K,)``, the contribution of one row. ``pivot``, shape (p,), is a
        point near the estimate; sums about it lose no digits.
    estimate : callable
        ``(params, pivot, sums) -> (theta, determined)``, the estimate from :class:`Sums`, and
        whether these determine every parameter.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> statistics = mcjax.linear().statistics
    >>> summary = statistics.summary({"sigma": 1.0}, jnp.zeros(1), jnp.array([2.0]), jnp.array(3.0))
    >>> summary.tolist()
    [6.0, 4.0]
    """

    summary: Callable[
        [Params, Float[Array, " p"], Float[Array, " q"], Float[Array, ""]], Float[Array, " K"]
    ]
    estimate: Callable[
        [Params, Float[Array, " p"], Sums], tuple[Float[Array, " p"], Bool[Array, ""]]
    ]


@explained
@dataclass(frozen=True)
class SufficientStatistics:
    """Estimates from the model's sufficient statistics, without iterations.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> rows = mcjax.Dataset(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([2.0, 4.0, 6.0]), jnp.ones(3))
    >>> estimator = mcjax.SufficientStatistics()
    >>> fit = estimator.fit(mcjax.linear(), rows, jnp.zeros(1), jax.random.key(0))
    >>> round(float(fit.theta[0]), 4)
    2.0
    """

    minimises = True

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set; see :class:`~mcjax.estimators.estimator.Estimator`."""
        return self.estimate(model, start, self.sums(model, start, data))

    def nothing(self, model: Problem, pivot: Float[Array, " p"], models: int) -> Sums:
        """Return the sums of no data, with a leading axis of models; ``pivot`` has shape (p,)."""
        statistics = _statistics(model)
        x = jax.ShapeDtypeStruct(pivot.shape, pivot.dtype)
        y = jax.ShapeDtypeStruct((), pivot.dtype)
        size = jax.eval_shape(statistics.summary, model.params, pivot, x, y).shape[0]
        zero = jnp.zeros(models, pivot.dtype)
        return Sums(jnp.zeros((models, size), pivot.dtype), zero, zero)

    def sums(self, model: Problem, pivot: Float[Array, " p"], data: Dataset) -> Sums:
        """Return the sums over one data set about ``pivot``, shape (p,)."""
        summary = _statistics(model).summary
        summaries = jax.vmap(summary, (None, None, 1, -1), 1)(model.params, pivot, data.x, data.y)
        # not a matrix product: the sum of a class without rows must be exactly 0
        total = jnp.sum(summaries * data.weight[None, :], axis=1)
        return Sums(total, data.weight.sum(), jnp.sum(data.weight**2))

    def estimate(self, model: Problem, pivot: Float[Array, " p"], sums: Sums) -> Fit:
        """Return the estimate from sums about ``pivot``; without rows it is ``NOT_FITTED``."""
        empty = sums.mass == 0
        mass, squares = (jnp.where(empty, 1, part) for part in (sums.mass, sums.squares))
        whole = Sums(sums.total, mass, squares)
        theta, determined = _statistics(model).estimate(model.params, pivot, whole)
        finite = jnp.isfinite(sums.total).all() & (jnp.isfinite(theta).all() | ~determined)
        status = first_that_holds(
            (empty, Status.NOT_FITTED),
            (~finite, Status.OVERFLOW),
            (~determined, Status.RANK_DEFICIENT),
            otherwise=Status.CONVERGED,
        )
        return finished(theta, status, jnp.zeros((), jnp.int32))


def _statistics(model: Problem) -> Statistics:
    if model.statistics is None:
        raise InputError("estimator", "SufficientStatistics is for other models; choose another")
    return model.statistics
