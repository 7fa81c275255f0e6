"""Find which components reach a model along the data flow, and by which shortest path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcjax.diagnosis.failure import Explosion
from mcjax.laws.collapse.adjacency import NOTHING
from mcjax.laws.collapse.components import DataFlow, Member
from mcjax.laws.collapse.lift import Lift
from mcjax.laws.collapse.origins import CollapseOrigin

FEW = 100
"""Number of models up to which each one is followed back on its own."""
Origins = Sequence[CollapseOrigin | Explosion]
"""Components where a failure begins."""


class Reaching:
    """Finds the members of the origins, each a strong component, that reach a model.

    The first few models of a large network are followed back one by one. If there are more, all are
    found together.

    Parameters
    ----------
    flow : DataFlow
        The data flow.
    origins : sequence of CollapseOrigin or Explosion
        Where failures begin.
    """

    def __init__(self, flow: DataFlow, origins: Origins):
        self._flow, self._origins = flow, origins
        self._alone = FEW if len(flow.readers) > FEW else 0
        self._number = np.full(len(flow.readers), -1)
        for k, origin in enumerate(origins):
            self._number[list(origin.indices)] = k
        self._all: list[tuple[tuple[Member, ...], ...]] | None = None

    def __call__(self, i: int) -> tuple[tuple[Member, ...], ...]:
        """Return the members of each origin that reaches a model."""
        if not self._origins:
            return ()
        if self._alone:
            self._alone -= 1
            numbers = self._number[self._flow.feeders.reached([i])]
            return tuple(self._origins[k].members for k in np.unique(numbers[numbers >= 0]))
        if self._all is None:
            self._all = reaching(self._flow, self._origins)
        return self._all[i]


def reaching(flow: DataFlow, origins: Origins) -> list[tuple[tuple[Member, ...], ...]]:
    """Return the members of the origins, each a strong component, that reach each model."""
    return _members(origins_before(flow, origins), origins)


def sources_of_models(
    flow: DataFlow, origins: Origins, lift: Lift
) -> list[tuple[tuple[Member, ...], ...]]:
    """Return the members of the origins that reach each model of a lift, in some phase."""
    total = [0] * lift.net.size
    for i, bits in zip(lift.model.tolist(), origins_before(flow, origins), strict=True):
        total[i] |= bits
    return _members(total, origins)


def origins_before(flow: DataFlow, origins: Origins) -> list[int]:
    """Return which origins, one bit each, reach each model."""
    bits = [0] * len(flow.feeders)
    if not origins:
        return bits
    # passed on from component to component
    bit_of = {i: 1 << k for k, origin in enumerate(origins) for i in origin.indices}
    starts, ends = flow.feeders.starts.tolist(), flow.feeders.ends.tolist()
    for component in flow.readers.components:
        total = bit_of.get(component[0], 0)
        for i in component:
            for j in ends[starts[i] : starts[i + 1]]:
                total |= bits[j]
        for i in component:
            bits[i] = total
    return bits


def _members(sets: list[int], origins: Origins) -> list[tuple[tuple[Member, ...], ...]]:
    """Return the members of the origins in sets of them, each a number with one bit for each."""
    names = {
        total: tuple(origin.members for k, origin in enumerate(origins) if total >> k & 1)
        for total in set(sets)
    }
    return [names[total] for total in sets]


class Paths:
    """Shortest paths along the data flow from one of the origins.

    Parameters
    ----------
    flow : DataFlow
        The data flow.
    origins : sequence of CollapseOrigin or Explosion
        Where failures begin.
    """

    def __init__(self, flow: DataFlow, origins: Origins):
        self._origins = origins
        self._before = flow.readers.before(i for origin in origins for i in origin.indices)

    def __call__(self, i: int) -> list[int]:
        """Return a shortest path to a model, or nothing."""
        before, path = self._before, list[int]()
        while before[i] != NOTHING:
            path.append(i)
            if before[i] == i:
                break
            i = int(before[i])
        return path[::-1]

    def nearest(self) -> tuple[int, ...]:
        """Return to how many models each origin is the nearest, its members included."""
        reached = np.flatnonzero(self._before != NOTHING)
        begins = self._before.copy()
        while (begins[begins[reached]] != begins[reached]).any():
            begins[reached] = begins[begins[reached]]
        number = np.full(len(begins), len(self._origins))
        for k, origin in enumerate(self._origins):
            number[list(origin.indices)] = k
        counts = np.bincount(number[begins[reached]], minlength=len(self._origins) + 1)
        return tuple(counts[: len(self._origins)].tolist())
