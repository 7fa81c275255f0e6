"""Moments of a score away from the truth: the reader fits data of a parent with other parameters.

For a model of a linear predictor the score of one observation is ``x l'(x'm, y)``, where m belongs
to the reader and y is generated at ``x'v``, where v belongs to the parent. Given x, everything that
laws need is a function of these scalars, so a model states its moments once and laws integrate them
over x (:mod:`mcjax.laws.first_order.span`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import expit, ndtr

from mcjax.estimators.predictor import Params
from mcjax.models.noise import NOISES, NoiseName

Eta = Float[np.ndarray, "*x"]


class MeanSlope(NamedTuple):
    """The mean of ``l'(reader, y)``, y generated at ``parent``, and its derivatives in both."""

    mean: Eta
    by_reader: Eta
    by_parent: Eta


@dataclass(frozen=True)
class ScoreMoments:
    """Moments of the derivative l' of the loss in the linear predictor, in NumPy.

    Attributes
    ----------
    mean : callable
        ``(params, reader, parent, real) -> MeanSlope``; ``real`` tells whether the data are real.
    product : callable
        ``(params, readers, parent, real)``, the mean of ``l'(a, y) l'(b, y)`` for two readers
        ``(a, b)`` of one observation.
    canonical : bool
        Whether l' is an analytic function of the reader's predictor less the label. Then the mean
        is that function less the expected label.
    location : bool
        Whether these depend on the differences of the predictors alone.
    scale : str, optional
        Name of the number in ``params`` over which these vary as functions of the predictors;
        defaults to a scale of 1.
    bends : bool
        Whether these change within one scale, as a logistic function or a distribution function
        does; polynomials and exponential functions do not.
    exponential : bool
        Whether these grow exponentially in the predictors, and not at most like a square.
    """

    mean: Callable[[Params, Eta, Eta, bool], MeanSlope]
    product: Callable[[Params, tuple[Eta, Eta], Eta, bool], Eta]
    canonical: bool = False
    location: bool = False
    scale: str | None = None
    bends: bool = True
    exponential: bool = False


@dataclass(frozen=True)
class MeanScores:
    """A score ``theta - h(y)``, without covariates, in NumPy; the mean of h at theta is theta.

    Attributes
    ----------
    covariance : callable
        ``theta -> (p, p)``, the covariance of h.
    """

    covariance: Callable[[Float[np.ndarray, " p"]], Float[np.ndarray, "p p"]]


class NormalScores(NamedTuple):
    """The score ``(m - y, s - (y - m)^2)`` of theta = (m, s), mean and variance of normal rows."""


