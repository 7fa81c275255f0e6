"""Derivatives of the loss of a linear predictor at given labels, row by row."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.draws.settings import double_precision, own_settings
from mcjax.estimators.predictor import LinearPredictor, Params
from mcjax.faults import users_code


class RowSlopes(NamedTuple):
    """The first three derivatives of the loss in the linear predictor, each of shape (n,).

    At kinks of the loss they are those on one side. Unlike the curvature in Newton steps, the
    second one is 0 where the loss is straight.
    """

    first: Float[np.ndarray, " n"]
    second: Float[np.ndarray, " n"]
    third: Float[np.ndarray, " n"]


def row_slopes(
    predictor: LinearPredictor,
    params: Params,
    eta: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
) -> RowSlopes:
    """Return derivatives of the loss at linear predictors and labels, in double precision."""
    with own_settings(), double_precision(), users_code("loss", predictor.loss):
        found = _derivatives(predictor, params, jnp.asarray(eta), jnp.asarray(y))
    return RowSlopes(*(np.asarray(part, float) for part in found))


@partial(jax.jit, static_argnames="predictor")
def _derivatives(
    predictor: LinearPredictor, params: Params, eta: Array, y: Array
) -> tuple[Array, Array, Array]:
    def first(at: Array) -> Array:
        return predictor.derivatives(params, at, y)[0]

    def second(at: Array) -> tuple[Array, Array]:
        return jax.jvp(first, (at,), (jnp.ones_like(at),))

    (value, slope), (_, bend) = jax.jvp(second, (eta,), (jnp.ones_like(eta),))
    return value, slope, bend
