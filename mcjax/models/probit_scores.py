"""Moments of the score of probit regression away from the truth. Does not import JAX.

A label is 1 with probability ``Phi(v)``, where v is the predictor of the parent. So all moments are
sums of two terms, and derivatives in the reader's predictor are those of
``l(z) = phi(z) / Phi(z)``: ``l' = -g`` with ``g = l (l + z)``, and ``g' = l - g z - 2 l g``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import log_ndtr, ndtr

from mcjax.estimators.predictor import Params
from mcjax.models.score_expansion import Eta, ScoreExpansion
from mcjax.models.scores import MeanCurvature, MeanSlope, ScoreMoments


def _density(z: Eta) -> Eta:
    return np.asarray(np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


def _of_one(z: Eta) -> tuple[Eta, Eta, Eta, Eta]:
    """Return the first four derivatives of ``-log Phi``."""
    ratio = np.exp(-(z**2) / 2 - math.log(2 * math.pi) / 2 - log_ndtr(z))
    second = ratio * (ratio + z)
    third = ratio - second * z - 2 * ratio * second
    fourth = 2 * second * (second - 1) - third * (z + 2 * ratio)
    return -ratio, second, third, fourth


def _derivatives(eta: Eta) -> tuple[tuple[Eta, ...], tuple[Eta, ...]]:
    """Return the first four derivatives of the loss of a label 1, and of a label 0."""
    first, second, third, fourth = _of_one(-eta)
    return _of_one(eta), (-first, second, -third, fourth)


def _chances(eta: Eta) -> tuple[tuple[Eta, ...], tuple[Eta, ...]]:
    """Return the probabilities of labels 1 and 0, and their first three derivatives."""
    density = _density(eta)
    bends = density, -eta * density, (eta**2 - 1) * density
    return (ndtr(eta), *bends), (ndtr(-eta), *(-bend for bend in bends))


def information_of(eta: Eta) -> Eta:
    """Return the expected curvature of the loss, which is also the variance of the score."""
    return np.asarray(np.exp(-(eta**2) - math.log(2 * math.pi) - log_ndtr(eta) - log_ndtr(-eta)))


def _mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
    (one, zero), (up, down) = _derivatives(reader), _chances(parent)
    return MeanSlope(
        up[0] * one[0] + down[0] * zero[0],
        up[0] * one[1] + down[0] * zero[1],
        up[1] * one[0] + down[1] * zero[0],
    )


def _product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
    (one, zero), (other_one, other_zero) = map(_derivatives, readers)
    up, down = _chances(parent)
    return np.asarray(up[0] * one[0] * other_one[0] + down[0] * zero[0] * other_zero[0])


def _curvature(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanCurvature:
    (one, zero), (up, down) = _derivatives(reader), _chances(parent)
    return MeanCurvature(
        by_reader=up[0] * one[2] + down[0] * zero[2],
        mixed=up[1] * one[1] + down[1] * zero[1],
        by_parent=up[2] * one[0] + down[2] * zero[0],
        sloped=up[0] * one[0] * one[1] + down[0] * zero[0] * zero[1],
        squared_slope=up[0] * one[1] ** 2 + down[0] * zero[1] ** 2,
        cubed_slope=up[0] * one[1] ** 3 + down[0] * zero[1] ** 3,
    )


def _expansion(params: Params, eta: Eta, real: bool) -> ScoreExpansion:
    (one, zero), (up, down) = _derivatives(eta), _chances(eta)

    def expected(of: Callable[[tuple[Eta, ...]], Eta], order: int = 0) -> Eta:
        return up[order] * of(one) + down[order] * of(zero)

    return ScoreExpansion(
        mean={
            (a, c): expected(lambda d, a=a: d[a], c)  # type: ignore[misc]
            for a in range(4)
            for c in range(4)
            if 1 <= a + c <= 3
        },
        product={
            (a, b, c): expected(lambda d, a=a, b=b: d[a] * d[b], c)  # type: ignore[misc]
            for a in range(3)
            for b in range(a + 1)
            for c in range(3)
            if a + b + c <= 2
        },
        cubed_slope=expected(lambda d: d[0] ** 3),
        curved_square=expected(lambda d: d[0] ** 2 * d[1]),
        cubed_curvature=expected(lambda d: d[1] ** 3),
    )


PROBIT_SCORES = ScoreMoments(
    _mean, _product, smooth=True, analytic=True, expansion=_expansion, curvature=_curvature
)
