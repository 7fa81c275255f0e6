"""Feeds that may be added to a network, and the cheapest of them that end all collapse.

Nothing collapses if and only if every model can be reached, along the data flow, from one that
reads real data or is frozen: a model that cannot has ancestors that all read one another alone, and
among them a collapse origin. The cheapest cure is therefore a spanning arborescence of minimum
weight (Edmonds 1967). Its root is real data, which leads to the models that are anchored for
nothing, as feeds of the network lead on; feeds on offer have their prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import networkx

from mcjax.diagnosis.cures import Edge
from mcjax.errors import InputError
from mcjax.laws.collapse.components import data_flow
from mcjax.network.network import Network

ROOT = -1
"""Vertex of real data in a graph of components."""


class Offer(NamedTuple):
    """A feed that may be added.

    Attributes
    ----------
    origin, reader : str
        From where it leads, a real source or a model, and to which model.
    price : float
        What it costs, whatever its rows cost.
    samples : int
        Its rows; those of ``real`` are designed.
    """

    origin: str
    reader: str
    price: float
    samples: int = 1

    @property
    def edge(self) -> Edge:
        """Origin and reader."""
        return self.origin, self.reader


def cheapest_cure(
    net: Network, offers: Sequence[Offer], anchored: Iterable[int]
) -> tuple[Offer, ...]:
    """Return the cheapest offers with which anchored models reach all others.

    Parameters
    ----------
    net : Network
        The network.
    offers : sequence of Offer
        The feeds that may be added.
    anchored : iterable of int
        Positions of the models that count as anchored.

    Returns
    -------
    tuple of Offer
        In the order of their readers.

    Raises
    ------
    InputError
        If all offers together are not enough.
    """
    flow = data_flow(net)
    safe = flow.readers.reached(anchored)
    place = {i: ROOT for i, known in enumerate(safe) if known}
    for k, members in enumerate(flow.readers.components):
        place.update((i, k) for i in members if not safe[i])
    best: dict[tuple[int, int], Offer | None] = {}  # None: a feed of the network
    for offer in sorted(offers, key=lambda offer: (offer.price, net.index[offer.reader])):
        origin = ROOT if offer.origin in net.source_index else place[net.index[offer.origin]]
        best.setdefault((origin, place[net.index[offer.reader]]), offer)
    for j, readers in enumerate(flow.readers):
        best.update(((place[j], place[i]), None) for i in readers)
    graph = networkx.DiGraph()
    graph.add_nodes_from(place.values())
    graph.add_node(ROOT)
    # a branching of maximum weight spans all if its weights are as large as this; NetworkX's own
    # minimum_spanning_arborescence does not make them so, and may find none where there is one
    most = (len(graph) + 1) * max((offer.price for offer in offers), default=0.0) + 1.0
    graph.add_weighted_edges_from(
        (origin, reader, most - (0.0 if offer is None else offer.price))
        for (origin, reader), offer in best.items()
        if origin != reader and reader != ROOT
    )
    unreached = set(graph) - {ROOT} - networkx.descendants(graph, ROOT)
    if unreached:
        raise none_left(net, [i for i in place if place[i] in unreached])
    tree = networkx.maximum_branching(graph)
    bought = filter(None, (best[edge] for edge in tree.edges))
    return tuple(sorted(bought, key=lambda bought: net.index[bought.reader]))


def none_left(net: Network, models: Sequence[int]) -> InputError:
    """Return the error of models that need a feed, of which none is on offer."""
    names = ", ".join(repr(net.models[i]) for i in models[:5])
    more = f" and {len(models) - 5} more" if len(models) > 5 else ""
    remedy = "offer one from a source of [[network.sources]] in [[design.candidates]]"
    return InputError("design.robust", f"needs another real feed to one of {names}{more}; {remedy}")
