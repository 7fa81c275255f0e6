"""Positive definite linear systems, written out entry by entry where p is small."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Integer, Shaped

from mcjax.solvers.once import in_turn, once, together

UNROLLED = 8
"""Largest p for which the factorisation is written out."""

ENTRIES_AT_A_TIME = 6
"""Number of entries of a factor that one loop computes."""


def solve_positive(
    matrix: Float[Array, "p p *lanes"], right: Float[Array, " p *lanes"]
) -> tuple[Float[Array, " p *lanes"], Float[Array, "*lanes"]]:
    """Solve ``matrix x = right`` for a symmetric positive semi-definite matrix.

    A pivot that falls below the rounding error is lifted to it, so that the solution is finite and
    a descent direction remains one.

    Parameters
    ----------
    matrix : Array
        Shape (p, p). Up to p = ``UNROLLED`` both arguments may have further axes after these, and
        the upper triangle is not read.
    right : Array
        The right-hand side, shape (p,).

    Returns
    -------
    x : Array
        The solution, shape (p,).
    unexplained : Array
        The smallest ``1 - R**2`` of a variable regressed on all the others (the reciprocal of the
        largest variance inflation factor). For a singular matrix it is of the order of the rounding
        unit. The last pivot would not be, if its variable is a large combination of the others.
    """
    p = matrix.shape[0]
    eps = float(jnp.finfo(matrix.dtype).eps)
    if p <= UNROLLED:
        return _unrolled(matrix, right, 16 * eps)
    return solve_swept(matrix + jnp.tril(matrix, -1).T - jnp.triu(matrix, 1), right)


def solve_entries(
    lower: list[list[Float[Array, "*lanes"]]], right: list[Float[Array, "*lanes"]]
) -> tuple[Float[Array, " p *lanes"], Float[Array, "*lanes"]]:
    """Solve many positive definite systems at once, entry by entry, without LAPACK.

    Parameters
    ----------
    lower : list of list of Array
        Entries (i, j) of the matrices for j <= i, arrays of one shape; at most ``UNROLLED`` rows.
    right : list of Array
        The p entries of the right-hand sides, of the same shape.

    Returns
    -------
    x, unexplained : Array
        As :func:`solve_positive` returns them, with the axes of the entries last.
    """
    eps = float(jnp.finfo(right[0].dtype).eps)
    entries = {(i, j): entry for i, row in enumerate(lower) for j, entry in enumerate(row)}
    return _unrolled(entries, right, 16 * eps)


def solve_columns(
    count: Integer[Array, " ..."],
    lower: list[list[Float[Array, "*lanes"]]],
    right: list[Float[Array, "*lanes"]],
) -> tuple[Float[Array, " p *lanes"], Float[Array, "*lanes"]]:
    """Solve as :func:`solve_entries`, with each column of the factor in loops of its own.

    In :func:`solve_entries` the loop of each pivot computes all columns before again.

    Parameters
    ----------
    count : Array
        Integers known only at run time, none of them negative.
    lower, right : list
        As those of :func:`solve_entries`, of any length.

    Returns
    -------
    x, unexplained : Array
        As :func:`solve_entries` returns them.
    """
    p, floor = len(right), 16 * float(jnp.finfo(right[0].dtype).eps)
    rows = [*lower, right]

    def several(compute: Callable[[int], Any], places: range) -> list[Array]:
        groups = [
            places[k : k + ENTRIES_AT_A_TIME] for k in range(0, len(places), ENTRIES_AT_A_TIME)
        ]
        loops = [partial(lambda group: together([compute(i) for i in group]), g) for g in groups]
        return in_turn(count, loops)

    def solve() -> tuple[Array, Array]:
        # the Cholesky factor, with the solution of the lower system as row p, and its inverse
        factor: dict[tuple[int, int], Array] = {}
        inverse: dict[tuple[int, int], Array] = {}

        def pivot(j: int) -> Array:
            rest = lower[j][j] - sum(factor[j, k] ** 2 for k in range(j))
            return lax.rsqrt(jnp.maximum(rest, floor * lower[j][j]))

        def column(j: int) -> list[Array]:
            scale = once(count, lambda: pivot(j))

            def below(i: int) -> Array:
                return (rows[i][j] - sum(factor[i, k] * factor[j, k] for k in range(j))) * scale

            return [scale, *several(below, range(j + 1, p + 1))]

        def left(i: int) -> list[Array]:
            def entry(j: int) -> Array:
                dot = sum(factor[i, k] * inverse[k, j] for k in range(j, i))
                return -inverse[i, i] * dot

            return several(entry, range(i))

        def unexplained() -> Array:
            squares = (sum(inverse[i, j] ** 2 for i in range(j, p)) for j in range(p))
            return 1 / reduce(jnp.maximum, (lower[j][j] * s for j, s in enumerate(squares)))

        for j in range(p):
            inverse[j, j], *found = once(count, partial(column, j))
            factor |= {(i, j): entry for i, entry in enumerate(found, j + 1)}
        for i in range(1, p):
            inverse |= {(i, j): entry for j, entry in enumerate(left(i))}
        x = several(lambda j: sum(inverse[i, j] * factor[p, i] for i in range(j, p)), range(p))
        return jnp.stack(x), once(count, unexplained)

    return once(count, solve)


def solve_swept(
    matrix: Float[Array, "p p *lanes"], right: Float[Array, " p *lanes"]
) -> tuple[Float[Array, " p *lanes"], Float[Array, "*lanes"]]:
    """Solve positive definite systems by p sweeps, for matrices of which both triangles are given.

    The results are those of :func:`solve_positive`, with the axes of lanes last.

    The matrix is scaled to a unit diagonal, the right-hand side is put beside it, and each sweep is
    a rank-one update (Beaton 1964), in a loop that compiles quickly. What remains is the solution
    and, on the diagonal in place of that of the matrix, 2 minus the diagonal of the inverse.

    LAPACK is avoided because its batched calls can deadlock if two devices of one CPU run them at
    the same time (jaxlib 0.10).
    """
    p, eps = len(right), float(jnp.finfo(right.dtype).eps)
    identity = np.eye(p, p + 1, dtype=right.dtype).reshape(p, p + 1, *(1,) * (right.ndim - 1))
    diagonal = np.arange(p)
    scale = lax.rsqrt(matrix[diagonal, diagonal])
    scaled = jnp.concatenate([matrix * scale[None], right[:, None]], 1) * scale[:, None]

    end = _swept(scaled + 4 * p * eps * identity, identity)
    inflation = 2 - end[diagonal, diagonal]
    return scale * end[:, -1], 1 / jnp.max(inflation, axis=0)


def invert_swept(
    matrix: Float[Array, "p p"],
) -> tuple[Float[Array, "p p"], Float[Array, ""]]:
    """Return the inverse of a positive semi-definite matrix by p sweeps, as :func:`solve_swept`.

    The second result is ``unexplained`` of :func:`solve_positive`. A variable whose diagonal entry
    is not positive is not scaled.
    """
    p, eps = len(matrix), float(jnp.finfo(matrix.dtype).eps)
    identity = np.eye(p, dtype=matrix.dtype)
    diagonal = jnp.diagonal(matrix)
    scale = jnp.where(diagonal > 0, lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1)), 1)
    scaled = matrix * scale[:, None] * scale[None]
    inverse = jnp.asarray(2 * identity) - _swept(scaled + 4 * p * eps * identity, identity)
    unexplained = 1 / jnp.max(jnp.diagonal(inverse))
    return inverse * scale[:, None] * scale[None], unexplained


def singular_share(matrix: Shaped[Array, "p ..."]) -> float:
    """Return the unexplained share below which a matrix counts as singular.

    Parameters
    ----------
    matrix : Array
        Any array whose first axis has length p, for its dtype.

    Returns
    -------
    float
        A bound on what rounding leaves unexplained. For a singular matrix whose pivots were lifted
        by :func:`solve_positive` that is at most 4 p^2 rounding units, because its null vector has
        an entry of at least 1 / sqrt(p).
    """
    p = matrix.shape[0]
    return max(1e3, 8.0 * p**2) * float(jnp.finfo(matrix.dtype).eps)


def _swept(
    begin: Float[Array, "p columns *lanes"], identity: Float[np.ndarray, "p columns *lanes"]
) -> Float[Array, "p columns *lanes"]:
    """Sweep every row; what remains of the matrix is 2 I minus its inverse."""
    p, eps = len(begin), float(jnp.finfo(begin.dtype).eps)

    def sweep(k: Array, now: Array) -> Array:
        def step() -> Array:
            row, unit = (
                lax.dynamic_index_in_dim(a, k, 0, False, allow_negative_indices=False)
                for a in (now, jnp.asarray(identity))
            )
            pivot = lax.dynamic_index_in_dim(row, k, 0, False, allow_negative_indices=False)
            return (row - unit) * lax.rsqrt(jnp.maximum(pivot, eps))[None]

        # this leaves the k-th diagonal entry too large by 2, but no later sweep reads it
        v = once(k, step)
        return now - v[:p, None] * v[None]

    return lax.fori_loop(jnp.int32(0), jnp.int32(p), sweep, begin)


def _unrolled(matrix: Any, right: Any, floor: float) -> tuple[Array, Array]:
    p = len(right)
    lower: dict[tuple[int, int], Array] = {}  # the Cholesky factor L, with 1 / L_jj in `inverse`
    inverse: dict[tuple[int, int], Array] = {}  # of L
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
    # x = L^-T (L^-1 right); the inflation factor of j is A_jj (A^-1)_jj
    half = [sum(inverse[i, k] * right[k] for k in range(i + 1)) for i in range(p)]
    x = [sum(inverse[k, i] * half[k] for k in range(i, p)) for i in range(p)]
    inflation = [matrix[j, j] * sum(inverse[i, j] ** 2 for i in range(j, p)) for j in range(p)]
    return jnp.stack(x), 1 / jnp.max(jnp.stack(inflation), axis=0)
