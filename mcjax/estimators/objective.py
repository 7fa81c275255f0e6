"""The weighted mean loss of one data set with the model's penalty, and its derivatives."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Bool, Float

from mcjax.estimators.estimator import Dataset, Problem
from mcjax.estimators.predictor import linear_predictor


def mean_loss(model: Problem, data: Dataset, theta: Any) -> Float[Array, ""]:
    """Return the weighted mean of the loss at ``theta``, and the penalty if there is one."""
    return penalised(model, data, theta, plain_mean_loss(model, data, theta))


def plain_mean_loss(model: Problem, data: Dataset, theta: Any) -> Float[Array, ""]:
    """Return the weighted mean of the loss at ``theta``, without a penalty."""
    losses = jax.vmap(model.loss, (None, None, -1, -1))(model.params, theta, data.x, data.y)
    mean: Array = jnp.sum(data.weight * losses) / jnp.sum(data.weight)
    return mean


def penalised(
    model: Problem, data: Dataset, theta: Any, mean: Float[Array, ""]
) -> Float[Array, ""]:
    """Return a mean loss at ``theta`` and the penalty of a data set, if the model has one."""
    return mean if model.penalty is None else mean + model.penalty.value(theta, model, data)


def gradient_and_hessian(
    model: Problem, data: Dataset, theta: Any
) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
    """Return gradient, shape (p,), and Hessian, shape (p, p), of :func:`mean_loss`.

    Both are with respect to the p numbers of ``theta``, in the order of its leaves. Where the model
    is one of a linear predictor, loss and penalty may state another curvature for Newton steps.
    """
    if model.predictors is not None:
        share = data.weight / data.weight.sum()
        found = model.predictors.derivatives(model.params, data.x, data.y, theta, share=share)
        return found if model.penalty is None else _added(found, model, data, theta)
    if model.predictor is None:
        flat, unravel = ravel_pytree(theta)

        def objective(at: Array) -> Array:
            return mean_loss(model, data, unravel(at))

        return jax.grad(objective)(flat), jax.hessian(objective)(flat)
    eta = linear_predictor(data.x, theta)
    slope, curvature = model.predictor.derivatives(model.params, eta, data.y)
    share = data.weight / data.weight.sum()
    gradient = jnp.matmul(data.x, share * slope, precision="highest")
    weighted = data.x * (share * curvature)[None, :]
    hessian = jnp.matmul(weighted, data.x.T, precision="highest")
    found = gradient, hessian
    return found if model.penalty is None else _added(found, model, data, theta)


def _added(
    found: tuple[Array, Array], model: Problem, data: Dataset, theta: Any
) -> tuple[Array, Array]:
    """Return gradient and Hessian with those of the penalty, which the model has."""
    assert model.penalty is not None, "whoever calls has asked"
    parts = model.penalty.derivatives(theta, model, data)
    return found[0] + parts[0], found[1] + parts[1]


def has_minimum(model: Problem) -> bool:
    """Return whether the loss has a minimum whatever the labels, so that none separate."""
    return model.least_squares is not None or model.penalty is not None


def separated(model: Problem, data: Dataset, theta: Any) -> Bool[Array, ""]:
    """Return True if ``theta`` separates the labels, which proves that no estimate exists.

    With a penalty there always is one.
    """
    if model.penalty is not None:
        return jnp.asarray(False)
    if model.predictors is not None:
        return model.predictors.separated(data.x, data.y, theta, data.weight)
    if model.predictor is None or model.predictor.separates is None:
        return jnp.asarray(False)
    apart = model.predictor.separates(linear_predictor(data.x, theta), data.y)
    return jnp.all(apart | (data.weight == 0))
