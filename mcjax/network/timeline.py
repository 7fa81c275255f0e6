"""Networks in time: the feeds of generations 1, 2, ..., as data.

A timeline is a :class:`Series` of generations, of which the last stays or the last few take turns
for ever, or a generation whose samples are :class:`Growing`, or generations that are drawn
(:mod:`mcjax.network.drawn`). Whoever needs the feeds of one generation asks ``at``; whoever needs
those of the long run asks ``lasting``, or ``turns``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import checked, read
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.network.feed import Feed
from mcjax.network.generation import Generation

if TYPE_CHECKING:
    from jaxtyping import Int


class Timeline(ABC):
    """The generations after generation 0.

    Attributes
    ----------
    generations : tuple of Generation
        Those that define the timeline.
    exponent : float
        a, where sample counts grow like ``t^a``; 0 where they do not.
    turns : int
        How many of ``generations``, the last ones, take turns for ever; 1 where the last stays.

    Examples
    --------
    >>> import mcjax
    >>> timeline = mcjax.Series(mcjax.Generation([("a", "a", 100)]))
    >>> isinstance(timeline, mcjax.Timeline), timeline.constant
    (True, True)
    """

    generations: tuple[Generation, ...]
    exponent: float = 0.0
    turns: int = 1

    @property
    def lasting(self) -> Generation | None:
        """The generation that stays, but for the number of its samples; None if none does."""
        return self.generations[-1] if self.turns == 1 else None

    @property
    def recurring(self) -> tuple[Generation, ...]:
        """The generations of the long run: the last, or those that take turns."""
        return self.generations[-self.turns :]

    @property
    def before(self) -> int:
        """The number of generations before the feeds repeat themselves."""
        return len(self.generations) - self.turns

    @property
    def classes(self) -> int:
        """The number of phases that differ in what may follow."""
        return self.turns

    @property
    def parts(self) -> tuple[Generation, ...]:
        """The generations that between them have all feeds."""
        return self.generations

    @property
    def change(self) -> str:
        """Description of the change of feeds, in a few words for a summary; empty if constant."""
        still = self.constant and not self.exponent
        return "" if still else "feeds change with time, these are of generation 1"

    @property
    def opening(self) -> Generation:
        """The feeds of generation 1, or of one that is possible."""
        return self.generations[0]

    def repeated(self) -> Iterator[tuple[Feed, int, int]]:
        """Return the feeds of the long run, each with its period and with its phase therein."""
        for k, generation in enumerate(self.recurring, self.before):
            for feed in generation.feeds:
                yield feed, self.classes, k % self.classes

    def place(self, generation: int) -> int:
        """Return which of ``generations`` defines a generation, from 1 on."""
        before, place = self.before, generation - 1
        return place if place < before else before + (place - before) % self.turns

    @abstractmethod
    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the distinct generations from 1 to T, and which of them each one is.

        Returns
        -------
        distinct : tuple of Generation
        order : ndarray of int, shape (T,)
            Positions in ``distinct``.
        """

    @abstractmethod
    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""

    @abstractmethod
    def changed(self, change: Callable[[Generation], Generation]) -> Timeline:
        """Return the timeline with every generation changed in the same way."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return plain data."""

    @property
    def random(self) -> bool:
        """True if chains draw their generations, so that none is known."""
        return False

    @property
    def constant(self) -> bool:
        """True if all generations are alike."""
        return len(self.generations) == 1 and not self.exponent

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of all generations that define the timeline, one after the other."""
        return tuple(feed for generation in self.parts for feed in generation.feeds)

    @property
    def weights_vary(self) -> bool:
        """True if a feed has different weights in different generations."""
        if len(self.generations) == 1:
            return False
        weights: dict[tuple[str, str, Any], float] = {}
        return any(weights.setdefault(feed.edge, feed.weight) != feed.weight for feed in self.feeds)

    @property
    def rows_vary(self) -> bool:
        """True if generations differ in more than the weights of their feeds."""
        if len(self.generations) == 1:
            return self.exponent > 0
        rows = {
            frozenset(map(_without_weight, generation.feeds)) for generation in self.generations
        }
        return len(rows) > 1 or self.exponent > 0


@explained
@dataclass(frozen=True)
class Series(Timeline):
    """Generations one after the other, of which the last stays; one alone for constant feeds.

    Parameters
    ----------
    *generations : Generation
        The feeds of generations 1, 2, ....
    turns : int, optional
        How many of them, the last ones, take turns for ever.

    Attributes
    ----------
    generations : tuple of Generation
        As few of them as say the same.
    turns : int
        How many of these take turns.

    Examples
    --------
    >>> import mcjax
    >>> start, later = mcjax.Generation([("real", "a", 100)]), mcjax.Generation([("a", "a", 100)])
    >>> series = mcjax.Series(start, later)
    >>> series.at(1) == start, series.at(9) == later
    (True, True)
    """

    generations: tuple[Generation, ...]
    turns: int

    @checked
    def __init__(self, *generations: Generation, turns: int = 1):
        if not generations:
            raise InputError("network.later", "has no generation; give at least one")
        if not 1 <= turns <= len(generations):
            which = f"give 1 to {len(generations)}, of the generations that are given"
            raise InputError("network.later", f"has {turns} turns; {which}")
        before, cycle = list(generations[:-turns]), list(generations[-turns:])
        length = next(
            n for n in range(1, turns + 1) if turns % n == 0 and cycle[n:] == cycle[: turns - n]
        )
        cycle = cycle[:length]
        while before and before[-1] == cycle[-1]:
            cycle = [before.pop(), *cycle[:-1]]
        object.__setattr__(self, "generations", (*before, *cycle))
        object.__setattr__(self, "turns", length)

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""
        return self.generations[self.place(generation)]

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the distinct generations from 1 to T, and which of them each one is."""
        distinct = tuple(dict.fromkeys(self.generations[:generations]))
        numbers = {generation: k for k, generation in enumerate(distinct)}
        number = np.array([numbers[g] for g in self.generations[:generations]], int)
        before = self.before
        late = np.arange(generations) - before
        return distinct, number[np.where(late < 0, late + before, before + late % self.turns)]

    def changed(self, change: Callable[[Generation], Generation]) -> Series:
        """Return the timeline with every generation changed in the same way."""
        return Series(*map(change, self.generations), turns=self.turns)

    def described(self) -> dict[str, Any]:
        """Return plain data: feeds with their weights by generation where nothing else changes."""
        before = self.before
        if self.turns > 1:
            begin = {"series": tables(self.generations[:before])} if before else {}
            return {**begin, "cycle": tables(self.generations[before:])}
        rows = {tuple(map(_without_weight, g.feeds)) for g in self.generations}
        if len(rows) > 1:
            return {"series": tables(self.generations)}
        columns = zip(*(generation.feeds for generation in self.generations), strict=True)
        return {"feeds": tuple(map(_scheduled, columns))}


