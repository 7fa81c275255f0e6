"""Feeds from the attributes of edges, and what these leave open.

An edge gives ``samples``, or a ``share`` of the rows that its reader fits. A ``weight`` beside them
multiplies losses. Alone it says how edges to one reader compare, as in most weighted graphs, so it
is read as a share, whatever its scale. With none of the three, an edge has 100 samples.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcjax.errors import InputError
from mcjax.network.checks import check_count, check_weight
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import REAL, UNKNOWN, Feed
from mcjax.network.shares import counted
from mcjax.numbers import MOST, how_many, in_text, plain, whole

DEFAULT_SAMPLES = 100
DEFAULT_ROWS = 1_000
"""Rows of a model whose feeds have shares; ten times as many, as often as a share has no row."""
TIMES = ("every", "first", "until")
"""Attributes of an edge that say when a feed is active."""
READ = ("samples", "share", "weight", *TIMES, "probability")
"""Attributes of an edge that are read."""
LIKE_SAMPLES = (
    *("n", "rows", "count", "counts", "size", "number", "num", "value", "values", "amount"),
    *("volume", "tokens", "share", "shares", "fraction", "proportion", "percent", "percentage"),
)
"""Attributes of edges, in lower case, that are taken for numbers of samples, and are not read."""
_IN_TIME = frozenset((*TIMES, "probability"))


@dataclass(frozen=True)
class EdgeFeeds:
    """The feeds of edges, one entry for each.

    Attributes
    ----------
    origins, readers : list of str
        The names of their ends.
    samples : list of int
        Their samples; 0 where a share is not yet counted.
    weights : list of float
        Their weights.
    times : dict of int to dict
        When a feed is active, by the place of those that are not always.
    shares : dict of int to float
        Shares by the place of feeds that have one.
    """

    origins: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    times: dict[int, dict[str, Any]] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)

    def named(self, k: int) -> str:
        """Return what errors call an edge."""
        return f"edge {self.origins[k]!r} -> {self.readers[k]!r}"

    def object(self, k: int) -> Feed:
        """Return one feed."""
        feed = Feed(self.origins[k], self.readers[k], self.samples[k], self.weights[k])
        return replace(feed, **self.times[k]) if k in self.times else feed

    def objects(self) -> list[Feed]:
        """Return the feeds as objects."""
        return list(map(self.object, range(len(self.samples))))

    def columns(self, models: Sequence[str]) -> FeedColumns | None:
        """Return the feeds as arrays, added up; None if more has to be said of them."""
        if self.times or not self.samples:
            return None
        mentioned = UNKNOWN in self.origins or UNKNOWN in self.readers
        sources = (REAL, UNKNOWN) if mentioned else (REAL,)
        places = {name: k for k, name in enumerate((*models, *sources))}
        feeds = FeedColumns(
            tuple(places),
            np.fromiter(map(places.__getitem__, self.origins), np.int64, len(self.origins)),
            np.fromiter(map(places.__getitem__, self.readers), np.int64, len(self.readers)),
            samples=np.array(self.samples, np.int64),
            weight=np.array(self.weights, float),
        )
        return None if (feeds.reader >= len(models)).any() else feeds.added_up()


def read_edges(
    edges: Iterable[tuple[str, str, Mapping[str, Any]]], rows: Mapping[str, Any]
) -> tuple[EdgeFeeds, tuple[str, ...]]:
    """Return the feeds of edges, and what was made up, for people.

    Parameters
    ----------
    edges : iterable of (str, str, mapping)
        The names of origin and reader, and the attributes.
    rows : mapping of str to object
        The rows that readers fit, as far as they are given; they count where edges have shares.

    Raises
    ------
    InputError
        If an attribute is no number, or edges to one reader do not say alike how much flows.
    """
    feeds, told = EdgeFeeds(), []
    checked: set[frozenset[str]] = set()  # attributes that nothing is wrong with
    alone: list[int] = []  # edges with nothing but a weight
    assumed = 0
    for k, (origin, reader, data) in enumerate(edges):
        feeds.origins.append(origin)
        feeds.readers.append(reader)
        names = frozenset(data)
        if names not in checked:
            _check_attributes(data, feeds.named(k))
            checked.add(names)
        weight = 1.0
        if "weight" in data:
            weight = plain(in_text(data["weight"]))
            check_weight(f"{feeds.named(k)}: weight", weight)
        feeds.weights.append(float(weight))
        feeds.samples.append(0)
        if "samples" in data:
            feeds.samples[k] = _count(data["samples"], feeds, k)
        elif "weight" in data and "share" not in data:
            alone.append(k)
        elif "share" not in data:
            feeds.samples[k] = DEFAULT_SAMPLES
            assumed += 1
        if "share" in data:
            feeds.shares[k] = _part(data["share"], f"{feeds.named(k)}: share")
            if "samples" in data:
                raise InputError(
                    f"{feeds.named(k)}: share", "and samples exclude each other; keep one"
                )
        if not _IN_TIME.isdisjoint(names):
            feeds.times[k] = _times(data, feeds.named(k))
    if assumed:
        whose = "all feeds" if assumed == len(feeds.samples) else how_many(assumed, "feed")
        told.append(f"{DEFAULT_SAMPLES} samples assumed for {whose}")
    if alone:
        _take_as_shares(feeds, alone)
        told.append(f"weights of {how_many(len(alone), 'feed')} read as shares")
    if feeds.shares:
        told += _count_shares(feeds, rows)
    return feeds, tuple(told)


@contextmanager
def naming_edges(feeds: EdgeFeeds) -> Iterator[None]:
    """Name the edge in input errors raised in this context that number a feed."""
    try:
        yield
    except InputError as error:
        found = re.fullmatch(r"network\.feeds\[(\d+)\](?:\.(\w+))?", error.field)
        if found is None:
            raise
        edge, field = feeds.named(int(found[1])), found[2]
        where = f"{edge}: {field}" if field else edge
        raise InputError(where, error.message, error.file) from error


def check_names(data: Iterable[str], known: tuple[str, ...], place: str) -> None:
    """Raise InputError for an attribute that is nearly one that is read."""
    for key in data:
        if key in known:
            continue
        close = difflib.get_close_matches(str(key).strip().lower(), known, n=1, cutoff=0.8)
        if close and close[0] != "share":  # which is as near to `shape`
            raise InputError(
                f"{place}: {key}", f"is not an attribute that is read (did you mean {close[0]!r}?)"
            )


def _check_attributes(data: Mapping[str, Any], place: str) -> None:
    """Raise InputError for names of attributes that are nearly read, or meant for samples."""
    check_names(data, READ, place)
    if "samples" in data or "share" in data:
        return
    for key in data:
        if str(key).strip().lower() in LIKE_SAMPLES:
            raise InputError(
                f"{place}: {key}",
                "is not read, and the edge has no `samples` and no `share`; rename it, or add one",
            )


def _count(value: Any, feeds: EdgeFeeds, k: int) -> int:
    """Return the samples of an edge."""
    samples = whole(in_text(value))
    if type(samples) is not int or samples < 1 or samples > MOST:
        check_count(f"{feeds.named(k)}: samples", value if isinstance(samples, str) else samples)
    return int(samples)


def _times(data: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return when a feed is active."""
    times: dict[str, Any] = {name: whole(in_text(data[name])) for name in TIMES if name in data}
    for name, value in times.items():
        check_count(f"{place}: {name}", value)
    if "probability" in data:
        times["probability"] = _part(data["probability"], f"{place}: probability")
    return times


