"""Probit regression: ``P(y = 1 | x) = Phi(x'theta)``, written as functions of ``eta = x'theta``."""

import jax
from jax.scipy.stats import norm


def loss(eta, y):
    return -norm.logcdf((2 * y - 1) * eta)


def sample(key, eta):
    return jax.random.normal(key, dtype=eta.dtype) < eta
