"""Positive definite systems of one fit, unrolled where p is small."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.solvers.once import once

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
    return _swept(matrix + jnp.tril(matrix, -1).T - jnp.triu(matrix, 1), right)


def solve_entries(lower: list[list[Array]], right: list[Array]) -> tuple[Array, Array]:
    """:func:`solve_positive` for many systems at once, entry by entry, without LAPACK.

    Parameters
    ----------
    lower: entries (i, j <= i) of the matrices, arrays of one shape. right: p such arrays.
    """
    p = len(right)
    eps = float(jnp.finfo(right[0].dtype).eps)
    if p <= UNROLLED:
        entries = {(i, j): lower[i][j] for i in range(p) for j in range(i + 1)}
        return _unrolled(entries, right, 16 * eps)
    row, column = np.maximum(*np.indices((p, p))), np.minimum(*np.indices((p, p)))
    stacked = jnp.stack([entry for entries in lower for entry in entries])
    return _swept(stacked[row * (row + 1) // 2 + column], jnp.stack(right))


def _swept(matrix: Array, right: Array) -> tuple[Array, Array]:
    """By the matrix, of shape (p, p, ...), scaled to a unit diagonal, with the right-hand side
    beside it, and p sweeps (Beaton 1964): a rank-one update each, in a loop that compiles at once.
    They leave the solution, and in place of the matrix 2 less its inverse.

    No LAPACK: its batched calls can wait for one another for ever where two devices of one CPU run
    them at the same time (jaxlib 0.10).
    """
    p, eps = len(right), float(jnp.finfo(right.dtype).eps)
    one = np.eye(p, p + 1, dtype=right.dtype).reshape(p, p + 1, *(1,) * (right.ndim - 1))
    diagonal = np.arange(p)
    scale = lax.rsqrt(matrix[diagonal, diagonal])
    scaled = jnp.concatenate([matrix * scale[None], right[:, None]], 1) * scale[:, None]

    def sweep(k: Array, now: Array) -> Array:
        def step() -> Array:
            row, unit = (
                lax.dynamic_index_in_dim(a, k, 0, False, allow_negative_indices=False)
                for a in (now, jnp.asarray(one))
            )
            pivot = lax.dynamic_index_in_dim(row, k, 0, False, allow_negative_indices=False)
            return (row - unit) * lax.rsqrt(jnp.maximum(pivot, eps))[None]

        # the k-th diagonal entry comes out larger by 2, which no later sweep reads
        v = once(k, step)
        return now - v[:-1, None] * v[None]

    begin = scaled + 4 * p * eps * one
    end = lax.fori_loop(jnp.int32(0), jnp.int32(p), sweep, begin)
    inflation = 2 - end[diagonal, diagonal]
    return scale * end[:, -1], 1 / jnp.max(inflation, axis=0)


def singular_share(matrix: Array) -> float:
    """What is unexplained below this share is rounding; ``matrix``: has p as its first axis.

    A lifted singular matrix has at most 4 p^2 units of rounding, see :func:`solve_positive`: its
    null vector has an entry of at least 1 / sqrt(p).
    """
    p = matrix.shape[0]
    return max(1e3, 8.0 * p**2) * float(jnp.finfo(matrix.dtype).eps)


def _unrolled(matrix: Any, right: Any, floor: float) -> tuple[Array, Array]:
    p = len(right)
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