def _part(value: Any, place: str) -> float:
    """Return a number above 0, up to 1."""
    number = plain(in_text(value))
    real = isinstance(number, int | float) and not isinstance(number, bool)
    if not (real and 0 < number <= 1):
        raise InputError(place, f"is {value!r}; give a number above 0, up to 1")
    return float(number)


def _take_as_shares(feeds: EdgeFeeds, alone: Sequence[int]) -> None:
    """Make weights that stand alone shares of what their readers fit."""
    total: dict[str, float] = {}
    for k in alone:
        total[feeds.readers[k]] = total.get(feeds.readers[k], 0.0) + feeds.weights[k]
    weighted = set(alone)
    for k, reader in enumerate(feeds.readers):
        if reader in total and k not in weighted:
            raise InputError(
                feeds.named(k),
                f"has no weight alone, as another edge to {reader!r} has; give all edges to it"
                " samples, or a share, or a weight",
            )
    for k in alone:
        feeds.shares[k] = feeds.weights[k] / total[feeds.readers[k]]
        feeds.weights[k] = 1.0


def _count_shares(feeds: EdgeFeeds, given: Mapping[str, Any]) -> list[str]:
    """Count the samples of feeds with shares; return what was made up."""
    smallest: dict[str, float] = {}
    for k, share in feeds.shares.items():
        smallest[feeds.readers[k]] = min(share, smallest.get(feeds.readers[k], 1.0))
    unknown = [share for name, share in smallest.items() if name not in given]
    assumed, rows = DEFAULT_ROWS, {}
    while unknown and min(unknown) * assumed < 1 and assumed < 10**18:
        assumed *= 10
    for name in smallest:
        count = whole(in_text(given.get(name, assumed)))
        check_count(f"node {name!r}: rows", given[name] if isinstance(count, str) else count)
        rows[name] = count
    places = [k for k, reader in enumerate(feeds.readers) if reader in smallest]
    shared = []
    for k in places:
        samples: Any = feeds.samples[k] or None
        shared.append(replace(feeds.object(k), samples=samples, share=feeds.shares.get(k)))
    found = counted(shared, [f"{feeds.named(k)}: " for k in places], rows)
    for k, feed in zip(places, found, strict=True):
        feeds.samples[k] = feed.samples
    told = f"{assumed:,} rows assumed for {how_many(len(unknown), 'model')}"
    return [told] if unknown else []
