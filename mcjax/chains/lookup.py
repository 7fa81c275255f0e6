"""Entries of small tables, looked up in compiled code."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Integer, Shaped

FEW = 8
"""Up to this many entries, one is found by comparisons: these are vector instructions, and a gather
is not."""


def lookup(
    table: Shaped[Array, " ..."], place: Integer[Array, " ..."], axis: int
) -> Shaped[Array, " ..."]:
    """Return the entries of a table at some places of an axis.

    Parameters
    ----------
    table : Array
        Shape (..., S, ...), with S on ``axis``.
    place : Array of int
        Numbers from 0 to S - 1, of as many axes as the table, or fewer that are its last ones. The
        axes other than ``axis`` broadcast.
    axis : int
        An axis, counted from the end, that ``place`` has too.

    Returns
    -------
    Array
        As ``jnp.take_along_axis`` returns them.
    """
    if table.shape[axis] > FEW:
        at = place.reshape((1,) * (table.ndim - place.ndim) + place.shape)
        return jnp.take_along_axis(table, at, axis, mode="clip")

    def entry(k: int) -> Array:
        return lax.slice_in_dim(table, k, k + 1, axis=axis)

    found = jnp.broadcast_to(entry(0), jnp.broadcast_shapes(entry(0).shape, place.shape))
    for k in range(1, table.shape[axis]):
        found = jnp.where(place == k, entry(k), found)
    return found
