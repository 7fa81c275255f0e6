"""By which factor the number of chains must grow to decide a claim."""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.special import ndtri, stdtrit

from mcjax.verdicts.skewed_means import Numbers

EXPECTED_POWER = 0.9
"""Probability that a true law is verified by the chains that are named where noise hides it."""


def left_for_chains(
    distance: Numbers, fixed: Numbers, level: float, freedom: Numbers
) -> tuple[Numbers, Numbers]:
    """Return how far an edge is for the error of chains alone, and the part of that error.

    Parameters
    ----------
    distance, fixed : ndarray
        Distance of the edge, and error that more chains do not reduce, in standard errors.
    level : float
        Level of a two-sided interval.
    freedom : ndarray
        Degrees of freedom.

    Returns
    -------
    distance : ndarray
        In standard errors; 0 where the fixed error alone reaches the edge.
    part : ndarray
        Share of the chains in the squared standard error, by which the number of chains that are
        needed is smaller.
    """
    reach = fixed * stdtrit(freedom, level / 2)
    left = np.sqrt(np.maximum(np.square(distance) - np.square(reach), 0.0))
    return np.where(np.greater(distance, 0), left, 0.0), 1 - np.square(fixed)


def more_for_power(level: float) -> float:
    """Return the factor of chains that verifies a true law with the power, not in half the runs."""
    reach = -float(ndtri(level / 2))
    return square((reach + float(ndtri(EXPECTED_POWER))) / reach)


def more_chains(reach: float, distance: float) -> float:
    """Return the factor of chains by which an interval's half-width shrinks to a distance."""
    return square(reach / distance) if distance > 0 else math.inf


def square(value: float) -> float:
    """Return the square, or the largest finite number if the square overflows."""
    return min(value * value, sys.float_info.max)
