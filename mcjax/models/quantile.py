"""Quantile regression: ``y = x'theta + sigma (eps - q)``, q the level-quantile of eps.

So theta is the truth of this very quantile regression. Real noise may follow another law, which is
centred on its own quantile: it changes the spread, never the target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from jax import Array

from mcjax.errors import InputError
from mcjax.estimators.predictor import LinearPredictor, Params, Words
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model, predictor_model, uniforms
from mcjax.models.noise import NOISES, positive, read_noise


def quantile(
    level: float = 0.5, sigma: float = 1.0, noise: Any = "normal", real_noise: Any = None
) -> Model:
    """Return quantile regression: ``H = f(0) Sigma``, ``V = level (1 - level) Sigma``.

    f is the density of the noise, centred on its level-quantile. The loss is ``r (level - 1[r <
    0])`` with ``r = y - x'theta`` (Koenker & Bassett, Econometrica 46, 1978).

    Parameters
    ----------
    level : float
        Between 0 and 1.
    sigma, noise, real_noise
        As in :func:`mcjax.linear`.
    """
    kind, noise_params = read_noise(noise, "family.noise")
    real = noise if real_noise is None else real_noise
    real_kind, real_params = read_noise(real, "family.real_noise")
    tau = positive(level, "family.level")
    if tau >= 1:
        raise InputError("family.level", f"is {level!r}; give a level between 0 and 1")
    return predictor_model(
        "quantile",
        _predictor(kind, real_kind, real_noise is None),
        {
            "level": tau,
            "sigma": positive(sigma, "family.sigma"),
            "noise": {**noise_params, "centre": NOISES[kind].quantile(noise_params, tau)},
            "real_noise": {**real_params, "centre": NOISES[real_kind].quantile(real_params, tau)},
        },
        variant=f"noise={kind}, real_noise={real_kind}",
        information=_information(kind, real_kind),
        noise_scale="sigma",
        estimator=QuantileLP(),
    )


def kinked(model: Model) -> bool:
    """Whether the density of some noise has a kink where the loss aims: Laplace's at its median.

    The first-order law of quantiles is then approached like ``1 / sqrt(n)`` and not ``1 / n``: of
    the Laplace median the variance is ``(1 + 1.6 / sqrt(n)) / n``, by expanding the inverse of its
    distribution function (derived here).
    """
    laws = ("noise", "real_noise")
    kinds = dict(part.split("=") for part in model.variant.split(", "))
    return any(kinds[law] == "laplace" and model.params[law]["centre"] == 0 for law in laws)


@cache  # one predictor for each pair of laws, so that equal models compile once
def _predictor(kind: str, real_kind: str, same: bool) -> LinearPredictor:
    real = None if same else _label(real_kind, "real_noise")
    return LinearPredictor(_loss, _label(kind, "noise"), real)


@cache
def _label(kind: str, key: str) -> Callable[..., Array]:
    def label(params: Params, eta: Array, words: Words) -> Array:
        noise = NOISES[kind].draw(params[key], *uniforms(words, eta.dtype))
        return eta + params["sigma"] * (noise - params[key]["centre"])

    return label


def _loss(params: Params, eta: Array, y: Array) -> Array:
    residual = y - eta
    return residual * (params["level"] - (residual < 0).astype(residual.dtype))


@cache
def _information(kind: str, real_kind: str) -> Callable[..., Information]:
    def batch(law: str, noise: Params, params: Params, cov: np.ndarray) -> BatchInformation:
        level = float(params["level"])
        density = float(NOISES[law].density(noise, np.asarray(noise["centre"], float)))
        return BatchInformation(density / float(params["sigma"]) * cov, level * (1 - level) * cov)

    def information(params: Params, theta: np.ndarray, cov: np.ndarray) -> Information:
        return Information(
            real=batch(real_kind, params["real_noise"], params, cov),
            synthetic=batch(kind, params["noise"], params, cov),
        )

    return information
