"""Probit regression, ``P(y = 1 | x) = Phi(x'theta)`` with the normal distribution function Phi.

With ``s = 2 y - 1``, ``z = s eta`` and the inverse Mills ratio ``l = phi(z) / Phi(z)``, the loss
``-log Phi(z)`` has the derivatives ``-s l`` and ``l (l + z)`` in eta. The link is not the canonical
one, so that the Hessian depends on the label, and H and V are equal only where the model is true.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import log_ndtr, ndtr
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.estimators.predictor import LinearPredictor, Params, Words
from mcjax.models.glm import lies_on_its_side, not_binary
from mcjax.models.information import Information, predictor_information, same_information
from mcjax.models.model import Model, predictor_model, uniforms
from mcjax.models.probit_scores import PROBIT_SCORES, information_of


@explained
def probit() -> Model:
    """Return probit regression without intercept, ``P(y = 1 | x) = Phi(x'theta)``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> model = mcjax.probit()
    >>> loss = model.loss(model.params, jnp.array([1.0]), jnp.array([0.0]), jnp.array(1.0))
    >>> round(float(loss), 4)
    0.6931
    """
    return predictor_model(
        "probit",
        PROBIT,
        information=probit_information,
        scores=PROBIT_SCORES,
        mirror=_negated,
        labels=not_binary,
    )


def _negated(theta: Array) -> Array:
    return -theta


def _loss(params: Params, eta: Array, y: Array) -> Array:
    return -log_ndtr((2 * y - 1) * eta)


def _label(params: Params, eta: Array, words: Words) -> Array:
    u, _ = uniforms(words, eta.dtype)
    return (u < ndtr(eta)).astype(eta.dtype)


def _slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    side = 2 * y - 1
    z = side * eta
    ratio = jnp.exp(-(z**2) / 2 - math.log(2 * math.pi) / 2 - log_ndtr(z))
    return -side * ratio, side**2 * ratio * (ratio + z)


PROBIT = LinearPredictor(loss=_loss, label=_label, slopes=_slopes, separates=lies_on_its_side)


def probit_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = V = E[phi^2 / (Phi (1 - Phi)) x x']`` at ``x'theta``."""
    hessian = predictor_information(theta, cov, information_of)
    return same_information(hessian, hessian)
