"""Networks from names, numbers and tuples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mcjax.arguments import checked_but, read
from mcjax.errors import InputError, did_you_mean
from mcjax.network.checks import (
    GROWTH_ALONE,
    MOST_MODELS,
    Draws,
    check_count,
    check_ends,
)
from mcjax.network.drawn import FIELD, PATHS_ALONE, Paths
from mcjax.network.feed import REAL, UNKNOWN, Feed
from mcjax.network.generation import Generation
from mcjax.network.memory import Memory, MemoryName
from mcjax.network.merging import Weighted, added_up
from mcjax.network.network import Network
from mcjax.network.random_feeds import random_series
from mcjax.network.registry import read_memory
from mcjax.network.schedule import scheduled_series
from mcjax.network.shares import counted
from mcjax.network.source import RealData, Source
from mcjax.network.timeline import Growing, Timeline
from mcjax.numbers import whole

UNKNOWN_SOURCE = Source(UNKNOWN, real="fresh")
FeedLike = (
    Feed
    | tuple[str, str, int | None]
    | tuple[str, str, int | None, float]
    | tuple[str, str, int | None, float | Sequence[float]]
)
"""A feed, or a tuple ``(origin, reader, samples[, weight])``."""


@checked_but("models", "initial", "draws", "real", "memory", "growth", "paths", "rows")
def build_network(
    models: int | Iterable[str],
    feeds: Iterable[FeedLike] | Timeline,
    initial: int | Mapping[str, int] | None = None,
    draws: Draws = "private",
    real: RealData = "fresh",
    memory: Memory | MemoryName = "replace",
    growth: float = 0.0,
    sources: Iterable[Source] = (),
    first: Iterable[FeedLike] = (),
    paths: Paths = "own",
    rows: int | Mapping[str, int] | None = None,
) -> Network:
    """Build a :class:`Network`.

    Parameters
    ----------
    models : int or iterable of str
        Names, or a count (3 means "0", "1", "2").
    feeds : iterable of Feed or tuple, or Timeline
        Those of every later generation: :class:`Feed` objects or tuples ``(origin, reader,
        samples[, weight])``. Those of one origin, reader and selection add up. ``samples`` may be
        None in a feed from a source that has ``samples``; ``weight`` may be a list by generation,
        of which the last stays. A timeline says what changes otherwise.
    initial : int or mapping of str to int, optional
        One number for all models, or a mapping by name; it says nothing of models that ``first``
        feeds.
    draws : {"private", "shared"}
        See :class:`Network`.
    real : {"fresh", "reused"}
        See :class:`Network`.
    memory : Memory or {"replace", "accumulate", "subsample"}, optional
        See :class:`Network`.
    growth : float, optional
        Each feed of generation t >= 1 has ``samples * t^growth`` observations, rounded.
    sources : iterable of Source, optional
        See :class:`Network`.
    first : iterable of Feed or tuple, optional
        See :class:`Network`.
    paths : {"own", "common"}, optional
        If feeds have a ``probability``, whether every chain draws when they are active, or all
        chains have that in common; see :class:`Drawn`.
    rows : int or mapping of str to int, optional
        The rows that each model fits, of which feeds may have a ``share``. Shares of a model add up
        to 1, and become samples by the method of the largest remainder.

    Raises
    ------
    InputError
        For arguments that make no network; it names the field.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.build_network(["a", "b"], [("a", "a", 100), ("real", "b", 50)], initial=200)
    >>> [feed.origin for feed in network.feeds]
    ['a', 'real']
    >>> network.frozen
    (False, False)
    """
    models = whole(models)
    if isinstance(models, int):
        check_count("network.models", models)
        if models > MOST_MODELS:
            raise InputError("network.models", f"is {models}; at most {MOST_MODELS:,} are possible")
        names = tuple(str(i) for i in range(models))
    elif isinstance(models, Iterable):
        names = tuple(models)
        for name in names:
            if not isinstance(name, str):
                raise InputError("network.models", f"has {name!r}; names are non-empty strings")
    else:
        raise InputError("network.models", f"is {models!r}; give names, or a whole number")
    growth = read("network.growth", growth, float)
    own = tuple(sources)
    for field, given_names in (("models", names), ("sources", tuple(s.name for s in own))):
        if UNKNOWN in given_names:
            problem = f"names {UNKNOWN!r}, which stands for data of unknown origin; rename it"
            raise InputError(f"network.{field}", problem)
    counts = {source.name: source.samples for source in own}
    begun = [_first(feed, counts, k) for k, feed in enumerate(first)]
    fitted = _fitted(rows, names)
    shared = any(feed.share is not None for feed, _ in begun)
    begun = _without_shares(begun, "network.first", fitted)
    beginning = tuple(feed for feed, _ in added_up(begun, "network.first"))
    given: list[Weighted] = []
    if isinstance(feeds, Timeline):
        if growth:
            raise InputError("network.growth", "is for feeds without a timeline; leave it out")
        if any(map(_brings_unknown, feeds.parts)):
            own = (*own, UNKNOWN_SOURCE)
        later = feeds
    else:
        given = [_weighted(feed, "network.feeds", counts) for feed in feeds]
        shared |= any(feed.share is not None for feed, _ in given)
        given = _without_shares(given, "network.feeds", fitted)
        if any(feed.origin == UNKNOWN for feed, _ in given):
            own = (*own, UNKNOWN_SOURCE)
        later = _timeline(given, growth, (names, own), paths)
    if rows is not None and not shared:
        problem = "is for feeds with a share, and none has one; leave it out, or give shares"
        raise InputError("network.rows", problem)
    own_rows: dict[str, int] = {}
    for feed in beginning:
        own_rows[feed.reader] = own_rows.get(feed.reader, 0) + (feed.samples or 1)  # refused below
    begin: dict[str, Any] = dict.fromkeys(names, initial) if not own_rows or initial else {}
    if isinstance(initial, Mapping):
        known = set(names)
        for name in initial:
            if name not in known:
                hint = did_you_mean(name, names)
                raise InputError("network.initial", f"names the unknown model {name!r}{hint}")
        begin = dict(initial)
    begin |= own_rows
    missing = [name for name in names if name not in begin]
    if missing:
        raise InputError("network.initial", f"says nothing of model {missing[0]!r}; add it")
    numbers = tuple(begin[name] for name in names)
    with _places_given("network.first", begun), _places_given("network.feeds", given):
        return Network(
            models=names,
            later=later,
            initial=numbers,
            draws=draws,
            real=real,
            memory=read_memory(memory),
            sources=own,
            first=beginning,
        )


def _brings_unknown(generation: Generation) -> bool:
    """Return whether some feed brings data of unknown origin."""
    if generation.given is not None:
        return UNKNOWN in generation.given.names
    return any(feed.origin == UNKNOWN for feed in generation.feeds)


def _fitted(rows: int | Mapping[str, int] | None, names: Sequence[str]) -> dict[str, int]:
    """Return the rows that models fit, by name."""
    if rows is None:
        return {}
    if not isinstance(rows, Mapping):
        return dict.fromkeys(names, whole(rows))
    known = set(names)
    for name in rows:
        if name not in known:
            hint = did_you_mean(name, names)
            raise InputError("network.rows", f"names the unknown model {name!r}{hint}")
    return {name: whole(count) for name, count in rows.items()}


def _without_shares(
    given: Sequence[Weighted], table: str, rows: Mapping[str, int]
) -> list[Weighted]:
    """Return feeds with samples in place of shares, and their weights."""
    feeds = [feed for feed, _ in given]
    found = counted(feeds, [f"{table}[{k}]." for k in range(len(feeds))], rows)
    return [(feed, weights) for feed, (_, weights) in zip(found, given, strict=True)]


@contextmanager
def _places_given(table: str, given: Sequence[Weighted]) -> Iterator[None]:
    """Name feeds in errors by their places before feeds were added up."""
    try:
        yield
    except InputError as error:
        found = re.match(rf"{re.escape(table)}\[(\d+)\]", error.field)
        if not (found and given):
            raise
        if any(
            feed.scheduled or feed.random for feed, _ in given
        ):  # the place is that in a generation
            raise InputError(f"{table}{error.field[found.end() :]}", error.message) from error
        first = dict.fromkeys(feed.edge for feed, _ in given)  # in the order of their first feeds
        edge = list(first)[int(found[1])]
        place = next(k for k, (feed, _) in enumerate(given) if feed.edge == edge)
        rest = error.field[found.end() :]
        raise InputError(f"{table}[{place}]{rest}", error.message) from error


def _timeline(
    given: Sequence[Weighted],
    growth: float,
    known: tuple[Sequence[str], Sequence[Source]],
    paths: Paths,
) -> Timeline:
    """Return the timeline of feeds that change with time, are drawn, or have samples that grow.

    ``known``: the names of the models, and the sources in addition to ``real``.
    """
    grows = bool(growth) or isinstance(growth, bool)
    scheduled = any(feed.scheduled for feed, _ in given)
    random = any(feed.random for feed, _ in given)
    if paths != "own" and not random:
        raise InputError(f"{FIELD}.paths", PATHS_ALONE)
    if grows and (scheduled or random or any(len(weights) > 1 for _, weights in given)):
        raise InputError("network.growth", GROWTH_ALONE)
    if scheduled or random:  # of which checks of a generation would not name the place in the file
        models, sources = map(dict.fromkeys, (known[0], (REAL, *(own.name for own in known[1]))))
        for k, (feed, _) in enumerate(given):
            check_ends(f"network.feeds[{k}]", feed, models, sources)
        return random_series(given, paths) if random else scheduled_series(given)
    total = added_up(given, "network.feeds")
    with _places_given("network.feeds", given):
        if grows:
            return Growing(Generation(feed for feed, _ in total), growth)
        return scheduled_series(total)


def _first(feed: FeedLike, counts: Mapping[str, int | None], k: int) -> Weighted:
    only, weights = _weighted(feed, "network.first", counts)
    if only.origin == UNKNOWN:
        problem = f"is {UNKNOWN!r}, and generation 0 has real data alone; name a real source"
        raise InputError(f"network.first[{k}].from", problem)
    if len(weights) > 1:
        raise InputError("network.first", "has a weight by generation, and is of one; give one")
    if only.scheduled or only.random:
        problem = "is of generation 0; leave out every, first, until and probability"
        raise InputError(f"network.first[{k}]", problem)
    return only, weights


def _weighted(feed: FeedLike, field: str, counts: Mapping[str, int | None]) -> Weighted:
    """Return a feed and its weights by generation.

    ``counts``: samples of the feeds of each source that do not say.
    """
    if not isinstance(feed, Feed):
        if not 3 <= len(feed) <= 4:
            raise InputError(field, f"has {feed!r}; give (origin, reader, samples[, weight])")
        values: tuple[Any, ...] = feed
        feed = Feed(*values)
    try:
        hash((feed.origin, feed.reader))
    except TypeError as error:
        ends = f"{feed.origin!r} to {feed.reader!r}"
        raise InputError(field, f"has a feed from {ends}; give two names") from error
    if feed.samples is None and feed.share is None:
        feed = replace(feed, samples=counts.get(feed.origin))
    weight: Any = feed.weight
    weights = tuple(weight) if isinstance(weight, list | tuple) and weight else (weight,)
    return replace(feed, weight=weights[-1]), weights
