"""Number of phases of each model in a lift, where the schedules of models differ.

The feeds of a whole network may repeat themselves after very many generations while those of each
part soon do. A model needs, at first, the phases of its strongly connected component, of all feeds
between models that are ever active: the least common multiple of the periods of the feeds into it.
It needs those of what reaches it besides, as far as this differs between its generations.

**Law.** Let the state of a vertex be what reaches it: collapse origins, false anchors. Let the
states of the models of component D have the period q_D. If the number of phases of each component C
is a multiple of the periods of the feeds into it and of q_D for each D that feeds it, then the lift
(:mod:`mcjax.laws.collapse.lift`) tells which states models have in all their generations.

Proof, along the order of components. An edge (j, y) -> (i, z) with j in D has ``y = z - 1`` modulo
the common divisor of both numbers of phases. This is a multiple of q_D, so all such (j, y) have the
state that j has in the generation before any that is in phase z of i. Whether the feed is active
there depends on z alone. Inside C, phases are those of one period. Derived here.

So numbers of phases are raised, from the first components on, until they fit. Where a component
collapses in all its phases, or in none, it asks nothing of its readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from mcjax.errors import InputError
from mcjax.laws.collapse.adjacency import Adjacency, Components
from mcjax.laws.collapse.lift import Lift
from mcjax.network.network import Network

if TYPE_CHECKING:
    from jaxtyping import Int

MOST_VERTICES = 10_000_000
"""Largest number of vertices of a lift."""


class Reached(Protocol):
    """Vertices of a lift, numbered by what reaches them."""

    @property
    def lift(self) -> Lift:
        """The lift."""

    @property
    def states(self) -> Int[np.ndarray, " V"]:
        """A number for each vertex, the same where the same reaches it."""


R = TypeVar("R", bound=Reached)


def reached_in_periods(net: Network, find: Callable[[Lift], R]) -> R:
    """Return what reaches a network in its lift, in which models have as few phases as they need.

    Parameters
    ----------
    net : Network
        A network whose feeds take turns.
    find : callable
        Returns what reaches the vertices of a lift.

    Raises
    ------
    InputError
        If it has too many vertices.
    """
    rows = [row for row in net.later.repeated() if row[0].weight]
    ends = [(net.places[feed.origin], net.index[feed.reader]) for feed, _, _ in rows]
    origin, reader = np.array(ends, np.int64).reshape(-1, 2).T
    between = origin < net.size
    origin, every = origin[between], [row[1] for row in rows]
    parts = Adjacency(origin, reader[between], net.size).components
    into: list[set[int]] = [set() for _ in parts]
    for k, period in zip(parts.label[reader].tolist(), every, strict=True):
        into[k].add(period)
    periods = [math.lcm(*own) for own in into]
    pairs = np.unique(np.stack([parts.label[reader[between]], parts.label[origin]]), axis=1)
    after, before = pairs[:, pairs[0] != pairs[1]]
    feeders = Adjacency(after, before, len(parts))
    while True:
        _check(net, parts, periods)
        found = find(Lift(net, np.array(periods)[parts.label]))
        needed = _needed(found, parts=parts, feeders=feeders)
        if needed == periods:
            return found
        periods = needed


def _check(net: Network, parts: Components, periods: list[int]) -> None:
    """Raise InputError for too many models in phases."""
    sizes = parts.sizes.tolist()
    vertices = sum(size * period for size, period in zip(sizes, periods, strict=True))
    if vertices > MOST_VERTICES:
        most = max(periods)
        name = net.models[parts[periods.index(most)][0]]
        raise InputError(
            "network.feeds",
            f"come and go in {vertices:,} phases of models, {most:,} of {name!r} alone, more than"
            f" {MOST_VERTICES:,}; give `every` common factors",
        )


def _needed(reached: Reached, *, parts: Components, feeders: Adjacency) -> list[int]:
    """Return how many phases components need, of which the first that need more are known."""
    lift, states = reached.lift, reached.states
    known, found, shown = [True] * len(parts), [], list[int]()
    for k, members in enumerate(parts):
        period = int(lift.periods[members[0]])
        before = feeders[k]
        known[k] = all(known[d] for d in before)
        needed = math.lcm(period, *(shown[d] for d in before)) if known[k] else period
        known[k] &= needed == period
        found.append(needed)
        shown.append(1 if period == 1 else _period([states[lift.of_model(i)] for i in members]))
    return found


def _period(states: list[Int[np.ndarray, " L"]]) -> int:
    """Return the smallest period of the states of some models."""
    table = np.stack(states)
    period = table.shape[1]
    for p in _primes(period):
        while period % p == 0 and (table == np.roll(table, period // p, axis=1)).all():
            period //= p
    return period


def _primes(number: int) -> list[int]:
    """Return the prime factors of a number."""
    found, p = [], 2
    while p * p <= number:
        if number % p == 0:
            found.append(p)
        while number % p == 0:
            number //= p
        p += 1
    return found + [number] * (number > 1)
