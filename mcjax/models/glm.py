"""Logistic and Poisson regression with canonical links: H = V is the Fisher information."""

from __future__ import annotations

import math
import operator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.draws import samplers
from mcjax.estimators.predictor import LinearPredictor, Params, Words
from mcjax.models.allowance import Allowance
from mcjax.models.information import Information, same_information
from mcjax.models.model import Model, Tempering, predictor_model, uniforms
from mcjax.models.rounding import log_linear_rounding
from mcjax.models.scores import LOGISTIC_SCORES, POISSON_SCORES
from mcjax.numbers import how_many


@explained
def logistic() -> Model:
    """Return logistic regression without intercept, ``P(y = 1 | x) = 1 / (1 + exp(-x'theta))``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> model = mcjax.logistic()
    >>> loss = model.loss(model.params, jnp.array([1.0]), jnp.array([0.0]), jnp.array(1.0))
    >>> round(float(loss), 4)
    0.6931
    """
    return predictor_model(
        "logistic",
        LOGISTIC,
        information=logistic_information,
        scores=LOGISTIC_SCORES,
        tempering=LOG_ODDS_TEMPERING,
        mirror=operator.neg,
        allowance=Allowance(4.0),
        labels=not_binary,
        classes=2,
    )


@explained
def poisson() -> Model:
    """Return Poisson regression with log link, ``y | x ~ Poisson(exp(x'theta))``.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=500, initial=500)
    >>> condition = mcjax.condition(network, mcjax.poisson(), theta=[0.5, -0.5])
    >>> [prediction] = mcjax.predict(mcjax.Study((condition,), generations=2))
    >>> prediction.laws["first_order"].mse[:, 0].round(5)
    array([0.0026 , 0.00519, 0.00779])
    """
    return predictor_model(
        "poisson",
        POISSON,
        information=poisson_information,
        scores=POISSON_SCORES,
        rounding=log_linear_rounding,
        allowance=Allowance(4.0),
        labels=not_counts,
    )


def not_binary(y: np.ndarray) -> str:
    """Return what is wrong with labels that should be 0 or 1, or an empty string."""
    others = int((~np.isin(y, (0, 1))).sum())
    return f"has {how_many(others, 'label')} other than 0 and 1; see `positive`" if others else ""


def not_counts(y: np.ndarray) -> str:
    """Return what is wrong with labels that should be counts, or an empty string."""
    others = int(((y < 0) | (y != np.floor(y))).sum())
    are = "is no whole number" if others == 1 else "are no whole numbers"
    problem = f"that {are} of at least 0; name a target of counts"
    return f"has {how_many(others, 'label')} {problem}" if others else ""


def _logistic_loss(params: Params, eta: Array, y: Array) -> Array:
    return jnp.logaddexp(jnp.zeros_like(eta), eta) - y * eta


def _logistic_label(params: Params, eta: Array, words: Words) -> Array:
    u, _ = uniforms(words, eta.dtype)
    # equivalent to u < 1 / (1 + exp(-eta)), but without a division
    return (u * (1 + jnp.exp(-eta)) < 1).astype(eta.dtype)


def _logistic_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    mean = 1 / (1 + jnp.exp(-eta))
    return mean - y, mean * (1 - mean)


def lies_on_its_side(eta: Array, y: Array) -> Array:
    """Return True if an observation is strictly on its side of eta = 0 (Albert & Anderson 1984)."""
    return (2 * y - 1) * eta > 0


def _logistic_log_curvature(params: Params, eta: Array) -> Array:
    """Return ``log(s(1 - s))``, which is finite where ``s(1 - s)`` is rounded to 0."""
    zero = jnp.zeros_like(eta)
    return -jnp.logaddexp(zero, eta) - jnp.logaddexp(zero, -eta)


def _divided(params: Params, theta: Any, temperature: Any) -> tuple[Params, Any]:
    return params, theta / temperature


def _division(theta: np.ndarray, temperature: float) -> np.ndarray:
    return np.eye(len(theta)) / temperature


LOG_ODDS_TEMPERING = Tempering(_divided, _division)
"""The log odds of labels are divided by the temperature."""
LOGISTIC = LinearPredictor(
    loss=_logistic_loss,
    label=_logistic_label,
    slopes=_logistic_slopes,
    separates=lies_on_its_side,
    log_curvature=_logistic_log_curvature,
)


def _poisson_loss(params: Params, eta: Array, y: Array) -> Array:
    return jnp.exp(eta) - y * eta


def _poisson_label(params: Params, eta: Array, words: Words) -> Array:
    u, _ = uniforms(words, eta.dtype)
    return samplers.poisson(u, jnp.exp(eta))


def _poisson_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    mean = jnp.exp(eta)
    return mean - y, mean


def _poisson_log_curvature(params: Params, eta: Array) -> Array:
    return eta


def is_zero_below(eta: Array, y: Array) -> Array:
    """Return True if the observation is 0 and its mean, below 1, falls for ever along eta."""
    return (y == 0) & (eta < 0)


POISSON = LinearPredictor(
    loss=_poisson_loss,
    label=_poisson_label,
    slopes=_poisson_slopes,
    separates=is_zero_below,
    log_curvature=_poisson_log_curvature,
)


def logistic_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = V = a Sigma + (b - a) (Sigma theta)(Sigma theta)' / gamma^2``.

    Notes
    -----
    ``gamma^2 = theta' Sigma theta`` is the variance of ``eta = gamma z`` with z standard normal,
    ``a = E s(1 - s)`` and ``b = E s(1 - s) z^2`` with ``s = sigmoid(gamma z)``. The formula follows
    by splitting x into its regression on eta and an independent remainder.

    The integrals are computed by the trapezoidal rule, which converges geometrically for these
    analytic integrands, on an interval outside which they are below the rounding error. The step is
    small compared with the distance pi / gamma of their poles from the real line.
    """
    direction = cov @ theta
    gamma = math.sqrt(float(theta @ direction))
    width = min(12.0, 45.0 / max(gamma, 1e-9))
    z = np.linspace(-width, width, 1201)
    half = np.exp(-np.abs(gamma * z))  # s(1 - s) without overflow
    mass = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * (z[1] - z[0]) * half / (1 + half) ** 2
    a, b = float(mass.sum()), float(mass @ z**2)
    excess = (b - a) / gamma**2 if gamma > 0 else 0.0
    hessian = a * cov + excess * np.outer(direction, direction)
    return same_information(hessian, hessian)


def poisson_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = V = exp(theta' Sigma theta / 2) (Sigma + (Sigma theta)(Sigma theta)')``.

    The formula follows by completing the square in ``E[exp(x'theta) x x']``.
    """
    direction = cov @ theta
    with np.errstate(over="ignore", invalid="ignore"):  # infinite where theta is too large
        scale = np.exp(0.5 * float(theta @ direction))
        hessian = scale * (cov + np.outer(direction, direction))
    return same_information(hessian, hessian)
