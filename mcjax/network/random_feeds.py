"""Feeds that are active at random, each independently: all generations that may come of them.

Where they come and go besides, these are those of each phase, which take turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from mcjax.errors import InputError
from mcjax.network.checks import check_count, check_keep, check_weight
from mcjax.network.drawn import MOST_DRAWN, Drawn, Paths
from mcjax.network.feed import Feed
from mcjax.network.merging import Weighted, added_up
from mcjax.network.schedule import check_times, ordered
from mcjax.network.unlisted import FEW, RandomFeeds, always


def random_series(given: Sequence[Weighted], paths: Paths) -> Drawn | RandomFeeds:
    """Return the timeline of feeds of which some have a probability.

    Parameters
    ----------
    given : sequence of (Feed, sequence of float)
        Feeds, and their weights, of which each has one.
    paths : {"own", "common"}
        See :class:`Drawn`.

    Raises
    ------
    InputError
        If a probability is none, if feeds begin or end besides, or if there are too many.
    """
    for k, (feed, weights) in enumerate(given):
        field, chance = f"network.feeds[{k}]", feed.probability
        number = isinstance(chance, int | float) and not isinstance(chance, bool)
        if not (number and 0 < chance <= 1):
            raise InputError(
                f"{field}.probability", f"is {chance!r}; give a number above 0, up to 1"
            )
        check_times(field, feed)
        if feed.until is not None or feed.first > feed.every:
            raise InputError(
                field,
                "begins or ends, and others are drawn; leave out until, and give first up to every",
            )
        if len(weights) > 1:
            raise InputError(
                f"{field}.weight", "is a list, and feeds are drawn at random; give one number"
            )
        check_weight(f"{field}.weight", feed.weight)
    drawn = [k for k, (feed, _) in enumerate(given) if feed.random]
    turns = math.lcm(*(feed.every for feed, _ in given))
    if turns == 1 and len(drawn) > FEW:
        return _many([feed for feed, _ in given])
    tables: list[list[Feed]] = []
    chances: list[list[float]] = []
    for t in range(1, min(turns, MOST_DRAWN) + 1):
        here = [k for k in drawn if given[k][0].active(t)]
        if len(tables) + 2 ** len(here) > MOST_DRAWN:
            break
        chances.append([])
        for active in product((True, False), repeat=len(here)):
            idle = {k for k, on in zip(here, active, strict=True) if not on}
            places = [k for k, (f, _) in enumerate(given) if f.active(t) and k not in idle]
            read = ((always(feed), (feed.weight,)) for feed, _ in (given[k] for k in places))
            tables.append([feed for feed, _ in added_up(read, "network.feeds", places)])
            on = [given[k][0].probability for k in here]
            parts = (q if k not in idle else 1 - q for k, q in zip(here, on, strict=True))
            chances[-1].append(math.prod(parts))
    if len(chances) < turns:
        raise InputError(
            "network.feeds",
            f"have a probability {len(drawn)} times; of {turns:,} phases more than {MOST_DRAWN:,}"
            " networks come, so give `every` common factors, or fewer feeds a probability",
        )
    if turns == 1:
        return Drawn(*ordered(tables), probabilities=chances[0], paths=paths)
    return Drawn(*ordered(tables), transition=_in_turn(chances), paths=paths, first=0)


def _many(feeds: list[Feed]) -> RandomFeeds:
    """Return the timeline of feeds of which more have a probability than can be listed."""
    seen = set()
    for k, feed in enumerate(feeds):
        check_keep(f"network.feeds[{k}]", feed.keep)
        check_count(f"network.feeds[{k}].samples", feed.samples)
        if feed.edge in seen:
            raise InputError(
                f"network.feeds[{k}]",
                f"is another feed from {feed.origin!r} to {feed.reader!r}, of many that are drawn;"
                " give one",
            )
        seen.add(feed.edge)
    return RandomFeeds(tuple(feeds))


def _in_turn(chances: list[list[float]]) -> list[list[float]]:
    """Return the transition of a chain that takes turns with groups, in which it draws."""
    rows = []
    for z, own in enumerate(chances):
        after = (z + 1) % len(chances)
        row = [q if k == after else 0.0 for k, group in enumerate(chances) for q in group]
        rows += [row] * len(own)
    return rows
