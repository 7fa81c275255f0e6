"""Moments of the score of negative binomial regression away from the truth. Does not import JAX.

With the dispersion a and ``s = a mu / (1 + a mu)`` at the reader's predictor, the derivative of the
loss is ``c s - y`` with ``c = y + 1 / a``. It is linear in y, and so are its derivatives, as s is a
logistic function of the predictor. So moments of y up to the third are enough.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from mcjax.estimators.predictor import Params
from mcjax.models.score_expansion import Eta, ScoreExpansion
from mcjax.models.scores import MeanCurvature, MeanSlope, ScoreMoments


class _Reader(NamedTuple):
    """s of a reader and its first three derivatives."""

    s: Eta
    first: Eta
    second: Eta
    third: Eta


class _Counts(NamedTuple):
    """Mean, variance and third central moment of y, and ``1 / a`` of the loss."""

    mean: Eta
    variance: Eta
    third: Eta
    inverse: float

    @property
    def weight(self) -> Eta:
        """Return the mean of c."""
        return self.mean + self.inverse

    @property
    def weight_square(self) -> Eta:
        """Return the mean of ``c^2``."""
        return self.weight**2 + self.variance

    @property
    def weight_cube(self) -> Eta:
        """Return the mean of ``c^3``."""
        return self.weight**3 + 3 * self.weight * self.variance + self.third

    @property
    def weighted(self) -> Eta:
        """Return the mean of ``c y``."""
        return self.weight * self.mean + self.variance


def _reader(params: Params, eta: Eta) -> _Reader:
    s = expit(eta + np.log(float(params["dispersion"])))
    first = s * (1 - s)
    return _Reader(s, first, first * (1 - 2 * s), first * (1 - 6 * first))


def _dispersion(params: Params, real: bool) -> float:
    return float(params["real_dispersion" if real else "dispersion"])


def _counts(params: Params, parent: Eta, real: bool) -> _Counts:
    of, mean = _dispersion(params, real), np.exp(parent)
    third = mean + 3 * of * mean**2 + 2 * of**2 * mean**3
    return _Counts(mean, mean + of * mean**2, third, 1 / float(params["dispersion"]))


def _mean(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanSlope:
    at, y = _reader(params, reader), _counts(params, parent, real)
    # c s - y with the rounding of one term
    mean = (np.exp(reader) - y.mean) * (1 - at.s)
    return MeanSlope(mean, y.weight * at.first, -y.mean * (1 - at.s))


def _product(params: Params, readers: tuple[Eta, Eta], parent: Eta, real: bool) -> Eta:
    a, b = (_reader(params, reader) for reader in readers)
    y = _counts(params, parent, real)
    off = [np.exp(reader) - y.mean for reader in readers]
    return np.asarray((off[0] * off[1] + y.variance) * (1 - a.s) * (1 - b.s))


def _curvature(params: Params, reader: Eta, parent: Eta, real: bool) -> MeanCurvature:
    at, y = _reader(params, reader), _counts(params, parent, real)
    return MeanCurvature(
        by_reader=y.weight * at.second,
        mixed=y.mean * at.first,
        by_parent=-y.mean * (1 - at.s),
        sloped=(at.s * y.weight_square - y.weighted) * at.first,
        squared_slope=y.weight_square * at.first**2,
        cubed_slope=y.weight_cube * at.first**3,
    )


def _expansion(params: Params, eta: Eta, real: bool) -> ScoreExpansion:
    at, y = _reader(params, eta), _counts(params, eta, real)
    s, first, second, third = at
    # derivatives in the parent of E y, and of E y^2 = mu + (1 + a) mu^2
    of = 1 + _dispersion(params, real)
    squares = [y.mean * (1 + of * y.mean), y.mean * (1 + 2 * of * y.mean)]
    squares.append(y.mean * (1 + 4 * of * y.mean))
    twice = [y.weight_square, squares[1] + 2 * y.inverse * y.mean]
    twice.append(squares[2] + 2 * y.inverse * y.mean)  # of E c^2
    across = [squares[k] + y.inverse * y.mean for k in range(3)]  # of E c y
    left = 1 - s
    return ScoreExpansion(
        mean={(0, c): -y.mean * left for c in (1, 2, 3)}
        | {(a, c): y.mean * at[a] for a in (1, 2) for c in range(1, 4 - a)}
        | {(1, 0): y.weight * first, (2, 0): y.weight * second, (3, 0): y.weight * third},
        product={(0, 0, c): s**2 * twice[c] - 2 * s * across[c] + squares[c] for c in range(3)}
        | {(1, 0, c): first * (s * twice[c] - across[c]) for c in range(2)}
        | {
            (1, 1, 0): first**2 * twice[0],
            (2, 0, 0): second * (s * twice[0] - across[0]),
        },
        cubed_slope=-(left**3) * y.third,
        curved_square=first * left**2 * (y.weight * y.variance + y.third),
        cubed_curvature=y.weight_cube * first**3,
    )


NEGATIVE_BINOMIAL_SCORES = ScoreMoments(
    _mean,
    _product,
    smooth=True,
    analytic=True,
    exponential=True,
    expansion=_expansion,
    curvature=_curvature,
)
