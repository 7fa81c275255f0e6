"""Who feeds whom: models, feeds and sample counts, as plain data.

A network is a directed graph. Data flow along a feed from its *origin* (a model, or the real
source) to its *reader*. Nothing here knows of random numbers, parameters or compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mcjax.errors import InputError, did_you_mean
from mcjax.network.memory import Memory, Replace, read_memory
from mcjax.network.source import REAL_DATA, Source

REAL = "real"
"""The name of the real source: data from the true distribution."""

DRAWS = ("private", "shared")
MOST_MODELS = 65_534  # a feed is labelled by two 16-bit numbers, see mcjax.draws.streams


@dataclass(frozen=True)
class Feed:
    """``samples`` observations from ``origin`` to ``reader`` every generation.

    ``weight`` multiplies the reader's loss on each of these observations. ``schedule``: its weights
    in generations 1, 2, ..., before ``weight`` is reached.
    """

    origin: str
    reader: str
    samples: int
    weight: float = 1.0
    schedule: tuple[float, ...] = ()

    @property
    def weights(self) -> tuple[float, ...]:
        """By generation, from 1; the last one stays."""
        return (*self.schedule, self.weight)


@dataclass(frozen=True)
class Network:
    """An interaction network; :func:`build_network` builds one from friendlier arguments.

    Attributes
    ----------
    models: names of the M models, in the order of every array that describes them.
    feeds: the edges, each (origin, reader) pair at most once. A model without feeds is *frozen*:
        it keeps its generation-0 estimate.
    initial: real samples each model fits at generation 0, length M.
    draws: ``private`` (each reader gets its own sample of a model) or ``shared`` (a model
        publishes one sample a generation, and all its readers read that one).
    real: ``fresh`` (new real data every generation) or ``reused`` (the generation-0 sample).
    memory: what a model keeps of its past, a :class:`~mcjax.network.memory.Memory` or its name
        (``replace``, ``accumulate`` or ``subsample``). In a pool with feeds the generation-0 sample
        has weight 1.
    growth: each feed of generation t >= 1 has ``samples * t^growth`` observations, rounded.
    sources: real sources beside ``real``, which feeds name as origin. Models' own data have the
        covariates of the source ``real``.
    first: feeds of generation 0, from real sources. A model that has some fits these then, and
        ``initial`` is their sum; others fit ``initial`` samples of ``real``.

    Raises
    ------
    InputError: for names, counts or options that make no network; it names the field.
    """

    models: tuple[str, ...]
    feeds: tuple[Feed, ...]
    initial: tuple[int, ...]
    draws: str = "private"
    real: str = "fresh"
    memory: Memory = Replace()  # noqa: RUF009 - frozen
    growth: float = 0.0
    sources: tuple[Source, ...] = ()
    first: tuple[Feed, ...] = ()

    def __post_init__(self) -> None:
        _check_models(self.models)
        _check_sources(self)
        for field, value, choices in (
            ("draws", self.draws, DRAWS),
            ("real", self.real, REAL_DATA),
        ):
            if value not in choices:
                hint = did_you_mean(value, choices)
                raise InputError(f"network.{field}", f"is {value!r}, not one of {choices}{hint}")
        object.__setattr__(self, "memory", read_memory(self.memory))
        if not self.memory.current_only and self.real == "reused":
            raise InputError(
                "network.real",
                "is 'reused', but what accumulates keeps its generation-0 sample; use 'fresh'",
            )
        number = isinstance(self.growth, int | float) and not isinstance(self.growth, bool)
        if not (number and 0 <= self.growth <= 10):
            raise InputError("network.growth", f"is {self.growth!r}; give a number from 0 to 10")
        if self.growth and (not self.memory.current_only or self.real == "reused"):
            raise InputError(
                "network.growth",
                "is for memory = 'replace' and real = 'fresh'; leave it out, or change those",
            )
        if self.growth and not self.plain:
            raise InputError(
                "network.growth",
                "is for one real source and constant weights; leave it out, or sources, first and"
                " weights by generation",
            )
        if len(self.initial) != len(self.models):
            raise InputError("network.initial", "needs one number for each model")
        for name, count in zip(self.models, self.initial, strict=True):
            _check_count(f"network.initial ({name})", count)
        for table in ("first", "feeds"):
            _check_feeds(self, table)
        _check_weights(self)
        if self.sources or self.first:
            _check_samples(self)

    @property
    def size(self) -> int:
        """M, the number of models."""
        return len(self.models)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each model, by name."""
        return {name: i for i, name in enumerate(self.models)}

    @cached_property
    def feeds_by_reader(self) -> tuple[tuple[Feed, ...], ...]:
        """The feeds of each model, in the order of ``models``."""
        table: list[list[Feed]] = [[] for _ in self.models]
        for feed in self.feeds:
            table[self.index[feed.reader]].append(feed)
        return tuple(tuple(feeds) for feeds in table)

    @cached_property
    def first_by_reader(self) -> tuple[tuple[Feed, ...], ...]:
        """What each model fits at generation 0, in the order of ``models``."""
        table: list[list[Feed]] = [[] for _ in self.models]
        for feed in self.first:
            table[self.index[feed.reader]].append(feed)
        return tuple(
            tuple(feeds) or (Feed(REAL, name, count),)
            for name, count, feeds in zip(self.models, self.initial, table, strict=True)
        )

    @cached_property
    def source_index(self) -> dict[str, int]:
        """Number of each real source: 0 for ``real``, then ``sources`` in order."""
        return {name: s for s, name in enumerate((REAL, *(own.name for own in self.sources)))}

    @property
    def plain(self) -> bool:
        """Whether ``real`` is the only real source, of which alone generation 0 is fitted, and
        weights stay what they are."""
        return not self.sources and not self.first and not self.steps

    @property
    def steps(self) -> int:
        """Generations until all weights stay what they are; 0 if they always do."""
        return max((len(feed.schedule) for feed in self.feeds), default=0)

    @property
    def settled(self) -> Network:
        """The network with the weights that stay; what has none is no feed."""
        kept = tuple(replace(feed, schedule=()) for feed in self.feeds if feed.weight)
        return self if self.steps == 0 else replace(self, feeds=kept)

    def renews(self, origin: str) -> bool:
        """Whether a real source gives new samples in every generation."""
        own = None if origin == REAL else self.sources[self.source_index[origin] - 1].real
        return (own or self.real) == "fresh"

    def reads(self, generation: int) -> tuple[dict[str, int], ...]:
        """The samples that each model is fed in a generation, by origin."""
        table = self.at(generation).feeds_by_reader if generation else self.first_by_reader
        return tuple({f.origin: f.samples for f in feeds} for feeds in table)

    def at(self, generation: int) -> Network:
        """The network with the sample counts of one generation, which then do not grow."""
        if not self.growth:
            return self
        factor = growth_factors(np.array(generation), self.growth)
        counts = [int(np.rint(np.float32(f.samples) * factor)) for f in self.feeds]
        if max(counts, default=0) >= 2**31:
            raise InputError(
                "network.growth",
                f"makes {max(counts)} samples at generation {generation}; give less than 2**31",
            )
        feeds = tuple(replace(f, samples=n) for f, n in zip(self.feeds, counts, strict=True))
        return replace(self, feeds=feeds, growth=0.0)

    @property
    def forgives(self) -> bool:
        """Whether no network of these feeds can collapse: each generation adds less than the one
        before, because data accumulate or sample counts grow faster than t."""
        return self.memory.vanishing or self.growth > 1

    @property
    def frozen(self) -> tuple[bool, ...]:
        """Which models have no feeds and so never change after generation 0."""
        return tuple(not feeds for feeds in self.feeds_by_reader)

    def with_feed(self, origin: str, reader: str, samples: int, weight: float = 1.0) -> Network:
        """The network with one feed more."""
        return replace(self, feeds=(*self.feeds, Feed(origin, reader, samples, weight)))

    def without_feed(self, origin: str, reader: str) -> Network:
        """The network with one feed less."""
        kept = tuple(f for f in self.feeds if (f.origin, f.reader) != (origin, reader))
        if len(kept) == len(self.feeds):
            raise InputError("network.feeds", f"there is no feed from {origin!r} to {reader!r}")
        return replace(self, feeds=kept)

    def scaled(self, factor: float) -> Network:
        """Every sample count multiplied by ``factor``; each must come out whole and positive."""

        def scale(count: int) -> int:
            scaled = count * factor
            if not math.isfinite(scaled) or scaled < 1 or abs(scaled - round(scaled)) > 1e-9:
                raise InputError(
                    "grid.scale", f"{factor} x {count} samples is no positive whole number"
                )
            return round(scaled)

        return replace(
            self,
            initial=tuple(scale(n) for n in self.initial),
            feeds=tuple(replace(f, samples=scale(f.samples)) for f in self.feeds),
            sources=tuple(s.scaled(s.samples and scale(s.samples)) for s in self.sources),
            first=tuple(replace(f, samples=scale(f.samples)) for f in self.first),
        )

    def described(self) -> dict[str, Any]:
        """Plain data; what a network without further sources lacks is left out."""
        found = asdict(self)
        settings = asdict(self.memory)  # of built-in rules, none
        found["memory"] = {"name": self.memory.name, **settings} if settings else self.memory.name
        for feed in (*found["feeds"], *found["first"]):
            if not feed["schedule"]:
                del feed["schedule"]
        return {k: v for k, v in found.items() if v or k not in ("sources", "first")}


