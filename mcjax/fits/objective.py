"""The weighted M-estimation objective of one data set."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.families.family import Family, linear_predictor


class Dataset(NamedTuple):
    """What one model fits: N rows, of which those with weight 0 are padding."""

    x: Array  # (p, N), rows last
    y: Array  # (N,)
    weight: Array  # (N,)


def mean_loss(family: Family, data: Dataset, theta: Array) -> Array:
    """Weighted mean of the loss."""
    losses = jax.vmap(family.loss, (None, None, 1, 0))(family.params, theta, data.x, data.y)
    return _mean(data, losses)


def gradient_and_hessian(family: Family, data: Dataset, theta: Array) -> tuple[Array, Array]:
    """Gradient, shape (p,), and Hessian, shape (p, p), of :func:`mean_loss`."""
    if family.slopes is None:

        def objective(at: Array) -> Array:
            return mean_loss(family, data, at)

        return jax.grad(objective)(theta), jax.hessian(objective)(theta)
    eta = linear_predictor(data.x, theta)
    slope, curvature = jax.vmap(family.slopes, (None, 0, 0))(family.params, eta, data.y)
    share = data.weight / data.weight.sum()
    gradient = jnp.matmul(data.x, share * slope, precision="highest")
    weighted = data.x * (share * curvature)[None, :]
    return gradient, jnp.matmul(weighted, data.x.T, precision="highest")


def separated(family: Family, data: Dataset, theta: Array) -> Array:
    """Whether ``theta`` certifies that no estimate exists."""
    if family.separates is None:
        return jnp.asarray(False)
    eta = linear_predictor(data.x, theta)
    apart = jax.vmap(family.separates)(eta, data.y)
    return jnp.all(apart | (data.weight == 0))


def _mean(data: Dataset, values: Array) -> Array:
    return jnp.sum(data.weight * values) / jnp.sum(data.weight)
