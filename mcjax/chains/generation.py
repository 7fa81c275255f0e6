"""The feeds of one generation, taken from a network's arrays in compiled code."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Integer

from mcjax.chains.layout import Feeds, NetworkArrays
from mcjax.chains.lookup import lookup


def feeds_at(network: NetworkArrays, t: Integer[Any, ""]) -> Feeds:
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

    place = table.reshape(1, 1, 1, *table.shape)

    def entry_at(entry: Any) -> Any:
        return lookup(jnp.asarray(entry), place, -place.ndim)[0]

    feeds: Feeds = jax.tree.map(entry_at, network.feeds)
    return feeds
