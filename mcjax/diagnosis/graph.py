"""Find which components reach a model along the data flow, and by which shortest path."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mcjax.diagnosis.failure import Explosion
from mcjax.laws.collapse.components import DataFlow, Member, strong_components
from mcjax.laws.collapse.origins import CollapseOrigin


def reaching(
    flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]
) -> list[tuple[tuple[Member, ...], ...]]:
    """Return the members of the origins, each a strong component, that reach each model."""
    # a set of origins is an integer, one bit each, passed on from component to component
    bit_of = {i: 1 << k for k, origin in enumerate(origins) for i in origin.indices}
    bits = [0] * len(flow.feeders)
    names: dict[int, tuple[tuple[Member, ...], ...]] = {0: ()}
    for component in strong_components(flow.readers):
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


def paths(flow: DataFlow, origins: Sequence[CollapseOrigin | Explosion]) -> list[list[int]]:
    """Return a shortest path from one of the origins to each model, empty where there is none."""
    found: list[list[int]] = [[] for _ in flow.readers]
    queue: deque[int] = deque()
    for origin in origins:
        for i in origin.indices:
            found[i] = [i]
            queue.append(i)
    while queue:
        j = queue.popleft()
        for i in flow.readers[j]:
            if not found[i]:
                found[i] = [*found[j], i]
                queue.append(i)
    return found
