"""Feeds that come and go: the generations of feeds that say when they are active."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mcjax.errors import InputError
from mcjax.network.checks import check_count, check_keep, check_weight
from mcjax.network.feed import Feed
from mcjax.network.generation import Generation
from mcjax.network.merging import Weighted, added_up
from mcjax.network.timeline import Series
from mcjax.network.unlisted import Scheduled, always

MOST_GENERATIONS = 10_000
"""Largest number of generations of a schedule that are written one by one."""
MOST_FEEDS = 5_000_000
"""Largest number of feeds of all these generations together."""


def scheduled_series(given: Sequence[Weighted]) -> Series | Scheduled:
    """Return the generations of feeds, some of which are active in some generations only.

    Parameters
    ----------
    given : sequence of (Feed, sequence of float)
        Feeds, and their weights by generation, of which the last stays.

    Raises
    ------
    InputError
        If a schedule has no generation or too many, or if two feeds with the same origin, reader
        and selection have different weights in one generation.
    """
    for k, (feed, weights) in enumerate(given):
        check_times(f"network.feeds[{k}]", feed)
        if len(weights) == 1:  # a weight may be 0 for a time, but not for ever
            check_weight(f"network.feeds[{k}].weight", feed.weight)
    # of feeds that end, only the end counts
    late = [feed for feed, _ in given if feed.until is None]
    turns = math.lcm(*(feed.every for feed in late))
    begins = (feed.first - 1 for feed in late)
    ends = (feed.until for feed, _ in given if feed.until is not None)
    changes = (len(weights) - 1 for _, weights in given)
    before = max((0, *begins, *ends, *changes))
    times = sum(turns // feed.every for feed in late)
    if before + turns > MOST_GENERATIONS or times > MOST_FEEDS:
        return _long(given, before)
    versions = [[constant_feed(feed, weight) for weight in weights] for feed, weights in given]
    tables = []
    for t in range(1, before + turns + 1):
        places = [k for k, (feed, _) in enumerate(given) if feed.active(t)]
        active = (versions[k][min(t, len(versions[k])) - 1] for k in places)
        total = added_up(((feed, (feed.weight,)) for feed in active), "network.feeds", places)
        tables.append([feed for feed, _ in total])
    return Series(*ordered(tables), turns=turns)


def ordered(tables: Sequence[Sequence[Feed]]) -> list[Generation]:
    """Return generations, given by their feeds, with these in one common order."""
    edges = dict.fromkeys(feed.edge for feeds in tables for feed in feeds)
    rank = {edge: k for k, edge in enumerate(edges)}
    result: list[list[Feed]] = [sorted(feeds, key=lambda feed: rank[feed.edge]) for feeds in tables]
    return list(map(Generation, result))


def constant_feed(feed: Feed, weight: float | None = None) -> Feed:
    """Return a feed in one generation, of another weight if one is given."""
    return always(feed if weight is None else replace(feed, weight=weight))


def _long(given: Sequence[Weighted], before: int) -> Scheduled:
    """Return the timeline of feeds that repeat themselves late."""
    problem = ""
    if before > MOST_GENERATIONS:
        problem = f"begin or end after {MOST_GENERATIONS:,} generations; begin or end them earlier"
    elif any(len(weights) > 1 for _, weights in given):
        problem = "have a list of weights, and repeat themselves only after more than"
        problem += f" {MOST_GENERATIONS:,} generations; give one weight each"
    elif _weighted_apart(feed for feed, _ in given):
        problem = "of one origin and reader have different weights, and repeat themselves only"
        problem += f" after more than {MOST_GENERATIONS:,} generations; give one weight"
    if problem:
        raise InputError("network.feeds", problem)
    for k, (feed, _) in enumerate(given):
        check_keep(f"network.feeds[{k}]", feed.keep)
        check_count(f"network.feeds[{k}].samples", feed.samples)
    return Scheduled(tuple(feed for feed, _ in given))


def _weighted_apart(feeds: Iterable[Feed]) -> bool:
    """Return whether feeds of one edge have different weights."""
    weights: dict[Any, float] = {}
    return any(weights.setdefault(feed.edge, feed.weight) != feed.weight for feed in feeds)


def check_times(field: str, feed: Feed) -> None:
    """Raise InputError for times of a feed that are not generations."""
    times: dict[str, Any] = {"every": feed.every, "first": feed.first, "until": feed.until}
    for name, value in times.items():
        if name == "until" and value is None:
            continue
        number = isinstance(value, int) and not isinstance(value, bool)
        if not (number and value >= 1):
            raise InputError(f"{field}.{name}", f"is {value!r}; give a whole number, from 1 on")
    if feed.until is not None and feed.until < feed.first:
        raise InputError(
            f"{field}.until", f"is {feed.until}, before the first generation, {feed.first}"
        )
