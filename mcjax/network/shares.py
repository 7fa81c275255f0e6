"""Shares of the rows that a model fits, as whole numbers of samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from mcjax.errors import InputError
from mcjax.network.checks import check_count
from mcjax.network.feed import Feed
from mcjax.network.schedule import MOST_GENERATIONS
from mcjax.numbers import how_many

ADD_UP = 1e-6
"""Largest distance of a sum of shares from 1, because of rounding."""


def counted(
    feeds: Sequence[Feed], fields: Sequence[str], rows: Mapping[str, int]
) -> tuple[Feed, ...]:
    """Return feeds whose shares are numbers of samples.

    Parameters
    ----------
    feeds : sequence of Feed
        The feeds; others than those with a share are returned as they are.
    fields : sequence of str
        What errors name, for each feed, before the name of a field.
    rows : mapping of str to int
        The rows that models fit in a generation.

    Raises
    ------
    InputError
        If the shares of a model do not add up to 1, or its rows are not known or too few.
    """
    result = list(feeds)
    for reader, places in _readers_of_shares(feeds).items():
        _check_shares(feeds, fields, places)
        if reader not in rows:
            problem = f"says nothing of {reader!r}, whose feeds have shares; give the rows it fits"
            raise InputError("network.rows", problem)
        total = rows[reader]
        check_count(f"network.rows ({reader})", total)
        for generation, active in _together([feeds[k] for k in places]):
            whole = [places[n] for n in active]
            found = sum(Fraction(repr(float(feeds[k].share or 0))) for k in whole)
            if abs(float(found) - 1) > ADD_UP:
                when = f" in generation {generation}" if generation > 1 else ""
                raise InputError(
                    f"{fields[whole[0]]}share",
                    f"and the other shares of {reader!r}{when} add up to {float(found):.7g};"
                    " make them 1, with a feed from 'unknown' for data that are not known",
                )
            parts = [Fraction(repr(float(feeds[k].share or 0))) / found for k in whole]
            for k, count in zip(whole, largest_remainder(parts, total), strict=True):
                if result[k].share is None:
                    continue  # counted in an earlier generation
                if not count:
                    raise InputError(
                        f"{fields[k]}share",
                        f"is {feeds[k].share:g} of {how_many(total, 'row')}, which is no row;"
                        " raise the rows, or drop the feed",
                    )
                result[k] = replace(feeds[k], samples=count, share=None)
    return tuple(result)


def largest_remainder(parts: Sequence[Fraction], total: int) -> list[int]:
    """Return whole numbers that add up to ``total``, in given proportions that add up to 1.

    Each is rounded down, and those that lose most get one more; of equals, the first.
    """
    exact = [part * total for part in parts]
    counts = [math.floor(number) for number in exact]
    left = total - sum(counts)
    most = sorted(range(len(parts)), key=lambda k: counts[k] - exact[k])
    for k in most[:left]:
        counts[k] += 1
    return counts


def _readers_of_shares(feeds: Sequence[Feed]) -> dict[str, list[int]]:
    """Return the places of the feeds of each model of which some feed has a share."""
    sharing = {feed.reader for feed in feeds if feed.share is not None}
    places: dict[str, list[int]] = {}
    for k, feed in enumerate(feeds):
        if feed.reader in sharing:
            places.setdefault(feed.reader, []).append(k)
    return places


def _check_shares(feeds: Sequence[Feed], fields: Sequence[str], places: Sequence[int]) -> None:
    """Raise InputError for feeds of one model that are not all shares."""
    for k in places:
        feed, share = feeds[k], feeds[k].share
        if share is None:
            raise InputError(
                f"{fields[k]}samples",
                f"is given, and other feeds of {feed.reader!r} have shares; give all one of them",
            )
        if feed.samples is not None:
            raise InputError(f"{fields[k]}share", "and samples exclude each other; keep one")
        number = isinstance(share, int | float) and not isinstance(share, bool)
        if not (number and 0 < share <= 1):
            raise InputError(f"{fields[k]}share", f"is {share!r}; give a number above 0, up to 1")
        if feed.random:
            problem = "is of rows that are drawn with a probability; give samples"
            raise InputError(f"{fields[k]}share", problem)


def _together(feeds: Sequence[Feed]) -> Iterator[tuple[int, list[int]]]:
    """Return the sets of feeds that are active together, each with its first generation."""
    if len({(feed.every, feed.first, feed.until) for feed in feeds}) == 1:
        yield 1, list(range(len(feeds)))
        return
    times = [t for f in feeds for t in (f.every, f.first, f.until or 1)]
    if not all(isinstance(t, int) and 1 <= t <= MOST_GENERATIONS for t in times):
        yield 1, list(range(len(feeds)))  # refused where schedules are made
        return
    begun = max(max(feed.first, feed.until or 1) for feed in feeds)
    end = min(begun + math.lcm(*(feed.every for feed in feeds)), MOST_GENERATIONS)
    seen: set[tuple[int, ...]] = set()
    for t in range(1, end + 1):
        active = tuple(k for k, feed in enumerate(feeds) if feed.active(t))
        if active and active not in seen:
            seen.add(active)
            yield t, list(active)
