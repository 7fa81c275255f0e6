"""Rows of data as a population, for a user's loss of theta as a whole.

The moments are the finite sums of :mod:`mcjax.laws.first_order.file_population`, with scores and
Hessians of the rows by automatic differentiation. No more is known of the loss, which may have
kinks: how the mean score bends is not known.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.chains.selected import Drawn
from mcjax.data.data import Data
from mcjax.draws.settings import own_settings
from mcjax.faults import users_code
from mcjax.laws.first_order.population import (
    AnyOrigin,
    Matrix,
    RowsOfData,
    Score,
    SlopeMoments,
    Vector,
)
from mcjax.laws.first_order.simulated_rows import loss_at, mean_scores, score_products
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model

BLOCK = 1 << 10
"""Rows whose Hessians are in memory at once."""


class DifferentiatedRows(RowsOfData):
    """Rows of data and a loss that is differentiated at each of them.

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
        self._model = replace(model, params=origin.params, scores=None)
        one_batch = data.x.T[None], data.y[None], np.ones((1, len(data.y)), bool)
        with own_settings():
            self._rows = Drawn(*map(jnp.asarray, one_batch))
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

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        with own_settings(), users_code("loss", self._model.loss):
            ends = map(jnp.asarray, (first, second))
            found = score_products(self._model, self._rows, *ends)
        a, b, product = (np.asarray(part, float)[0] for part in found[:3])
        return np.asarray(product - np.outer(a, b))

    def slope_moments(self, reader: Vector, metric: Matrix) -> SlopeMoments:
        """Return moments of the Hessian of one row for a reader at ``reader``."""
        with own_settings(), users_code("loss", self._model.loss):
            ends = map(jnp.asarray, (reader, metric))
            found = _slope_moments(self._model, self._rows, *ends)
        square, cube = (np.asarray(part, float) for part in found)
        return SlopeMoments(square, float(cube))

    def _score_at(self, reader: Vector) -> Score:
        with own_settings(), users_code("loss", self._model.loss):
            found = mean_scores(self._model, self._rows, jnp.asarray(reader))
        mean, slope = (np.asarray(part, float)[0] for part in found)
        if not (np.isfinite(mean).all() and np.isfinite(slope).all()):
            raise Inapplicable(
                "the loss or its derivatives are not finite at some of the rows of data"
            )
        return Score(mean, slope)


@jax.jit
def _slope_moments(model: Model, rows: Drawn, reader: Array, metric: Array) -> tuple[Array, Array]:
    def one(row: tuple[Array, Array]) -> tuple[Array, Array]:
        slope = jax.hessian(partial(loss_at, model))(reader, *row)
        beside = metric @ slope
        return slope @ beside, jnp.trace(beside @ beside @ beside)

    x, y = rows.x[0].T, rows.y[0]
    squares, cubes = lax.map(one, (x, y), batch_size=BLOCK)
    return squares.mean(0), cubes.mean()