def growth_factors(generation: np.ndarray, growth: float) -> np.ndarray:
    """``t^growth``, 1 at generation 0, in single precision: the same on every device."""
    return np.maximum(generation, 1).astype(float).__pow__(growth).astype(np.float32)


def build_network(
    models: int | Iterable[str],
    feeds: Iterable[Feed | tuple],
    initial: int | Mapping[str, int] | None = None,
    draws: str = "private",
    real: str = "fresh",
    memory: Memory | str = "replace",
    growth: float = 0.0,
    sources: Iterable[Source] = (),
    first: Iterable[Feed | tuple] = (),
) -> Network:
    """Build a :class:`Network`.

    Parameters
    ----------
    models: names, or a count (3 means "0", "1", "2").
    feeds: :class:`Feed` objects or tuples ``(origin, reader, samples[, weight])``; samples may be
        None in a feed from a source that has ``samples``.
    initial: one number for all models, or a mapping by name; it says nothing of models that
        ``first`` feeds.
    sources, first: see :class:`Network`.
    """
    if isinstance(models, int):
        _check_count("network.models", models)
        if models > MOST_MODELS:
            raise InputError("network.models", f"is {models}; at most {MOST_MODELS} are possible")
        names = tuple(str(i) for i in range(models))
    else:
        names = tuple(models)
    own = tuple(sources)
    counts = {source.name: source.samples for source in own}
    edges, beginning = (
        tuple(_feed(feed, f"network.{field}", counts) for feed in given)
        for field, given in (("feeds", feeds), ("first", first))
    )
    rows: dict[str, int] = {}
    for feed in beginning:
        rows[feed.reader] = rows.get(feed.reader, 0) + (feed.samples or 1)  # refused below
    begin: dict[str, Any] = dict.fromkeys(names, initial) if not rows or initial else {}
    if isinstance(initial, Mapping):
        for name in initial:
            if name not in names:
                hint = did_you_mean(name, names)
                raise InputError("network.initial", f"names the unknown model {name!r}{hint}")
        begin = dict(initial)
    begin |= rows
    missing = [name for name in names if name not in begin]
    if missing:
        raise InputError("network.initial", f"says nothing of model {missing[0]!r}; add it")
    numbers = tuple(begin[name] for name in names)
    rule = read_memory(memory)
    return Network(names, edges, numbers, draws, real, rule, growth, own, beginning)


