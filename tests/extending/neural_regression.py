"""A small neural regression: one hidden layer, theta a dictionary of weights."""

import jax
import jax.numpy as jnp

HIDDEN, COVARIATES = 4, 2


def predict(theta, x):
    return theta["out"] @ jnp.tanh(theta["hidden"] @ x + theta["offset"])


def loss(theta, x, y):
    return 0.5 * (y - predict(theta, x)) ** 2


def sample(key, theta, x):
    return predict(theta, x) + 0.5 * jax.random.normal(key, dtype=x.dtype)


def init(key):
    first, second = jax.random.split(key)
    return {
        "hidden": jax.random.normal(first, (HIDDEN, COVARIATES)),
        "offset": jnp.zeros(HIDDEN),
        "out": jax.random.normal(second, (HIDDEN,)) / HIDDEN**0.5,
    }
