"""Populations of models of a linear predictor, by integrals over normal covariates.

Two dimensions always suffice. A location model depends on the differences to v alone. The score of
a canonical model is ``x (f(x'm) - y)``. Hence its mean is a function of m less one of v, and its
second moments are those of single readers and of the differences ``f(x'a) - f(x'b)``, which do not
depend on who generates y:

    2 E[s_a s_b'] = E[s_a s_a'] + E[s_b s_b'] - E[x x' (f(x'a) - f(x'b))^2] .

Each of these is computed once, so that T generations of M models take (T M)^2 integrals even where
every sample of the past is read again.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mcjax.laws.first_order.population import (
    AnyOrigin,
    Curvature,
    Matrix,
    OriginOfRows,
    Population,
    Score,
    SlopeMoments,
    Vector,
    weighted_change,
)
from mcjax.laws.first_order.row_span import RowSpan
from mcjax.laws.first_order.span import Integral
from mcjax.laws.law import Inapplicable
from mcjax.models.scores import MeanCurvature, MeanSlope, ScoreMoments

SMOOTH = 2 / 5
"""Largest step where moments have no kink: the error for a polynomial is about ``exp(-2 (pi /
step)^2)``."""
THIRD = 2 / 3
"""Scale on which derivatives of the score bend, relative to that of the score: the more often a
function is differentiated, the more its poles matter."""


class PredictorPopulation(Population):
    """Rows of a model of a linear predictor.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    scores : ScoreMoments
        Moments of the score, given the predictors of readers and of the origin.
    """

    def __init__(self, origin: AnyOrigin, scores: ScoreMoments):
        super().__init__(origin)
        self._scores = scores
        self._products: dict[tuple[bytes, bytes], Matrix] = {}  # by two readers
        # by reader; for a canonical model, of a parent at 0
        self._means: dict[bytes, tuple[Score, Matrix]] = {}
        self._differences: dict[tuple[bytes, bytes], Matrix] = {}  # by two readers

    def generated_at(self, theta: Vector) -> PredictorPopulation:
        """Return the population whose origin is at ``theta``, and all else the same.

        The two share the integrals that do not depend on it.
        """
        other = type(self)(self.origin._replace(theta=theta), self._scores)
        if self._scores.canonical:
            other._means, other._differences = self._means, self._differences
        return other

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        read, _ = self._read(reader)
        if not self._scores.canonical:
            return read
        return read._replace(mean=read.mean + self._of_parent[0].mean)

    @property
    def slope_key(self) -> Hashable:
        """Key of what the slope depends on beside the reader: of a canonical model, no parent."""
        return id(self._means)

    def slope(self, reader: Vector) -> Matrix:
        """Return the slope of the mean score, ``dS/dm``, for a reader that is not remembered."""
        span = self._span(reader, self._parent)
        return span.matrix(self._mean(span).by_reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        return self._of_parent[1] if self._scores.canonical else self._read(reader)[1]

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        means = (self.score(reader).mean for reader in (first, second))
        return self._product(first, second) - np.outer(*means)

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``."""
        # score times Hessian grows like two readers
        span, bent = self._bent(reader, reader)
        parts = bent.by_reader, bent.mixed, bent.by_parent, bent.sloped
        return Curvature(*map(span.cube, parts))

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        span, bent = self._bent(reader, reader, reader)
        square = span.matrix_beside(bent.squared_slope, metric)
        return SlopeMoments(square, span.cube_of_square(bent.cubed_slope, metric))

    def _bent(self, *readers: Vector) -> tuple[Integral, MeanCurvature]:
        """Return the integration that holds products of so many exponentials, and moments."""
        if self._scores.curvature is None:
            raise Inapplicable("the model does not state how its score bends away from the truth")
        span = self._span(*readers, self.origin.theta, poles=THIRD)
        m, *_, v = span.predictors
        return span, self._scores.curvature(self.origin.params, m, v, self.origin.real)

    @cached_property
    def _of_parent(self) -> tuple[Score, Matrix]:
        """The mean score of a canonical model that reads at 0, and its ``dS/dv``."""
        return self._score(np.zeros_like(self.origin.theta), self.origin.theta)

    def _read(self, reader: Vector) -> tuple[Score, Matrix]:
        """Return the mean score and its ``dS/dv``; of a canonical model, for a parent at 0."""
        key = reader.tobytes()
        if key not in self._means:
            self._means[key] = self._score(reader, self._parent)
        return self._means[key]

    def _score(self, reader: Vector, parent: Vector) -> tuple[Score, Matrix]:
        span = self._span(reader, parent)
        mean, by_reader, by_parent = self._mean(span)
        return Score(span.vector(mean), span.matrix(by_reader)), span.matrix(by_parent)

    @property
    def _parent(self) -> Vector:
        """The parent that slopes are computed for; 0 of a canonical model, where all share them."""
        theta = self.origin.theta
        return np.zeros_like(theta) if self._scores.canonical else theta

    def _mean(self, span: Integral) -> MeanSlope:
        """Return the mean of the score and its derivatives, given predictors of both."""
        m, v = span.predictors
        return self._scores.mean(self.origin.params, m, v, self.origin.real)

    def _product(self, first: Vector, second: Vector) -> Matrix:
        """Return ``E[s_a s_b']`` for two readers a and b of one row, (p, p)."""
        keys = first.tobytes(), second.tobytes()
        pair = min(keys), max(keys)
        if pair not in self._products:
            if self._scores.canonical and keys[0] != keys[1]:
                squares = self._product(first, first) + self._product(second, second)
                self._products[pair] = (squares - self._difference(first, second, pair)) / 2
            else:
                self._products[pair] = self._expected_product(first, second)
        return self._products[pair]

    def _difference(self, first: Vector, second: Vector, pair: tuple[bytes, bytes]) -> Matrix:
        """Return ``E[(s_a - s_b) (s_a - s_b)']`` of a canonical model, (p, p)."""
        if pair not in self._differences:
            # what a label adds to both scores is not in their difference
            span = self._span(first, second)
            a, b = span.predictors
            apart = self._scores.mean(self.origin.params, a, b, self.origin.real).mean
            self._differences[pair] = span.matrix(apart**2)
        return self._differences[pair]

    def _expected_product(self, first: Vector, second: Vector) -> Matrix:
        params, real = self.origin.params, self.origin.real
        span = self._span(first, second, self.origin.theta)
        a, b, v = span.predictors
        return span.matrix(self._scores.product(params, (a, b), v, real))

    def _span(self, *parameters: Vector, poles: float = 1.0) -> Integral:
        """Return the integration over the predictors of some parameters.

        Those of a location model are relative to that of the last, the parent. Functions bend on
        ``poles`` times the scale of the model.
        """
        scores, origin = self._scores, self.origin
        zero = parameters[-1] if scores.location else 0.0
        scale = 1.0 if scores.scale is None else float(origin.params[scores.scale])
        return origin.span(
            [a - zero for a in parameters],
            scale=poles * scale if scores.bends else np.inf,
            exponential=scores.exponential,
            step=SMOOTH if scores.canonical or scores.smooth else None,
        )