def _feed(feed: Feed | tuple, field: str, counts: Mapping[str, int | None]) -> Feed:
    """``counts``: samples of the feeds of each source that do not say."""
    if not isinstance(feed, Feed):
        if not 3 <= len(feed) <= 4:
            raise InputError(field, f"has {feed!r}; give (origin, reader, samples[, weight])")
        origin, reader, samples, *rest = feed
        weight: Any = rest[0] if rest else 1.0
        if isinstance(weight, list | tuple) and weight:  # by generation
            feed = Feed(origin, reader, samples, weight[-1], tuple(weight[:-1]))
        else:
            feed = Feed(origin, reader, samples, weight)
    if feed.samples is None:
        return replace(feed, samples=counts.get(feed.origin))
    return feed


def _check_models(models: tuple[str, ...]) -> None:
    if not models:
        raise InputError("network.models", "is empty; name at least one model")
    if len(models) > MOST_MODELS:
        raise InputError("network.models", f"has {len(models)} names; {MOST_MODELS} are possible")
    seen: set[str] = set()
    for name in models:
        if not isinstance(name, str) or not name:
            raise InputError("network.models", f"has {name!r}; names are non-empty strings")
        if "\0" in name:
            raise InputError("network.models", f"has {name!r}; files cannot keep a NUL character")
        if name == REAL:
            raise InputError("network.models", f"has {REAL!r}, which names the real source")
        if name in seen:
            raise InputError("network.models", f"names {name!r} twice; names must differ")
        seen.add(name)


