"""Schedules of feeds that repeat themselves too late to be written generation by generation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError
from mcjax.network.feed import Feed
from mcjax.network.merging import added_up
from mcjax.network.timeline import Generation, Timeline

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int


@dataclass(frozen=True)
class Scheduled(Timeline):
    """Feeds that come and go, of constant weights.

    Attributes
    ----------
    given : tuple of Feed
        The feeds, which say when they are active.
    """

    given: tuple[Feed, ...]

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

    def _error(self) -> InputError:
        return InputError(
            "network.feeds",
            f"repeat themselves only after {self.before + self.turns:,} generations, of which only"
            " the verdicts of a diagnosis are known, without groups and unknown data; give `every`"
            " common factors, or begin or end feeds earlier",
        )

    @cached_property
    def parts(self) -> tuple[Generation, ...]:
        """The feeds in as few generations as keep those of one edge apart."""
        tables: list[list[Feed]] = []
        seen: dict[Any, int] = {}
        for feed in self.given:
            seen[feed.edge] = k = seen.get(feed.edge, -1) + 1
            if k == len(tables):
                tables.append([])
            tables[k].append(always(feed))
        return tuple(map(Generation, tables))

    @property
    def opening(self) -> Generation:
        """The feeds of generation 1."""
        return self.at(1)

    @property
    def recurring(self) -> tuple[Generation, ...]:
        """The feeds of the long run in as few generations as keep those of one edge apart."""
        return Scheduled(tuple(feed for feed in self.given if feed.until is None)).parts

    @property
    def constant(self) -> bool:
        """False: feeds come and go."""
        return False

    @property
    def weights_vary(self) -> bool:
        """Whether a feed has different weights in different generations."""
        weights = {feed.edge: feed.weight for feed in self.given}
        return any(feed.weight != weights[feed.edge] for feed in self.given)

    @property
    def rows_vary(self) -> bool:
        """True: feeds come and go."""
        return True

    def repeated(self) -> Iterator[tuple[Feed, int, int]]:
        """Return the feeds of the long run, each with its period and with its phase therein."""
        for feed in self.given:
            if feed.until is None:
                yield always(feed), feed.every, (feed.first - 1) % feed.every

    def at(self, generation: int) -> Generation:
        """Return one generation, from 1 on."""
        active = ((always(f), (f.weight,)) for f in self.given if f.active(generation))
        return Generation(feed for feed, _ in added_up(active, "network.feeds"))

    def order(self, generations: int) -> tuple[tuple[Generation, ...], Int[np.ndarray, " T"]]:
        """Raise InputError: there are too many."""
        raise self._error()

    def changed(self, change: Callable[[Generation], Generation]) -> Timeline:
        """Raise InputError: there are too many."""
        raise self._error()

    def described(self) -> dict[str, Any]:
        """Return plain data."""
        return {"feeds": tuple(feed.described() for feed in self.given)}


def always(feed: Feed) -> Feed:
    """Return a feed as it is where it is active."""
    return replace(feed, every=1, first=1, until=None, probability=1.0)
