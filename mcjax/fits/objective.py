"""The weighted M-estimation objective of one data set."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.models.model import Model, linear_predictor


class Dataset(NamedTuple):
    """What one model fits: N rows, of which those with weight 0 are padding."""

    x: Array  # (p, N), rows last
    y: Array  # (N,)
    weight: Array  # (N,)


def mean_loss(model: Model, data: Dataset, theta: Array) -> Array:
    """Weighted mean of the loss."""
    losses = jax.vmap(model.loss, (None, None, 1, 0))(model.params, theta, data.x, data.y)
    return _mean(data, losses)


def gradient_and_hessian(model: Model, data: Dataset, theta: Array) -> tuple[Array, Array]:
    """Gradient, shape (p,), and Hessian, shape (p, p), of :func:`mean_loss`."""
    if model.slopes is None:

        def objective(at: Array) -> Array:
            return mean_loss(model, data, at)

        return jax.grad(objective)(theta), jax.hessian(objective)(theta)
    eta = linear_predictor(data.x, theta)
    slope, curvature = jax.vmap(model.slopes, (None, 0, 0))(model.params, eta, data.y)
    share = data.weight / data.weight.sum()
    gradient = jnp.matmul(data.x, share * slope, precision="highest")
    weighted = data.x * (share * curvature)[None, :]
    return gradient, jnp.matmul(weighted, data.x.T, precision="highest")


def separated(model: Model, data: Dataset, theta: Array) -> Array:
    """Whether ``theta`` certifies that no estimate exists."""
    if model.separates is None:
        return jnp.asarray(False)
    eta = linear_predictor(data.x, theta)
    apart = jax.vmap(model.separates)(eta, data.y)
    return jnp.all(apart | (data.weight == 0))


def _mean(data: Dataset, values: Array) -> Array:
    return jnp.sum(data.weight * values) / jnp.sum(data.weight)
