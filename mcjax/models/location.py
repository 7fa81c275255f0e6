"""Linear and Huber regression: ``y = x'theta + sigma eps`` with symmetric noise eps.

Model-generated labels have the noise ``noise``, real ones ``real_noise``. The target of both losses
is theta under any symmetric noise, so real noise that models do not imitate changes the spread of
the estimates but not their target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from mcjax.calls import explained
from mcjax.estimators.predictor import LinearPredictor, Params, Words, linear_predictor
from mcjax.estimators.sufficient_statistics import Statistics, Sums
from mcjax.models.allowance import Allowance
from mcjax.models.huber_scores import huber_scores
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import LeastSquares, Model, Tempering, predictor_model
from mcjax.models.noise import NOISES, Noise, NoiseLaw, NoiseName, positive, read_noise
from mcjax.models.rounding import location_rounding
from mcjax.models.scores import squared_scores
from mcjax.solvers.cholesky import singular_share, solve_positive

OUTSIDE = 0.02
"""Curvature given to a residual beyond Huber's threshold, as a share of its weight k / |r|. The
true curvature is 0, which makes a Newton step singular whenever too few residuals lie within the
threshold: of 256 fits with 4 rows per parameter and a small threshold, 31 converged. With this
share all converge, in fewer steps."""


@explained
def linear(sigma: float = 1.0, noise: Noise = "normal", real_noise: Noise | None = None) -> Model:
    """Return linear regression, fitted by least squares.

    Parameters
    ----------
    sigma : float
        Noise scale.
    noise : str or mapping
        Distribution of the noise, such as ``"normal"`` or ``{"name": "student_t", "df": 5}``.
    real_noise : str or mapping, optional
        Distribution of the noise in real data; defaults to ``noise``.

    Returns
    -------
    Model
        ``theta`` and ``x`` have shape (p,), ``y`` is a scalar.

    Notes
    -----
    The loss is ``(y - x'theta)^2 / 2``, so ``H = Sigma`` and ``V = sigma^2 Var(eps) Sigma``.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.linear(sigma=2.0, noise="laplace").params
    {'sigma': 2.0, 'noise': {}, 'real_noise': {}}
    """
    kinds, params = _noises(sigma, noise, real_noise)
    return predictor_model(
        "linear",
        replace(
            _predictor(_linear_loss, _linear_slopes, *kinds, same=real_noise is None),
            log_curvature=_linear_log_curvature,
        ),
        params,
        variant=_variant(*kinds),
        information=_information(_linear_moments, *kinds),
        scores=squared_scores(*kinds),
        least_squares=_least_squares(*kinds),
        statistics=LINEAR_STATISTICS,
        allowance=Allowance(2.0),
        noise_scale="sigma",
        rounding=location_rounding,
        tempering=NOISE_TEMPERING,
    )


@explained
def huber(
    threshold: float = 1.345,
    sigma: float = 1.0,
    noise: Noise = "normal",
    real_noise: Noise | None = None,
) -> Model:
    """Return Huber regression.

    Parameters
    ----------
    threshold : float
        Residuals beyond this size k, in units of y, count linearly instead of quadratically.
    sigma, noise, real_noise : optional
        As in :func:`linear`.

    Returns
    -------
    Model
        ``theta`` and ``x`` have shape (p,), ``y`` is a scalar.

    Notes
    -----
    With ``psi(x) = max(-k, min(k, x))`` and ``e = sigma eps``, ``H = E psi'(e) Sigma`` and
    ``V = E psi(e)^2 Sigma``.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.huber(threshold=1.0).params
    {'threshold': 1.0, 'sigma': 1.0, 'noise': {}, 'real_noise': {}}
    """
    kinds, params = _noises(sigma, noise, real_noise)
    return predictor_model(
        "huber",
        _predictor(_huber_loss, _huber_slopes, *kinds, same=real_noise is None),
        {"threshold": positive(threshold, "family.threshold"), **params},
        variant=_variant(*kinds),
        information=_information(_huber_moments, *kinds),
        scores=huber_scores(*kinds),
        allowance=Allowance(2.0),
        noise_scale="sigma",
        rounding=location_rounding,
    )


def _louder(params: Params, theta: Any, temperature: Any) -> tuple[Params, Any]:
    return params | {"sigma": params["sigma"] * temperature**0.5}, theta


def _unchanged(theta: np.ndarray, temperature: float) -> np.ndarray:
    return np.eye(len(theta))


NOISE_TEMPERING = Tempering(_louder, _unchanged)
"""The variance of the noise is multiplied by the temperature."""


def _noises(
    sigma: float, noise: Noise, real_noise: Noise | None
) -> tuple[tuple[NoiseName, NoiseName], Params]:
    """Return the names of both noise distributions, and the parameters of scale and noise."""
    kind, synthetic = read_noise(noise, "family.noise")
    real_kind, real = read_noise(noise if real_noise is None else real_noise, "family.real_noise")
    scale = positive(sigma, "family.sigma")
    return (kind, real_kind), {"sigma": scale, "noise": synthetic, "real_noise": real}


def _variant(kind: NoiseName, real_kind: NoiseName) -> str:
    return f"noise={kind}, real_noise={real_kind}"


@cache  # one predictor for each pair of distributions, so that equal models compile once
def _predictor(
    loss: Callable[..., Array],
    slopes: Callable[..., tuple[Array, Array]],
    kind: NoiseName,
    real_kind: NoiseName,
    same: bool,
) -> LinearPredictor:
    real = None if same else _label(real_kind, "real_noise")
    return LinearPredictor(loss, _label(kind, "noise"), real, slopes)


@cache
def _label(kind: NoiseName, key: Literal["noise", "real_noise"]) -> Callable[..., Array]:
    def label(params: Params, eta: Array, words: Words) -> Array:
        noise = NOISES[kind].draw(params[key], words, eta.dtype)
        return eta + params["sigma"] * noise

    return label


@cache
def _least_squares(kind: NoiseName, real_kind: NoiseName) -> LeastSquares:
    def variances(params: Params) -> tuple[Any, Any]:
        scale = params["sigma"] ** 2
        return (
            scale * NOISES[kind].variance(params["noise"]),
            scale * NOISES[real_kind].variance(params["real_noise"]),
        )

    return LeastSquares(variances, normal=kind == real_kind == "normal")


def _linear_loss(params: Params, eta: Array, y: Array) -> Array:
    return 0.5 * (y - eta) ** 2


def _linear_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    return eta - y, jnp.ones_like(eta)


def _linear_summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    """Return ``x (y - x'pivot)`` and the lower triangle of ``x x'`` of one row, concatenated."""
    rows, columns = np.tril_indices(len(pivot))
    return jnp.concatenate([x * (y - linear_predictor(x, pivot)), x[rows] * x[columns]])


def _linear_estimate(params: Params, pivot: Array, sums: Sums) -> tuple[Array, Array]:
    p = len(pivot)
    right, products = sums.total[:p], sums.total[p:]
    lower = jnp.zeros((p, p), products.dtype).at[np.tril_indices(p)].set(products)
    size = jnp.sqrt(jnp.diagonal(lower))  # scales columns to length 1
    step, unexplained = solve_positive(lower / (size[:, None] * size[None, :]), right / size)
    return pivot + step / size, unexplained >= singular_share(lower)


LINEAR_STATISTICS = Statistics(_linear_summary, _linear_estimate)


def _linear_log_curvature(params: Params, eta: Array) -> Array:
    return jnp.zeros_like(eta)


def _huber_loss(params: Params, eta: Array, y: Array) -> Array:
    k = params["threshold"]
    size = jnp.abs(y - eta)
    return jnp.where(size <= k, 0.5 * size**2, k * size - 0.5 * k**2)


def _huber_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    k = params["threshold"]
    residual = eta - y
    size = jnp.abs(residual)
    curvature = jnp.where(size <= k, 1, OUTSIDE * k / jnp.maximum(size, k))
    return jnp.clip(residual, -k, k), curvature


def _linear_moments(law: NoiseLaw, noise: Params, params: Params) -> tuple[float, float]:
    """Return ``E psi'`` and ``E psi^2 / sigma^2`` of the squared loss."""
    return 1.0, law.variance(noise)


def _huber_moments(law: NoiseLaw, noise: Params, params: Params) -> tuple[float, float]:
    """Return ``E psi'`` and ``E psi^2 / sigma^2`` of Huber's loss.

    With ``psi(x) = max(-k, min(k, x))`` these are ``P(|eps| < k)`` and ``E min(eps^2, k^2)``.
    """
    return law.clipped(noise, float(params["threshold"]) / float(params["sigma"]))


@cache
def _information(
    moments: Callable[..., tuple[float, float]], kind: NoiseName, real_kind: NoiseName
) -> Callable[..., Information]:
    def batch(law: NoiseName, noise: Params, params: Params, cov: np.ndarray) -> BatchInformation:
        slope, spread = moments(NOISES[law], noise, params)
        if not math.isfinite(spread):  # least squares with noise of infinite variance
            return BatchInformation(slope * cov, np.full_like(cov, math.inf))
        return BatchInformation(slope * cov, float(params["sigma"]) ** 2 * spread * cov)

    def information(params: Params, theta: np.ndarray, cov: np.ndarray) -> Information:
        return Information(
            real=batch(real_kind, params["real_noise"], params, cov),
            synthetic=batch(kind, params["noise"], params, cov),
        )

    return information
