"""Networks in time: the feeds of generations 1, 2, ..., as data.

A timeline is a :class:`Series` of generations of which the last stays, a :class:`Cycle` of
generations that take turns for ever, or a generation whose samples are :class:`Growing`. Whoever
needs the feeds of one generation asks ``at``; whoever needs those of the long run asks ``lasting``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcjax.arguments import checked, read
from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.network.feed import Feed

if TYPE_CHECKING:
    from jaxtyping import Int


@explained
@dataclass(frozen=True)
class Generation:
    """The feeds of one generation, each origin, reader and selection at most once.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Generation([("a", "b", 100), ("real", "b", 50)]).feeds[1]
    Feed(origin='real', reader='b', samples=50, weight=1.0, keep=None)
    """

    feeds: tuple[Feed, ...]

    @checked
    def __init__(self, feeds: Iterable[Feed | tuple[str, str, int] | tuple[str, str, int, float]]):
        read = (feed if isinstance(feed, Feed) else Feed(*feed) for feed in feeds)
        object.__setattr__(self, "feeds", tuple(read))


class Timeline(ABC):
    """The generations after generation 0.

    Attributes
    ----------
    generations : tuple of Generation
        Those that define the timeline.
    exponent : float
        a, where sample counts grow like ``t^a``; 0 where they do not.

    Examples
    --------
    >>> import mcjax
    >>> timeline = mcjax.Series(mcjax.Generation([("a", "a", 100)]))
    >>> isinstance(timeline, mcjax.Timeline), timeline.constant
    (True, True)
    """

    generations: tuple[Generation, ...]
    exponent: float = 0.0

    @property
    @abstractmethod
    def lasting(self) -> Generation | None:
        """The generation that stays, but for the number of its samples; None if none does."""

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
    def constant(self) -> bool:
        """Whether all generations are alike."""
        return len(self.generations) == 1 and not self.exponent

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds of all generations that define the timeline, one after the other."""
        return tuple(feed for generation in self.generations for feed in generation.feeds)

    @property
    def weights_vary(self) -> bool:
        """Whether a feed has different weights in different generations."""
        weights: dict[tuple[str, str, Any], float] = {}
        return any(weights.setdefault(feed.edge, feed.weight) != feed.weight for feed in self.feeds)

    @property
    def rows_vary(self) -> bool:
        """Whether generations differ in more than the weights of their feeds."""
        rows = {
            frozenset(map(_without_weight, generation.feeds)) for generation in self.generations
        }
        return len(rows) > 1 or self.exponent > 0


@explained
@dataclass(frozen=True)
class Series(Timeline):
    """Generations one after the other, of which the last stays; one alone for constant feeds.

    Examples
    --------
    >>> import mcjax
    >>> start, later = mcjax.Generation([("real", "a", 100)]), mcjax.Generation([("a", "a", 100)])
    >>> series = mcjax.Series(start, later)
    >>> series.at(1) == start, series.at(9) == later
    (True, True)
    """

    generations: tuple[Generation, ...]

    @checked
    def __init__(self, *generations: Generation):
        _check_number(generations)
        kept = list(generations)
        while len(kept) > 1 and kept[-1] == kept[-2]:
            kept.pop()
        object.__setattr__(self, "generations", tuple(kept))

    @property
    def lasting(self) -> Generation:
        """The last generation."""
        return self.generations[-1]

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""
        return self.generations[min(generation, len(self.generations)) - 1]

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the distinct generations from 1 to T, and which of them each one is."""
        distinct = self.generations[:generations]
        return distinct, np.minimum(np.arange(generations), len(distinct) - 1)

    def changed(self, change: Callable[[Generation], Generation]) -> Series:
        """Return the timeline with every generation changed in the same way."""
        return Series(*map(change, self.generations))

    def described(self) -> dict[str, Any]:
        """Return plain data: feeds with their weights by generation where nothing else changes."""
        rows = {tuple(map(_without_weight, g.feeds)) for g in self.generations}
        if len(rows) > 1:
            return {"series": _tables(self.generations)}
        columns = zip(*(generation.feeds for generation in self.generations), strict=True)
        return {"feeds": tuple(map(_scheduled, columns))}


@explained
@dataclass(frozen=True)
class Cycle(Timeline):
    """Generations that take turns for ever, the first of them in generation 1.

    Examples
    --------
    >>> import mcjax
    >>> day, night = mcjax.Generation([("a", "a", 100)]), mcjax.Generation([("real", "a", 100)])
    >>> cycle = mcjax.Cycle(day, day, night)
    >>> cycle.at(3) == cycle.at(6) == night
    True
    """

    generations: tuple[Generation, ...]

    @checked
    def __init__(self, *generations: Generation):
        _check_number(generations)
        object.__setattr__(self, "generations", generations)

    @property
    def lasting(self) -> Generation | None:
        """None, unless all turns are alike."""
        return self.generations[0] if len(set(self.generations)) == 1 else None

    @property
    def constant(self) -> bool:
        """Whether all turns are alike."""
        return self.lasting is not None

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""
        return self.generations[(generation - 1) % len(self.generations)]

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Return the distinct generations from 1 to T, and which of them each one is."""
        distinct = tuple(dict.fromkeys(self.generations[:generations]))
        turn = [distinct.index(generation) for generation in self.generations[:generations]]
        return distinct, np.resize(np.array(turn, int), generations)

    def changed(self, change: Callable[[Generation], Generation]) -> Cycle:
        """Return the timeline with every generation changed in the same way."""
        return Cycle(*map(change, self.generations))

    def described(self) -> dict[str, Any]:
        """Return plain data."""
        return {"cycle": _tables(self.generations)}


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

    @property
    def lasting(self) -> Generation:
        """The generation of t = 1, in whose proportions samples grow."""
        return self.first

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


def _check_number(generations: tuple[Generation, ...]) -> None:
    if not generations:
        raise InputError("network.later", "has no generation; give at least one")


def _without_weight(feed: Feed) -> Feed:
    return replace(feed, weight=1.0)


def _tables(generations: tuple[Generation, ...]) -> tuple[tuple[dict[str, Any], ...], ...]:
    return tuple(tuple(feed.described() for feed in g.feeds) for g in generations)


def _scheduled(column: tuple[Feed, ...]) -> dict[str, Any]:
    """Return one feed as plain data, from what it is in each generation."""
    weights = [feed.weight for feed in column]
    while len(weights) > 1 and weights[-1] == weights[-2]:
        weights.pop()
    schedule = {"schedule": tuple(weights[:-1])} if len(weights) > 1 else {}
    return column[-1].described() | schedule
