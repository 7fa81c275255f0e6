"""Populations of NB2 regression: of what a model generates, and of rows of data.

Theta is b and then log a. The score of a row is ``(e x, g)``, see
:mod:`mcjax.models.dispersion_scores`. So its moments are integrals, or sums over rows, of functions
of the predictors of the reader and of the parent, once times x and once not. Given x, moments over
the counts of a parent are sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcjax.data.data import Data
from mcjax.laws.first_order.population import (
    AnyOrigin,
    Matrix,
    Population,
    RowsOfData,
    Score,
    SlopeMoments,
    Vector,
)
from mcjax.laws.first_order.predictor_population import SMOOTH
from mcjax.laws.first_order.remembered import remembered
from mcjax.laws.first_order.row_span import CHUNK, RowSpan
from mcjax.laws.first_order.span import Integral
from mcjax.models.dispersion_scores import ParentCounts, Slopes, rises_of, slopes_at

FARTHEST = 100.0
"""Largest size of log a of a reader whose scores are numbers."""


class _Reader(NamedTuple):
    at: Slopes
    number: float  # log a


class DispersedPopulation(Population):
    """Rows whose counts a model generates.

    Parameters
    ----------
    origin : Origin, OriginAround or OriginOfRows
        Whoever generates the rows.
    """

    def __init__(self, origin: AnyOrigin):
        super().__init__(origin)
        self._scores: dict[bytes, Score] = {}  # by reader

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        key = reader.tobytes()
        if key not in self._scores:
            self._scores[key] = self._score_at(reader)
        return self._scores[key]

    def slope(self, reader: Vector) -> Matrix:
        """Return the slope of the mean score, ``dS/dm``, for a reader that is not remembered."""
        return self._score_at(reader).by_reader

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        span, counts, [(at, number)] = self._seen_by(reader)
        own = 1 / (1 + np.exp(self._number) * counts.mean)
        of_mean = -counts.mean * at.damped
        of_number = counts.with_counts(number) * own + of_mean
        return _blocks(
            span.matrix(of_mean),
            np.zeros(len(reader) - 1),
            span.vector(of_number),
            span.number(counts.by_number(number)),
        )

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        span, counts, [(a, one), (b, other)] = self._seen_by(first, second)
        mean, variance = counts.mean, counts.variance
        off_a, off_b = a.mean - mean, b.mean - mean
        left, top = counts.first(one) - a.level, counts.first(other) - b.level
        with_a, with_b = counts.with_counts(one), counts.with_counts(other)
        both = (off_a * off_b + variance) * a.damped * b.damped
        right = (off_a * top - with_b) * a.damped + both
        below = (off_b * left - with_a) * b.damped + both
        spread = counts.together(one, other) - with_a * b.damped - with_b * a.damped
        corner = spread + variance * a.damped * b.damped
        corner = corner + (left + off_a * a.damped) * (top + off_b * b.damped)
        product = _blocks(
            span.matrix(both), span.vector(right), span.vector(below), span.number(corner)
        )
        return product - np.outer(*(self.score(reader).mean for reader in (first, second)))

    def _score_at(self, reader: Vector) -> Score:
        if abs(reader[-1]) > FARTHEST:
            return _no_score(len(reader))
        span, counts, [(at, number)] = self._seen_by(reader)
        e = (at.mean - counts.mean) * at.damped
        g = counts.first(number) - at.level + e
        mixed = (counts.mean - at.mean) * at.bent
        bend = counts.second(number) - g - at.mean * at.bent - counts.mean * at.damped**2
        curvature = (counts.mean + np.exp(-number)) * at.bent
        within, beside = span.matrix(curvature), span.vector(mixed)
        slope = _blocks(within, beside, beside, span.number(bend))
        return Score(np.append(span.vector(e), span.number(g)), slope)

    @property
    def _number(self) -> float:
        return float(self.origin.theta[-1])

    def _seen_by(self, *readers: Vector) -> tuple[Integral, ParentCounts, list[_Reader]]:
        """Return the integration, the counts of the origin, and what scores of readers need."""
        vectors = [each[:-1] for each in (*readers, self.origin.theta)]
        span = self.origin.span(vectors, exponential=True, step=SMOOTH)
        *etas, parent = span.predictors
        numbers = [float(reader[-1]) for reader in readers]
        pairs = zip(etas, numbers, strict=True)
        seen = [_Reader(slopes_at(eta, number), number) for eta, number in pairs]
        return span, ParentCounts(parent, self._number), seen


class DispersedRows(RowsOfData):
    """Rows of data with their counts, drawn with replacement.

    Parameters
    ----------
    origin : OriginOfRows
        The source; its theta is what fits all rows.
    data : Data
        The rows.
    """

    def __init__(self, origin: AnyOrigin, data: Data):
        super().__init__(origin)
        self._data, self._rows = data, RowSpan(data.x, [])
        self._at = remembered(self._scores_at)

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        if abs(reader[-1]) > FARTHEST:
            return _no_score(len(reader))
        rows, at = self._rows, self._at(reader)
        beside = rows.vector(at.mixed)
        slope = _blocks(rows.matrix(at.curvature), beside, beside, rows.number(at.bend))
        return Score(np.append(rows.vector(at.e), rows.number(at.g)), slope)

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        rows, (a, b) = self._rows, (self._at(reader) for reader in (first, second))
        product = _blocks(
            rows.matrix(a.e * b.e),
            rows.vector(a.e * b.g),
            rows.vector(a.g * b.e),
            rows.number(a.g * b.g),
        )
        return product - np.outer(*(self.score(reader).mean for reader in (first, second)))

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        at, n, p = self._at(reader), len(self._data.y), len(reader)
        square, cube, step = np.zeros((p, p)), 0.0, max(1, CHUNK // p**2)
        for begin in range(0, n, step):
            some = slice(begin, begin + step)
            x = self._data.x[some]
            slopes = np.zeros((len(x), p, p))
            slopes[:, :-1, :-1] = at.curvature[some, None, None] * x[:, :, None] * x[:, None]
            slopes[:, :-1, -1] = slopes[:, -1, :-1] = at.mixed[some, None] * x
            slopes[:, -1, -1] = at.bend[some]
            beside = metric @ slopes
            square += np.einsum("nab,nbc->ac", slopes, beside)
            cube += float(np.einsum("nab,nbc,nca->", beside, beside, beside, optimize=True))
        return SlopeMoments(square / n, cube / n)

    def _scores_at(self, reader: Vector) -> _RowScores:
        number, y = float(reader[-1]), self._data.y
        at, (first, second) = slopes_at(self._data.x @ reader[:-1], number), rises_of(y, number)
        e = (at.mean - y) * at.damped
        g = first - at.level + e
        return _RowScores(
            e=e,
            g=g,
            curvature=(y + np.exp(-number)) * at.bent,
            mixed=(y - at.mean) * at.bent,
            bend=second - g - at.mean * at.bent - y * at.damped**2,
        )


class _RowScores(NamedTuple):
    """Derivatives of the loss of rows in their predictor and in log a, each (n,)."""

    e: np.ndarray
    g: np.ndarray
    curvature: np.ndarray
    mixed: np.ndarray
    bend: np.ndarray


def _no_score(p: int) -> Score:
    """Return a score that is no number, as that of other models is where an exponential is none."""
    return Score(np.full(p, np.nan), np.full((p, p), np.nan))


def _blocks(within: Matrix, right: Vector, below: Vector, corner: float) -> Matrix:
    """Return the matrix of four blocks, of which two are a column and a row."""
    upper = np.concatenate([within, right[:, None]], 1)
    return np.concatenate([upper, np.append(below, corner)[None]])
