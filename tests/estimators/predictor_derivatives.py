"""Derivatives of a loss by its predictors, and as it is written."""

import jax
import jax.numpy as jnp
import numpy as np


def derivatives(loss, found, theta, x, y):
    """Return value, gradient and Hessian of a loss, by its predictors and as it is written."""
    rows = [
        jnp.zeros(len(theta), theta.dtype).at[np.array(k)].set(jnp.stack(c))
        for k, c in zip(found.parameters, found.coefficients(x, y), strict=True)
    ]
    design, direct = jnp.stack(rows), (loss, jax.grad(loss), jax.jacrev(jax.grad(loss)))
    eta = jnp.matmul(design, theta, precision="highest")

    def by_predictors(eta):
        return found.loss(list(eta), x, y)

    slope, bend = jax.grad(by_predictors)(eta), jax.hessian(by_predictors)(eta)
    ours = by_predictors(eta), slope @ design, design.T @ bend @ design
    return ours, tuple(function(theta, x, y) for function in direct)