def canonical_scores(mean: Callable[[Eta], Eta], variance: Callable[[Eta], Eta]) -> ScoreMoments:
    """Return the moments of a generalised linear model with its canonical link.

    The score is ``mean(reader) - y``, and y has this mean and variance at ``parent``.
    """

    def mean_slope(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        return MeanSlope(mean(reader) - mean(parent), variance(reader), -variance(parent))

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        first, second = (mean(reader) - mean(parent) for reader in readers)
        return first * second + variance(parent)

    return ScoreMoments(mean_slope, product, canonical=True)


LOGISTIC_SCORES = canonical_scores(expit, lambda eta: expit(eta) * expit(-eta))
POISSON_SCORES = replace(canonical_scores(np.exp, np.exp), bends=False, exponential=True)


@cache
def squared_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments:
    """Return the moments of the squared loss, whose score is ``reader - y``."""

    def mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        one = np.ones_like(reader)
        return MeanSlope(reader - parent, one, -one)

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        law, noise = _noise(params, kind, real_kind, real)
        spread = float(params["sigma"]) ** 2 * NOISES[law].variance(noise)
        first, second = readers
        return (first - parent) * (second - parent) + spread

    return ScoreMoments(mean, product, canonical=True, location=True, bends=False)


@cache
def huber_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments | None:
    """Return the moments of Huber's loss, or None for noise that is no mixture of normals.

    The score is ``-psi(y - reader)`` with ``psi(r) = max(-k, min(k, r))``.
    """
    if any(NOISES[law].normals is None for law in (kind, real_kind)):
        return None

    def mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        k, offset = float(params["threshold"]), parent - reader
        clipped, within = np.zeros_like(offset), np.zeros_like(offset)
        for share, scale in _components(params, kind, real_kind, real):
            above, below = (offset + k) / scale, (offset - k) / scale
            clipped += share * (scale * (_integrated(above) - _integrated(below)) - k)
            within += share * (ndtr(above) - ndtr(below))
        return MeanSlope(-clipped, within, -within)

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        k, total = float(params["threshold"]), np.zeros_like(parent)
        first, second = readers
        for share, scale in _components(params, kind, real_kind, real):
            total += share * _clipped_product(parent - first, parent - second, k, scale)
        return total

    return ScoreMoments(mean, product, location=True, scale="sigma")


@cache
def quantile_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments:
    """Return the moments of quantile regression, whose score is ``1[y < reader] - level``."""

    def below(params: Params, reader: Eta, parent: Eta, real: bool) -> tuple[Eta, Eta]:
        """Return ``P(y < reader)`` and its derivative in ``reader``."""
        law, noise = _noise(params, kind, real_kind, real)
        sigma = float(params["sigma"])
        z = noise["centre"] + (reader - parent) / sigma
        return NOISES[law].distribution(noise, z), NOISES[law].density(noise, z) / sigma

    def mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        probability, density = below(params, reader, parent, real)
        return MeanSlope(probability - float(params["level"]), density, -density)

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        level = float(params["level"])
        a, b = (below(params, reader, parent, real)[0] for reader in readers)
        return np.minimum(a, b) - level * (a + b) + level**2

    return ScoreMoments(mean, product, location=True, scale="sigma")


def _noise(
    params: Params, kind: NoiseName, real_kind: NoiseName, real: bool
) -> tuple[NoiseName, Params]:
    return (real_kind, params["real_noise"]) if real else (kind, params["noise"])


def _components(
    params: Params, kind: NoiseName, real_kind: NoiseName, real: bool
) -> list[tuple[float, float]]:
    """Return shares and scales of the normals that the noise is a mixture of."""
    law, noise = _noise(params, kind, real_kind, real)
    normals = NOISES[law].normals
    assert normals is not None, "huber_scores has asked"
    return [(share, float(params["sigma"]) * scale) for share, scale in normals(noise)]


def _density(z: Eta) -> Eta:
    return np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)


def _integrated(z: Eta) -> Eta:
    """Return the integral of the normal distribution function up to z."""
    return z * ndtr(z) + _density(z)


def _clipped_product(first: Eta, second: Eta, k: float, scale: float) -> Eta:
    """Return ``E psi(first + e) psi(second + e)`` for normal e with this scale.

    Between the four points at which either factor begins or ceases to be clipped, the product is a
    polynomial ``c0 + c1 e + c2 e^2``, which is integrated against the density piece by piece.
    """
    ends = np.sort(np.stack([k - first, -k - first, k - second, -k - second]) / scale, axis=0)
    far = np.full_like(first, np.inf)[None]
    z = np.concatenate([-far, ends, far])
    with np.errstate(invalid="ignore"):
        mass = ndtr(z)
        first_moment = -_density(z)
        second_moment = mass + np.where(np.isfinite(z), z, 0.0) * first_moment
    inner = np.concatenate([z[1:2] - 1, (z[1:-2] + z[2:-1]) / 2, z[-2:-1] + 1]) * scale
    total = np.zeros_like(first)
    for m in range(len(z) - 1):
        e = inner[m]
        left, right = first + e, second + e
        slope_left, slope_right = np.abs(left) < k, np.abs(right) < k
        base_left = np.where(slope_left, first, np.clip(left, -k, k))
        base_right = np.where(slope_right, second, np.clip(right, -k, k))
        a, b, c = (part[m + 1] - part[m] for part in (mass, first_moment, second_moment))
        total += base_left * base_right * a
        total += scale * (slope_left * base_right + slope_right * base_left) * b
        total += scale**2 * (slope_left & slope_right) * c
    return total
