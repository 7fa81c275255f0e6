"""Feeds that make too many generations to list: they repeat themselves late, or are drawn.

A diagnosis needs their times and probabilities alone. Laws and simulations, which follow feeds
generation by generation, refuse them in one sentence.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.errors import InputError
from mcjax.network.feed import Feed
from mcjax.network.generation import Generation
from mcjax.network.merging import added_up
from mcjax.network.timeline import Timeline

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

FEW = 10
"""Most feeds with a probability of which all generations that may come are listed."""


@dataclass(frozen=True)
class Unlisted(Timeline):
    """Feeds of constant weights that make too many generations to list them.

    Attributes
    ----------
    given : tuple of Feed
        The feeds, which say when, or how likely, they are active.
    """

    given: tuple[Feed, ...]

    @property
    @abstractmethod
    def problem(self) -> str:
        """Why the generations are not listed, and what to do."""

    def _error(self) -> InputError:
        return InputError("network.feeds", self.problem)

    @property
    def lasting(self) -> None:
        """None: no generation stays."""
        return None

    @property
    def generations(self) -> tuple[Generation, ...]:  # type: ignore[override]  # a field of others
        """Raise InputError: there are too many.

        Raises
        ------
        InputError
            Always.
        """
        raise self._error()

    @cached_property
    def parts(self) -> tuple[Generation, ...]:
        """The feeds in as few generations as keep those of one edge apart."""
        return _apart(self.given)

    @property
    def constant(self) -> bool:
        """False: feeds come and go."""
        return False

    @property
    def weights_vary(self) -> bool:
        """True if a feed has different weights in different generations."""
        weights = {feed.edge: feed.weight for feed in self.given}
        return any(feed.weight != weights[feed.edge] for feed in self.given)

    @property
    def rows_vary(self) -> bool:
        """True: feeds come and go."""
        return True

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Raise InputError: there are too many."""
        raise self._error()

    def changed(self, change: Callable[[Generation], Generation]) -> Timeline:
        """Raise InputError: there are too many."""
        raise self._error()

    def described(self) -> dict[str, Any]:
        """Return plain data."""
        return {"feeds": tuple(feed.described() for feed in self.given)}


class Scheduled(Unlisted):
    """Feeds that come and go, and repeat themselves after very many generations."""

    @property
    def problem(self) -> str:
        """Why the generations are not listed, and what to do."""
        return (
            f"repeat themselves only after {self.before + self.turns:,} generations, of which only"
            " the verdicts of a diagnosis are known, without groups and unknown data; give `every`"
            " common factors, or begin or end feeds earlier"
        )

    @property
    def turns(self) -> int:  # type: ignore[override]  # a field of others
        """After how many generations feeds repeat themselves."""
        return math.lcm(*(feed.every for feed in self.given if feed.until is None))

    @property
    def before(self) -> int:
        """The number of generations before the feeds repeat themselves."""
        begins = (feed.first - 1 for feed in self.given if feed.until is None)
        ends = (feed.until for feed in self.given if feed.until is not None)
        return max((0, *begins, *ends))

    @property
    def opening(self) -> Generation:
        """The feeds of generation 1."""
        return self.at(1)

    @property
    def recurring(self) -> tuple[Generation, ...]:
        """The feeds of the long run in as few generations as keep those of one edge apart."""
        return _apart(feed for feed in self.given if feed.until is None)

    def repeated(self) -> Iterator[tuple[Feed, int, int]]:
        """Return the feeds of the long run, each with its period and with its phase therein."""
        for feed in self.given:
            if feed.until is None:
                yield always(feed), feed.every, (feed.first - 1) % feed.every

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""
        active = ((always(f), (f.weight,)) for f in self.given if f.active(generation))
        return Generation(feed for feed, _ in added_up(active, "network.feeds"))


class RandomFeeds(Unlisted):
    """Feeds of which many have a probability, each independently of the others.

    Those of one origin and reader are apart.
    """

    @property
    def problem(self) -> str:
        """Why the generations are not listed, and what to do."""
        count = sum(feed.random for feed in self.given)
        return (
            f"have a probability {count} times, of which only the diagnosis is known, without"
            f" groups and unknown data; give it to at most {FEW}, or networks in"
            " [network.switching]"
        )

    @property
    def random(self) -> bool:
        """True: chains draw their generations."""
        return True

    @property
    def change(self) -> str:
        """Description of the change of feeds, in a few words for a summary."""
        return "feeds are drawn, these are all"

    @property
    def opening(self) -> Generation:
        """The generation in which all feeds are active."""
        return self.parts[0]

    @property
    def before(self) -> int:
        """No generation comes before those that are drawn."""
        return 0

    @property
    def recurring(self) -> tuple[Generation, ...]:
        """One generation, in which all feeds are active."""
        return self.parts

    def repeated(self) -> Iterator[tuple[Feed, int, int]]:
        """Return the feeds, each with the period 1."""
        return ((always(feed), 1, 0) for feed in self.given)

    @property
    def leads(self) -> Bool[np.ndarray, "1 1"]:
        """True where a class of generations, of which there is one, may be followed by another."""
        return np.ones((1, 1), bool)

    def resting(self, models: Sequence[str]) -> Bool[np.ndarray, "1 M"]:
        """Return which models may read nothing in a generation."""
        sure = {feed.reader for feed in self.given if not feed.random}
        return np.array([[name not in sure for name in models]])

    def at(self, generation: int) -> Generation:
        """Raise InputError: it is drawn."""
        raise self._error()


def _apart(feeds: Iterable[Feed]) -> tuple[Generation, ...]:
    tables: list[list[Feed]] = []
    seen: dict[Any, int] = {}
    for feed in feeds:
        seen[feed.edge] = k = seen.get(feed.edge, -1) + 1
        if k == len(tables):
            tables.append([])
        tables[k].append(always(feed))
    return tuple(map(Generation, tables))


def always(feed: Feed) -> Feed:
    """Return a feed as it is where it is active."""
    return replace(feed, every=1, first=1, until=None, probability=1.0)