def _check_count(field: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < 2**31:
        raise InputError(field, f"is {count!r}; give a whole number from 1 to 2147483647")


def _check_sources(net: Network) -> None:
    names = [source.name for source in net.sources]
    for name in names:
        if name == REAL or name in net.models or names.count(name) > 1:
            raise InputError("network.sources", f"names {name!r} twice; names must differ")
    for source in net.sources:
        if source.samples is not None:
            _check_count(f"network.sources ({source.name}).samples", source.samples)
    if net.size + len(names) > MOST_MODELS:
        raise InputError("network.sources", f"and models are above {MOST_MODELS} together")
    if not net.plain and not net.memory.current_only:
        raise InputError(
            "network.memory", "is for one real source and constant weights; use 'replace'"
        )


def _check_samples(net: Network) -> None:
    """One sample has one size: that of a public source, and that which is reused."""
    sizes: dict[tuple[str, str], int] = {}
    if not net.renews(REAL):
        begun = {feed.reader for feed in net.first}
        counts = zip(net.models, net.initial, strict=True)
        sizes = {(REAL, name): count for name, count in counts if name not in begun}
    for name, feeds in (("first", net.first), ("feeds", net.feeds)):
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
            key = (feed.origin, "" if public else feed.reader)
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
    if any(feed.schedule for feed in net.first):
        raise InputError("network.first", "has a weight by generation, and is of one; give one")
    for name, feeds in zip(net.models, net.feeds_by_reader, strict=True):
        for t in range(1, net.steps + 2):
            if feeds and not any(feed.weights[min(t, len(feed.weights)) - 1] for feed in feeds):
                raise InputError(
                    "network.feeds",
                    f"of model {name!r} all have weight 0 in generation {t}; give one another",
                )


def _check_feeds(net: Network, table: str) -> None:
    seen: set[tuple[str, str]] = set()
    published: dict[str, int] = {}
    for k, feed in enumerate(getattr(net, table)):
        field = f"network.{table}[{k}]"
        for end, name, choices in (
            ("from", feed.origin, (*net.models, *net.source_index)),
            ("to", feed.reader, net.models),
        ):
            if end == "to" and name == REAL:
                raise InputError(f"{field}.to", f"is {REAL!r}: nothing can feed the real source")
            if end == "to" and name in net.source_index:
                raise InputError(f"{field}.to", f"is {name!r}: nothing can feed a real source")
            if name not in net.index and name not in net.source_index:
                hint = did_you_mean(name, choices)
                raise InputError(f"{field}.{end}", f"is the unknown model {name!r}{hint}")
        _check_count(f"{field}.samples", feed.samples)
        for weight in feed.weights:
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not (number and 0 <= weight < math.inf and (weight or feed.schedule)):
                raise InputError(f"{field}.weight", f"is {weight!r}; give a positive number")
        edge = (feed.origin, feed.reader)
        if edge in seen:
            raise InputError(
                field, f"repeats the feed from {edge[0]!r} to {edge[1]!r}; add up their samples"
            )
        seen.add(edge)
        if feed.origin == REAL:
            own = net.initial[net.index[feed.reader]]
            if net.plain and net.real == "reused" and feed.samples != own:
                raise InputError(
                    f"{field}.samples",
                    f"is {feed.samples}, but reused real data are the generation-0 sample of "
                    f"{feed.reader!r}, which has {own}; make them equal",
                )
        elif feed.origin in net.source_index:
            continue
        elif net.draws == "shared" and published.setdefault(feed.origin, feed.samples) != (
            feed.samples
        ):
            raise InputError(
                f"{field}.samples",
                f"is {feed.samples}, but model {feed.origin!r} publishes one sample of "
                f"{published[feed.origin]} that all its readers share; make them equal",
            )
