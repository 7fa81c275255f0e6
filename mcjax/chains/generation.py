"""The feeds of one generation, taken from a network's arrays in compiled code."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from mcjax.chains.layout import Feeds, NetworkArrays

FEW_TABLES = 8
"""One of up to so many is found by comparisons, which are vector instructions."""


def feeds_at(network: NetworkArrays, t: Any) -> Feeds:
    """Return the feeds of generation t, entries of shape (M, B).

    Parameters
    ----------
    network : NetworkArrays
        Of one chain, or of lanes whose networks may differ in their timelines; lanes are then the
        last axis of every entry, here and in the result.
    t : int or array of int
        From 0 to T.
    """
    order = jnp.asarray(network.order)
    table = lax.dynamic_index_in_dim(order, t, 0, False, allow_negative_indices=False)

    def chosen(entry: Any) -> Any:
        entry = jnp.asarray(entry)
        if len(entry) > FEW_TABLES:
            place = table.reshape(1, 1, 1, *table.shape)
            place = jnp.broadcast_to(place, (1, *entry.shape[1:]))
            return jnp.take_along_axis(entry, place, 0)[0]
        value = entry[-1]
        for g in range(len(entry) - 2, -1, -1):
            value = jnp.where(table == g, entry[g], value)
        return value

    return Feeds(*map(chosen, network.feeds))