class PredictorRows(PredictorPopulation):
    """Rows of a model of a linear predictor whose covariates are those of rows of data.

    Parameters
    ----------
    origin : OriginOfRows
        Whoever generates the labels.
    scores : ScoreMoments
        Moments of the score, given the predictors of readers and of the origin.
    """

    def __init__(self, origin: OriginOfRows, scores: ScoreMoments):
        super().__init__(origin, scores)
        self._x = origin.x

    @property
    def slope_key(self) -> Hashable:
        """Key of what the slope depends on beside the reader: of a canonical model, no labels."""
        shared = id(self._x), id(self.origin.params)
        return shared if self._scores.canonical else super().slope_key

    def change_of_slope(
        self, reader: Vector, others: Float[np.ndarray, "K p"], weights: Float[np.ndarray, " K"]
    ) -> Matrix:
        """Return the weighted sum of the slopes at other readers less that at ``reader``."""
        change = weighted_change(self._bend_at, reader, others, weights=weights)
        return RowSpan(self._x, []).matrix(change)

    def _bend_at(self, reader: Vector) -> Float[np.ndarray, " n"]:
        """Return the slope of the mean score of each row, in the predictor of the reader."""
        if self._scores.canonical:
            return self._scores.canonical_slope(self.origin.params, self._x @ reader)
        return np.asarray(self._mean(self._span(reader, self._parent)).by_reader)
