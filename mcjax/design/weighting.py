"""Give the feeds of a network the weights with which errors are smallest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.design.weights import Counts, best_weights, weight_bound
from mcjax.errors import InputError
from mcjax.laws.collapse.components import data_flow
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_MODELS = 100
"""Largest number of models for which weights are found."""


class FeedWeight(NamedTuple):
    """The weight of the rows of a feed.

    Attributes
    ----------
    origin, reader : str
        Its ends.
    weight : float
        The weight of a row, of which that of a real row is 1, or otherwise the largest; 0 cuts the
        feed.
    share : float
        The share of what the reader learns that comes from the feed.
    """

    origin: str
    reader: str
    weight: float
    share: float


class Weighted(NamedTuple):
    """The best weights of a network.

    Attributes
    ----------
    feeds : tuple of FeedWeight
        By feed.
    pooled, after : float
        The sum of errors at equal and at the best weights.
    bound : float
        What no weights undercut.
    spread : float
        Relative difference between what searches find.
    errors : dict of str to float
        The errors of the models that matter, at the best weights.
    network : Network
        The network with these weights, without the feeds that they cut.
    """

    feeds: tuple[FeedWeight, ...]
    pooled: float
    after: float
    bound: float
    spread: float
    errors: dict[str, float]
    network: Network

    def to_json(self) -> dict[str, Any]:
        """Return the weights as plain data."""
        return {
            "feeds": [
                {"from": feed.origin, "to": feed.reader, "weight": feed.weight, "share": feed.share}
                for feed in self.feeds
            ],
            "objective": {"pooled": self.pooled, "after": self.after, "bound": self.bound},
            "spread": self.spread,
            "mse": self.errors,
        }


def weighted(net: Network, weights: Float[np.ndarray, " M"]) -> Weighted:
    """Return the best weights of a network in which nothing that matters collapses.

    Parameters
    ----------
    net : Network
        The network.
    weights : ndarray, shape (M,)
        Weights of the errors.

    Raises
    ------
    InputError
        If weights cannot be found for such a network.
    """
    if net.size > MOST_MODELS:
        problem = f"asks for weights of {net.size:,} models, and {MOST_MODELS} are possible"
        raise InputError("design.weights", f"{problem}; leave it out")
    if net.shares_draws or any(source.public for source in net.sources):
        problem = "is for data of which every reader gets its own"
        raise InputError("design.weights", f"{problem}; leave it out, or give private draws")
    matters = data_flow(net).feeders.reached(np.flatnonzero(weights > 0).tolist())
    chosen = np.flatnonzero(matters)
    frozen = [net.models[i] for i in chosen if net.frozen[i]]
    if frozen:
        problem = f"is for models that are fitted, and {frozen[0]!r} reads nothing"
        raise InputError("design.weights", f"{problem}; leave it out, or feed that model")
    place = {net.models[i]: k for k, i in enumerate(chosen.tolist())}
    rows = np.zeros((len(chosen), len(chosen) + 1))
    for feed in net.feeds:
        if feed.reader in place:
            rows[place[feed.reader], place.get(feed.origin, -1)] += feed.samples
    counts = Counts(rows, weights[chosen])
    best, spread = best_weights(counts)
    each = best.shares / np.where(rows > 0, rows, 1.0)
    unit = np.where(each[:, -1] > 0, each[:, -1], each.max(1))
    found, feeds = [], []
    for feed in net.feeds:
        if feed.reader not in place:
            feeds.append(feed)
            continue
        at = place[feed.reader], place.get(feed.origin, -1)
        weight = float(each[at] / unit[at[0]])
        share = float(each[at] * feed.samples)
        found.append(FeedWeight(feed.origin, feed.reader, weight, share))
        if weight > 0:
            feeds.append(replace(feed, weight=weight))
    return Weighted(
        feeds=tuple(found),
        pooled=counts.at(counts.pooled).value,
        after=best.value,
        bound=min(weight_bound(counts), best.value),
        spread=spread,
        errors={name: float(best.errors[k]) for name, k in place.items()},
        network=net.with_feeds(feeds),
    )
