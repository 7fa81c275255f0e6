"""Positive definite systems of one fit, unrolled where p is small."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

UNROLLED = 8
"""Up to this p the factorisation is written out."""


def solve_positive(matrix: Array, right: Array) -> tuple[Array, Array]:
    """Solve ``matrix x = right`` for a symmetric positive semi-definite matrix.

    Up to p = ``UNROLLED`` both may have further axes behind, and the upper triangle is not read.

    A pivot that falls below rounding is lifted to it, so that the solution is finite and a descent
    direction remains one.

    Returns
    -------
    x: shape (p,). unexplained: the smallest 1 - R^2 of a variable on all the others (1 over the
    largest variance inflation factor); of the order of the rounding unit for a singular matrix,
    which a last pivot is not where its variable is a large combination of the others.
    """
    p = matrix.shape[0]
    eps = float(jnp.finfo(matrix.dtype).eps)
    if p <= UNROLLED:
        return _unrolled(matrix, right, 16 * eps)
    diagonal = jnp.diagonal(matrix)
    inverse = _inverse(matrix + jnp.diag(4 * p * eps * diagonal), eps * diagonal)
    x = jnp.matmul(inverse, right, precision="highest")
    return x, 1 / jnp.max(jnp.diagonal(inverse) * diagonal)


def singular_share(matrix: Array) -> float:
    """What is unexplained below this share is rounding; ``matrix``: has p as its first axis.

    A lifted singular matrix has at most 4 p^2 units of rounding, see :func:`solve_positive`: its
    null vector has an entry of at least 1 / sqrt(p).
    """
    p = matrix.shape[0]
    return max(1e3, 8.0 * p**2) * float(jnp.finfo(matrix.dtype).eps)


def _inverse(matrix: Array, floor: Array) -> Array:
    """Inverse of a positive definite matrix, by elimination with one pivot after the other.

    No LAPACK: its batched calls can wait for one another for ever where two devices of one CPU run
    them at the same time (jaxlib 0.10), and such a matrix needs no other order of pivots.
    """
    p = matrix.shape[0]
    whole = matrix + jnp.tril(matrix, -1).T - jnp.triu(matrix, 1)

    def eliminate(k: Array, a: Array) -> Array:
        here = jnp.arange(p) == k
        scale = 1 / jnp.maximum(a[k, k], floor[k])
        row = jnp.where(here, 1, a[k]) * scale
        column = jnp.where(here, -1, a[:, k])
        kept = jnp.where(here[None, :] | here[:, None], 0, a)
        return kept - column[:, None] * row[None, :]

    return lax.fori_loop(0, p, eliminate, whole)


def _unrolled(matrix: Array, right: Array, floor: float) -> tuple[Array, Array]:
    p = matrix.shape[0]
    lower: dict[tuple[int, int], Array] = {}
    inverse: dict[tuple[int, int], Array] = {}  # of the factor
    for j in range(p):
        diagonal = matrix[j, j]
        pivot = diagonal - sum((lower[j, k] ** 2 for k in range(j)), jnp.zeros_like(diagonal))
        inverse[j, j] = 1 / jnp.sqrt(jnp.maximum(pivot, floor * diagonal))
        for i in range(j + 1, p):
            dot = sum((lower[i, k] * lower[j, k] for k in range(j)), jnp.zeros_like(diagonal))
            lower[i, j] = (matrix[i, j] - dot) * inverse[j, j]
    for j in range(p):
        for i in range(j + 1, p):
            dots = (lower[i, k] * inverse[k, j] for k in range(j, i))
            inverse[i, j] = -inverse[i, i] * sum(dots)
    half = [sum(inverse[i, k] * right[k] for k in range(i + 1)) for i in range(p)]
    x = [sum(inverse[k, i] * half[k] for k in range(i, p)) for i in range(p)]
    inflation = [matrix[j, j] * sum(inverse[i, j] ** 2 for i in range(j, p)) for j in range(p)]
    return jnp.stack(x), 1 / jnp.max(jnp.stack(inflation), axis=0)
