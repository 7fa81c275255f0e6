"""A smooth robust loss, and labels with Laplace noise; real ones with normal noise."""

import jax
import jax.numpy as jnp


def loss(theta, x, y, sharpness):
    residual = sharpness * (y - x @ theta)
    return jnp.logaddexp(residual, -residual) / sharpness


def sample(key, theta, x, sharpness):
    return x @ theta + jax.random.laplace(key, dtype=x.dtype)


def sample_real(key, theta, x, sharpness):
    return x @ theta + jax.random.normal(key, dtype=x.dtype)
