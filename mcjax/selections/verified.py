"""The rows of least squares that a verifier accepts, in closed form.

Rows have ``x ~ N(0, Sigma)`` and ``y = x'v + sigma e`` with normal e, and are kept if ``|u| <= r``
with the residual ``u = y - x'c`` of the verifier. With ``delta = v - c``, u is normal of variance
``w^2 = sigma^2 + delta' Sigma delta``, and

    x = g u + z ,    g = Sigma delta / w^2 ,    z ~ N(0, R) ,    R = Sigma - w^2 g g' ,

with z independent of u. The residual of a reader at m is ``x'm - y = h u + d'z`` with ``d = m - c``
and ``h = d'g - 1``. So every moment of scores is a polynomial in the moments m2 and m4 of a
truncated normal variable u, whose odd moments vanish. The derivative in v is the covariance with
the score of the origin (:class:`Verified`); no sampler is differentiated. Derived here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import gammainc

from mcjax.laws.first_order.population import AnyOrigin, Matrix, Population, Score, Vector
from mcjax.laws.law import Inapplicable


class Verified(Population):
    """Rows of least squares with ``|y - x'c| <= r``.

    Parameters
    ----------
    origin : Origin
        Whoever generates the rows.
    verifier : sequence of float
        c.
    within : float
        r.
    """

    def __init__(self, origin: AnyOrigin, verifier: Sequence[float], within: float):
        super().__init__(origin)
        self._verifier = np.asarray(verifier, float)
        covariance = origin.root @ origin.root.T
        self._noise = float(origin.params["sigma"]) ** 2
        direction = covariance @ (origin.theta - self._verifier)
        spread = self._noise + float((origin.theta - self._verifier) @ direction)
        self._slope = direction / spread
        self._rest = covariance - np.outer(direction, direction) / spread
        self._accepted, second, fourth = _truncated(within / np.sqrt(spread))
        self._second, self._fourth = spread * second, spread**2 * fourth

    def score(self, reader: Vector) -> Score:
        """Return the mean score of one row and its slope, for a reader at ``reader``."""
        by_reader = self._second * np.outer(self._slope, self._slope) + self._rest
        return Score(self._mean(reader), by_reader)

    def by_parent(self, reader: Vector) -> Matrix:
        """Return ``dS/dv``, the derivative of the mean score in the parameters of the origin.

        The log density of y given x has the derivative ``x (y - x'v) / sigma^2`` in v, so
        ``dS/dv`` is the covariance of both, divided by ``-sigma^2``.
        """
        return -self.covariance(reader, self.origin.theta) / self._noise

    def covariance(self, first: Vector, second: Vector) -> Matrix:
        """Return the covariance of the scores of two readers of one row, (p, p)."""
        (da, ha), (db, hb) = self._residual(first), self._residual(second)
        g, rest, m2, m4 = self._slope, self._rest, self._second, self._fourth
        ra, rb = rest @ da, rest @ db
        inner = float(da @ rb)
        mixed = ha * rb + hb * ra
        product = (
            (m4 * ha * hb + m2 * inner) * np.outer(g, g)
            + m2 * (np.outer(g, mixed) + np.outer(mixed, g))
            + (m2 * ha * hb + inner) * rest
            + np.outer(ra, rb)
            + np.outer(rb, ra)
        )
        return product - np.outer(self._mean(first), self._mean(second))

    def acceptance(self) -> tuple[float, Vector]:
        """Return the share of rows that are kept, and the derivative of its logarithm."""
        return self._accepted, -self._mean(self.origin.theta) / self._noise

    def _residual(self, reader: Vector) -> tuple[Vector, float]:
        """Return d and h of a reader."""
        d = reader - self._verifier
        return d, float(d @ self._slope) - 1

    def _mean(self, reader: Vector) -> Vector:
        d, h = self._residual(reader)
        return self._second * h * self._slope + self._rest @ d


def _truncated(a: float) -> tuple[float, float, float]:
    """Return ``P(|z| < a)`` of a standard normal z, and ``E z^2`` and ``E z^4`` within."""
    half = 0.5 * a**2
    mass, second, fourth = (float(gammainc(k + 0.5, half)) for k in range(3))
    if not fourth > 0:
        raise Inapplicable("a verifier keeps too small a share of rows for a number")
    return mass, second / mass, 3 * fourth / mass
