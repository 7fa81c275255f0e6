"""Real feeds that keep a network from collapse when feeds are added to it, or lost.

Let a set X of models be *self-sustaining* if each of them reads some model in X, and let d(X) be
the number of feeds that enter X, real ones included. A network collapses if and only if it has a
self-sustaining X with d(X) = 0.

**Added feeds.** A frozen model is an anchor until it is fed. So nothing collapses after one added
feed between models, or after any number of them, if and only if real data reach every model, frozen
ones included: otherwise feed i -> i to a frozen model that real data do not reach. Each strong
component that no other feeds, a frozen model alone being one, needs a real feed.

**A lost real feed.** The components with a cycle that no other component feeds need two real feeds
each: a loss leaves one. Other models are reached from these, or from frozen ones.

**A lost feed.** A model that loses its only feed freezes, which is harmless. So d(X) >= 2 for all
self-sustaining X is necessary and sufficient. If d(X) = d(Y) = 1 and X and Y meet in a
self-sustaining set, then that has d = 1 too, since d(X & Y) + d(X | Y) <= d(X) + d(Y). The smallest
sets that lack a feed are therefore disjoint, and collapse origins of the network or of the network
less one feed. To buy for each of them, smallest first, at its cheapest member, is best: what
enters a set enters all larger ones. Derived here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from mcjax.design.offers import Offer, cheapest_cure, none_left
from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.components import DataFlow, data_flow
from mcjax.network.network import Network


class Lack(NamedTuple):
    """Models of which some need more real feeds.

    Attributes
    ----------
    models : frozenset of int
        Their positions.
    feeds : int
        How many feeds they need.
    """

    models: frozenset[int]
    feeds: int


class Robustness(ABC):
    """A kind of change after which nothing is to collapse.

    Attributes
    ----------
    name : str
        Its name in a study file.
    told : str
        The changes, in a sentence.
    """

    name: ClassVar[str]
    told: ClassVar[str]

    @abstractmethod
    def lacks(self, net: Network, sealed: frozenset[int]) -> list[Lack]:
        """Return which models lack real feeds, smaller sets first; none if the network is robust.

        Parameters
        ----------
        net : Network
            The network.
        sealed : frozenset of int
            Positions of the models that nobody can feed.
        """

    def bought(
        self, net: Network, offers: Sequence[Offer], sealed: frozenset[int]
    ) -> tuple[Offer, ...]:
        """Return the cheapest offers that make a network robust.

        Raises
        ------
        InputError
            If all offers together are not enough.
        """
        real = [offer for offer in offers if offer.origin in net.source_index]
        left = sorted(real, key=lambda offer: offer.price)
        chosen: list[Offer] = []
        for lack in self.lacks(net, sealed):
            entering = sum(net.index[offer.reader] in lack.models for offer in chosen)
            for _ in range(lack.feeds - entering):
                fitting = (o for o in left if net.index[o.reader] in lack.models)
                offer = next(fitting, None)
                if offer is None:
                    raise none_left(net, sorted(lack.models))
                left.remove(offer)
                chosen.append(offer)
        return tuple(sorted(chosen, key=lambda offer: net.index[offer.reader]))


class AddedFeeds(Robustness):
    """New feeds between models, however many."""

    name = "added"
    told = "however many feeds between models are added"

    def lacks(self, net: Network, sealed: frozenset[int]) -> list[Lack]:
        """Return the components that only models without real data feed, which need a real feed."""
        flow = data_flow(net)
        safe = flow.readers.reached(_anchors(flow, sealed))
        closed = (
            members
            for members in map(frozenset, flow.readers.components)
            if all(members.issuperset(flow.feeders[i]) for i in members)
        )
        return [Lack(members, 1) for members in closed if not all(safe[i] for i in members)]

    def bought(
        self, net: Network, offers: Sequence[Offer], sealed: frozenset[int]
    ) -> tuple[Offer, ...]:
        """Return the cheapest offers, between models too, with which real data reach all models.

        Raises
        ------
        InputError
            If all offers together are not enough.
        """
        return cheapest_cure(net, offers, _anchors(data_flow(net), sealed))


class LostRealFeed(Robustness):
    """The loss of any one real feed."""

    name = "real"
    told = "after the loss of any one real feed"

    def lacks(self, net: Network, sealed: frozenset[int]) -> list[Lack]:
        """Return the cycles that no other models feed, and that read fewer than two real feeds."""
        flow, real = data_flow(net), _real_feeds(net)
        found = []
        for members in map(frozenset, flow.readers.components):
            feeders = [j for i in members for j in flow.feeders[i]]
            missing = 2 - sum(len(real[i]) for i in members)
            if feeders and members.issuperset(feeders) and missing > 0:
                found.append(Lack(members, missing))
        return found


class LostFeed(Robustness):
    """The loss of any one feed of any kind."""

    name = "any"
    told = "after the loss of any one feed"

    def lacks(self, net: Network, sealed: frozenset[int]) -> list[Lack]:
        """Return the smallest self-sustaining sets that fewer than two feeds enter."""
        flow, real = data_flow(net), _real_feeds(net)
        feeders = [set(own) for own in flow.feeders]
        found: dict[frozenset[int], int] = {}
        for i, own in enumerate(feeders):
            if not own:
                continue
            without = [own, *(own - {j} for j in own)]
            anchors = [len(real[i]), *[len(real[i])] * len(own)]
            if real[i]:
                without.append(own)
                anchors.append(len(real[i]) - 1)
            for left, anchor in zip(without, anchors, strict=True):
                if not left or anchor:
                    continue
                ancestors = _ancestors(i, left, feeders, real)
                if not ancestors:
                    continue
                for members in _sources(ancestors, i, left, feeders):
                    found[members] = _entering(members, feeders, real)
        lacks = (Lack(members, 2 - entering) for members, entering in found.items())
        return sorted(lacks, key=lambda lack: (len(lack.models), min(lack.models)))


ROBUST: dict[str, Robustness] = {
    kind.name: kind for kind in (AddedFeeds(), LostRealFeed(), LostFeed())
}
"""Kinds of robustness, by their names in a study file."""


def _anchors(flow: DataFlow, sealed: frozenset[int]) -> list[int]:
    return [i for i, real in enumerate(flow.anchored) if real or i in sealed]


def _real_feeds(net: Network) -> list[set[str]]:
    """Return the real sources that each model reads."""
    real: list[set[str]] = [set() for _ in net.models]
    for feed in net.feeds:
        if feed.origin in net.source_index:
            real[net.index[feed.reader]].add(feed.origin)
    return real


def _ancestors(
    start: int, left: set[int], feeders: Sequence[set[int]], real: Sequence[set[str]]
) -> set[int]:
    """Return a model that keeps some feeders, and all that reach it; empty if some are anchored."""
    found, waiting = {start}, list(left)
    while waiting:
        j = waiting.pop()
        if j in found:
            continue
        if real[j] or not feeders[j]:
            return set()
        found.add(j)
        waiting.extend(feeders[j])
    return found


def _sources(
    models: set[int], start: int, left: set[int], feeders: Sequence[set[int]]
) -> list[frozenset[int]]:
    """Return the components, of models all of whose feeders are given, that no other feeds."""
    order = sorted(models)
    place = {i: k for k, i in enumerate(order)}
    readers: list[list[int]] = [[] for _ in order]
    for i in order:
        for j in left if i == start else feeders[i]:
            readers[place[j]].append(place[i])
    components = [frozenset(order[k] for k in part) for part in Adjacency.of(readers).components]
    return [
        members
        for members in components
        if all(members.issuperset(left if i == start else feeders[i]) for i in members)
    ]


def _entering(
    members: frozenset[int], feeders: Sequence[set[int]], real: Sequence[set[str]]
) -> int:
    """Return the number of feeds that enter a set of models."""
    return sum(len(real[i]) + len(feeders[i] - members) for i in members)
