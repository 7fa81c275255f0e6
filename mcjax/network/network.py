"""Networks of models: models, feeds and sample counts, as plain data.

A network is a directed graph that may change with time. Data flow along a feed from its *origin* (a
model, or a real source) to its *reader*. Nothing here knows of random numbers, parameters or
compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import read
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.network.checks import Draws, check_network, published
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import REAL, UNKNOWN, Feed, by_reader
from mcjax.network.generation import Generation
from mcjax.network.memory import Memory, Replace
from mcjax.network.registry import read_memory
from mcjax.network.source import RealData, Source, renewed
from mcjax.network.timeline import Series, Timeline
from mcjax.numbers import how_many, whole
from mcjax.summaries import Summarised, Summary, few

if TYPE_CHECKING:
    from jaxtyping import Bool

FIELDS: dict[str, Any] = {
    **{"models": tuple, "initial": tuple, "draws": Draws, "real": RealData, "later": Timeline},
    **{"sources": tuple[Source, ...], "first": tuple[Feed, ...]},
}
"""Types of fields; names, counts and the memory are checked with their values."""


@explained
@dataclass(frozen=True, repr=False)
class Network(Summarised):
    """An interaction network; :func:`build_network` builds one from friendlier arguments.

    Attributes
    ----------
    models : tuple of str
        Names of the M models, in the order of every array that describes them.
    later : Timeline
        The feeds of generations 1, 2, .... A model without feeds keeps its estimate; one that
        never has any is *frozen*.
    initial : tuple of int
        Real samples that each model fits at generation 0, length M.
    draws : {"private", "shared"}
        Whether each reader gets its own sample of a model, or a model publishes one sample a
        generation, which all its readers read.
    real : {"fresh", "reused"}
        Whether real data are new in every generation, or always the generation-0 sample.
    memory : Memory
        What a model keeps of its past; may be given by name, ``replace``, ``accumulate`` or
        ``subsample``. In a pool with feeds the generation-0 sample has weight 1.
    sources : tuple of Source
        Real sources beside ``real``, which feeds name as origin. Rows that models generate
        have the covariates of ``real`` unless a condition gives a model its own.
    first : tuple of Feed
        Feeds of generation 0, from real sources. A model that has some fits these then, and
        ``initial`` is their sum; others fit ``initial`` samples of ``real``.

    Raises
    ------
    InputError
        For names, counts or options that make no network; it names the field.

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.ring(3, samples=100, initial=100, real=20)
    >>> network.models
    ('0', '1', '2')
    >>> network.feeds[0].origin, network.feeds[0].reader
    ('2', '0')
    >>> network.without_feed("real", "0").size
    3
    """

    models: tuple[str, ...]
    later: Timeline
    initial: tuple[int, ...]
    draws: Draws = "private"
    real: RealData = "fresh"
    memory: Memory = Replace()  # noqa: RUF009 - frozen
    sources: tuple[Source, ...] = ()
    first: tuple[Feed, ...] = ()

    def __post_init__(self) -> None:
        for field, hint in FIELDS.items():
            object.__setattr__(self, field, read(f"network.{field}", getattr(self, field), hint))
        object.__setattr__(self, "memory", read_memory(self.memory))
        object.__setattr__(self, "initial", tuple(map(whole, self.initial)))
        check_network(self)

    def _summary(self) -> Summary:
        first = self.later.opening
        title = f"Network: {self.heading}"
        if self.later.change:
            title += f"; {self.later.change}"
        rows = zip(self.models, map(_read, by_reader(self.models, first.feeds)), strict=True)
        return Summary(title, rows, self.size)

    @property
    def heading(self) -> str:
        """The numbers of models and of feeds in generation 1, and what is unusual, in a line."""
        unusual = {
            f"memory {self.memory.name}": not isinstance(self.memory, Replace),
            "shared draws": self.shares_draws,
            "real data reused": self.reuses_real,
        }
        return ", ".join(
            (
                how_many(self.size, "model"),
                how_many(len(self.later.opening), "feed"),
                *(text for text, holds in unusual.items() if holds),
            )
        )

    @property
    def size(self) -> int:
        """M, the number of models."""
        return len(self.models)

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each model, by name."""
        return {name: i for i, name in enumerate(self.models)}

    @cached_property
    def source_index(self) -> dict[str, int]:
        """Number of each real source: 0 for ``real``, then ``sources`` in order."""
        return {name: s for s, name in enumerate((REAL, *(own.name for own in self.sources)))}

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of the generation that stays; where samples grow, those of generation 1.

        Raises
        ------
        InputError
            If generations take turns for ever, or are drawn.
        """
        return self._lasting.feeds

    @property
    def _lasting(self) -> Generation:
        if self.later.lasting is None:
            raise InputError(
                "network.later", "changes for ever, so no feeds stay; give a network whose feeds do"
            )
        return self.later.lasting

    @cached_property
    def places(self) -> dict[str, int]:
        """Index of each model, and M + s for real source s, by name."""
        return self.index | {name: self.size + s for name, s in self.source_index.items()}

    @cached_property
    def columns(self) -> FeedColumns:
        """The feeds that stay, as arrays; those of a selection are of whole samples in them.

        Raises
        ------
        InputError
            If generations take turns for ever, or are drawn.
        """
        return self._lasting.columns(self.places)

    def sources_of(self, models: Sequence[int]) -> set[str]:
        """Return the real sources that some models, by position, read in the long run."""
        reader, origin = self._real_feeds
        ends = (np.searchsorted(reader, models, side) for side in ("left", "right"))
        names = self.columns.names
        return {names[s] for a, b in zip(*ends, strict=True) for s in origin[a:b].tolist()}

    @cached_property
    def _real_feeds(self) -> tuple[np.ndarray, np.ndarray]:
        """The readers and origins of the feeds that stay from real sources, by readers."""
        real = np.flatnonzero(self.columns.origin >= self.size)
        real = real[np.argsort(self.columns.reader[real], kind="stable")]
        return self.columns.reader[real], self.columns.origin[real]

    @property
    def recurring(self) -> tuple[Feed, ...]:
        """The distinct feeds of the long run; what has no weight is no feed."""
        feeds = (feed for generation in self.later.recurring for feed in generation.feeds)
        return tuple(dict.fromkeys(feed for feed in feeds if feed.weight))

    @cached_property
    def feeds_by_reader(self) -> tuple[tuple[Feed, ...], ...]:
        """The feeds that stay, model by model, in the order of ``models``."""
        return by_reader(self.models, self.feeds)

    @cached_property
    def tables(self) -> tuple[tuple[tuple[Feed, ...], ...], ...]:
        """The feeds of each generation that defines the timeline, model by model."""
        return tuple(by_reader(self.models, g.feeds) for g in self.later.generations)

    @cached_property
    def first_by_reader(self) -> tuple[tuple[Feed, ...], ...]:
        """The feeds that each model fits at generation 0, in the order of ``models``."""
        return tuple(
            feeds or (Feed(REAL, name, count),)
            for name, count, feeds in zip(
                self.models, self.initial, by_reader(self.models, self.first), strict=True
            )
        )

    def at(self, generation: int) -> Generation:
        """Return the feeds of one generation, from 0 on."""
        if generation == 0:
            return Generation(feed for feeds in self.first_by_reader for feed in feeds)
        return self.later.at(generation)

    def reads(self, generation: int) -> tuple[tuple[Feed, ...], ...]:
        """Return the feeds of each model in one generation, in the order of ``models``."""
        return by_reader(self.models, self.at(generation).feeds)

    def staying_at(self, generation: int) -> Network:
        """Return the network whose later generations are all like one of them, from 1 on."""
        return self if self.later.constant else replace(self, later=Series(self.at(generation)))

    @property
    def settled(self) -> Network:
        """The network with the feeds that stay; what has no weight is no feed.

        Raises
        ------
        InputError
            If generations take turns for ever.
        """
        if self.later.constant or self.later.exponent:
            return self
        return self.with_feeds(feed for feed in self.feeds if feed.weight)

    @cached_property
    def plain(self) -> bool:
        """True if all real data are of one source, and weights are constant."""
        return not self.sources and not self.first and not self.later.weights_vary

    @cached_property
    def selections(self) -> tuple[Any, ...]:
        """The distinct selections that feeds have, in the order of their first feeds."""
        some = (g.feeds for g in self.later.parts if g.given is None)  # columns have none
        feeds = chain(self.first, *some)
        return tuple(dict.fromkeys(feed.keep for feed in feeds if feed.keep is not None))

    @property
    def reads_unknown(self) -> bool:
        """True if the network reads data of unknown origin."""
        return UNKNOWN in self.source_index

    @property
    def shares_draws(self) -> bool:
        """True if all readers of a model see the same sample of it."""
        return published(self.draws)

    @property
    def reuses_real(self) -> bool:
        """True if a reader of the real source sees its real rows of generation 0 again."""
        return not renewed(self.real)

    def renews(self, origin: str) -> bool:
        """Return True if a real source gives new samples in every generation."""
        if origin == REAL:
            return renewed(self.real)
        return self.sources[self.source_index[origin] - 1].renews(self.real)

    @property
    def forgives(self) -> bool:
        """True if no network of these feeds can collapse.

        Each generation then adds less than the one before, because data accumulate or sample counts
        grow faster than t.
        """
        return self.memory.vanishing or self.later.exponent > 1

    @cached_property
    def frozen(self) -> tuple[bool, ...]:
        """True for models that have no feeds and so never change after generation 0."""
        fed = np.zeros(self.size, bool)
        for generation in self.later.parts:
            fed |= generation.columns(self.places).into(self.size)
        return tuple((~fed).tolist())

    def with_feeds(self, feeds: Iterable[Feed]) -> Network:
        """Return the network with other feeds, the same in every later generation."""
        return replace(self, later=Series(Generation(feeds)))

    def with_feed(self, origin: str, reader: str, samples: int, weight: float = 1.0) -> Network:
        """Return the network with one feed more in every later generation."""
        feed = Feed(origin, reader, samples, weight)
        return replace(self, later=self.later.changed(lambda g: Generation((*g.feeds, feed))))

    def part(self, chosen: Bool[np.ndarray, " M"]) -> Network:
        """Return the network of some models, which read no others in any generation."""
        names = tuple(self.models[i] for i in np.flatnonzero(chosen).tolist())
        place = np.append(np.cumsum(chosen) - 1, len(names) + np.arange(len(self.source_index)))

        def restricted(generation: Generation) -> Generation:
            feeds = generation.given
            if feeds is None or feeds.names != tuple(self.places):
                kept = set(names)
                return Generation(feed for feed in generation.feeds if feed.reader in kept)
            mine = chosen[feeds.reader]
            ends = (place[feeds.origin[mine]], place[feeds.reader[mine]])
            known = (*names, *self.source_index)
            return Generation(FeedColumns(known, *ends, feeds.samples[mine], feeds.weight[mine]))

        kept = set(names) if self.first else set()
        return replace(
            self,
            models=names,
            later=self.later.changed(restricted),
            initial=tuple(self.initial[i] for i in np.flatnonzero(chosen).tolist()),
            first=tuple(feed for feed in self.first if feed.reader in kept),
        )

    def without_feed(self, origin: str, reader: str) -> Network:
        """Return the network without the feeds from an origin to a reader, whatever they keep.

        Raises
        ------
        InputError
            If there is no such feed.
        """
        edge = (origin, reader)
        if not any((feed.origin, feed.reader) == edge for feed in self.later.feeds):
            raise InputError("network.feeds", f"there is no feed from {origin!r} to {reader!r}")

        def reduced(generation: Generation) -> Generation:
            return Generation(f for f in generation.feeds if (f.origin, f.reader) != edge)

        return replace(self, later=self.later.changed(reduced))

    def scaled(self, factor: float) -> Network:
        """Return the network with every sample count multiplied.

        Raises
        ------
        InputError
            If a count does not come out whole and positive.
        """

        def scale(count: int) -> int:
            scaled = count * factor
            if not math.isfinite(scaled) or scaled < 1 or abs(scaled - round(scaled)) > 1e-9:
                raise InputError(
                    "grid.scale", f"{factor} x {count} samples is no positive whole number"
                )
            return round(scaled)

        def scaled_feeds(feeds: Iterable[Feed]) -> tuple[Feed, ...]:
            return tuple(replace(feed, samples=scale(feed.samples)) for feed in feeds)

        return replace(
            self,
            initial=tuple(scale(n) for n in self.initial),
            later=self.later.changed(lambda g: Generation(scaled_feeds(g.feeds))),
            sources=tuple(s.scaled(s.samples and scale(s.samples)) for s in self.sources),
            first=scaled_feeds(self.first),
        )

    def described(self) -> dict[str, Any]:
        """Return plain data; what a network without further sources lacks is left out."""
        settings = asdict(self.memory)  # built-in rules have none
        described = {
            "models": self.models,
            **self.later.described(),
            "initial": self.initial,
            "draws": self.draws,
            "real": self.real,
            "memory": {"name": self.memory.name, **settings} if settings else self.memory.name,
            "growth": self.later.exponent,
            "sources": tuple(source.described() for source in self.sources),
            "first": tuple(feed.described() for feed in self.first),
        }
        return {k: v for k, v in described.items() if v or k not in ("sources", "first")}


def _read(feeds: tuple[Feed, ...]) -> str:
    """Return what a model reads in a generation, as text."""
    if not feeds:
        return "reads nothing"
    return f"reads {few(map(str, feeds), len(feeds))}"
