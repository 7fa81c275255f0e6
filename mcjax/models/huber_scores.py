"""Moments of the score of Huber's loss, ``-psi(y - reader)`` with ``psi(r) = max(-k, min(k, r))``.

For mixtures of normals they are in closed form. For other noise, or where closed forms cancel,
with the distribution function F of the noise e, which is symmetric, and a function g that is
constant beyond some ends,

    E g(e) = g(0) + int sign(u) g'(u) F(-|u|) du ,

an integral over a finite interval, in which g' is a polynomial between the points at which r begins
or ceases to be clipped. The tails F(-|u|) are small, so nothing is lost however far the ends are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from mcjax.estimators.predictor import Params
from mcjax.models.noise import NOISES, NoiseName
from mcjax.models.score_expansion import Eta, LocationMoments, location_expansion
from mcjax.models.scores import MeanCurvature, MeanSlope, ScoreMoments, noise_of

NODES = 24
"""Nodes of the Gauss-Legendre rule between two points of ``GRADED``."""
GRADED = np.array([0.0, 0.5, 1.5, 4.0, 10.0, 30.0, 100.0, *10.0 ** np.arange(3, 31)])
"""Distances from the centre of the noise, in units of its scale, at which integrals are split: they
are kinks of densities, or where their tails change from one order of magnitude to the next."""
CLOSED, NARROW = 1e-3, 1e-5
"""Thresholds, in units of the noise, below which a closed form would cancel, and widths below which
a difference of distribution functions would."""


@cache
def huber_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments:
    """Return the moments of Huber's loss for the noise of synthetic and of real labels."""

    def mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        k, offset = float(params["threshold"]), parent - reader
        if _in_closed_form(params, kind, real_kind, real):
            clipped, within = np.zeros_like(offset), np.zeros_like(offset)
            for share, scale in _components(params, kind, real_kind, real):
                above, below = (offset + k) / scale, (offset - k) / scale
                clipped += share * (scale * (_integrated(above) - _integrated(below)) - k)
                within += share * (ndtr(above) - ndtr(below))
            return MeanSlope(-clipped, within, -within)
        law, noise = noise_of(params, kind, real_kind, real)
        sigma, distribution = float(params["sigma"]), NOISES[law].distribution
        ends = [(-k - offset) / sigma, (k - offset) / sigma]
        within = distribution(noise, ends[1]) - distribution(noise, ends[0])
        scales = _scales(law, noise)
        if 2 * k / sigma < NARROW * min(scales):
            within = 2 * k / sigma * NOISES[law].density(noise, -offset / sigma)
        tails = _integral(lambda e: np.sign(e) * distribution(noise, -np.abs(e)), ends, scales)
        clipped = np.clip(offset, -k, k) + sigma * tails
        return MeanSlope(-clipped, within, -within)

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        k, (first, second) = float(params["threshold"]), (parent - at for at in readers)
        if _in_closed_form(params, kind, real_kind, real):
            total = np.zeros_like(parent)
            for share, scale in _components(params, kind, real_kind, real):
                total += share * _clipped_product(first, second, k, scale)
            return total
        law, noise = noise_of(params, kind, real_kind, real)
        sigma, distribution = float(params["sigma"]), NOISES[law].distribution

        def change(e: np.ndarray) -> np.ndarray:
            """Return the derivative of the product in e, times the tail beyond e."""
            a, b = first + sigma * e, second + sigma * e
            slope = (np.abs(a) < k) * np.clip(b, -k, k) + (np.abs(b) < k) * np.clip(a, -k, k)
            return slope * np.sign(e) * distribution(noise, -np.abs(e))

        ends = [(side * k - at) / sigma for at in (first, second) for side in (-1, 1)]
        return np.clip(first, -k, k) * np.clip(second, -k, k) + sigma * _integral(
            change, ends, _scales(law, noise)
        )

    def curvature(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanCurvature:
        law, noise = noise_of(params, kind, real_kind, real)
        sigma, k = float(params["sigma"]), float(params["threshold"])
        score, within, _ = mean(params, reader, parent, real)
        above, below = (k - parent + reader) / sigma, (-k - parent + reader) / sigma
        density, distribution = NOISES[law].density, NOISES[law].distribution
        bend = (density(noise, above) - density(noise, below)) / sigma
        # E[psi; clipped] is k times the difference of both tails
        tails = distribution(noise, -above) - distribution(noise, below)
        return MeanCurvature(
            by_reader=bend,
            mixed=-bend,
            by_parent=bend,
            sloped=score + k * tails,
            squared_slope=within,
            cubed_slope=within,
        )

    def moments(params: Params, real: bool) -> LocationMoments:
        law, noise = noise_of(params, kind, real_kind, real)
        return _moments(law, noise, float(params["sigma"]), float(params["threshold"]))

    return ScoreMoments(
        mean,
        product,
        location=True,
        scale="sigma",
        expansion=location_expansion(moments),
        curvature=curvature,
    )


def _moments(law: NoiseName, noise: Params, sigma: float, k: float) -> LocationMoments:
    """Return moments of psi and its derivatives, for the residual ``e = sigma eps`` of density f.

    Differentiating ``E psi(d + e)`` once gives ``P(|d + e| < k)``, whose second derivative at 0 is
    ``2 f'(k)``. By parts, ``E psi psi'' = k f(-k) (-1) - k f(k)``: psi'' is a point mass at each
    threshold.
    """
    z = k / sigma
    within, square = NOISES[law].clipped(noise, z)
    beyond = 2 * float(NOISES[law].distribution(noise, np.asarray(-z)))
    return LocationMoments(
        slope=within,
        third_slope=2 * NOISES[law].density_slope(noise, z) / sigma**2,
        square=sigma**2 * square,
        squared_slope=within,
        cubed_slope=within,
        bent=-2 * k * float(NOISES[law].density(noise, np.asarray(z))) / sigma,
        sloped_square=sigma**2 * (square - z * z * beyond),
    )


def _in_closed_form(params: Params, kind: NoiseName, real_kind: NoiseName, real: bool) -> bool:
    """Return True if the noise is a mixture of normals that are narrow beside the threshold."""
    if NOISES[real_kind if real else kind].normals is None:
        return False
    widest = max(scale for _, scale in _components(params, kind, real_kind, real))
    return float(params["threshold"]) > CLOSED * widest


def _scales(law: NoiseName, noise: Params) -> list[float]:
    """Return the scales of the normals that the noise is a mixture of; 1 for other noise."""
    normals = NOISES[law].normals
    return [1.0] if normals is None else [scale for _, scale in normals(noise)]


def _integral(
    integrand: Callable[[np.ndarray], np.ndarray], ends: list[Eta], scales: list[float]
) -> Eta:
    """Return an integral between the outermost of some ends, between which it is split."""
    graded = np.unique(np.outer(scales, GRADED))
    inner = graded[np.max(np.abs(ends)) > graded]
    cuts = np.broadcast_arrays(*ends, *(np.full_like(ends[0], c) for c in (*-inner, *inner[1:])))
    points = np.sort(np.clip(cuts, np.min(ends, axis=0), np.max(ends, axis=0)), axis=0)
    rule = np.transpose(np.polynomial.legendre.leggauss(NODES))
    total = np.zeros_like(points[0])
    for low, high in pairwise(points):
        half, middle = (high - low) / 2, (high + low) / 2
        if half.any():
            total += half * sum(w * integrand(middle + half * z) for z, w in rule)
    return total


def _components(
    params: Params, kind: NoiseName, real_kind: NoiseName, real: bool
) -> list[tuple[float, float]]:
    """Return shares and scales of the normals that the noise is a mixture of."""
    law, noise = noise_of(params, kind, real_kind, real)
    normals = NOISES[law].normals
    assert normals is not None, "the caller has asked"
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
