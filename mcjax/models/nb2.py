"""Negative binomial regression whose dispersion is estimated (NB2 of Cameron & Trivedi 1998).

Counts have the mean ``mu = exp(x'b)`` and the variance ``mu + a mu^2``, and theta is b and then the
logarithm of the dispersion a. The loss is the negative log-likelihood without the term in y alone,

    (y + 1/a) log(1 + a mu) - y log mu - sum_{j < y} log(1 + a j) .

At the truth the scores of b and of a are uncorrelated, so that estimating a costs the estimates of
b nothing to first order.

A fit has no estimate if the loss falls as a falls to 0, where the model is Poisson regression. That
is so where counts are no more spread than their means, ``sum (y - mu)^2 <= sum y``.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.calls import explained
from mcjax.estimators.newton import Newton
from mcjax.estimators.predictor import Params, Words, linear_predictor
from mcjax.estimators.shared_number import PredictorAndNumber, SharedSlopes
from mcjax.models.dispersion_scores import DispersionScores, ParentCounts
from mcjax.models.glm import not_counts
from mcjax.models.information import Information, predictor_information, same_information
from mcjax.models.model import Model
from mcjax.models.negative_binomial import dispersed_counts
from mcjax.models.rising import log_rising, rises
from mcjax.models.rounding import log_linear_rounding

LARGEST = 12.0
"""Largest size of ``log a``."""
NEGLIGIBLE = 1e-6
"""Share of the variance that a adds to that of Poisson counts, from which fits are given up."""


@explained
def nb2() -> Model:
    """Return negative binomial regression with log link, whose dispersion is estimated.

    Returns
    -------
    Model
        The model. Its theta has a number for each covariate, and then the logarithm of the
        dispersion a; the variance of a count of mean mu is ``mu + a mu^2``.

    Examples
    --------
    >>> import math
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=500, real=500, initial=1000)
    >>> condition = mcjax.condition(network, mcjax.nb2(), [1.0, -0.5, math.log(0.8)])
    >>> condition.covariance.shape
    (2, 2)
    """
    return MODEL


def _loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    eta, k = linear_predictor(x, theta[:-1]), jnp.exp(-theta[-1])
    return (y + k) * jnp.log1p(jnp.exp(eta) / k) - y * eta - log_rising(k, y, jnp.log1p)


def _sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
    return dispersed_counts(linear_predictor(x, theta[:-1]), words, jnp.exp(theta[-1]))


def _slopes(params: Params, eta: Array, number: Array, y: Array) -> SharedSlopes:
    mean, k = jnp.exp(eta), jnp.exp(-number)
    share = mean / k
    damped = 1 / (1 + share)
    bent = damped * (share * damped)
    first, second = rises(k, y, jnp.log1p)
    slope = (mean - y) * damped
    by_number = first - k * jnp.log1p(share) + slope
    return SharedSlopes(
        slope=slope,
        curvature=(y + k) * bent,
        by_number=by_number,
        mixed=(y - mean) * bent,
        bend=second - by_number - mean * bent - y * damped**2,
    )


def _apart(eta: Array, number: Array, y: Array, weight: Array) -> Array:
    """Return True if all counts are 0, or dispersion is negligible and the loss falls with it."""
    mean, rows = jnp.exp(eta), weight > 0
    excess = jnp.sum(weight * ((y - mean) ** 2 - y))
    size = jnp.exp(number) * jnp.sum(weight * mean**2)
    least = size < NEGLIGIBLE * jnp.sum(weight * mean)
    return (least & (excess <= 0)) | jnp.all(((y == 0) & (eta < 0)) | ~rows)


def _information(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"]
) -> Information:
    """Return ``H = V``, with the blocks ``E[mu u x x']`` and ``E[Q - mu u]``."""
    b, number = theta[:-1], float(theta[-1])

    def of_number(eta: np.ndarray) -> np.ndarray:
        return ParentCounts(eta, number).second(number) - 1 / (np.exp(-eta) + math.exp(number))

    hessian = np.zeros((len(theta),) * 2)
    with np.errstate(over="ignore", invalid="ignore"):  # not a number where theta is too large
        hessian[:-1, :-1] = predictor_information(
            b, cov, lambda eta: 1 / (np.exp(-eta) + math.exp(number))
        )
        # of two independent covariates, the weight of the one that does not enter is its mean
        length = math.sqrt(max(float(b @ cov @ b), 0.0))
        pair = predictor_information(np.array([length, 0.0]), np.eye(2), of_number)
    hessian[-1, -1] = pair[1, 1]
    return same_information(hessian, hessian)


def _rounding(
    params: Params, theta: Float[np.ndarray, " p"], cov: Float[np.ndarray, "q q"], rows: int
) -> float:
    return log_linear_rounding(params, theta[:-1], cov, rows)


def _check(truth: np.ndarray) -> str:
    if len(truth) < 2:
        return "has 1 number; give one for each covariate, and then the logarithm of the dispersion"
    if not abs(truth[-1]) <= LARGEST:
        return (
            f"ends with {truth[-1]:g}, the logarithm of the dispersion; give one from {-LARGEST:g}"
            f" to {LARGEST:g}"
        )
    return ""


MODEL = Model(
    name="nb2",
    loss=_loss,
    sample=_sample,
    predictors=PredictorAndNumber(_slopes, _apart),
    information=_information,
    scores=DispersionScores(),
    further=1,
    estimator=Newton(),
    check=_check,
    rounding=_rounding,
    labels=not_counts,
)
