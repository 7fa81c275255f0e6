"""Check what a user's model states for a penalty against its loss."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.checks.case import Case
from mcjax.errors import InputError
from mcjax.faults import is_users, users_code, where

PREDICTORS, LABELS = (-2.0, -1.0, 0.0, 1.0, 2.0), 8
"""Predictors at which curvatures are compared, and number of labels at each."""
NEAR = 0.01
"""Largest difference of logarithms that counts as rounding."""


def log_curvature(case: Case) -> str | None:
    """Check that the stated curvature is that of the loss, whatever the label."""
    scalar = case.model.predictor
    stated = None if scalar is None else scalar.log_curvature
    if scalar is None or stated is None or not (is_users(stated) or case.functions):
        return None
    params = case.arguments()[0].params
    eta = jnp.repeat(jnp.asarray(PREDICTORS)[:, None], LABELS, axis=1)
    first, second = jax.random.bits(jax.random.key(0), (2, *eta.shape), jnp.uint32)
    labels = scalar.label(params, eta, (first, second))

    def summed(at: jax.Array) -> jax.Array:
        return jnp.sum(scalar.loss(params, at, labels))

    def slope(at: jax.Array) -> jax.Array:
        derivative: jax.Array = jax.grad(summed)(at)
        return derivative

    curvature = np.asarray(jax.jvp(slope, (eta,), (jnp.ones_like(eta),))[1], float)
    with users_code("family.log_curvature", stated):
        told = np.broadcast_to(np.asarray(stated(params, eta), float), eta.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = ~(np.abs(np.log(curvature) - told) <= NEAR)
    if off.any():
        i, k = np.argwhere(off)[0]
        raise InputError(
            "family.log_curvature",
            f"is {told[i, k]:.4g} at x'theta = {PREDICTORS[i]:g}{where(stated)}, where the second"
            f" derivative of the loss is {curvature[i, k]:.4g} for y = {float(labels[i, k]):.4g};"
            " return the logarithm of the second derivative, and nothing if it depends on y",
        )
    return "is the logarithm of the second derivative of the loss"
