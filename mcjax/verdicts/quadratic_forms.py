"""Predict how much, and how skewed, quadratic forms of normal errors vary from chain to chain.

Squared errors, their differences, and the influence functions of ratios and cosines are all forms
``e'He`` of normal errors ``e ~ N(m, C)``. Their cumulant of order r is

    2^(r-1) (r-1)! (tr((HC)^r) + r m'(HC)^(r-1) H m)

(Mathai & Provost, Quadratic Forms in Random Variables, 1992). Cumulants of independent numbers add.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.laws.prediction import Prediction

ORDERS = (2, 3, 4)
Cumulants = Float[np.ndarray, "3 *shape"]
"""Cumulants of the second to the fourth order."""

CUMULANTS_OF_ONE = np.array([2.0, 8.0, 48.0])
"""Those of the square of a single standard normal number, which varies most for its mean."""


class Contribution(NamedTuple):
    """Moments of one chain's contribution to a mean; arrays of one shape.

    Attributes
    ----------
    spread : ndarray
        Standard deviation.
    skewness, kurtosis : ndarray
        Skewness and excess kurtosis; nan where nothing varies.
    """

    spread: Float[np.ndarray, " *shape"]
    skewness: Float[np.ndarray, " *shape"]
    kurtosis: Float[np.ndarray, " *shape"]


def cumulants_of_form(
    covariance: Float[np.ndarray, "*shape q q"],
    mean: Float[np.ndarray, "*shape q"],
    form: Float[np.ndarray, "*shape q q"],
) -> Cumulants:
    """Return the cumulants of ``e'He`` for normal e.

    Parameters
    ----------
    covariance : ndarray of shape (..., q, q)
        Covariance C of e.
    mean : ndarray of shape (..., q)
        Mean m of e.
    form : ndarray of shape (..., q, q)
        The symmetric matrix H.
    """
    step = form @ covariance
    pushed = (form @ mean[..., None])[..., 0]
    power, found = step, []
    for order in ORDERS:
        # power is (HC)^(order - 1), and pushed (HC)^(order - 2) H m
        reached = np.einsum("...ab,...b->...a", step, pushed)
        centre = np.einsum("...a,...a->...", mean, reached)
        trace = np.einsum("...ab,...ba->...", power, step)
        found.append(2 ** (order - 1) * math.factorial(order - 1) * (trace + order * centre))
        power, pushed = power @ step, reached
    return np.stack(found)


def cumulants_of_squares(law: Prediction) -> Float[np.ndarray, "3 T+1 M"]:
    """Return the cumulants of ``||e||^2`` of every model at every generation."""
    return cumulants_of_form(law.own_covariances, law.bias, np.eye(law.p))


def add_independent(
    cumulants: Float[np.ndarray, "3 k *shape"], weights: Float[np.ndarray, " k *shape"]
) -> Cumulants:
    """Return the cumulants of a weighted sum of k independent numbers."""
    orders = np.reshape(ORDERS, (-1, *(1 for _ in weights.shape)))
    return np.asarray((weights**orders * cumulants).sum(1))


@np.errstate(all="ignore")  # nothing may vary, or nothing may be finite
def contribution(cumulants: Cumulants) -> Contribution:
    """Return the standard deviation, the skewness and the excess kurtosis."""
    second, third, fourth = cumulants
    spread = np.sqrt(np.maximum(second, 0.0))
    return Contribution(spread, third / spread**3, fourth / spread**4)
