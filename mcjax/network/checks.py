"""Check that values make a network, and say what to mend where they do not."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import REAL, UNKNOWN, Feed, by_reader
from mcjax.network.source import RealData
from mcjax.numbers import MOST

if TYPE_CHECKING:
    from mcjax.network.network import Network

Draws = Literal["private", "shared"]
"""Private draws give each reader its own sample of a model; shared draws are the same for all."""
MOST_MODELS = 10_000_000
MOST_SIMULATED = 65_534  # a feed is labelled by two 16-bit numbers, see mcjax.draws.streams
"""Largest number of models and sources of a simulation, and of laws that are judged by one."""
GROWTH_ALONE = (
    "is for one real source and constant feeds; leave out either growth, or sources, first and"
    " feeds or weights that change"
)


def published(draws: Draws) -> bool:
    """Return whether a model publishes one sample for all its readers."""
    return draws == "shared"


def check_network(net: Network) -> None:
    """Raise InputError, naming the field, for what makes no network."""
    some = (g.feeds for g in net.later.parts if g.given is None)  # columns keep everything
    for table, feeds in (("first", net.first), *(("feeds", feeds) for feeds in some)):
        for k, feed in enumerate(feeds):
            check_keep(f"network.{table}[{k}]", feed.keep)
    _check_models(net.models)
    _check_sources(net)
    for field, value, choices in (
        ("draws", net.draws, get_args(Draws)),
        ("real", net.real, get_args(RealData)),
    ):
        if value not in choices:
            hint = did_you_mean(value, choices)
            raise InputError(f"network.{field}", f"is {value!r}, not one of {choices}{hint}")
    _check_renewed(net)
    if net.later.exponent and (not net.memory.current_only or net.reuses_real):
        raise InputError(
            "network.growth",
            "is for memory = 'replace' and real = 'fresh'; leave it out, or change those",
        )
    if net.later.exponent and not net.plain:
        raise InputError("network.growth", GROWTH_ALONE)
    if net.later.random and not net.memory.current_only:
        raise InputError(
            "network.memory",
            f"is {net.memory.name!r}, and feeds are drawn at random; use 'replace'",
        )
    if len(net.initial) != len(net.models):
        raise InputError("network.initial", "needs one number for each model")
    for name, count in zip(net.models, net.initial, strict=True):
        if type(count) is not int or not 1 <= count <= MOST:
            check_count(f"network.initial ({name})", count)
    _check_feeds(net, "first", net.first)
    several = len(net.later.parts) > 1
    for generation in net.later.parts:
        if generation.given is None or not _in_order(net, generation.columns(net.places)):
            _check_feeds(net, "feeds", generation.feeds, zero=several)
    _check_weights(net)
    if not net.plain:
        _check_samples(net)


def _in_order(net: Network, feeds: FeedColumns) -> bool:
    """Return whether nothing is wrong with feeds; False where each has to be looked at."""
    if net.shares_draws or net.reuses_real:
        return False
    ends = (feeds.origin < len(net.places)) & (feeds.reader < net.size)
    counts = (feeds.samples > 0) & (feeds.weight > 0) & np.isfinite(feeds.weight)
    return bool((ends & counts).all()) and len(np.unique(feeds.edge)) == len(feeds)


def check_count(field: str, count: int) -> None:
    """Raise InputError for what is no number of samples or models."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        found = "is missing" if count is None else f"is {count!r}"
        raise InputError(field, f"{found}; give a whole number from 1 to {MOST}")


def check_weight(field: str, weight: float, zero: bool = False) -> None:
    """Raise InputError for what is no weight.

    Parameters
    ----------
    field : str
        What the error names.
    weight : float
        The weight of each observation of a feed.
    zero : bool, optional
        Whether it may be 0, because other generations have another.
    """
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not (number and 0 <= weight <= sys.float_info.max and (weight or zero)):
        raise InputError(field, f"is {weight!r}; give a positive number")


def check_ends(field: str, feed: Feed, models: Collection[str], sources: Collection[str]) -> None:
    """Raise InputError for an origin or a reader that is none.

    Parameters
    ----------
    field : str
        What the error names.
    feed : Feed
        The feed.
    models, sources : collection of str
        The names of models and of real sources.
    """
    for end, name in (("from", feed.origin), ("to", feed.reader)):
        if end == "to" and name == REAL:
            raise InputError(f"{field}.to", f"is {REAL!r}: nothing can feed the real source")
        if end == "to" and name == UNKNOWN and name not in models:
            problem = f"is {UNKNOWN!r}: nothing can feed data of unknown origin"
            raise InputError(f"{field}.to", problem)
        if end == "to" and name in sources:
            raise InputError(f"{field}.to", f"is {name!r}: nothing can feed a real source")
        if name not in models and name not in sources:
            choices = (*models, *sources) if end == "from" else tuple(models)
            hint = did_you_mean(name, choices)
            raise InputError(f"{field}.{end}", f"is the unknown model {name!r}{hint}")


def check_keep(field: str, keep: Any) -> None:
    """Raise InputError for a selection without a hash, by which samples are told apart."""
    try:
        hash(keep)
    except TypeError as error:
        raise InputError(
            f"{field}.keep", f"is {keep!r}; give a selection of numbers, texts or lists of numbers"
        ) from error


def _check_models(models: tuple[str, ...]) -> None:
    if not models:
        raise InputError("network.models", "is empty; name at least one model")
    if len(models) > MOST_MODELS:
        raise InputError("network.models", f"has {len(models)} names; {MOST_MODELS:,} are possible")
    seen: set[str] = set()
    for name in models:
        if not isinstance(name, str) or not name:
            raise InputError("network.models", f"has {name!r}; names are non-empty strings")
        if "\0" in name:
            raise InputError("network.models", f"has {name!r}; files cannot keep a NUL character")
        if name == REAL:
            raise InputError("network.models", f"has {REAL!r}, which names the real source")
        _check_spelling("network.models", name)
        if name in seen:
            raise InputError("network.models", f"names {name!r} twice; names must differ")
        seen.add(name)


