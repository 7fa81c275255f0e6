"""Who feeds whom: models, feeds and sample counts, as plain data.

A network is a directed graph. Data flow along a feed from its *origin* (a model, or the real
source) to its *reader*. Nothing here knows of random numbers, parameters or compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mcjax.errors import InputError, did_you_mean

REAL = "real"
"""The name of the real source: data from the true distribution."""

DRAWS = ("private", "shared")
REAL_DATA = ("fresh", "reused")
MEMORIES = ("replace", "accumulate", "subsample")
MOST_MODELS = 65_534  # a feed is labelled by two 16-bit numbers, see mcjax.draws.streams


@dataclass(frozen=True)
class Feed:
    """``samples`` observations from ``origin`` to ``reader`` every generation.

    ``weight`` multiplies the reader's loss on each of these observations.
    """

    origin: str
    reader: str
    samples: int
    weight: float = 1.0


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
    memory: ``replace``: a model fits this generation's feeds only; ``accumulate``: it fits all
        feeds of all generations so far, and its generation-0 sample (of weight 1);
        ``subsample``: it fits as many rows as its feeds give in a generation, drawn without
        replacement from all that, anew in each generation.
    growth: each feed of generation t >= 1 has ``samples * t^growth`` observations, rounded.

    Raises
    ------
    InputError: for names, counts or options that make no network; it names the field.
    """

    models: tuple[str, ...]
    feeds: tuple[Feed, ...]
    initial: tuple[int, ...]
    draws: str = "private"
    real: str = "fresh"
    memory: str = "replace"
    growth: float = 0.0

    def __post_init__(self) -> None:
        _check_models(self.models)
        for field, value, choices in (
            ("draws", self.draws, DRAWS),
            ("real", self.real, REAL_DATA),
            ("memory", self.memory, MEMORIES),
        ):
            if value not in choices:
                hint = did_you_mean(value, choices)
                raise InputError(f"network.{field}", f"is {value!r}, not one of {choices}{hint}")
        if self.memory != "replace" and self.real == "reused":
            raise InputError(
                "network.real",
                "is 'reused', but what accumulates keeps its generation-0 sample; use 'fresh'",
            )
        number = isinstance(self.growth, int | float) and not isinstance(self.growth, bool)
        if not (number and 0 <= self.growth <= 10):
            raise InputError("network.growth", f"is {self.growth!r}; give a number from 0 to 10")
        if self.growth and (self.memory != "replace" or self.real == "reused"):
            raise InputError(
                "network.growth",
                "is for memory = 'replace' and real = 'fresh'; leave it out, or change those",
            )
        if len(self.initial) != len(self.models):
            raise InputError("network.initial", "needs one number for each model")
        for name, count in zip(self.models, self.initial, strict=True):
            _check_count(f"network.initial ({name})", count)
        _check_feeds(self)

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

    def reads(self, generation: int) -> tuple[dict[str, int], ...]:
        """The samples that each model is fed in a generation, by origin."""
        if generation == 0:
            return tuple({REAL: count} for count in self.initial)
        now = self.at(generation)
        return tuple({f.origin: f.samples for f in feeds} for feeds in now.feeds_by_reader)

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
        return self.memory != "replace" or self.growth > 1

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
        )


def growth_factors(generation: np.ndarray, growth: float) -> np.ndarray:
    """``t^growth``, 1 at generation 0, in single precision: the same on every device."""
    return np.maximum(generation, 1).astype(float).__pow__(growth).astype(np.float32)


def build_network(
    models: int | Iterable[str],
    feeds: Iterable[Feed | tuple],
    initial: int | Mapping[str, int],
    draws: str = "private",
    real: str = "fresh",
    memory: str = "replace",
    growth: float = 0.0,
) -> Network:
    """Build a :class:`Network`.

    Parameters
    ----------
    models: names, or a count (3 means "0", "1", "2").
    feeds: :class:`Feed` objects or tuples ``(origin, reader, samples[, weight])``.
    initial: one number for all models, or a mapping by name.
    """
    if isinstance(models, int):
        _check_count("network.models", models)
        if models > MOST_MODELS:
            raise InputError("network.models", f"is {models}; at most {MOST_MODELS} are possible")
        names = tuple(str(i) for i in range(models))
    else:
        names = tuple(models)
    if isinstance(initial, Mapping):
        for name in initial:
            if name not in names:
                hint = did_you_mean(name, names)
                raise InputError("network.initial", f"names the unknown model {name!r}{hint}")
        missing = [name for name in names if name not in initial]
        if missing:
            raise InputError("network.initial", f"says nothing of model {missing[0]!r}; add it")
        counts = tuple(initial[name] for name in names)
    else:
        counts = (initial,) * len(names)
    edges = tuple(f if isinstance(f, Feed) else _feed(f) for f in feeds)
    return Network(names, edges, counts, draws, real, memory, growth)


def _feed(values: tuple) -> Feed:
    if not 3 <= len(values) <= 4:
        raise InputError(
            "network.feeds", f"has {values!r}; give (origin, reader, samples[, weight])"
        )
    return Feed(*values)


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


def _check_feeds(net: Network) -> None:
    seen: set[tuple[str, str]] = set()
    published: dict[str, int] = {}
    for k, feed in enumerate(net.feeds):
        field = f"network.feeds[{k}]"
        for end, name, choices in (
            ("from", feed.origin, (*net.models, REAL)),
            ("to", feed.reader, net.models),
        ):
            if end == "to" and name == REAL:
                raise InputError(f"{field}.to", f"is {REAL!r}: nothing can feed the real source")
            if name not in net.index and name != REAL:
                hint = did_you_mean(name, choices)
                raise InputError(f"{field}.{end}", f"is the unknown model {name!r}{hint}")
        _check_count(f"{field}.samples", feed.samples)
        number = isinstance(feed.weight, int | float) and not isinstance(feed.weight, bool)
        if not (number and 0 < feed.weight < math.inf):
            raise InputError(f"{field}.weight", f"is {feed.weight!r}; give a positive number")
        edge = (feed.origin, feed.reader)
        if edge in seen:
            raise InputError(
                field, f"repeats the feed from {edge[0]!r} to {edge[1]!r}; add up their samples"
            )
        seen.add(edge)
        if feed.origin == REAL:
            own = net.initial[net.index[feed.reader]]
            if net.real == "reused" and feed.samples != own:
                raise InputError(
                    f"{field}.samples",
                    f"is {feed.samples}, but reused real data are the generation-0 sample of "
                    f"{feed.reader!r}, which has {own}; make them equal",
                )
        elif net.draws == "shared" and published.setdefault(feed.origin, feed.samples) != (
            feed.samples
        ):
            raise InputError(
                f"{field}.samples",
                f"is {feed.samples}, but model {feed.origin!r} publishes one sample of "
                f"{published[feed.origin]} that all its readers share; make them equal",
            )
