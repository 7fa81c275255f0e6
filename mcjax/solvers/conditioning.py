"""Test for singular matrices, whatever the units of their rows and columns, in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

SMALLEST, LARGEST = 1e-30, 1e30
"""Limits of scales, variances and other parameters. Beyond them, squares are far outside the range
of single precision, and squares of ratios come close to the limits of double precision."""


def scales_of(matrices: Float[np.ndarray, "*K p p"]) -> Float[np.ndarray, "*K p"]:
    """Return the square roots of the sizes on the diagonals, and 1 where these are 0."""
    sizes = np.sqrt(np.abs(np.diagonal(matrices, axis1=-2, axis2=-1)))
    return np.asarray(np.where(sizes > 0, sizes, 1.0))


def scaled(matrices: Float[np.ndarray, "*K p p"]) -> Float[np.ndarray, "*K p p"]:
    """Return matrices with rows and columns scaled so that diagonals are 1, or 0 as they were."""
    scale = scales_of(matrices)
    return np.asarray(matrices / scale[..., :, None] / scale[..., None, :])


def condition_number(matrices: Float[np.ndarray, "*K p p"]) -> Float[np.ndarray, "*K"]:
    """Return condition numbers of matrices with diagonals scaled to 1; infinite if singular.

    A diagonal matrix is never singular, however far apart its entries are: another unit for a
    covariate changes a condition number, but not what rows tell about a parameter.
    """
    finite = np.isfinite(matrices).all((-2, -1))
    safe = np.where(finite[..., None, None], matrices, 1.0)
    return np.asarray(np.where(finite, np.linalg.cond(scaled(safe)), np.inf))
