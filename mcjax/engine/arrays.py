"""Operations on arrays of chains, of NumPy's and of a program's alike.

Summaries of chains are written once, for arrays with any leading axes and with chains on the last.
On a CPU, NumPy evaluates them, as it has nothing to compile; for other devices JAX traces them.
Here stands all that differs. Arrays of NumPy have one leading axis, of tiles.
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import lax

Tree = TypeVar("Tree")

ONE_THREAD = 2**18
"""Up to this number of multiplications, OpenBLAS multiplies two matrices in one thread."""


def library(array: Any) -> Any:
    """Return the module whose functions take an array: NumPy, or that of JAX."""
    return np if isinstance(array, np.ndarray | np.generic) else jnp


def apart(arrays: Tree) -> Tree:
    """Return arrays that a program computes once, and not again where they are read."""
    first, *_ = arrays if isinstance(arrays, tuple) else (arrays,)
    return arrays if library(first) is np else lax.optimization_barrier(arrays)


def masked(values: Any, valid: Any, other: float = 0.0) -> Any:
    """Return values, with another number where they are not valid."""
    of = library(values)
    if of is np and valid.all():  # as usual
        return values
    return of.where(valid, values, other)


def chains_in(valid: Any) -> Any:
    """Return how many chains are valid, with axes of length 1 where all entries share them."""
    if library(valid) is np and valid.all():
        return _shared(valid.shape[-1], valid.ndim - 1, tiles=len(valid))
    return valid.sum(-1, dtype=float)


def chains_in_both(valid: Any) -> Any:
    """Return how many chains are valid for both of two models, (..., M, M), as ``chains_in``."""
    if library(valid) is np and valid.all():
        return _shared(valid.shape[-1], valid.ndim, tiles=len(valid))
    present = valid.astype(float)
    return product(present, transposed(present))


def _shared(number: int, axes: int, *, tiles: int) -> np.ndarray:
    return np.full((tiles, *[1] * (axes - 1)), float(number))


def difference(values: Any, other: Any) -> Any:
    """Return the difference of values of any precision and others, in double precision."""
    if library(values) is np:
        return np.subtract(values, other, dtype=float)
    return jnp.asarray(values, float) - other


def at_least_one(count: Any) -> Any:
    """Return numbers of chains to divide by."""
    return library(count).maximum(count, 1.0)


def chains_last(array: Any) -> Any:
    """Return an array (tiles, C, ...) with chains on the last axis, as long rows."""
    tiles, chains, *shape = array.shape
    rows = array.reshape(tiles, chains, int(np.prod(shape))).swapaxes(1, 2).copy()
    return rows.reshape(tiles, *shape, chains)


def product(a: Any, b: Any) -> Any:
    """Return a product of matrices with any leading axes, in full precision."""
    if library(a) is not np:
        return jnp.matmul(a, b, precision="highest")
    # Threads of BLAS would compete with the devices for the cores of a CPU, and with a core taken
    # they wait far longer than they compute. It starts some for large matrices, hence the pieces.
    rows, columns = a.shape[-2], b.shape[-1]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    found = np.empty((*lead, rows, columns))
    width = max(1, ONE_THREAD // max(1, rows * a.shape[-1]))
    for k in range(0, columns, width):
        np.matmul(a, b[..., k : k + width], out=found[..., k : k + width])
    return found


def transposed(numbers: Any) -> Any:
    """Return matrices transposed, as a copy.

    BLAS starts threads for a product of a matrix with its own transpose, but not with a copy.
    """
    return numbers.swapaxes(-1, -2).copy()


def sums_of_squares(numbers: Any, axis: int = -1) -> Any:
    """Return the sums of the squares of numbers along an axis."""
    if library(numbers) is not np:
        return (numbers * numbers).sum(axis)
    along = np.moveaxis(numbers, axis, -1)
    return np.einsum("...k,...k->...", along, along)


def at_least_zero(numbers: Any) -> Any:
    """Return numbers, or 0 where they are below; in place, of NumPy's arrays."""
    if library(numbers) is not np:
        return jnp.maximum(numbers, 0.0)
    return np.maximum(numbers, 0.0, out=numbers)
