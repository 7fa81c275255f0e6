"""Negative binomial regression with log link and a given dispersion.

Counts have the mean ``mu = exp(x'theta)`` and the variance ``mu + a mu^2``, with the dispersion a:
they are Poisson counts whose rate is mu times a gamma variate of mean 1 and variance a. The loss is
the negative log-likelihood with a fixed. It aims at the same theta whatever the dispersion of the
data, which may be another one in real data than in what models generate.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtri
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.draws import samplers
from mcjax.estimators.predictor import LinearPredictor, Params, Words
from mcjax.models.dispersed_scores import NEGATIVE_BINOMIAL_SCORES
from mcjax.models.glm import is_zero_below, not_counts
from mcjax.models.information import BatchInformation, Information, predictor_information
from mcjax.models.model import Model, predictor_model, uniforms
from mcjax.models.noise import positive
from mcjax.models.rounding import log_linear_rounding


@explained
def negative_binomial(dispersion: float = 1.0, real_dispersion: float | None = None) -> Model:
    """Return negative binomial regression with log link, of variance ``mu + dispersion mu^2``.

    Parameters
    ----------
    dispersion : float
        The dispersion, in the loss and in the counts that models generate.
    real_dispersion : float, optional
        That of real data; defaults to ``dispersion``.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    InputError
        If a dispersion is no positive number.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.negative_binomial(dispersion=0.5).params
    {'dispersion': 0.5, 'real_dispersion': 0.5}
    """
    own = positive(dispersion, "family.dispersion")
    real: Any = own if real_dispersion is None else real_dispersion
    return predictor_model(
        "negative_binomial",
        NEGATIVE_BINOMIAL,
        {"dispersion": own, "real_dispersion": positive(real, "family.real_dispersion")},
        information=negative_binomial_information,
        scores=NEGATIVE_BINOMIAL_SCORES,
        rounding=log_linear_rounding,
        labels=not_counts,
    )


def _loss(params: Params, eta: Array, y: Array) -> Array:
    a = params["dispersion"]
    return (y + 1 / a) * jnp.logaddexp(jnp.zeros_like(eta), eta + jnp.log(a)) - y * eta


def _slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    a = params["dispersion"]
    share = 1 / (1 + jnp.exp(-eta) / a)
    weight = y + 1 / a
    return weight * share - y, weight * share * (1 - share)


def _label(params: Params, eta: Array, words: Words) -> Array:
    return dispersed_counts(eta, words, params["dispersion"])


def _label_real(params: Params, eta: Array, words: Words) -> Array:
    return dispersed_counts(eta, words, params["real_dispersion"])


def dispersed_counts(eta: Array, words: Words, dispersion: Any) -> Array:
    """Draw counts by a gamma variate and, given it, a Poisson count.

    A gamma variate is one of a larger shape times powers of uniforms (Stuart 1962).
    """
    shape = jnp.broadcast_to(1 / jnp.asarray(dispersion, eta.dtype), eta.shape)
    u, first = uniforms(words, eta.dtype)
    raised = shape + samplers.GAMMA_RAISES
    logarithm = 3 * jnp.log(samplers.gamma_root(ndtri(first), raised)) + jnp.log(raised / shape)
    for j in range(0, samplers.GAMMA_RAISES, 2):
        words = samplers.further_words(words)
        for k, part in enumerate(uniforms(words, eta.dtype), j):
            logarithm = logarithm + jnp.log(part) / (shape + k)
    return samplers.poisson(u, jnp.exp(eta + logarithm))


NEGATIVE_BINOMIAL = LinearPredictor(
    loss=_loss, label=_label, label_real=_label_real, slopes=_slopes, separates=is_zero_below
)


@np.errstate(over="ignore", invalid="ignore")  # not a number where theta is too large
def negative_binomial_information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = E[mu / (1 + a mu) x x']`` and V, where variances are those of the data."""
    a = float(params["dispersion"])

    def batch(of: float) -> BatchInformation:
        def spread(eta: np.ndarray) -> np.ndarray:
            mean = np.exp(eta)
            return np.asarray((mean + of * mean**2) / (1 + a * mean) ** 2)

        return BatchInformation(hessian, predictor_information(theta, cov, spread))

    hessian = predictor_information(theta, cov, lambda eta: 1 / (np.exp(-eta) + a))
    return Information(real=batch(float(params["real_dispersion"])), synthetic=batch(a))
