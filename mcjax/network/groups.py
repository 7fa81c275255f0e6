"""Groups of models, such as the versions of one model, as one model each.

Versions hardly ever read one another in circles: each reads what was there before it. Collapse is
about who reads whom over generations, so a group reads what its members read, and is read where
these are. Feeds between the same two groups add up, and a group whose members read one another
reads itself. Real data of one member anchor the whole group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcjax.arguments import checked
from mcjax.errors import InputError, did_you_mean
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import UNKNOWN, Feed
from mcjax.network.generation import Generation
from mcjax.network.network import Network

FIELD = "network.groups"
Groups = Mapping[str, Sequence[str]]
"""The members of each group, by its name."""


@checked
def grouped(net: Network, groups: Groups) -> Network:
    """Return the network of groups, and of the models that are in none.

    Samples of feeds of one origin and reader add up, and their weights are averaged over samples.
    A group begins with the samples of all its members.

    Parameters
    ----------
    net : Network
        The network.
    groups : mapping of str to sequence of str
        The members of each group, such as the versions of one model.

    Returns
    -------
    Network
        The network, in which each group is one model.

    Raises
    ------
    InputError
        If groups overlap, have members or names that they cannot have, or readers share draws.

    Examples
    --------
    >>> import mcjax
    >>> feeds = [("nemo-1", "ada", 100), ("ada", "nemo-2", 100)]
    >>> network = mcjax.build_network(["nemo-1", "nemo-2", "ada"], feeds, initial=100)
    >>> mcjax.grouped(network, {"nemo": ["nemo-1", "nemo-2"]})
    Network: 2 models, 2 feeds
      nemo  reads 100 of ada
      ada   reads 100 of nemo
    """
    if not groups:
        return net
    if net.shares_draws:
        raise InputError(FIELD, "are for draws = 'private'; leave groups out, or change that")
    entity = dict(zip(net.models, net.models, strict=True)) | _entities(net, groups)
    models = tuple(dict.fromkeys(entity[name] for name in net.models))
    initial = dict.fromkeys(models, 0)
    for name, count in zip(net.models, net.initial, strict=True):
        initial[entity[name]] += count
    places = {name: k for k, name in enumerate((*models, *net.source_index))}
    return replace(
        net,
        models=models,
        initial=tuple(initial.values()),
        later=net.later.changed(lambda generation: _merged(generation, entity, places)),
        first=_merged_feeds(net.first, entity, places),
    )


def by_owner(models: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the models of each owner, those named ``owner/model``; others are in no group.

    Raises
    ------
    InputError
        If no model is named so.
    """
    owned: dict[str, list[str]] = {}
    for name in models:
        owner, slash, _ = name.partition("/")
        if owner and slash:
            owned.setdefault(owner, []).append(name)
    if not owned:
        raise InputError("--by-owner", "finds no model named OWNER/NAME; leave it out")
    return {owner: tuple(names) for owner, names in owned.items()}


def _entities(net: Network, groups: Groups) -> dict[str, str]:
    """Return the group of each member."""
    entity: dict[str, str] = {}
    for group, members in groups.items():
        if not members:
            raise InputError(f"{FIELD}.{group}", "is empty; name its models, or leave it out")
        for name in members:
            if name not in net.index:
                hint = did_you_mean(name, net.models)
                problem = f"has {name!r}, which is no model{hint}; name models of the network"
                raise InputError(f"{FIELD}.{group}", problem)
            if name in entity:
                other = "twice" if entity[name] == group else f"which is in {entity[name]!r} too"
                raise InputError(f"{FIELD}.{group}", f"has {name!r}, {other}; keep one")
            entity[name] = group
    for group in groups:
        taken = group in net.source_index or group == UNKNOWN
        if taken or (group in net.index and entity.get(group) != group):
            what = "a source" if taken else "a model that is not in it"
            raise InputError(f"{FIELD}.{group}", f"has the name of {what}; rename it")
    return entity


def _merged(generation: Generation, entity: dict[str, str], places: dict[str, int]) -> Generation:
    given = generation.given
    if given is None:
        return Generation(_merged_feeds(generation.feeds, entity, places))
    moved = np.array([places[entity.get(name, name)] for name in given.names], np.int64)
    feeds = replace(
        given, names=tuple(places), origin=moved[given.origin], reader=moved[given.reader]
    )
    _, first, place = np.unique(feeds.edge, return_index=True, return_inverse=True)
    samples = np.zeros(len(first), object)  # of any size
    np.add.at(samples, place, feeds.samples.astype(object))
    if samples.max(initial=0) >= 2**63:
        return Generation(_merged_feeds(generation.feeds, entity, places))  # which is refused
    loss = np.bincount(place, feeds.weight * feeds.samples, len(first))
    rows = np.bincount(place, feeds.samples, len(first))
    return Generation(
        FeedColumns(
            feeds.names,
            feeds.origin[first],
            feeds.reader[first],
            samples=samples.astype(np.int64),
            weight=loss / rows,
        )
    )


def _merged_feeds(
    feeds: Iterable[Feed], entity: dict[str, str], places: dict[str, int]
) -> tuple[Feed, ...]:
    """Return the feeds between groups, in the order of readers and origins."""
    together: dict[tuple[str, str, Any], list[Feed]] = {}
    for feed in feeds:
        origin, reader = entity.get(feed.origin, feed.origin), entity[feed.reader]
        together.setdefault((origin, reader, feed.keep), []).append(feed)
    merged = []
    for (origin, reader, keep), alike in together.items():
        samples = sum(feed.samples for feed in alike)
        weight = sum(feed.weight * feed.samples for feed in alike) / samples
        merged.append(Feed(origin, reader, samples, weight=weight, keep=keep))
    return tuple(sorted(merged, key=lambda feed: (places[feed.reader], places[feed.origin])))
