"""Feeds with weights by generation, and those of one origin and reader added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mcjax.errors import InputError
from mcjax.network.checks import check_count, check_keep
from mcjax.network.feed import Feed

Weighted = tuple[Feed, Sequence[float]]
"""A feed and its weights by generation."""


def added_up(
    feeds: Iterable[Weighted], field: str, places: Sequence[int] | None = None
) -> list[Weighted]:
    """Return feeds with their weights, those of one origin, reader and selection added up.

    Parameters
    ----------
    feeds : iterable of (Feed, sequence of float)
        The feeds.
    field : str
        What errors name, with the place of a feed.
    places : sequence of int, optional
        The place of each feed; defaults to that in ``feeds``.

    Raises
    ------
    InputError
        If `samples` is no number of samples, or feeds that add up have different weights.
    """
    total: dict[tuple[str, str, Any], Weighted] = {}
    for number, (feed, weights) in enumerate(feeds):
        k = number if places is None else places[number]
        check_keep(f"{field}[{k}]", feed.keep)
        if feed.samples is not None:  # which is refused below
            check_count(f"{field}[{k}].samples", feed.samples)
        if feed.edge not in total:
            total[feed.edge] = feed, weights
            continue
        known, others = total[feed.edge]
        if weights != others:
            raise InputError(
                f"{field}[{k}].weight",
                f"is another one than that of an earlier feed from {feed.origin!r} to"
                f" {feed.reader!r}; give both the same",
            )
        if isinstance(known.samples, int) and isinstance(feed.samples, int):
            feed = replace(known, samples=known.samples + feed.samples)
        total[feed.edge] = feed, weights
    return list(total.values())
