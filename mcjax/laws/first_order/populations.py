"""The populations of what models generate, and populations made of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mcjax.laws.first_order.class_population import ClassPopulation
from mcjax.laws.first_order.dispersed_population import DispersedPopulation
from mcjax.laws.first_order.normal_population import STANDARD, NormalPopulation
from mcjax.laws.first_order.population import (
    AnyOrigin,
    Curvature,
    Matrix,
    OriginOfRows,
    Population,
    Score,
    SlopeMoments,
    Vector,
)
from mcjax.laws.first_order.predictor_population import PredictorPopulation, PredictorRows
from mcjax.laws.first_order.simulated_population import SimulatedPopulation
from mcjax.laws.law import Inapplicable
from mcjax.models.class_scores import ClassScores
from mcjax.models.dispersion_scores import DispersionScores
from mcjax.models.model import Model
from mcjax.models.scores import MeanScores, NormalScores, SimulatedScores


def population_of(origin: AnyOrigin, model: Model) -> Population:
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
    if isinstance(model.scores, MeanScores):
        return MeanPopulation(origin, model.scores)
    if isinstance(model.scores, NormalScores):
        return NormalPopulation(origin, STANDARD)
    if isinstance(model.scores, SimulatedScores):
        return SimulatedPopulation(origin, model)
    if isinstance(model.scores, ClassScores):
        return ClassPopulation(origin, model.scores)
    if isinstance(model.scores, DispersionScores):
        return DispersedPopulation(origin)
    if isinstance(origin, OriginOfRows):
        return PredictorRows(origin, model.scores)
    return PredictorPopulation(origin, model.scores)


def generator_of(origin: AnyOrigin, model: Model) -> Callable[[Vector], Population]:
    """Return the function that returns the population of an origin that is at other parameters."""
    first = population_of(origin, model)
    if isinstance(first, PredictorPopulation):
        return first.generated_at  # which share integrals

    def generated_at(theta: Vector) -> Population:
        return population_of(origin._replace(theta=theta), model)

    return generated_at


class MeanPopulation(Population):
    """Rows whose score is ``theta - h(y)``.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    scores : MeanScores
        The covariance of h.
    """

    def __init__(self, origin: AnyOrigin, scores: MeanScores):
        super().__init__(origin)
        self._covariance = scores.covariance(origin.theta)

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        return Score(reader - self.origin.theta, np.eye(len(reader)))

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        return -np.eye(len(reader))

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        return self._covariance


class Moved(Population):
    """Rows generated at parameters that are a function of those of their origin.

    Parameters
    ----------
    moved : Population
        The rows generated at these parameters.
    origin : Origin
        Whoever generates the rows.
    derivative : ndarray, shape (p, p)
        Derivative of these parameters in those of the origin, of which they are a linear function
        if the rows are those of a model of a linear predictor.
    """

    def __init__(self, moved: Population, origin: AnyOrigin, derivative: Matrix):
        super().__init__(origin)
        self._moved, self._derivative = moved, derivative

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        return self._moved.score(reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        return self._moved.by_parent(reader) @ self._derivative

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        return self._moved.covariance(first, second)

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``."""
        there, by = self._moved.curvature(reader), self._derivative
        return there._replace(
            mixed=there.mixed @ by,
            by_parent=np.einsum("abc,bd,ce->ade", there.by_parent, by, by),
        )

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        return self._moved.slope_moments(reader, metric)


class Thinned(Population):
    """Rows that a reader looks at, and of which it fits only some.

    The score of a row that is not kept is 0.

    Parameters
    ----------
    kept : Population
        The rows that are kept.
    share : float
        P, their share of all rows.
    growth : ndarray, shape (p,)
        Derivative of ``log P`` in the parameters of the origin.
    """

    def __init__(self, kept: Population, share: float, growth: Vector):
        super().__init__(kept.origin)
        self._rows, self.kept, self._growth = kept, share, growth

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        mean, by_reader = self._rows.score(reader)
        return Score(self.kept * mean, self.kept * by_reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        growth = np.outer(self._rows.score(reader).mean, self._growth)
        return self.kept * (self._rows.by_parent(reader) + growth)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        means = np.outer(self._rows.score(first).mean, self._rows.score(second).mean)
        within = self._rows.covariance(first, second)
        return self.kept * (within + (1 - self.kept) * means)


class Mixture(Population):
    """Rows that are of one of several populations, at random.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    parts : sequence of (float, Population)
        The populations with their probabilities.
    """

    def __init__(self, origin: AnyOrigin, parts: Sequence[tuple[float, Population]]):
        super().__init__(origin)
        self._parts = parts

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        scores = [(share, part.score(reader)) for share, part in self._parts]
        mean, by_reader = (
            np.sum([share * score[k] for share, score in scores], axis=0) for k in range(2)
        )
        return Score(mean, by_reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        parts = [share * part.by_parent(reader) for share, part in self._parts]
        return np.asarray(np.sum(parts, axis=0))

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        within = np.zeros((len(first), len(second)))
        means = []
        for share, part in self._parts:
            ends = part.score(first).mean, part.score(second).mean
            within += share * (part.covariance(first, second) + np.outer(*ends))
            means.append([share * end for end in ends])
        return within - np.outer(*np.sum(means, axis=0))

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``."""
        parts = [(share, part.curvature(reader)) for share, part in self._parts]
        of_all = (np.sum([share * part[k] for share, part in parts], axis=0) for k in range(4))
        return Curvature(*of_all)

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        parts = [(share, part.slope_moments(reader, metric)) for share, part in self._parts]
        square = np.sum([share * part.square for share, part in parts], axis=0)
        return SlopeMoments(square, sum(share * part.cube for share, part in parts))
