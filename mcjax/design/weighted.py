"""Find the real rows that make a weighted sum of errors smallest under a budget.

The sum J is convex (:mod:`mcjax.design.response`), so a local optimum is the optimum, and the
linear approximation at any allocation m bounds it from below (Frank & Wolfe 1956):

    J* >= J(m) + min over allocations m' of J'(m) (m' - m) .

The spectral projected gradient method (Birgin, Martinez & Raydan 2000) descends until the two are
close.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.design.response import Response, State
from mcjax.design.room import Room

if TYPE_CHECKING:
    from jaxtyping import Float

FEW = 100
"""Largest number of models for which an optimum is found to many digits."""
CLOSE, CLOSE_ENOUGH = 1e-13, 1e-4
"""Relative gap between the sum and its bound at which the search ends; for more than FEW models."""
MOST_STEPS = 1_000
MEMORY = 8
"""Number of last values of which a step must undercut the largest."""
DESCENT = 1e-4
"""Share of the predicted descent that a step must make."""
SHORTEST = 1e-12
"""Smallest share of a step that is tried."""


class Found(NamedTuple):
    """An allocation, and how good it is.

    Attributes
    ----------
    state : State
        The errors at the allocation.
    value : float
        What was made small.
    bound : float
        What no allocation undercuts, if the problem is convex.
    worth : ndarray, shape (M,)
        By how much another real row of each model would lower the value.
    """

    state: State
    value: float
    bound: float
    worth: Float[np.ndarray, " M"]


def smallest_sum(response: Response, room: Room, weights: Float[np.ndarray, " M"]) -> Found:
    """Return the allocation with the smallest sum of errors with these weights."""
    counted = weights > 0

    def value(state: State) -> float:
        return float(weights[counted] @ state.errors[counted])

    state = response.at(room.even)
    slope = response.gradient(state, weights)
    values, bound = [value(state)], -np.inf
    close = CLOSE if len(weights) <= FEW else CLOSE_ENOUGH
    length = 1.0
    for step in range(MOST_STEPS):
        bound = max(bound, values[-1] + slope @ (room.least(slope) - state.rows))
        if values[-1] - bound <= close * values[-1]:
            break
        if step == 0:
            largest = np.abs(slope / room.costs).max()
            length = room.budget / largest / len(weights)
        aim = room.nearest(state.rows - length * slope / room.costs**2)
        move = aim - state.rows
        highest = max(values[-MEMORY:])
        found = _descend(response, state, move, highest=highest, descent=slope @ move, value=value)
        if found is None:
            break
        change = (found.rows - state.rows) * room.costs
        following = response.gradient(found, weights)
        bend = change @ ((following - slope) / room.costs)
        length = change @ change / bend if bend > 0 else length * 10
        state, slope = found, following
        values.append(value(state))
    return Found(state, values[-1], float(bound), -slope)


def _descend(
    response: Response,
    state: State,
    move: Float[np.ndarray, " M"],
    *,
    highest: float,
    descent: float,
    value: Callable[[State], float],
) -> State | None:
    """Return the state after the longest tried part of a move that descends; None if none does.

    ``highest`` is the value to undercut, and ``descent`` the slope along the move.
    """
    share = 1.0
    while share >= SHORTEST:
        found = response.at(state.rows + share * move)
        if value(found) <= highest + DESCENT * share * descent:
            return found
        share /= 2
    return None
