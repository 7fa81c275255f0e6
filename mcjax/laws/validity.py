"""Where an expansion in 1/n can be trusted, as the law itself says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


class Validity(NamedTuple):
    """Where an expansion in 1/n can be trusted.

    Attributes
    ----------
    indicator : ndarray, shape (T + 1, M)
        Relative size of the last terms that it has; what it neglects is about its square.
    leverage : ndarray, shape (T + 1, M)
        Weight of few observations in a fit, of order ``1/n^2``.
    judged : ndarray of bool, shape (T + 1, M)
        Whether both are small enough.
    note : str
        What is to be said where they are not; empty if they are everywhere.
    accurate_from : callable
        ``tolerance -> {law: rows}``: with how many rows in the smallest fit, and all sample counts
        in proportion, this law and the first-order one are accurate to a relative tolerance.
    """

    indicator: Float[np.ndarray, "T+1 M"]
    leverage: Float[np.ndarray, "T+1 M"]
    judged: Bool[np.ndarray, "T+1 M"]
    note: str
    accurate_from: Callable[[float], dict[str, int]]
