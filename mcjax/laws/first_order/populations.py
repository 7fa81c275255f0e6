"""The populations of what models generate, and populations made of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcjax.laws.first_order.population import Matrix, Origin, Population, Score, Vector
from mcjax.laws.first_order.predictor_population import PredictorPopulation
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model


def population_of(origin: Origin, model: Model) -> Population:
    """Return the population of the rows that an origin generates.

    Raises
    ------
    Inapplicable
        If the model does not state the moments of its score.
    """
    if model.scores is None:
        raise Inapplicable(
            f"{model.name} does not state the moments of its score away from the truth"
        )
    return PredictorPopulation(origin, model.scores)


class Moved(Population):
    """Rows generated at parameters that are a function of those of their origin.

    Parameters
    ----------
    moved : Population
        The rows generated at these parameters.
    origin : Origin
        Whoever generates the rows.
    derivative : ndarray, shape (p, p)
        Derivative of these parameters in those of the origin.
    """

    def __init__(self, moved: Population, origin: Origin, derivative: Matrix):
        super().__init__(origin)
        self._moved, self._derivative = moved, derivative

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its derivatives, for a reader at ``reader``."""
        score = self._moved.score(reader)
        return score._replace(by_parent=score.by_parent @ self._derivative)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        return self._moved.covariance(first, second)


class Mixture(Population):
    """Rows that are of one of several populations, at random.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    parts : sequence of (float, Population)
        The populations with their probabilities.
    """

    def __init__(self, origin: Origin, parts: Sequence[tuple[float, Population]]):
        super().__init__(origin)
        self._parts = parts

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its derivatives, for a reader at ``reader``."""
        scores = [(share, part.score(reader)) for share, part in self._parts]
        means, by_reader, by_parent = (
            sum(share * np.asarray(score[k]) for share, score in scores) for k in range(3)
        )
        return Score(np.asarray(means), np.asarray(by_reader), np.asarray(by_parent))

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        within = np.zeros((len(first), len(second)))
        means = []
        for share, part in self._parts:
            ends = part.score(first).mean, part.score(second).mean
            within += share * (part.covariance(first, second) + np.outer(*ends))
            means.append([share * end for end in ends])
        return within - np.outer(*np.sum(means, axis=0))
