"""Positive definite systems of one fit, unrolled where p is small."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import solve_triangular

UNROLLED = 8
"""Up to this p the factorisation is written out: batched LAPACK calls cost ten times as much."""


def solve_positive(matrix: Array, right: Array) -> tuple[Array, Array]:
    """Solve ``matrix x = right`` for a symmetric positive semi-definite matrix.

    Up to p = ``UNROLLED`` both may have further axes behind, and the upper triangle is not read.

    A pivot that falls below rounding is lifted to it, so that the solution is finite and a descent
    direction remains one.

    Returns
    -------
    x: shape (p,). pivot: the smallest pivot as a share of its diagonal entry, 1 - R^2 of that
    variable on those before it; of the order of the rounding unit for a singular matrix.
    """
    floor = 16 * float(jnp.finfo(matrix.dtype).eps)
    if matrix.shape[0] <= UNROLLED:
        return _unrolled(matrix, right, floor)
    diagonal = jnp.diagonal(matrix)
    lower = jnp.linalg.cholesky(matrix + jnp.diag(floor * matrix.shape[0] * diagonal))
    half = solve_triangular(lower, right, lower=True)
    pivots = jnp.diagonal(lower) ** 2 / diagonal
    return solve_triangular(lower, half, lower=True, trans="T"), jnp.min(pivots)


def _unrolled(matrix: Array, right: Array, floor: float) -> tuple[Array, Array]:
    p = matrix.shape[0]
    lower: dict[tuple[int, int], Array] = {}
    inverse: list[Array] = []
    shares: list[Array] = []
    for j in range(p):
        diagonal = matrix[j, j]
        pivot = diagonal - sum((lower[j, k] ** 2 for k in range(j)), jnp.zeros_like(diagonal))
        shares.append(pivot / diagonal)
        inverse.append(1 / jnp.sqrt(jnp.maximum(pivot, floor * diagonal)))
        for i in range(j + 1, p):
            dot = sum((lower[i, k] * lower[j, k] for k in range(j)), jnp.zeros_like(diagonal))
            lower[i, j] = (matrix[i, j] - dot) * inverse[j]
    half: list[Array] = []
    for i in range(p):
        half.append((right[i] - sum(lower[i, k] * half[k] for k in range(i))) * inverse[i])
    x: list[Array] = [half[0]] * p
    for i in reversed(range(p)):
        x[i] = (half[i] - sum(lower[k, i] * x[k] for k in range(i + 1, p))) * inverse[i]
    return jnp.stack(x), jnp.min(jnp.stack(shares), axis=0)
