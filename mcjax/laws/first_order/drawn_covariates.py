"""Covariates of simulated rows: normal ones, or those of rows of data, drawn with replacement."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, UInt32

from mcjax.chains.observations import draw_normals
from mcjax.draws.samplers import place_below
from mcjax.draws.streams import ROW, row_words
from mcjax.estimators.predictor import Words
from mcjax.laws.first_order.population import AnyOrigin, OriginAround, OriginOfRows


class DrawnNormals(NamedTuple):
    """Normal covariates; a pytree.

    Attributes
    ----------
    root : array, shape (q, q)
        A root of their covariance.
    centre : array, shape (q,), optional
        Their mean, 0 by default.
    """

    root: Float[Any, "q q"]
    centre: Float[Any, " q"] | None = None

    def draw(self, keys: Words, pairs: UInt32[Array, " H"]) -> Float[Array, "q 2*H"]:
        """Return the covariates of pairs of rows, the even ones first."""
        z = draw_normals(keys, pairs, len(self.root), self.root.dtype)
        x = self.root @ jnp.concatenate([z.real, z.imag], axis=1)
        return x if self.centre is None else x + jnp.asarray(self.centre)[:, None]


class DrawnRows(NamedTuple):
    """Covariates of rows of data; a pytree.

    Attributes
    ----------
    x : array, shape (n, q)
        The covariates of all rows.
    """

    x: Float[Any, "n q"]

    def draw(self, keys: Words, pairs: UInt32[Array, " H"]) -> Float[Array, "q 2*H"]:
        """Return the covariates of pairs of rows, the even ones first."""
        word = jnp.concatenate(row_words(keys, pairs, jnp.uint32(ROW)))
        return jnp.asarray(self.x)[place_below(word, jnp.uint32(len(self.x)))].T


def drawn_covariates(origin: AnyOrigin) -> DrawnNormals | DrawnRows:
    """Return how the covariates of the rows of an origin are drawn."""
    if isinstance(origin, OriginOfRows):
        return DrawnRows(origin.x)
    if isinstance(origin, OriginAround):
        return DrawnNormals(origin.deviation, origin.centre)
    return DrawnNormals(origin.root)
