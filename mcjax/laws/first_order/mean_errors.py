"""Mean errors in the long run: whose mean does not vanish, whatever the eigenvalues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import schur, solve_sylvester

from mcjax.laws.first_order.growing_samples import NEAR_UNIT
from mcjax.laws.first_order.linear_system import LinearSystem, whole_means

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

VANISHED = 1e-9
"""Mean error, relative to the first ones, that is rounding."""


def keeps_mean(system: LinearSystem) -> Bool[np.ndarray, " M"]:
    """Return the models whose mean error does not tend to 0.

    Notes
    -----
    Means follow ``x_{t+1} = F x_t`` with ``x = (m, 1)`` and ``F = [A, push; 0, 1]``. What does not
    vanish is the part P x for the spectral projector P of the eigenvalues of modulus 1 or more. A
    component of x is a sum of as many powers of these eigenvalues as F has rows, so it is 0 for
    ever if it is 0 as many times in a row.
    """
    first = len(system.before)
    begun = whole_means(system, first)[-1]
    push = np.zeros_like(begun) if system.push is None else system.push
    count = len(begun)
    step = np.zeros((count + 1, count + 1))
    step[:count, :count], step[:count, count], step[count, count] = system.transition, push, 1.0
    kept = _persistent(step, np.append(begun, 1.0))
    size = max(1.0, np.abs(begun).max(), np.abs(push).max())
    remains = np.zeros(count, bool)
    for _ in range(count + 1):
        np.logical_or(remains, np.abs(kept[:count]) > VANISHED * size, out=remains)
        kept = step @ kept
        size *= max(1.0, np.abs(kept).max() / size)
    result: np.ndarray = np.any(remains.reshape(-1, system.p), axis=1)
    return result


def _persistent(
    step: Float[np.ndarray, "n n"], vector: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Return the part of a vector in the space of the eigenvalues of modulus 1 or more."""
    triangle, basis, count = schur(
        step, output="complex", sort=lambda value: abs(value) > 1 - NEAR_UNIT
    )
    upper, lower = triangle[:count, :count], triangle[count:, count:]
    across = solve_sylvester(upper, -lower, triangle[:count, count:])
    inside = basis.conj().T @ vector
    left = inside[:count] + across @ inside[count:]
    return (basis[:, :count] @ left).real
