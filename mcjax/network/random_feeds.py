"""Feeds that are active at random, each independently: all generations that may come of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from mcjax.errors import InputError
from mcjax.network.checks import check_weight
from mcjax.network.drawn import MOST_DRAWN, Drawn, Paths
from mcjax.network.merging import Weighted, added_up
from mcjax.network.schedule import constant_feed, ordered


def random_series(given: Sequence[Weighted], paths: Paths) -> Drawn:
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
        If a probability is none, if feeds change with time besides, or if there are too many.
    """
    for k, (feed, weights) in enumerate(given):
        field, chance = f"network.feeds[{k}]", feed.probability
        number = isinstance(chance, int | float) and not isinstance(chance, bool)
        if not (number and 0 < chance <= 1):
            raise InputError(
                f"{field}.probability", f"is {chance!r}; give a number above 0, up to 1"
            )
        if feed.scheduled:
            raise InputError(
                field, "comes and goes, and others are drawn; leave out every, first and until"
            )
        if len(weights) > 1:
            raise InputError(
                f"{field}.weight", "is a list, and feeds are drawn at random; give one number"
            )
        check_weight(f"{field}.weight", feed.weight)
    drawn = [k for k, (feed, _) in enumerate(given) if feed.random]
    if 2 ** len(drawn) > MOST_DRAWN:
        raise InputError(
            "network.feeds",
            f"have a probability {len(drawn)} times; give it to at most"
            f" {MOST_DRAWN.bit_length() - 1}, or networks in [network.switching]",
        )
    generations, probabilities = [], []
    for active in product((True, False), repeat=len(drawn)):
        chances = [
            given[k][0].probability if on else 1 - given[k][0].probability
            for k, on in zip(drawn, active, strict=True)
        ]
        idle = {k for k, on in zip(drawn, active, strict=True) if not on}
        places = [k for k in range(len(given)) if k not in idle]
        read = ((constant_feed(feed), (feed.weight,)) for feed, _ in (given[k] for k in places))
        generations.append([f for f, _ in added_up(read, "network.feeds", places)])
        probabilities.append(math.prod(chances))
    return Drawn(*ordered(generations), probabilities=probabilities, paths=paths)