def cycle(*generations: Generation) -> Series:
    """Return the timeline of generations that take turns for ever, the first in generation 1.

    Examples
    --------
    >>> import mcjax
    >>> day, night = mcjax.Generation([("a", "a", 100)]), mcjax.Generation([("real", "a", 100)])
    >>> timeline = mcjax.cycle(day, day, night)
    >>> timeline.at(3) == timeline.at(6) == night
    True
    """
    return Series(*generations, turns=max(len(generations), 1))


@explained
@dataclass(frozen=True)
class Growing(Timeline):
    """One generation whose feeds have ``samples * t^exponent`` observations, rounded.

    Examples
    --------
    >>> import mcjax
    >>> growing = mcjax.Growing(mcjax.Generation([("a", "a", 100)]), exponent=1.5)
    >>> [growing.at(t).feeds[0].samples for t in (1, 2, 3)]
    [100, 283, 520]
    """

    first: Generation
    exponent: float

    def __post_init__(self) -> None:
        read("first", self.first, Generation)
        number = isinstance(self.exponent, int | float) and not isinstance(self.exponent, bool)
        if not (number and 0 <= self.exponent <= 10):
            raise InputError("network.growth", f"is {self.exponent!r}; give a number from 0 to 10")

    @property
    def generations(self) -> tuple[Generation, ...]:  # type: ignore[override]  # a field of others
        """That of t = 1."""
        return (self.first,)

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on.

        Raises
        ------
        InputError
            If a feed has 2**63 samples or more.
        """
        return self._sized(np.array([generation]))[0]

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the generations from 1 to T, each of its own size."""
        return self._sized(np.arange(1, generations + 1)), np.arange(generations)

    def changed(self, change: Callable[[Generation], Generation]) -> Growing:
        """Return the timeline with its generation changed."""
        return Growing(change(self.first), self.exponent)

    def described(self) -> dict[str, Any]:
        """Return plain data; the exponent is that of the network."""
        return {"feeds": tuple(feed.described() for feed in self.first.feeds)}

    def _sized(self, generations: np.ndarray) -> tuple[Generation, ...]:
        """Return the generations at some times."""
        # in single precision, as sample counts on devices
        factors = (generations.astype(float) ** self.exponent).astype(np.float32)
        samples = np.array([feed.samples for feed in self.first.feeds], np.float32)
        counts = np.rint(samples * factors[:, None])
        late, _ = np.unravel_index(counts.argmax(), counts.shape) if counts.size else (0, 0)
        largest = int(counts.max(initial=0))
        if largest >= 2**63:
            raise InputError(
                "network.growth",
                f"makes {largest} samples at generation {generations[late]}; give less than 2**63",
            )
        return tuple(
            Generation(
                replace(feed, samples=int(count))
                for feed, count in zip(self.first.feeds, row, strict=True)
            )
            for row in counts
        )


def _without_weight(feed: Feed) -> Feed:
    return replace(feed, weight=1.0)


def tables(generations: tuple[Generation, ...]) -> tuple[tuple[dict[str, Any], ...], ...]:
    """Return the feeds of generations as plain data."""
    return tuple(tuple(feed.described() for feed in g.feeds) for g in generations)


def _scheduled(column: tuple[Feed, ...]) -> dict[str, Any]:
    """Return one feed as plain data, from what it is in each generation."""
    weights = [feed.weight for feed in column]
    while len(weights) > 1 and weights[-1] == weights[-2]:
        weights.pop()
    schedule = {"schedule": tuple(weights[:-1])} if len(weights) > 1 else {}
    return column[-1].described() | schedule
