"""Quantile regression: ``y = x'theta + sigma (eps - q)`` with q the quantile of eps at the level.

Hence theta is the target of quantile regression at that level. Real noise may have another
distribution, centred on its own quantile, which changes the spread of estimates but not the target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
from jax import Array

from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.predictor import LinearPredictor, Params, Words
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.models.allowance import Allowance
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model, predictor_model
from mcjax.models.noise import NOISES, Noise, NoiseName, positive, read_noise
from mcjax.models.rounding import location_rounding
from mcjax.models.scores import quantile_scores


@explained
def quantile(
    level: float = 0.5,
    sigma: float = 1.0,
    noise: Noise = "normal",
    real_noise: Noise | None = None,
) -> Model:
    """Return quantile regression.

    Parameters
    ----------
    level : float
        Level of the quantile, between 0 and 1.
    sigma, noise, real_noise : optional
        As in :func:`mcjax.linear`.

    Returns
    -------
    Model
        ``theta`` and ``x`` have shape (p,), ``y`` is a scalar.

    Notes
    -----
    The loss is ``r (level - 1[r < 0])`` with ``r = y - x'theta`` (Koenker & Bassett, Econometrica
    46, 1978). ``H = f(0) Sigma`` and ``V = level (1 - level) Sigma``, where f is the density of the
    noise centred on its quantile.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.quantile(level=0.9).params["level"]
    0.9
    """
    kind, noise_params = read_noise(noise, "family.noise")
    real = noise if real_noise is None else real_noise
    real_kind, real_params = read_noise(real, "family.real_noise")
    tau = positive(level, "family.level")
    if tau >= 1:
        raise InputError("family.level", f"is {level!r}; give a level between 0 and 1")
    centre = NOISES[kind].quantile(noise_params, tau)
    real_centre = NOISES[real_kind].quantile(real_params, tau)
    kink = _kinked(kind, centre) or _kinked(real_kind, real_centre)
    return predictor_model(
        "quantile",
        _predictor(kind, real_kind, real_noise is None),
        {
            "level": tau,
            "sigma": positive(sigma, "family.sigma"),
            "noise": {**noise_params, "centre": centre},
            "real_noise": {**real_params, "centre": real_centre},
        },
        variant=f"noise={kind}, real_noise={real_kind}",
        information=_information(kind, real_kind),
        scores=quantile_scores(kind, real_kind),
        noise_scale="sigma",
        rounding=location_rounding,
        estimator=QuantileLP(),
        allowance=Allowance(4.0, kink),
    )


def _kinked(kind: NoiseName, centre: float) -> bool:
    """Return True if the density has a kink at the quantile, as Laplace's has at its median.

    Departures from the first-order law of quantiles then shrink like ``1 / sqrt(n)`` and not like
    ``1 / n``. For instance, the variance of the Laplace median is ``(1 + 1.6 / sqrt(n)) / n``,
    which follows by expanding the inverse of its distribution function (derived here).
    """
    return kind == "laplace" and centre == 0


@cache  # one predictor for each pair of distributions, so that equal models compile once
def _predictor(kind: NoiseName, real_kind: NoiseName, same: bool) -> LinearPredictor:
    real = None if same else _label(real_kind, "real_noise")
    return LinearPredictor(_loss, _label(kind, "noise"), real)


@cache
def _label(kind: NoiseName, key: Literal["noise", "real_noise"]) -> Callable[..., Array]:
    def label(params: Params, eta: Array, words: Words) -> Array:
        noise = NOISES[kind].draw(params[key], words, eta.dtype)
        return eta + params["sigma"] * (noise - params[key]["centre"])

    return label


def _loss(params: Params, eta: Array, y: Array) -> Array:
    residual = y - eta
    return residual * (params["level"] - (residual < 0).astype(residual.dtype))


@cache
def _information(kind: NoiseName, real_kind: NoiseName) -> Callable[..., Information]:
    def batch(law: NoiseName, noise: Params, params: Params, cov: np.ndarray) -> BatchInformation:
        level = float(params["level"])
        density = float(NOISES[law].density(noise, np.asarray(noise["centre"], float)))
        return BatchInformation(density / float(params["sigma"]) * cov, level * (1 - level) * cov)

    def information(params: Params, theta: np.ndarray, cov: np.ndarray) -> Information:
        return Information(
            real=batch(real_kind, params["real_noise"], params, cov),
            synthetic=batch(kind, params["noise"], params, cov),
        )

    return information
