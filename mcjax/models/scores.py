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
from scipy.special import expit

from mcjax.estimators.predictor import Params
from mcjax.models.noise import NOISES, NoiseName
from mcjax.models.score_expansion import (
    Eta,
    Expansion,
    LocationMoments,
    canonical_expansion,
    location_expansion,
)


class MeanSlope(NamedTuple):
    """The mean of ``l'(reader, y)``, y generated at ``parent``, and its derivatives in both."""

    mean: Eta
    by_reader: Eta
    by_parent: Eta


class MeanCurvature(NamedTuple):
    """Moments of the derivatives ``l'`` and ``l''`` of the loss, with y generated at ``parent``.

    Attributes
    ----------
    by_reader, mixed, by_parent : array
        Second derivatives of ``E l'(reader, y)``: twice in the reader, once in each, and twice in
        the parent.
    sloped : array
        ``E l'(reader, y) l''(reader, y)``.
    squared_slope, cubed_slope : array
        ``E l''(reader, y)^2`` and ``E l''(reader, y)^3``.
    """

    by_reader: Eta
    mixed: Eta
    by_parent: Eta
    sloped: Eta
    squared_slope: Eta
    cubed_slope: Eta


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
    smooth : bool
        Whether these have no kink, as functions of the predictors; canonical ones have none.
    jumps : bool
        Whether l' is piecewise constant, so that its mean over finitely many rows has no slope.
    exponential : bool
        Whether these grow exponentially in the predictors, and not at most like a square.
    analytic : bool
        Whether l' is an analytic function of the reader's predictor, whatever the label, as that of
        a canonical model is.
    expansion : callable, optional
        ``(params, eta, real) -> ScoreExpansion``, derivatives of these moments at equal predictors,
        which the law of second order needs; see :mod:`mcjax.models.score_expansion`.
    curvature : callable, optional
        ``(params, reader, parent, real) -> MeanCurvature``, which the bias of small samples around
        centres other than the truth needs.
    """

    mean: Callable[[Params, Eta, Eta, bool], MeanSlope]
    product: Callable[[Params, tuple[Eta, Eta], Eta, bool], Eta]
    canonical: bool = False
    location: bool = False
    scale: str | None = None
    bends: bool = True
    smooth: bool = False
    jumps: bool = False
    exponential: bool = False
    analytic: bool = False
    expansion: Expansion | None = None
    curvature: Callable[[Params, Eta, Eta, bool], MeanCurvature] | None = None

    def canonical_slope(self, params: Params, reader: Eta) -> Eta:
        """Return l'' of a canonical model, which no label and no parent has a part in."""
        return self.mean(params, reader, np.zeros(1), True).by_reader


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


class SimulatedScores(NamedTuple):
    """A score of which nothing is stated; its moments are means over rows that are drawn.

    Attributes
    ----------
    batch : int or None
        Number of the only batch of rows that is drawn, or None for all of them.
    """

    batch: int | None


def canonical_scores(
    mean: Callable[[Eta], Eta], derivatives: Callable[[Eta], tuple[Eta, Eta, Eta]]
) -> ScoreMoments:
    """Return the moments of a generalised linear model with its canonical link.

    The score is ``mean(reader) - y``. At ``parent``, y has this mean, and its first derivative as
    variance; ``derivatives`` returns the first three.
    """

    def variance(eta: Eta) -> Eta:
        return derivatives(eta)[0]

    def mean_slope(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        return MeanSlope(mean(reader) - mean(parent), variance(reader), -variance(parent))

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        first, second = (mean(reader) - mean(parent) for reader in readers)
        return first * second + variance(parent)

    def curvature(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanCurvature:
        slope, bend, _ = derivatives(reader)
        return MeanCurvature(
            by_reader=bend,
            mixed=np.zeros_like(bend),
            by_parent=-derivatives(parent)[1],
            sloped=slope * (mean(reader) - mean(parent)),
            squared_slope=slope**2,
            cubed_slope=slope**3,
        )

    return ScoreMoments(
        mean_slope,
        product,
        canonical=True,
        expansion=canonical_expansion(derivatives),
        curvature=curvature,
    )


def _logistic_derivatives(eta: Eta) -> tuple[Eta, Eta, Eta]:
    mean, variance = expit(eta), expit(eta) * expit(-eta)
    return variance, variance * (1 - 2 * mean), variance * (1 - 6 * variance)


def _exponential_derivatives(eta: Eta) -> tuple[Eta, Eta, Eta]:
    value = np.exp(eta)
    return value, value, value


LOGISTIC_SCORES = canonical_scores(expit, _logistic_derivatives)
POISSON_SCORES = replace(
    canonical_scores(np.exp, _exponential_derivatives), bends=False, exponential=True
)


@cache
def squared_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments:
    """Return the moments of the squared loss, whose score is ``reader - y``."""

    def mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
        one = np.ones_like(reader)
        return MeanSlope(reader - parent, one, -one)

    def product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
        law, noise = noise_of(params, kind, real_kind, real)
        spread = float(params["sigma"]) ** 2 * NOISES[law].variance(noise)
        first, second = readers
        return (first - parent) * (second - parent) + spread

    def moments(params: Params, real: bool) -> LocationMoments:
        law, noise = noise_of(params, kind, real_kind, real)
        spread = float(params["sigma"]) ** 2 * NOISES[law].variance(noise)
        return LocationMoments(
            slope=1.0,
            third_slope=0.0,
            square=spread,
            squared_slope=1.0,
            cubed_slope=1.0,
            bent=0.0,
            sloped_square=spread,
        )

    def curvature(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanCurvature:
        none, one = np.zeros_like(reader), np.ones_like(reader)
        return MeanCurvature(
            by_reader=none,
            mixed=none,
            by_parent=none,
            sloped=reader - parent,
            squared_slope=one,
            cubed_slope=one,
        )

    return ScoreMoments(
        mean,
        product,
        canonical=True,
        location=True,
        bends=False,
        expansion=location_expansion(moments),
        curvature=curvature,
    )


@cache
def quantile_scores(kind: NoiseName, real_kind: NoiseName) -> ScoreMoments:
    """Return the moments of quantile regression, whose score is ``1[y < reader] - level``."""

    def below(params: Params, reader: Eta, parent: Eta, real: bool) -> tuple[Eta, Eta]:
        """Return ``P(y < reader)`` and its derivative in ``reader``."""
        law, noise = noise_of(params, kind, real_kind, real)
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

    return ScoreMoments(mean, product, location=True, scale="sigma", jumps=True)


def noise_of(
    params: Params, kind: NoiseName, real_kind: NoiseName, real: bool
) -> tuple[NoiseName, Params]:
    """Return the noise distribution of real or of synthetic labels, and its parameters."""
    return (real_kind, params["real_noise"]) if real else (kind, params["noise"])
