"""Functions of readers that remember their last results.

What the rows of a file are to a reader is asked for again and again, but takes memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np
from jaxtyping import Float

Result = TypeVar("Result")

REMEMBERED = 64
"""Number of readers whose rows are remembered."""


def remembered(
    function: Callable[[Float[np.ndarray, " p"]], Result],
) -> Callable[[Float[np.ndarray, " p"]], Result]:
    """Return a function that remembers what it has returned for the last readers."""

    @lru_cache(REMEMBERED)
    def of(reader: bytes) -> Result:
        return function(np.frombuffer(reader))

    return lambda reader: of(reader.tobytes())
