"""Linear and Huber regression: ``y = x'theta + sigma eps`` with symmetric noise eps.

Model-generated labels use ``noise``, real ones ``real_noise``. Both losses aim at theta under any
symmetric law, so real noise that models do not imitate changes the spread, never the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from mcjax.models.allowance import Allowance
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model, Params, Words, linear_predictor, uniforms
from mcjax.models.noise import NOISES, huber_moments, positive, read_noise
from mcjax.solvers.cholesky import singular_share, solve_positive

OUTSIDE = 0.02
"""Curvature given to a residual beyond Huber's threshold, as a part of its weight k / |r|. The true
one is 0, with which a Newton step is singular whenever too few residuals lie inside: of 256 fits
with 4 rows a parameter and a small threshold 31 converged, with this share all, in fewer steps."""


def linear(sigma: float = 1.0, noise: Any = "normal", real_noise: Any = None) -> Model:
    """Least squares: ``loss = (y - x'theta)^2 / 2``, ``H = Sigma``, ``V = sigma^2 Var(eps) Sigma``.

    sigma: noise scale. noise: law of the noise, "normal" or e.g. { name = "student_t", df = 5 }.
    real_noise: law of the noise in real data (default: as noise).
    """
    return _location("linear", {}, sigma, noise, real_noise)


def huber(
    threshold: float = 1.345, sigma: float = 1.0, noise: Any = "normal", real_noise: Any = None
) -> Model:
    """Huber's loss: ``H = E psi'(e) Sigma``, ``V = E psi(e)^2 Sigma``, with e = sigma eps.

    threshold: k, in units of y. sigma, noise, real_noise: as in linear.
    """
    return _location("huber", {"threshold": threshold}, sigma, noise, real_noise)


def _location(name: str, own: Params, sigma: float, noise: Any, real_noise: Any) -> Model:
    kind, noise_params = read_noise(noise, "family.noise")
    real = noise if real_noise is None else real_noise
    real_kind, real_params = read_noise(real, "family.real_noise")
    params = {key: positive(value, f"family.{key}") for key, value in own.items()}
    params |= {"sigma": positive(sigma, "family.sigma")}
    sample = _sampler(kind, "noise")
    return Model(
        params={**params, "noise": noise_params, "real_noise": real_params},
        name=name,
        variant=f"noise={kind}, real_noise={real_kind}",
        loss=_LOSSES[name],
        sample=sample,
        sample_real=sample if real_noise is None else _sampler(real_kind, "real_noise"),
        slopes=_SLOPES[name],
        separates=None,
        information=_information(name, kind, real_kind),
        noise_variances=_variances(kind, real_kind) if name == "linear" else None,
        gaussian=name == "linear" and kind == real_kind == "normal",
        summary=_linear_summary if name == "linear" else None,
        estimate=_linear_estimate if name == "linear" else None,
        allowance=Allowance(2.0),
    )


@cache  # one function object for each law, so that equal families compile once
def _sampler(kind: str, key: str) -> Callable[..., Array]:
    def sample(params: Params, theta: Array, x: Array, words: Words) -> Array:
        noise = NOISES[kind].draw(params[key], *uniforms(words, theta.dtype))
        return linear_predictor(x, theta) + params["sigma"] * noise

    return sample


@cache
def _variances(kind: str, real_kind: str) -> Callable[[Params], tuple[Any, Any]]:
    def variances(params: Params) -> tuple[Any, Any]:
        scale = params["sigma"] ** 2
        return (
            scale * NOISES[kind].variance(params["noise"]),
            scale * NOISES[real_kind].variance(params["real_noise"]),
        )

    return variances


def _linear_loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    return 0.5 * (y - linear_predictor(x, theta)) ** 2


def _linear_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    return eta - y, jnp.ones_like(eta)


def _linear_summary(params: Params, pivot: Array, x: Array, y: Array) -> Array:
    """``x (y - x'pivot)`` and the lower triangle of ``x x'``."""
    rows, columns = np.tril_indices(len(pivot))
    return jnp.concatenate([x * (y - linear_predictor(x, pivot)), x[rows] * x[columns]])


def _linear_estimate(
    params: Params, pivot: Array, sums: Array, mass: Array, rows: Array
) -> tuple[Array, Array]:
    p = len(pivot)
    lower = jnp.zeros((p, p), sums.dtype).at[np.tril_indices(p)].set(sums[p:])
    size = jnp.sqrt(jnp.diagonal(lower))  # columns are brought to length 1
    step, unexplained = solve_positive(lower / (size[:, None] * size[None, :]), sums[:p] / size)
    return pivot + step / size, unexplained >= singular_share(lower)


def _huber_loss(params: Params, theta: Array, x: Array, y: Array) -> Array:
    k = params["threshold"]
    size = jnp.abs(y - linear_predictor(x, theta))
    return jnp.where(size <= k, 0.5 * size**2, k * size - 0.5 * k**2)


def _huber_slopes(params: Params, eta: Array, y: Array) -> tuple[Array, Array]:
    k = params["threshold"]
    residual = eta - y
    size = jnp.abs(residual)
    curvature = jnp.where(size <= k, 1, OUTSIDE * k / jnp.maximum(size, k))
    return jnp.clip(residual, -k, k), curvature


_LOSSES = {"linear": _linear_loss, "huber": _huber_loss}
_SLOPES = {"linear": _linear_slopes, "huber": _huber_slopes}


@cache
def _information(name: str, kind: str, real_kind: str) -> Callable[..., Information]:
    def batch(law: str, noise: Params, params: Params, cov: np.ndarray) -> BatchInformation:
        sigma = float(params["sigma"])
        if name == "huber":
            slope, spread = huber_moments(NOISES[law], noise, float(params["threshold"]) / sigma)
        else:
            slope, spread = 1.0, NOISES[law].variance(noise)
        if not math.isfinite(spread):  # least squares under noise without a variance
            return BatchInformation(slope * cov, np.full_like(cov, math.inf))
        return BatchInformation(slope * cov, sigma**2 * spread * cov)

    def information(params: Params, theta: np.ndarray, cov: np.ndarray) -> Information:
        return Information(
            real=batch(real_kind, params["real_noise"], params, cov),
            synthetic=batch(kind, params["noise"], params, cov),
        )

    return information
