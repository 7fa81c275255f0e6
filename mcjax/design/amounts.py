"""Allocation of real rows: optimal amounts for each model, or feeds of one size.

**Feeds of one size.** Errors are supermodular in the real rows (:mod:`mcjax.design.response`): a
feed takes off less where others are. So let the smallest cure A, a feed for each group of models
that needs one, be filled up greedily, by the feed that takes off most. Of what the best further
feeds take off a weighted sum of errors, this takes off at least 1 - 1 / e (Nemhauser, Wolsey &
Fisher 1978). That does not hold for the largest error. In both cases allocations of any amounts up
to the size of a feed bound the optimum from below.

As errors are convex, a feed takes off at most the derivative times its size. Feeds are tried in
this order, until what is left cannot be better. In the end feeds are swapped with models that have
none while that helps, if there are few.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from mcjax.design.aims import MOST_RESOLVED, Aim, Error
from mcjax.design.response import Response, State
from mcjax.design.room import Room
from mcjax.design.weighted import Found
from mcjax.errors import InputError
from mcjax.numbers import how_many

MOST_SWAPS, ROUNDING = 500, 1e-12
"""Largest number of swaps that are tried, and the relative gain that is rounding."""
TRIED = 20
"""Number of models of a group that are tried for its first feed."""


class Amounts(ABC):
    """A way to give out real rows."""

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, float]:
        """Return the smallest and the largest number of rows of a feed."""

    @property
    def share(self) -> float | None:
        """Return the guarantee of feeds of one size, see :class:`mcjax.design.aims.Error`."""
        return None

    @abstractmethod
    def less(self, count: int) -> Amounts:
        """Return what is left after a number of feeds."""

    @abstractmethod
    def given(self, budget: float) -> str:
        """Return what is given, in a sentence."""

    @abstractmethod
    def room(self, room: Room, groups: list[list[int]], names: tuple[str, ...]) -> Room:
        """Return the allocations that are allowed.

        Parameters
        ----------
        room : Room
            Costs and bounds, and the budget that is given.
        groups : list of list of int
            Groups of models of which one needs real rows that ``low`` does not give it.
        names : tuple of str
            The names of the models.

        Raises
        ------
        InputError
            If none of them ends all collapse.
        """

    @abstractmethod
    def best(self, response: Response, room: Room, groups: list[list[int]]) -> tuple[Found, State]:
        """Return a best allocation, and one of whole rows."""


@dataclass(frozen=True)
class AnyRows(Amounts):
    """Any number of real rows for each model.

    Attributes
    ----------
    aim : Aim
        What is made small.
    """

    aim: Aim

    @property
    def sizes(self) -> tuple[int, float]:
        """A row, and any number."""
        return 1, math.inf

    def less(self, count: int) -> AnyRows:
        """Return the same, as any number of feeds may follow."""
        return self

    def given(self, budget: float) -> str:
        """Return that there is a budget, or that there are targets."""
        return self.aim.given(budget)

    def room(self, room: Room, groups: list[list[int]], names: tuple[str, ...]) -> Room:
        """Return the allocations within the budget, of which some end all collapse."""
        spent = float(room.costs @ room.low)
        firsts = [
            min((i for i in group if room.high[i] > 0), key=lambda i: room.costs[i])
            for group in groups
        ]
        price = spent + float(room.costs[firsts].sum())
        if spent > room.budget:
            problem = f"is {room.budget:g}, and the rows of at_least cost {spent:g}"
            raise InputError("design.budget", f"{problem}; raise it, or lower at_least")
        if price > room.budget:
            problem = f"is {room.budget:g}, which does not end all collapse"
            cure = f"a real row for {named(names, firsts)} does, and makes the cost {price:g}"
            raise InputError("design.budget", f"{problem}; {cure}")
        return replace(room, budget=min(room.budget, float(room.costs @ room.high)))

    def best(self, response: Response, room: Room, groups: list[list[int]]) -> tuple[Found, State]:
        """Return the best allocation, and one of whole rows near to it."""
        found = self.aim.smallest(response, room)
        return found, self.aim.whole(response, room, found.state.rows)


@dataclass(frozen=True)
class FixedFeeds(Amounts):
    """A number of real feeds of one size, at most one for each model.

    Attributes
    ----------
    aim : Error
        What is made small.
    count : int
        Number of feeds.
    size : int
        Rows of each.
    """

    aim: Error
    count: int
    size: int

    @property
    def sizes(self) -> tuple[int, float]:
        """The size of all feeds."""
        return self.size, self.size

    @property
    def share(self) -> float:
        """Return the guarantee of greedy feeds, 0 if there is none."""
        return self.aim.share

    def less(self, count: int) -> FixedFeeds:
        """Return the feeds that are left.

        Raises
        ------
        InputError
            If there are not as many.
        """
        if count > self.count:
            problem = f"is {self.count}, and {count} are needed for robust"
            raise InputError("design.feeds", f"{problem}; raise it")
        return replace(self, count=self.count - count)

    def given(self, budget: float) -> str:
        """Return how many feeds there are."""
        return f"for {how_many(self.count, 'real feed')} of {how_many(self.size, 'row')}"

    def room(self, room: Room, groups: list[list[int]], names: tuple[str, ...]) -> Room:
        """Return the allocations of any amounts up to the size of a feed."""
        high = np.where(room.high >= room.low + self.size, room.low + self.size, room.low)
        free = int((high > room.low).sum())
        for group in groups:
            if not (high > room.low)[group].any():
                problem = f"leaves {named(names, group)} without a feed of {self.size} rows"
                raise InputError("design.at_most", f"{problem}; raise it, or lower size")
        if self.count > free:
            problem = f"is {self.count}, and {how_many(free, 'model')} may have one more"
            raise InputError("design.feeds", f"{problem}; lower it, or raise at_most")
        if self.count < len(groups):
            problem = f"is {self.count}, and {len(groups)} are needed to end all collapse"
            raise InputError("design.feeds", f"{problem}; raise it")
        budget = float(room.low.sum() + self.count * self.size)
        return Room(np.ones(len(high)), room.low, high, budget)

    def best(self, response: Response, room: Room, groups: list[list[int]]) -> tuple[Found, State]:
        """Return the smallest cure, filled up greedily and swapped; the bound is of any amounts."""
        if not response.resolved:
            problem = f"is for at most {MOST_RESOLVED:,} models; give a budget"
            raise InputError("design.feeds", problem)
        relaxed = self.aim.smallest(response, room)
        chosen = self._cure(response, room, groups, relaxed)
        state = response.at(self._rows(room, chosen))
        while len(chosen) < self.count:
            most = self.aim.worth(response, state) * self.size
            best, least = -1, math.inf
            now = self._value(response, state)
            for i in np.argsort(-most, kind="stable").tolist():
                if i in chosen or room.high[i] <= room.low[i]:
                    continue
                if now - most[i] >= least:
                    break
                value = self._value(response, response.at(self._rows(room, [*chosen, i])))
                if value < least:
                    best, least = i, value
            chosen.append(best)
            state = response.at(self._rows(room, chosen))
        state = self._swapped(response, room, state)
        value = self._value(response, state)
        return Found(state, value, relaxed.bound, self.aim.worth(response, state)), state

    def _swapped(self, response: Response, room: Room, state: State) -> State:
        """Return the feeds after swaps with models without one, while any of these is better."""
        free = room.high > room.low
        better = True
        while better:
            has = state.rows > room.low
            pairs = [*itertools.product(np.flatnonzero(has), np.flatnonzero(free & ~has))]
            if len(pairs) > MOST_SWAPS:
                break
            moves = (self.size * (np.eye(len(has))[j] - np.eye(len(has))[i]) for i, j in pairs)
            best = min(
                (response.at(state.rows + move) for move in moves),
                key=lambda each: self._value(response, each),
                default=state,
            )
            better = self._value(response, best) < self._value(response, state) * (1 - ROUNDING)
            state = best if better else state
        return state

    def _cure(
        self, response: Response, room: Room, groups: list[list[int]], relaxed: Found
    ) -> list[int]:
        """Return a model of each group, first that with most rows in any amounts."""
        tried = [
            sorted(
                (i for i in group if room.high[i] > room.low[i]),
                key=lambda i: -relaxed.state.rows[i],
            )
            for group in groups
        ]
        chosen = [open_[0] for open_ in tried]
        for k, open_ in enumerate(tried):
            others = chosen[:k] + chosen[k + 1 :]
            rows = {i: self._rows(room, [*others, i]) for i in open_[:TRIED]}
            chosen[k] = min(rows, key=lambda i: self._value(response, response.at(rows[i])))
        return chosen

    def _value(self, response: Response, state: State) -> float:
        return self.aim.value(response, state.errors, float(state.rows.sum()))

    def _rows(self, room: Room, chosen: list[int]) -> np.ndarray:
        rows = room.low.copy()
        rows[chosen] += self.size
        return rows


def named(names: tuple[str, ...], models: list[int]) -> str:
    """Return the names of some models, of which a long list is cut."""
    told = [repr(names[i]) for i in models]
    more = f" and {len(told) - 5} more" if len(told) > 5 else ""
    return ", ".join(told[:5]) + more
