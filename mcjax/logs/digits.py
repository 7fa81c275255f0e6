"""Bound the noise of losses from below by the digits in which they are logged.

A rounded loss is off by up to half a step of its last digit, which adds noise of at least
``step / sqrt(12)``. Where repetitions differ by less than the step, they are rounded alike, so that
neither their scatter nor their number says how exact their mean is. They then count as one row.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

EQUAL = 0.5
"""Standard deviation of repetitions, in steps, up to which they count as equal."""


class Rows(NamedTuple):
    """The rows of a workflow from which noise can be told.

    Attributes
    ----------
    fits : ndarray of int, shape (N,)
        Number of fits, t, at each row.
    losses : ndarray of shape (N,)
        Losses.
    noise : float
        Standard deviation of what was rounded off.
    equal : bool
        Whether repetitions are equal, or nearly so, to the last digit. Each generation is then one
        row.
    """

    fits: Int[np.ndarray, " N"]
    losses: Float[np.ndarray, " N"]
    noise: float
    equal: bool


def rows_of(fits: Int[np.ndarray, " N"], losses: Float[np.ndarray, " N"]) -> Rows:
    """Return the rows of a workflow from which noise can be told."""
    step = last_digit(losses)
    distinct, first, place, counts = np.unique(
        fits, return_index=True, return_inverse=True, return_counts=True
    )
    repetitions = len(fits) - len(distinct)
    apart = losses - losses[first][place]  # exactly 0 if they are equal
    means = np.bincount(place, apart) / counts
    off = apart - means[place]
    equal = bool(repetitions and off @ off <= repetitions * (EQUAL * step) ** 2)
    if equal:
        fits, losses = distinct, losses[first] + means
    return Rows(fits, losses, step / 12**0.5, equal)


def last_digit(losses: Float[np.ndarray, " N"]) -> float:
    """Return the smallest decimal step of losses, which is 1 at most."""
    places = [Decimal(repr(loss)).normalize().as_tuple().exponent for loss in losses.tolist()]
    return float(10.0 ** min(0, *(int(place) for place in places)))
