"""Compute roots of covariances, and their inverses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from mcjax.solvers.conditioning import condition_number, scaled, scales_of

if TYPE_CHECKING:
    from jaxtyping import Float

FAR_APART = 1e8
"""Condition number of a covariance from which its root is taken in other units."""


def covariance_root(cov: Float[np.ndarray, "q q"]) -> Float[np.ndarray, "q q"]:
    """Return a matrix F with ``F F' = cov``, which may be rank-deficient."""
    if len(cov) and np.linalg.cond(cov) > FAR_APART and condition_number(cov) < FAR_APART:
        # in units in which no eigenvalue is lost beside the largest
        return np.asarray(scales_of(cov)[:, None] * covariance_root(scaled(cov)))
    values, vectors = np.linalg.eigh(cov)
    root: np.ndarray = vectors * np.sqrt(np.maximum(values, 0.0))
    if math.isclose(values[0], values[-1], rel_tol=1e-12):
        root = np.sqrt(values[-1]) * np.eye(len(cov))
    return root


def whitener(cov: Float[np.ndarray, "q q"]) -> Float[np.ndarray, "q q"]:
    """Return ``F^-T`` for the root F of a covariance, or zeros if F is singular.

    It maps the errors of least squares for ``x ~ N(0, I)`` to those for ``x ~ N(0, cov)``.
    """
    root = covariance_root(cov)
    if len(root) == 0:
        return root
    if np.linalg.cond(root) < 1e6:
        return np.asarray(np.linalg.inv(root).T)
    if not condition_number(cov) < 1e12:
        return np.zeros_like(root)
    scale = scales_of(cov)[:, None]
    return np.asarray(np.linalg.inv(root / scale).T / scale)
