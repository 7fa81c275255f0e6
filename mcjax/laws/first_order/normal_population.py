"""Populations of numbers, ``y = mu + sigma z``, whose mean and variance a reader fits.

With theta = (m, s) the score of a row is ``(m - y, s - (y - m)^2)``. It has the mean 0 where m and
s are mean and variance of y. With the moments ``z_k = E z^k`` and ``d = mu - m``,

    S = ( -d - sigma z_1 ,  s - d^2 - 2 d sigma z_1 - sigma^2 z_2 ) .

Everything is relative to mu, so that variances far below the square of the mean keep their digits.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mcjax.laws.first_order.population import AnyOrigin, Matrix, Population, Score, Vector


class NoiseMoments(NamedTuple):
    """Moments of z.

    Attributes
    ----------
    moments : tuple of float
        ``E z, E z^2, E z^3, E z^4``.
    by_theta : ndarray, shape (2, 2)
        Derivatives of ``E z`` and ``E z^2`` in mean and variance of the origin, (moment, theta).
    """

    moments: tuple[float, ...]
    by_theta: Matrix


STANDARD = NoiseMoments((0.0, 1.0, 0.0, 3.0), np.zeros((2, 2)))
"""The standard normal distribution."""


class NormalPopulation(Population):
    """Rows ``mu + sigma z``, of an origin at theta = (mu, sigma^2).

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    shape : NoiseMoments
        Moments of z.
    """

    def __init__(self, origin: AnyOrigin, shape: NoiseMoments):
        super().__init__(origin)
        self._deviation = math.sqrt(origin.theta[1])
        self._moments, self._by_theta = shape

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        z1, z2, *_ = self._moments
        d, sigma = float(self.origin.theta[0] - reader[0]), self._deviation
        mean = np.array([-d - sigma * z1, reader[1] - d**2 - 2 * d * sigma * z1 - sigma**2 * z2])
        by_reader = np.array([[1.0, 0.0], [2 * (d + sigma * z1), 1.0]])
        return Score(mean, by_reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin."""
        z1, z2, *_ = self._moments
        d, sigma = float(self.origin.theta[0] - reader[0]), self._deviation
        by_shape = np.array([[sigma, 0.0], [2 * d * sigma, sigma**2]])  # of z1 and z2
        direct = np.array([[1.0, z1 / (2 * sigma)], [2 * (d + sigma * z1), d * z1 / sigma + z2]])
        return -direct - by_shape @ self._by_theta

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        z1, z2, z3, z4 = self._moments
        powers = np.array([[z2 - z1**2, z3 - z1 * z2], [z3 - z1 * z2, z4 - z2**2]])
        left, right = (self._by_powers(reader) for reader in (first, second))
        return left @ powers @ right.T

    def _by_powers(self, reader: Vector) -> Matrix:
        """Return the score of a reader as a linear function of z and z^2, but for its mean."""
        d, sigma = float(self.origin.theta[0] - reader[0]), self._deviation
        return -np.array([[sigma, 0.0], [2 * d * sigma, sigma**2]])