def _check_spelling(field: str, name: str) -> None:
    """Raise InputError for a name that is nearly that of the real source, or no text."""
    if name.strip().casefold() == REAL:
        raise InputError(
            field, f"has {name!r}, but the real source is {REAL!r}; spell it so, or rename this"
        )
    if name != UNKNOWN and name.strip().casefold() == UNKNOWN:
        problem = f"has {name!r}, but data of unknown origin are {UNKNOWN!r}"
        raise InputError(field, f"{problem}; spell it so, or rename this")
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InputError(field, f"has {name!r}, which is not text; rename it")


def _check_sources(net: Network) -> None:
    taken = {REAL, *net.models}
    for source in net.sources:
        if source.name in taken:
            raise InputError("network.sources", f"names {source.name!r} twice; names must differ")
        taken.add(source.name)
        _check_spelling("network.sources", source.name)
        if source.samples is not None:
            check_count(f"network.sources ({source.name}).samples", source.samples)
    sizes = {len(source.covariance) for source in net.sources if source.covariance is not None}
    if len(sizes) > 1:
        raise InputError(
            "network.sources", f"have covariances of {sorted(sizes)} rows; give all p rows"
        )
    if net.size + len(net.sources) > MOST_MODELS:
        raise InputError("network.sources", f"and models are above {MOST_MODELS:,} together")
    if not net.plain and net.memory.selects:
        raise InputError(
            "network.memory",
            f"is {net.memory.name!r}, which is for one real source and constant weights; use"
            " 'accumulate' or 'replace'",
        )


def _check_renewed(net: Network) -> None:
    """Refuse real data that are kept: they would be in a pool once for every generation."""
    if net.memory.current_only:
        return
    kept = "is 'reused', which is for memory = 'replace'; use 'fresh'"
    if net.reuses_real:
        raise InputError("network.real", kept)
    for source in net.sources:
        if not net.renews(source.name):
            raise InputError(f"network.sources ({source.name}).real", kept)


def _check_samples(net: Network) -> None:
    """Refuse several sizes of one sample: that of a public source, or one that is reused.

    What differs in its selection is another sample.
    """
    sizes: dict[tuple[str, str, Any], int] = {}
    if not net.renews(REAL):
        begun = {feed.reader for feed in net.first}
        counts = zip(net.models, net.initial, strict=True)
        sizes = {(REAL, name, None): count for name, count in counts if name not in begun}
    later = (("feeds", generation.feeds) for generation in net.later.parts)
    for name, feeds in (("first", net.first), *later):
        for k, feed in enumerate(feeds):
            s = net.source_index.get(feed.origin)
            if s is None:
                if name == "first":
                    raise InputError(
                        f"network.first[{k}].from",
                        f"is the model {feed.origin!r}; generation 0 has real data alone",
                    )
                continue
            public = s > 0 and net.sources[s - 1].public
            if not public and net.renews(feed.origin):
                continue
            key = (feed.origin, "" if public else feed.reader, feed.keep)
            if sizes.setdefault(key, feed.samples) != feed.samples:
                what = "public" if public else "reused"
                raise InputError(
                    f"network.{name}[{k}].samples",
                    f"is {feed.samples}, but source {feed.origin!r} is {what}, one sample of"
                    f" {sizes[key]}; make them equal",
                )
    for name, count, feeds in zip(net.models, net.initial, net.first_by_reader, strict=True):
        if count != sum(feed.samples for feed in feeds):
            raise InputError(
                f"network.initial ({name})", "must be the sum of its samples in network.first"
            )


def _check_weights(net: Network) -> None:
    if all(g.given is not None and (g.given.weight > 0).all() for g in net.later.parts):
        return
    for t, part in enumerate(net.later.parts, 1):
        table = by_reader(net.models, part.feeds)
        for name, feeds in zip(net.models, table, strict=True):
            if feeds and not any(feed.weight for feed in feeds):
                raise InputError(
                    "network.feeds",
                    f"of model {name!r} all have weight 0 in generation {t}; give one another",
                )


def _check_feeds(net: Network, table: str, feeds: Sequence[Feed], zero: bool = False) -> None:
    seen: set[tuple[str, str, Any]] = set()
    published: dict[tuple[str, Any], int] = {}
    for k, feed in enumerate(feeds):
        field = f"network.{table}[{k}]"
        check_ends(field, feed, net.index, net.source_index)
        check_count(f"{field}.samples", feed.samples)
        check_weight(f"{field}.weight", feed.weight, zero)
        if feed.edge in seen:
            raise InputError(
                field,
                f"repeats the feed from {feed.origin!r} to {feed.reader!r}; add up their samples",
            )
        seen.add(feed.edge)
        if feed.origin in net.source_index:
            own = net.initial[net.index[feed.reader]]
            if net.plain and net.reuses_real and feed.keep is None and feed.samples != own:
                raise InputError(
                    f"{field}.samples",
                    f"is {feed.samples}, but reused real data are the generation-0 sample of "
                    f"{feed.reader!r}, which has {own}; make them equal",
                )
            continue
        key = (feed.origin, feed.keep)
        if net.shares_draws and published.setdefault(key, feed.samples) != feed.samples:
            raise InputError(
                f"{field}.samples",
                f"is {feed.samples}, but model {feed.origin!r} publishes one sample of "
                f"{published[key]} that all its readers share; make them equal",
            )
