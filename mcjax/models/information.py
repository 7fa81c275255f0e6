"""Expected Hessians and score covariances, the two matrices of each kind of data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


FARTHEST = 1e3
"""Standard deviation of a predictor from which a sum over its values takes too much memory."""


@dataclass(frozen=True)
class BatchInformation:
    """Expected Hessian and score covariance of one observation at the truth.

    Attributes
    ----------
    hessian : ndarray
        ``H = E grad^2 loss``, shape (p, p).
    score_covariance : ndarray
        ``V = Cov(grad loss)``, shape (p, p).
    """

    hessian: Float[np.ndarray, "p p"]
    score_covariance: Float[np.ndarray, "p p"]


@dataclass(frozen=True)
class Information:
    """The matrices of real data and of data that models generate.

    Attributes
    ----------
    real, synthetic : BatchInformation
        Matrices of the source ``real`` and of a model's output.
    sources : tuple of BatchInformation
        Matrices of the further real sources, in order; empty if they equal ``real``.
    models : tuple of BatchInformation
        Matrices of the output of each model; empty if they equal ``synthetic``.
    """

    real: BatchInformation
    synthetic: BatchInformation
    sources: tuple[BatchInformation, ...] = ()
    models: tuple[BatchInformation, ...] = ()


def same_information(
    hessian: Float[np.ndarray, "p p"], score_covariance: Float[np.ndarray, "p p"]
) -> Information:
    """Return the information of real and synthetic data with the same distribution."""
    batch = BatchInformation(hessian, score_covariance)
    return Information(real=batch, synthetic=batch)


def predictor_information(
    theta: Float[np.ndarray, " p"],
    covariance: Float[np.ndarray, "q q"],
    weight: Callable[[Float[np.ndarray, " k"]], Float[np.ndarray, " k"]],
) -> Float[np.ndarray, "p p"]:
    """Return ``E[w(x'theta) x x']`` for normal x, where w grows at most exponentially.

    It is nan if ``x'theta`` has a standard deviation above ``FARTHEST``.

    Notes
    -----
    With ``x'theta = g z`` and z standard normal, it is ``a Sigma + (b - a) (Sigma theta)(Sigma
    theta)' / g^2`` with ``a = E w(g z)`` and ``b = E w(g z) z^2``, because x is its regression on z
    and a remainder that is independent of z. Both are computed by the trapezoidal rule, which
    converges geometrically for analytic functions.
    """
    direction = covariance @ theta
    length = math.sqrt(max(float(theta @ direction), 0.0))
    if not length <= FARTHEST:
        return np.full_like(covariance, np.nan)
    step = min(1 / 64, 1 / 64 / max(length, 1e-9))
    reach = 9 + length
    z = np.arange(-math.ceil(reach / step), math.ceil(reach / step) + 1) * step
    mass = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * step * weight(length * z)
    a, b = float(mass.sum()), float(mass @ z**2)
    bent = (b - a) / length**2 if length > 0 else 0.0
    return np.asarray(a * covariance + bent * np.outer(direction, direction))


UNIT = same_information(np.ones((1, 1)), np.ones((1, 1)))
"""A model with ``H = V = 1``: its first-order law is the scalar recursion of the c_t."""
