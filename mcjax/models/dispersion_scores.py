"""Scores of negative binomial regression whose dispersion is estimated. Does not import JAX.

With mean mu, dispersion a, ``k = 1 / a`` and ``u = 1 / (1 + a mu)``, the derivatives of the loss of
a count y in the predictor and in log a are

    e = (mu - y) u ,      g = P(y) - k log(1 + a mu) + e ,      P(y) = sum_{j < y} k / (k + j) ,

and the second ones ``(y + k) (1 - u) u``, ``(y - mu) (1 - u) u`` and

    Q(y) - g - mu (1 - u) u - y u^2 ,      Q(y) = sum_{j < y} k^2 / (k + j)^2 .

All but P and Q is linear in y. These two depend on the reader through a alone, so that their
moments over the counts of a parent are functions of the parent's predictor: sums over counts,
carried between predictors by splines.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.interpolate import make_interp_spline
from scipy.special import gammaln

from mcjax.models.rising import Rises, log_rising, rises

Eta = Float[np.ndarray, " N"]

ONE_BY_ONE, FURTHER = 256, 384
"""Counts that are added up one by one, and number of nodes for all that are larger."""
DEVIATIONS, TAIL = 12.0, 45.0
"""How many standard deviations, and how many scales of the exponential tail, counts go beyond their
mean. What is left out is below rounding."""
LOWEST, HIGHEST = -20.0, 25.0
"""Predictors of parents between which moments are computed. Beyond, means per unit of ``log mu`` or
mu hardly change: below, to rounding; above, by shares of ``1 / (a mu)``, and of the probability of
no count."""
NODES = 16
"""Nodes of splines in a unit of the predictor."""


class DispersionScores(NamedTuple):
    """The scores of NB2 regression, with ``theta = (b, log a)``."""


class Slopes(NamedTuple):
    """Numbers that the scores of rows are made of, at a reader with given predictors.

    Attributes
    ----------
    mean : ndarray, shape (N,)
        mu.
    damped : ndarray, shape (N,)
        u.
    level : ndarray, shape (N,)
        ``k log(1 + a mu)``.
    """

    mean: Eta
    damped: Eta
    level: Eta

    @property
    def bent(self) -> Eta:
        """Return ``(1 - u) u``."""
        return (1 - self.damped) * self.damped


def slopes_at(eta: Eta, number: float) -> Slopes:
    """Return what enters scores at predictors and at ``log a``."""
    mean, a = np.exp(eta), math.exp(number)
    return Slopes(mean, 1 / (1 + a * mean), np.log1p(a * mean) / a)


def rises_of(y: Float[np.ndarray, "*shape"], number: float) -> Rises:
    """Return P and Q of counts at ``log a``."""
    return rises(math.exp(-number), y, np.log1p)


class _Grid(NamedTuple):
    """Predictors of a parent (M,), and at each K counts and the weights of their sums (M, K)."""

    eta: np.ndarray
    counts: np.ndarray
    mass: np.ndarray


class ParentCounts:
    """Moments over the counts of a parent, given its predictors.

    Parameters
    ----------
    eta : ndarray, shape (N,)
        Predictors of the parent.
    number : float
        ``log a`` of the parent.
    """

    def __init__(self, eta: Eta, number: float):
        self._eta, self._number = eta, number
        at = np.clip(eta, LOWEST, HIGHEST)
        low = min(math.floor(at.min()), HIGHEST - 1)
        self._grid = _grid(low, max(math.ceil(at.max()), low + 1), number)
        self._at, self._beyond = at, np.maximum(eta - HIGHEST, 0)

    @property
    def mean(self) -> Eta:
        """Return the means of counts."""
        return np.exp(self._eta)

    @property
    def variance(self) -> Eta:
        """Return the variances of counts."""
        return self.mean + math.exp(self._number) * self.mean**2

    def first(self, number: float) -> Eta:
        """Return the mean of P at a reader's ``log a``.

        As the mean score of a parent is 0, that at its own a is ``k log(1 + a mu)``. What P of a
        reader has beyond that grows like log mu.
        """
        k = math.exp(-self._number)
        own = k * np.logaddexp(0, self._eta + self._number)
        beyond = self._rises(number)[0] - self._rises(self._number)[0]
        return own + self._carried(self._means(beyond)) + (math.exp(-number) - k) * self._beyond

    def second(self, number: float) -> Eta:
        """Return the mean of Q at a reader's ``log a``.

        What Q has beyond ``y u`` is carried. Where a is small that is all the information on a.
        """
        damped = slopes_at(self._grid.eta[:, None], number).damped
        beyond = self._rises(number).second - self._grid.counts * damped
        own = 1 / (np.exp(-self._eta) + math.exp(number))
        return own + self._carried(self._means(beyond))

    def with_counts(self, number: float) -> Eta:
        """Return the covariance of P, at a reader's ``log a``, and of y."""
        grid, mean = self._grid, np.exp(self._grid.eta)
        off = (grid.counts - mean[:, None]) / mean[:, None]
        return self.mean * self._carried(self._means(self._centred(number) * off))

    def by_number(self, number: float) -> Eta:
        """Return the derivative of the mean of P, at a reader's ``log a``, in ``log a`` here."""
        at = slopes_at(self._grid.eta[:, None], self._number)
        own = self._rises(self._number)[0] - at.level + (at.mean - self._grid.counts) * at.damped
        return -self._carried(self._means(self._centred(number) * own))

    def together(self, first: float, second: float) -> Eta:
        """Return the covariance of P at two readers' ``log a``."""
        return self._carried(self._means(self._centred(first) * self._centred(second)))

    def _rises(self, number: float) -> Rises:
        return rises_of(self._grid.counts, number)

    def _centred(self, number: float) -> np.ndarray:
        first = self._rises(number)[0]
        return np.asarray(first - self._means(first)[:, None])

    def _means(self, values: Float[np.ndarray, "M K"]) -> Float[np.ndarray, " M"]:
        return np.asarray((self._grid.mass * values).sum(1))

    def _carried(self, values: Float[np.ndarray, " M"]) -> Eta:
        """Return moments at the predictors from those on the grid."""
        return np.asarray(make_interp_spline(self._grid.eta, values, k=5)(self._at))


