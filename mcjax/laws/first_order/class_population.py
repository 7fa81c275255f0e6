"""Populations of multinomial logistic regression: of what a model generates, and of rows of data.

Given x, a row of an origin at v has the classes' probabilities P(v), so that for readers a and b

    S(a) = E[(P(a) - P(v)) (x) x] ,    dS/da = E[W(a) (x) x x'] ,    dS/dv = -E[W(v) (x) x x'] ,
    Gamma(a, b) = E[(W(v) + (P(a) - P(v)) (P(b) - P(v))') (x) x x'] - S(a) S(b)' ,

with ``W = diag(P) - P P'``. The expectations over x are sums over rows where covariates are those
of data, and otherwise over nodes (:mod:`mcjax.models.normal_nodes`). With the labels of data in the
place of P(v), and without the W(v) of labels that are drawn, these are the moments of a file.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np
from jaxtyping import Float

from mcjax.data.data import Data
from mcjax.laws.first_order.population import (
    AnyOrigin,
    Curvature,
    Matrix,
    OriginAround,
    OriginOfRows,
    Population,
    Score,
    SlopeMoments,
    Vector,
)
from mcjax.laws.first_order.remembered import remembered
from mcjax.laws.first_order.row_span import MOST_PRODUCTS
from mcjax.laws.law import Inapplicable
from mcjax.models.class_scores import (
    ClassScores,
    bends,
    chances,
    curvatures,
    information_of_classes,
    mean_blocks,
    mean_cube,
    mean_product,
    mean_score,
    metric_products,
)
from mcjax.models.normal_nodes import normal_nodes


class ClassPopulation(Population):
    """Rows whose classes a model generates.

    Parameters
    ----------
    origin : Origin, OriginAround or OriginOfRows
        Whoever generates the rows.
    scores : ClassScores
        How many classes there are.
    """

    def __init__(self, origin: AnyOrigin, scores: ClassScores):
        super().__init__(origin)
        self._x, self._others = _rows(origin), scores.others
        self._chance = remembered(self._chance_at)

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        by_reader = information_of_classes(self._x, self._chance(reader))
        return Score(mean_score(self._x, self._gap(reader)), by_reader)

    @property
    def slope_key(self) -> Hashable:
        """Key of what the slope depends on beside the reader, which is no label."""
        return id(self._x)

    def slope(self, reader: Vector) -> Matrix:
        """Return the slope of the mean score, ``dS/dm``, for a reader that is not remembered."""
        return information_of_classes(self._x, self._chance_at(reader))

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        return -self._drawn

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        gaps = [self._gap(reader) for reader in (first, second)]
        means = [mean_score(self._x, gap) for gap in gaps]
        return self._drawn + mean_product(self._x, *gaps) - np.outer(*means)

    def curvature(self, reader: Vector) -> Curvature:
        """Return what bends the mean score of a reader at ``reader``."""
        n, q = self._x.shape
        if n * (q * self._others) ** 3 > MOST_PRODUCTS:
            raise Inapplicable(
                f"the third moments of {len(reader)} scores over {n:,} rows take too long"
            )
        chance = self._chance(reader)
        gap, by_reader = self._gap(reader), mean_cube(self._x, bends(chance))
        return Curvature(
            by_reader=by_reader,
            mixed=np.zeros_like(by_reader),
            by_parent=self._bent,
            product=mean_cube(self._x, curvatures(chance)[..., None] * gap[:, None, None]),
        )

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        slope = curvatures(self._chance(reader))
        beside = metric_products(self._x, metric, self._others)
        square = mean_blocks(self._x, slope @ beside @ slope)
        one = beside @ slope
        cube = float(np.einsum("njk,nkl,nlj->n", one, one, one, optimize=True).mean())
        return SlopeMoments(square, cube)

    @cached_property
    def _bent(self) -> Float[np.ndarray, "p p p"]:
        """Second derivatives of the mean score in the parameters of the origin."""
        return -mean_cube(self._x, bends(self._target))

    @cached_property
    def _target(self) -> Float[np.ndarray, "n J"]:
        """The expected classes of rows."""
        return chances(self._x, self.origin.theta, self._others)

    @cached_property
    def _drawn(self) -> Matrix:
        """Contribution of the draws of labels to the covariance of scores."""
        return information_of_classes(self._x, self._target)

    def _chance_at(self, reader: Vector) -> Float[np.ndarray, "n J"]:
        return np.asarray(chances(self._x, reader, self._others))

    def _gap(self, reader: Vector) -> Float[np.ndarray, "n J"]:
        return self._chance(reader) - self._target


class ClassesOfRows(ClassPopulation):
    """Rows of data with their classes, drawn with replacement.

    Parameters
    ----------
    origin : OriginOfRows
        The source; its theta is what fits all rows.
    data : Data
        The rows.
    scores : ClassScores
        How many classes there are.
    """

    def __init__(self, origin: AnyOrigin, data: Data, scores: ClassScores):
        super().__init__(origin, scores)
        self._x, self._y = data.x, data.y

    @cached_property
    def _target(self) -> Float[np.ndarray, "n J"]:
        return np.asarray(self._y[:, None] == np.arange(1, self._others + 1), float)

    @cached_property
    def _drawn(self) -> Matrix:
        return np.zeros((len(self.origin.theta),) * 2)

    @cached_property
    def _bent(self) -> Float[np.ndarray, "p p p"]:
        return np.zeros((len(self.origin.theta),) * 3)


def _rows(origin: AnyOrigin) -> Float[np.ndarray, "n q"]:
    """Return the covariates over which expectations are means."""
    if isinstance(origin, OriginOfRows):
        return origin.x
    if isinstance(origin, OriginAround):
        return np.asarray(origin.centre + normal_nodes(origin.deviation))
    return normal_nodes(origin.root)
