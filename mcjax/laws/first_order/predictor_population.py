"""Populations of models of a linear predictor, by integrals over normal covariates."""

from __future__ import annotations

import numpy as np

from mcjax.laws.first_order.population import Matrix, Origin, Population, Score, Vector
from mcjax.laws.first_order.span import Span
from mcjax.models.scores import ScoreMoments


class PredictorPopulation(Population):
    """Rows of a model of a linear predictor.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    scores : ScoreMoments
        Moments of the score, given the predictors of readers and of the origin.
    """

    def __init__(self, origin: Origin, scores: ScoreMoments):
        super().__init__(origin)
        self._scores = scores

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its derivatives, for a reader at ``reader``."""
        span = self._span(reader)
        a, v = span.predictors
        mean, by_reader, by_parent = self._scores.mean(self.origin.params, a, v, self.origin.real)
        return Score(span.vector(mean), span.matrix(by_reader), span.matrix(by_parent))

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        scores, (_, _, params, real) = self._scores, self.origin
        span = self._span(first, second)
        a, b, v = span.predictors
        product = span.matrix(scores.product(params, (a, b), v, real))
        means = (span.vector(scores.mean(params, at, v, real).mean) for at in (a, b))
        return product - np.outer(*means)

    def _span(self, *readers: Vector) -> Span:
        """Return the integration over the predictors of readers, then of the origin.

        Those of a location model are relative to that of the origin.
        """
        scores, origin = self._scores, self.origin
        zero = origin.theta if scores.location else 0.0
        scale = 1.0 if scores.scale is None else float(origin.params[scores.scale])
        return Span(
            origin.root,
            [a - zero for a in (*readers, origin.theta)],
            scale=scale if scores.bends else np.inf,
            exponential=scores.exponential,
        )
