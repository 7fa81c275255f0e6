"""Labels that agree with those of a checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float
from scipy.special import expit

from mcjax.calls import explained
from mcjax.draws.samplers import uniform
from mcjax.estimators.predictor import Words
from mcjax.laws.first_order.population import AnyOrigin, Matrix, Population, Score, Vector
from mcjax.laws.first_order.populations import Thinned
from mcjax.laws.first_order.span import Span
from mcjax.models.model import Model
from mcjax.selections.selection import (
    Count,
    Filter,
    as_tuple,
    count_problem,
    numbers_problem,
    theta_problem,
)


@partial(jax.tree_util.register_dataclass, data_fields=["checker"], meta_fields=["count"])
@explained
@dataclass(frozen=True)
class Checker(Filter):
    """Rows whose label equals a label that a checker draws for the same covariates.

    Attributes
    ----------
    checker : sequence of float
        c, p numbers: the checker's labels are 1 with the log odds ``x'c``.
    count : {"accepted", "raw"}
        Whether the samples of the feed are rows that are kept, or rows that are looked at.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.Checker([1.0, 0.0])).keep
    Checker(checker=(1.0, 0.0), count='accepted')
    """

    checker: Sequence[float]
    count: Count = "accepted"

    def __post_init__(self) -> None:
        object.__setattr__(self, "checker", as_tuple(self.checker))

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        return numbers_problem("checker", self.checker) or count_problem(self.count)

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        problem = self.values()
        if problem:
            return problem
        if model.mirror is None or model.predictor is None:
            return (
                "checker needs labels 0 and 1 with the log odds x'theta, which"
                f" {model.name} does not have; leave it out"
            )
        return theta_problem("checker", self.checker, theta)

    def judge(self) -> Float[Array, " p"]:
        """Return the judge's parameters, c."""
        return jnp.stack(self.checker)

    def accepts(self, eta: Array, y: Array, spare: Words) -> Bool[Array, "*shape"]:
        """Return which rows are kept."""
        own = uniform(spare[0], y.dtype) * (1 + jnp.exp(-eta)) < 1
        return own == (y == 1)

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets."""
        kept = Checked(origin, np.array(self.checker, float))
        return Thinned(kept, *kept.acceptance()) if self.count == "raw" else kept


class Checked(Population):
    """Rows of logistic regression whose label equals that of a checker.

    Given x, log odds add: the label is 1 with the log odds ``x'(v + c)``. Covariates for which the
    two agree more often are kept more often.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows, at v.
    checker : ndarray, shape (p,)
        c.
    """

    def __init__(self, origin: AnyOrigin, checker: Vector):
        super().__init__(origin)
        self._checker = checker

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        kept = _Kept(self.origin, self._checker, reader)
        read = kept.readers[0]
        return Score(kept.vector(read - kept.one), kept.matrix(read * (1 - read)))

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin.

        It is the covariance of the score and of that of the origin, which is the derivative of the
        log density of labels; no sampler is differentiated.
        """
        return -self.covariance(reader, self.origin.theta)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        return _Kept(self.origin, self._checker, first, second).covariance()

    def acceptance(self) -> tuple[float, Vector]:
        """Return the share of rows that are kept, and the derivative of its logarithm."""
        kept = _Kept(self.origin, self._checker, self.origin.theta)
        return kept.share, kept.vector(kept.one - kept.readers[0])


class _Kept:
    """Expectations over the covariates of rows that are kept.

    Attributes
    ----------
    readers : list of ndarray
        Mean of a label at the parameters of each reader, at the nodes.
    one : ndarray
        Mean of a label that is kept.
    share : float
        Share of rows that are kept.
    """

    def __init__(self, origin: AnyOrigin, checker: Vector, *readers: Vector):
        self._span = Span(origin.root, [*readers, origin.theta, checker, origin.theta + checker])
        *at, v, c, both = self._span.predictors
        self.readers, self.one = [expit(a) for a in at], expit(both)
        agree = expit(v) * expit(c) + expit(-v) * expit(-c)
        self.share = self._span.number(agree)
        self._weight = agree / self.share

    def covariance(self) -> Matrix:
        """Return the covariance of the scores of the first two readers, (p, p)."""
        a, b = (mean - self.one for mean in self.readers[:2])
        product = self.matrix(a * b + self.one * (1 - self.one))
        return product - np.outer(self.vector(a), self.vector(b))

    def vector(self, values: np.ndarray) -> Vector:
        """Return ``E[x f]`` over rows that are kept, from the values of f at the nodes."""
        return self._span.vector(self._weight * values)

    def matrix(self, values: np.ndarray) -> Matrix:
        """Return ``E[x x' f]`` over rows that are kept, from the values of f at the nodes."""
        return self._span.matrix(self._weight * values)
