"""Find which components reach a model along the data flow, and by which shortest path."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcjax.diagnosis.failure import Explosion
from mcjax.laws.collapse.adjacency import NOTHING
from mcjax.laws.collapse.components import DataFlow, Member
from mcjax.laws.collapse.origins import CollapseOrigin


def reaching(
    flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]
) -> list[tuple[tuple[Member, ...], ...]]:
    """Return the members of the origins, each a strong component, that reach each model."""
    # a set of origins is an integer, one bit each, passed on from component to component
    bit_of = {i: 1 << k for k, origin in enumerate(origins) for i in origin.indices}
    bits = [0] * len(flow.feeders)
    names: dict[int, tuple[tuple[Member, ...], ...]] = {0: ()}
    for component in flow.readers.components:
        total = bit_of.get(component[0], 0)
        for i in component:
            for j in flow.feeders[i]:
                total |= bits[j]
        for i in component:
            bits[i] = total
        if total not in names:
            names[total] = tuple(
                origin.members for k, origin in enumerate(origins) if total >> k & 1
            )
    return [names[total] for total in bits]


def paths(
    flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]
) -> Callable[[int], list[int]]:
    """Return a function of a model: a shortest path to it from one of the origins, or nothing."""
    before = flow.readers.before(i for origin in origins for i in origin.indices)

    def path_to(i: int) -> list[int]:
        path: list[int] = []
        while before[i] != NOTHING:
            path.append(i)
            if before[i] == i:
                break
            i = int(before[i])
        return path[::-1]

    return path_to
