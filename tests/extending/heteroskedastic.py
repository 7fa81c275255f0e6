"""A normal model whose mean and log standard deviation are linear in the covariates.

``theta`` has two blocks, ``mean`` and ``log_scale``, each of shape (q,).
"""

import jax
import jax.numpy as jnp


def loss(theta, x, y):
    log_scale = x @ theta["log_scale"]
    return 0.5 * ((y - x @ theta["mean"]) * jnp.exp(-log_scale)) ** 2 + log_scale


def sample(key, theta, x):
    noise = jax.random.normal(key, dtype=x.dtype)
    return x @ theta["mean"] + jnp.exp(x @ theta["log_scale"]) * noise