@lru_cache(maxsize=16)
def _grid(low: float, high: float, number: float) -> _Grid:
    """Return counts at predictors from ``low`` to ``high``, and weights of sums over them.

    Counts up to 255 are added up. The others are one integral, by a Gauss rule in the logarithm of
    the count. By Euler's and Maclaurin's formula the sum is the integral from 255.5 on, and the
    slope there over 24.
    """
    a = math.exp(number)
    eta = np.linspace(low, high, NODES * round(high - low) + 1)
    mean = np.exp(eta)[:, None]
    spread = np.sqrt(mean + a * mean**2)
    edge = ONE_BY_ONE - 0.5
    start = np.log(np.maximum(mean - DEVIATIONS * spread, edge))
    end = np.log(np.maximum(mean + DEVIATIONS * spread + TAIL * (1 + a * mean), edge))
    nodes, weights = np.polynomial.legendre.leggauss(FURTHER)
    half = np.maximum(end - start, 0) / 2
    further = np.exp(start + half * (nodes + 1))
    few = np.broadcast_to(np.arange(ONE_BY_ONE + 1.0), (len(eta), ONE_BY_ONE + 1))
    ones = np.ones_like(few)
    ones[:, -2:] = [1 - 1 / 24, 1 / 24]
    counts = np.concatenate([few, further], 1)
    weight = np.concatenate([ones, half * weights * further], 1)
    mass = weight * np.exp(_log_chance(counts, mean, 1 / a))
    return _Grid(eta, counts, mass / mass.sum(1, keepdims=True))


def _log_chance(
    y: Float[np.ndarray, "M K"], mean: Float[np.ndarray, "M 1"], k: float
) -> Float[np.ndarray, "M K"]:
    """Return the logarithm of probabilities of counts.

    No term is of the size of y, of which a logarithm would lose its digits where counts are large.
    """
    none = k * np.log1p(mean / k)  # minus that of a count of 0
    few = log_rising(k, y, np.log1p) - gammaln(y + 1) + y * (np.log(mean) - np.log1p(mean / k))
    many = log_rising(y + 1, k - 1, np.log1p) + (k - 1) * np.log(y + 1) - gammaln(k)
    return np.asarray(np.where(y < max(k, 1), few, many - y * np.log1p(k / mean)) - none)
