"""Find what would make a network collapse after all."""

from __future__ import annotations

from mcjax.design.allocation import Risk
from mcjax.design.robust import ROBUST
from mcjax.diagnosis.cures import flips
from mcjax.diagnosis.explosion import finite_sample
from mcjax.diagnosis.long_run import Facts
from mcjax.laws.collapse.components import data_flow
from mcjax.laws.collapse.origins import collapse_origins, collapsing
from mcjax.network.network import Network

MOST_FEEDS = 500
"""Largest number of feeds of which each one's loss is examined."""
MOST_PAIRED = 5_000
"""Largest number of models of which each new feed is examined."""
MOST_EXACT = 100
"""Largest number of models to which the exact law is applied."""


def risk_of(net: Network, facts: Facts, sealed: frozenset[int]) -> Risk:
    """Return what would make a model of a network collapse that does not.

    Parameters
    ----------
    net : Network
        The network.
    facts : Facts
        What is known of the model.
    sealed : frozenset of int
        Positions of the frozen models that nobody can feed.
    """
    flow, origins = data_flow(net), collapse_origins(net)
    collapsed = collapsing(flow, origins)
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
    added = flips(net, collapsed) if net.size <= MOST_PAIRED else None
    holds = {name: not kind.lacks(net, sealed) for name, kind in ROBUST.items()}
    return Risk(lost, added, explodes, holds)
