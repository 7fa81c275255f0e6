"""Rows of data as a population: every row has the same probability, and moments are finite sums.

Nothing is assumed of how labels came about. The truth of such a source is what fits all its rows,
and there the mean score is 0. At every reader m,

    S(m) = mean(x l'(x'm, y)) ,   dS/dm = mean(x x' l''(x'm, y)) ,
    Gamma(a, b) = mean(x x' l'(x'a, y) l'(x'b, y)) - S(a) S(b)' .

Whether the model of a study describes the rows or not, ``J^-1 Gamma J^-1`` is then the covariance
of a fit to one resampled row, the sandwich of Huber (1967). For a loss with kinks, l'' is the
derivative of l' where there is one: as long as no row lies exactly at a kink, S has this slope in a
neighbourhood of m that shrinks as rows become more. Where l' only jumps, as that of a quantile, S
is a step function, and there is no such law.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from jaxtyping import Float

from mcjax.data.data import Data
from mcjax.laws.first_order.class_population import ClassesOfRows
from mcjax.laws.first_order.differentiated_rows import DifferentiatedRows
from mcjax.laws.first_order.dispersed_population import DispersedRows
from mcjax.laws.first_order.population import (
    UNKNOWN,
    AnyOrigin,
    Curvature,
    Matrix,
    OriginOfRows,
    Population,
    RowsOfData,
    Score,
    SlopeMoments,
    Vector,
    weighted_change,
)
from mcjax.laws.first_order.remembered import remembered
from mcjax.laws.first_order.row_span import RowSpan
from mcjax.laws.law import Inapplicable
from mcjax.models.class_scores import ClassScores
from mcjax.models.dispersion_scores import DispersionScores
from mcjax.models.model import Model
from mcjax.models.row_slopes import RowSlopes, row_slopes
from mcjax.models.scores import ScoreMoments, SimulatedScores
from mcjax.study.study import Condition


class FilePopulation(RowsOfData):
    """Rows of data and a loss with a linear predictor.

    Parameters
    ----------
    origin : OriginOfRows
        The source; its theta is what fits all rows.
    data : Data
        The rows.
    model : Model
        The model that is fitted.
    """

    def __init__(self, origin: AnyOrigin, data: Data, model: Model):
        super().__init__(origin)
        assert model.predictor is not None, "other losses are differentiated in theta"
        self._data, self._predictor = data, model.predictor
        # the derivatives of other scores do not tell how the mean of many rows bends
        scores = model.scores
        known = scores if isinstance(scores, ScoreMoments) else None
        self._canonical = known if known is not None and known.canonical else None
        self._bends = known is not None and (known.canonical or known.analytic)
        self._slopes = remembered(self._slopes_at)
        self._scores: dict[bytes, Score] = {}
        self._products: dict[tuple[bytes, bytes], Matrix] = {}  # by two readers

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        key = reader.tobytes()
        if key not in self._scores:
            slopes, rows = self._slopes(reader), self._rows
            self._scores[key] = Score(rows.vector(slopes.first), rows.matrix(slopes.second))
        return self._scores[key]

    def slope(self, reader: Vector) -> Matrix:
        """Return the slope of the mean score, ``dS/dm``, for a reader that is not remembered."""
        return self._rows.matrix(self._slopes_at(reader).second)

    @property
    def slope_key(self) -> Hashable:
        """Key of what the slope depends on beside the reader: of a canonical model, no labels."""
        shared = id(self._data.x), id(self.origin.params)
        return super().slope_key if self._canonical is None else shared

    def change_of_slope(
        self, reader: Vector, others: Float[np.ndarray, "K p"], weights: Float[np.ndarray, " K"]
    ) -> Matrix:
        """Return the weighted sum of the slopes at other readers less that at ``reader``."""
        change = weighted_change(self._bend_at, reader, others, weights=weights)
        return self._rows.matrix(change)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        keys = first.tobytes(), second.tobytes()
        if keys not in self._products:
            a, b = (self._slopes(reader).first for reader in (first, second))
            self._products[keys] = self._rows.matrix(a * b)
        return self._products[keys] - np.outer(*(self.score(m).mean for m in (first, second)))

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``."""
        if not self._bends:
            raise Inapplicable(UNKNOWN)
        slopes, p = self._slopes(reader), len(reader)
        nothing = np.zeros((p, p, p))
        return Curvature(
            by_reader=self._rows.cube(slopes.third),
            mixed=nothing,
            by_parent=nothing,
            product=self._rows.cube(slopes.first * slopes.second),
        )

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        second = self._slopes(reader).second
        square = self._rows.matrix_beside(second**2, metric)
        return SlopeMoments(square, self._rows.cube_of_square(second**3, metric))

    @property
    def _rows(self) -> RowSpan:
        return RowSpan(self._data.x, [])

    def _bend_at(self, reader: Vector) -> Float[np.ndarray, " n"]:
        """Return the second derivative of the loss in the predictor of each row."""
        if self._canonical is None:
            return self._slopes_at(reader).second
        return self._canonical.canonical_slope(self.origin.params, self._data.x @ reader)

    def _slopes_at(self, reader: Vector) -> RowSlopes:
        params, eta = self.origin.params, self._data.x @ reader
        return row_slopes(self._predictor, params, eta, self._data.y)


def rows_of(origin: AnyOrigin, data: Data, model: Model) -> Population:
    """Return the population of the rows that a source draws from.

    Raises
    ------
    Inapplicable
        If the mean score over rows has no slope, or is not known.
    """
    if isinstance(model.scores, ScoreMoments) and model.scores.jumps:
        raise Inapplicable(STEPS.format(model.name))
    if isinstance(model.scores, ClassScores):
        return ClassesOfRows(origin, data, model.scores)
    if isinstance(model.scores, DispersionScores):
        return DispersedRows(origin, data)
    if isinstance(model.scores, SimulatedScores):
        rows = DifferentiatedRows(origin, data, model)
        if not rows.score(origin.theta).by_reader.any():
            raise Inapplicable(STEPS.format(model.name))
        return rows
    return FilePopulation(origin, data, model)


STEPS = (
    "the mean score of {} over rows of data is a step function, which has no slope, so that no"
    " first-order law is known"
)


def concentration_of_rows(condition: Condition) -> float:
    """Return the ratio of the leverage of rows of data to that of rows of least squares.

    It is the mean cube of the leverages of rows, over ``p (p + 2) (p + 4)``, for the source where
    it is largest.
    """
    p, ratios = len(condition.theta), [1.0]
    for theta, data in zip(condition.sources.theta, condition.sources.data, strict=True):
        if data is not None:
            origin = OriginOfRows(theta, data.x, condition.model.params, real=True)
            rows = rows_of(origin, data, condition.model)
            metric = np.linalg.inv(rows.score(theta).by_reader)
            cube = rows.slope_moments(theta, metric).cube
            ratios.append(cube / (p * (p + 2) * (p + 4)))
    return max(ratios)
