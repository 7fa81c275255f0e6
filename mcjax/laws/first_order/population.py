"""Populations: the distributions that samples are drawn from, as scores see them.

The law around the population path (:mod:`mcjax.laws.first_order.path_system`) asks three things of
the data of a feed: the mean score of a reader, its derivatives, and the covariance of the scores of
two readers. Whoever can answer is a population.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.estimators.predictor import Params
from mcjax.laws.first_order.row_span import RowSpan, ShiftedSpan
from mcjax.laws.first_order.span import Integral, Span
from mcjax.laws.law import Inapplicable
from mcjax.study.covariates import Covariates, RowCovariates
from mcjax.study.roots import covariance_root

NOT_AROUND_0 = (
    "what is known of such data is for normal covariates, and these are from rows of data"
)
UNKNOWN = "the curvature of the mean score is not known for such data"

Vector = Float[np.ndarray, " p"]
Matrix = Float[np.ndarray, "p p"]


class Origin(NamedTuple):
    """Distribution of the rows that the origin of a feed generates.

    Attributes
    ----------
    theta : ndarray, shape (p,)
        Parameters at which labels are generated.
    root : ndarray, shape (q, q)
        F, a root of the covariance of x.
    params : dict
        Numbers of the model, with the noise scale of the source.
    real : bool
        Whether the data are real.
    """

    theta: Vector
    root: Float[np.ndarray, "q q"]
    params: Params
    real: bool

    def span(self, vectors: Sequence[Vector], **rule: Any) -> Integral:
        """Return the integration over ``x'a`` for some vectors a, by the rule of :class:`Span`."""
        return Span(self.root, vectors, **rule)


class OriginAround(NamedTuple):
    """Distribution of rows whose normal covariates have a mean.

    Attributes
    ----------
    theta, params, real
        As in :class:`Origin`.
    centre : ndarray, shape (q,)
        The mean of x.
    deviation : ndarray, shape (q, q)
        A root of the covariance of x.
    """

    theta: Vector
    centre: Float[np.ndarray, " q"]
    deviation: Float[np.ndarray, "q q"]
    params: Params
    real: bool

    @property
    def root(self) -> Float[np.ndarray, "q q"]:
        """Raise Inapplicable: covariates are not normal around 0."""
        raise Inapplicable(NOT_AROUND_0)

    def span(self, vectors: Sequence[Vector], **rule: Any) -> Integral:
        """Return the integration over ``x'a`` for some vectors a, by the rule of :class:`Span`."""
        return ShiftedSpan(self.centre, self.deviation, vectors, **rule)


class OriginOfRows(NamedTuple):
    """Distribution of rows whose covariates are those of rows of data.

    Attributes
    ----------
    theta, params, real
        As in :class:`Origin`.
    x : ndarray, shape (n, q)
        Covariates of the rows of data.
    """

    theta: Vector
    x: Float[np.ndarray, "n q"]
    params: Params
    real: bool

    @property
    def root(self) -> Float[np.ndarray, "q q"]:
        """Raise Inapplicable: covariates are not normal around 0."""
        raise Inapplicable(NOT_AROUND_0)

    def span(self, vectors: Sequence[Vector], **rule: Any) -> Integral:
        """Return means over the rows of functions of ``x'a``; they need no rule."""
        return RowSpan(self.x, vectors)


AnyOrigin = Origin | OriginAround | OriginOfRows


def origin_of(law: Covariates, theta: Vector, params: Params, real: bool) -> AnyOrigin:
    """Return an origin of rows whose covariates come from a distribution or from rows of data."""
    if isinstance(law, RowCovariates):
        return OriginOfRows(theta, law.data.x, params, real)
    root = covariance_root(law.covariance)
    if law.mean.any():
        return OriginAround(theta, law.mean, root, params=params, real=real)
    return Origin(theta, root, params, real)


class Score(NamedTuple):
    """The mean score of a reader and its slope.

    Attributes
    ----------
    mean : ndarray, shape (p,)
        S(m, v).
    by_reader : ndarray, shape (p, p)
        ``dS/dm``.
    """

    mean: Vector
    by_reader: Matrix


class Curvature(NamedTuple):
    """Second derivatives of the score equation and noise of its slope, at one reader and origin.

    Attributes
    ----------
    by_reader, mixed, by_parent : ndarray, shape (p, p, p)
        ``d2S/dm2``, ``d2S/dm dv`` and ``d2S/dv2``: the axis of the score, then those of the
        derivatives.
    product : ndarray, shape (p, p, p)
        ``E[H (x) s]`` of the Hessian H and the score s of one row.
    """

    by_reader: Float[np.ndarray, "p p p"]
    mixed: Float[np.ndarray, "p p p"]
    by_parent: Float[np.ndarray, "p p p"]
    product: Float[np.ndarray, "p p p"]


class SlopeMoments(NamedTuple):
    """Moments of the Hessian H of one row, in the metric of a matrix G.

    Attributes
    ----------
    square : ndarray, shape (p, p)
        ``E[H G H]``.
    cube : float
        ``E[tr(G H)^3]``.
    """

    square: Matrix
    cube: float


class Population(ABC):
    """The distribution of the rows of one feed.

    Parameters
    ----------
    origin : Origin, OriginAround or OriginOfRows
        Whoever generates the rows.

    Attributes
    ----------
    kept : float
        Share of the rows that the reader fits.
    """

    kept: float = 1.0

    def __init__(self, origin: AnyOrigin):
        self.origin = origin

    def jumps(self) -> list[tuple[Vector, float]]:
        """Return where the population jumps as the parameters of its origin change.

        Returns
        -------
        list of (ndarray of shape (p,), float)
            Linear functions of the parameters, and how far each is from its jump.
        """
        return []

    @abstractmethod
    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""

    @property
    def slope_key(self) -> Hashable:
        """Key of what the slope depends on beside the reader, while the population is held."""
        return id(self)

    def slope(self, reader: Vector) -> Matrix:
        """Return the slope of the mean score, ``dS/dm``, for a reader that is not remembered."""
        return self.score(reader).by_reader

    def change_of_slope(
        self, reader: Vector, others: Float[np.ndarray, "K p"], weights: Float[np.ndarray, " K"]
    ) -> Matrix:
        """Return the weighted sum of the slopes at other readers less that at ``reader``."""
        return weighted_change(self.slope, reader, others, weights=weights)

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``.

        Raises
        ------
        Inapplicable
            If it is not known.
        """
        raise Inapplicable(UNKNOWN)

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``.

        Raises
        ------
        Inapplicable
            If they are not known.
        """
        raise Inapplicable(UNKNOWN)

    @abstractmethod
    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""

    @abstractmethod
    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p).

        Rows belong to the first reader. It is not symmetric unless both read at the same
        parameters.
        """


class RowsOfData(Population):
    """Rows of data, drawn with replacement, which no parameters generate."""

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, which is zero."""
        return np.zeros((len(reader), len(reader)))


def weighted_change(
    function: Callable[[Vector], np.ndarray],
    reader: Vector,
    others: Float[np.ndarray, "K p"],
    weights: Float[np.ndarray, " K"],
) -> np.ndarray:
    """Return the weighted sum of a function of other readers less that of ``reader``."""
    first = function(reader)
    change = np.zeros_like(first)
    for other, weight in zip(others, weights, strict=True):
        change += weight * (function(other) - first)
    return change
