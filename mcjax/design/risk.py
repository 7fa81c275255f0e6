"""Find the cheapest cures of a network, and what would make it collapse after all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mcjax.design.allocation import Risk
from mcjax.diagnosis.cures import Edge, flips
from mcjax.diagnosis.explosion import finite_sample
from mcjax.diagnosis.long_run import Facts
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.network.feed import REAL
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Float

MOST_FEEDS = 500
"""Largest number of feeds of which each one's loss is examined."""
MOST_EXACT = 100
"""Largest number of models to which the exact law is applied."""


def cheapest_cures(net: Network, costs: Float[np.ndarray, " M"]) -> tuple[tuple[Edge, float], ...]:
    """Return the cheapest real feeds that end all collapse, each with the cost of one row.

    There is one to the cheapest member of each collapse origin (:mod:`mcjax.diagnosis.cures`).
    """
    cheap = (min(origin.indices, key=lambda i: costs[i]) for origin in collapse_origins(net))
    return tuple(((REAL, net.models[i]), float(costs[i])) for i in cheap)


def risk_of(net: Network, facts: Facts) -> Risk:
    """Return what would make a model of a network collapse that does not."""
    flow, origins = data_flow(net), collapse_origins(net)
    collapsed = np.array(collapsing(flow, origins))
    lost = None
    if len(net.feeds) <= MOST_FEEDS:
        lost = tuple(
            (feed.origin, feed.reader)
            for feed in net.feeds
            if len(collapse_origins(net.without_feed(feed.origin, feed.reader))) > len(origins)
        )
    explodes: tuple[str, ...] = ()
    if facts.regression is not None and net.size <= MOST_EXACT:
        exact = finite_sample(net, facts.regression.parameters, flow, origins)
        if not isinstance(exact, str):
            explodes = tuple(name for name, explodes in exact.explodes.items() if explodes)
    return Risk(lost, flips(net, collapsed), explodes)
