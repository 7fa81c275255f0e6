"""Turn an allocation into whole rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mcjax.design.response import Response, State
from mcjax.design.room import Room

if TYPE_CHECKING:
    from jaxtyping import Float

ROUNDING = 1e-12
"""Relative error of costs that is rounding."""
NEARLY = 1e-6
"""Distance from a whole number of rows that does not count."""

Worth = Callable[[State], "Float[np.ndarray, ' M']"]
"""By how much another real row of each model would lower what is made small."""


def within_budget(
    response: Response, room: Room, rows: Float[np.ndarray, " M"], worth: Worth
) -> State:
    """Return an allocation of whole rows within the budget.

    Rows are rounded down, groups that need a real row get one, and what is left of the budget is
    spent row by row where a row is worth most for its cost; on several rows at a time if there are
    many rows or models.
    """
    budget = room.budget * (1 + ROUNDING)
    whole = _with_firsts(response, room, np.floor(rows + NEARLY))
    while room.costs @ whole > budget:  # by the rows of groups
        loss = worth(response.at(whole)) / room.costs
        extra = np.flatnonzero(whole > room.low).tolist()
        removable = [i for i in extra if _may_lose(response, whole, i)]
        if not removable:  # groups have dear rows
            whole = _with_firsts(response, room, room.low)
            break
        whole[min(removable, key=lambda i: loss[i])] -= 1
    state, together = response.at(whole), -(-len(whole) // response.passes)
    while True:
        left = budget - room.costs @ whole
        takes = (room.costs <= left) & (whole + 1 <= room.high)
        if not takes.any():
            return state
        order = np.argsort(-np.where(takes, worth(state) / room.costs, -np.inf), kind="stable")
        for best in order[: min(together, takes.sum())]:
            many = np.floor((budget - room.costs @ whole) / (len(whole) * room.costs[best]))
            more = min(max(many, 1), np.floor(room.high[best] - whole[best]))
            if room.costs[best] * more <= budget - room.costs @ whole:
                whole[best] += more
        state = response.at(whole)


def keeping_to_targets(
    response: Response,
    room: Room,
    rows: Float[np.ndarray, " M"],
    targets: Float[np.ndarray, " M"],
) -> State:
    """Return an allocation of whole rows that keeps to targets.

    Rows are rounded up, and then down again where that is possible, dearest first.
    """
    whole = np.minimum(np.ceil(rows), room.high)
    counts = np.isfinite(targets)
    state = response.at(whole)
    for i in sorted(np.flatnonzero(whole > rows), key=lambda i: -room.costs[i]):
        fewer = whole - (np.arange(len(whole)) == i)
        if fewer[i] < room.low[i]:
            continue
        found = response.at(fewer)
        if (found.errors <= targets)[counts].all():
            whole, state = fewer, found
    return state


def _with_firsts(response: Response, room: Room, rows: np.ndarray) -> np.ndarray:
    """Return rows, of which every group that needs one has one, with its cheapest member."""
    whole = np.maximum(rows, room.low)
    for group in response.groups:
        if not whole[list(group)].any():
            open_ = (i for i in group if room.high[i] > 0)
            whole[min(open_, key=lambda i: room.costs[i])] = 1
    return whole


def _may_lose(response: Response, whole: np.ndarray, i: int) -> bool:
    """Return whether model i has a real row that none of its groups needs."""
    return all(i not in group or whole[list(group)].sum() > 1 for group in response.groups)
