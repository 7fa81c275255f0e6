"""Powers of matrices by repeated squaring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


def squared_powers(
    a: Float[np.ndarray, "n n"], doublings: int
) -> Iterator[Float[np.ndarray, "n n"]]:
    """Yield A, A^2, A^4, ..., each squared only when it is asked for.

    A sum over n terms becomes one over 2n by adding to it what A^n makes of it. With
    ``S_n = sum_{k<n} A^k N A'^k``, for instance, ``S_2n = S_n + A^n S_n A'^n``.
    """
    for _ in range(doublings):
        yield a
        a = a @ a
