"""Find the real rows with the smallest largest error, or the cheapest ones that keep to targets.

Both are convex problems. SLSQP solves them in the logarithms of the errors. The linear
approximation of the errors at an allocation m lies below them (:mod:`mcjax.design.response`), so
the programmes

    min t      with  S(m) + S'(m) (m' - m) <= t        and m' within the budget,
    min c m'   with  S(m) + S'(m) (m' - m) <= targets  and m' within its bounds

bound the optima from below. A bound that is reported is computed from the multipliers of such a
programme: any that are not negative give one, so it holds although they have a few digits only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog, minimize

from mcjax.design.response import Response, State
from mcjax.design.room import Room
from mcjax.design.weighted import Found

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

MOST_SEARCHES, CLOSE = 20, 1e-6
"""Number of searches for the cheapest rows, and the relative gap at which they end."""
MOST_STEPS = 500
PRECISION = 1e-14
SMALLEST = 1e-9
"""Share of all rows up to which a model counts as without real rows."""
HIGHEST = 1e9
"""Error, relative to that at the start, that stands for an infinite one within the search."""
FEWEST = 1e-4
"""Rows, relative to those that targets need without other data, from which more are tried."""
DOUBLINGS = 80


def smallest_maximum(response: Response, room: Room, counts: Bool[np.ndarray, " M"]) -> Found:
    """Return the allocation of a budget whose largest error, of some models, is the smallest.

    Parameters
    ----------
    response : Response
        The errors.
    room : Room
        The allocations.
    counts : ndarray of bool, shape (M,)
        The models whose errors count.
    """
    if room.costs @ room.low >= room.budget:  # nothing is free
        only = response.at(room.low)
        worst = np.argmax(np.where(counts, only.errors, -np.inf))
        slope = response.gradient(only, np.eye(len(counts))[worst])
        return Found(only, float(only.errors[worst]), float(only.errors[worst]), -slope)
    unit = room.budget / room.costs
    search = _Search(response, unit, counts, response.at(room.even))
    only_last = np.append(np.zeros(len(unit)), 1.0)
    answer = minimize(
        lambda x: x[-1],
        np.append(room.even / unit, search.logs(room.even / unit).max()),
        jac=lambda x: only_last,
        bounds=[*_bounds(room, unit), (None, None)],
        method="SLSQP",
        constraints=[
            {
                "type": "ineq",
                "fun": lambda x: x[-1] - search.logs(x[:-1]),
                "jac": lambda x: np.column_stack([-search.slopes(x[:-1]), np.ones(counts.sum())]),
            },
            {"type": "eq", "fun": lambda x: x[:-1].sum() - 1, "jac": lambda x: 1 - only_last},
        ],
        options={"maxiter": MOST_STEPS, "ftol": PRECISION},
    )
    state = response.at(room.nearest(search.cleared(answer.x[:-1], room.low)))
    errors, slopes = state.errors[counts], response.jacobian(state)[counts]
    value = errors.max()
    relative = slopes * unit / value
    programme = linprog(
        only_last,
        A_ub=np.column_stack([relative, -np.ones(len(errors))]),
        b_ub=relative @ (state.rows / unit) - errors / value,
        A_eq=(1 - only_last)[None],
        b_eq=[1.0],
        bounds=[*_bounds(room, unit), (None, None)],
    )
    weights = np.maximum(-programme.ineqlin.marginals, 0)
    weights /= weights.sum()
    slope = weights @ slopes
    bound = weights @ errors + slope @ (room.least(slope) - state.rows)
    return Found(state, float(value), float(bound), -slope)


def cheapest(response: Response, room: Room, targets: Float[np.ndarray, " M"]) -> Found | State:
    """Return the cheapest allocation whose errors keep to targets, or one that does not.

    Searches in the logarithms of the rows, which may be of very different size, take turns with
    searches in the rows, some of which may be zero, until the bound is close.

    Parameters
    ----------
    response : Response
        The errors.
    room : Room
        The bounds of the rows; its budget does not count.
    targets : ndarray, shape (M,)
        The largest errors, infinite for models without a target.

    Returns
    -------
    Found or State
        The allocation; a State if none keeps to the targets, with as many rows as were tried.
    """
    counts = np.isfinite(targets)
    least = response.at(room.low)
    if (least.errors <= targets)[counts].all():  # nothing is cheaper
        cost = float(room.costs @ room.low)
        return Found(least, cost, cost, np.zeros(len(targets)))
    start = _keeping_to(response, room, targets)
    if not (start.errors <= targets)[counts].all():
        return start
    best: Found | None = None
    for step in range(MOST_SEARCHES):
        within = replace(room, budget=float(room.costs @ start.rows))
        found = _cheaper(response, within, targets, start, in_logs=step % 2 == 0)
        if best is None or found.value < best.value:
            best = found._replace(bound=max(found.bound, -np.inf if best is None else best.bound))
        else:
            best = best._replace(bound=max(best.bound, found.bound))
        start = best.state
        if best.value - best.bound <= CLOSE * best.value:
            break
    assert best is not None, "there is a search"
    return best


def _cheaper(
    response: Response,
    room: Room,
    targets: Float[np.ndarray, " M"],
    start: State,
    *,
    in_logs: bool,
) -> Found:
    """Return an allocation that one search finds.

    Parameters
    ----------
    response : Response
        The errors.
    room : Room
        The allocations; its budget is the cost of ``start``.
    targets : ndarray, shape (M,)
        The largest errors, infinite for models without a target.
    start : State
        An allocation that keeps to them.
    in_logs : bool
        Whether the search is in the logarithms of the rows.
    """
    unit, costs = room.budget / room.costs, room.costs
    counts = np.isfinite(targets)
    search = _Search(response, unit, counts, start)
    ends = np.log(targets[counts])
    begin, bounds = start.rows / unit, np.array(_bounds(room, unit))
    forth, back = (_log, np.exp) if in_logs else (np.asarray, np.asarray)
    slope = np.exp if in_logs else np.ones_like
    answer = minimize(
        lambda z: back(z).sum(),
        forth(begin),
        jac=slope,
        bounds=forth(bounds),
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda z: ends - search.logs(back(z)),
            "jac": lambda z: -search.slopes(back(z)) * slope(z),
        },
        options={"maxiter": MOST_STEPS, "ftol": PRECISION},
    )
    found = search.cleared(back(answer.x), room.low)
    state = _kept(response, np.minimum(found, room.high), start.rows, targets)
    cost = float(costs @ state.rows)
    errors, slopes = state.errors[counts], response.jacobian(state)[counts]
    most = np.minimum(room.high, cost / costs)  # whatever is cheaper lies within
    relative = slopes * unit / targets[counts, None]
    programme = linprog(
        np.ones(len(unit)),
        A_ub=relative,
        b_ub=relative @ (state.rows / unit) + 1 - errors / targets[counts],
        bounds=np.column_stack([room.low, np.maximum(most, room.low)]) / unit[:, None],
    )
    multipliers = np.maximum(-programme.ineqlin.marginals, 0) * room.budget / targets[counts]
    worth = -multipliers @ slopes
    left = np.where(worth > costs, most, room.low) - state.rows
    bound = cost + multipliers @ (errors - targets[counts]) + (costs - worth) @ left
    return Found(state, cost, float(bound), worth)


def _keeping_to(response: Response, room: Room, targets: Float[np.ndarray, " M"]) -> State:
    """Return an allocation that keeps to targets, or the last one tried, which does not.

    Rows, at first few, are doubled until they suffice.
    """
    counts = np.isfinite(targets)
    rows = np.where(room.high > room.low, FEWEST / targets[counts].min(), 0.0)
    for _ in range(DOUBLINGS):
        state = response.at(np.clip(rows, room.low, room.high))
        if (state.errors[counts] <= targets[counts]).all():
            break
        rows = rows * 2
    return state


class _Search:
    """Logarithms of the errors of some models, by the share of the cost that each model takes."""

    def __init__(
        self,
        response: Response,
        unit: Float[np.ndarray, " M"],
        counts: Bool[np.ndarray, " M"],
        start: State,
    ):
        self._response, self._unit, self._counts = response, unit, counts
        self._free = response.fits
        self._highest = HIGHEST * start.errors[counts].max()
        self._last = start

    def _state(self, x: np.ndarray) -> State:
        rows = np.where(self._free, np.maximum(x, SMALLEST), 0.0) * self._unit
        if not np.array_equal(rows, self._last.rows):
            self._last = self._response.at(rows)
        return self._last

    def logs(self, x: np.ndarray) -> np.ndarray:
        return np.log(np.minimum(self._state(x).errors[self._counts], self._highest))

    def slopes(self, x: np.ndarray) -> np.ndarray:
        state = self._state(x)
        if not np.isfinite(state.errors[self._counts]).all():
            return np.zeros((int(self._counts.sum()), len(x)))
        slopes = self._response.jacobian(state)[self._counts]
        return slopes / state.errors[self._counts, None] * self._unit

    def cleared(self, x: np.ndarray, low: np.ndarray) -> np.ndarray:
        """Return the rows of an answer, none where they are few and not needed."""
        few = x <= SMALLEST
        for group in self._response.groups:
            members = list(group)
            if few[members].all():
                few[members] = False
        return np.maximum(np.where(few, 0.0, np.maximum(x, SMALLEST)) * self._unit, low)


def _kept(response: Response, rows: np.ndarray, enough: np.ndarray, targets: np.ndarray) -> State:
    """Return the state nearest to some rows, towards rows that are enough, that keeps to targets.

    Rows of the search miss targets by rounding at most.
    """
    share = 0.0
    while True:
        state = response.at(rows + share * (enough - rows))
        if share >= 1 or (state.errors <= targets)[np.isfinite(targets)].all():
            return state
        share = min(1.0, 2 * share or 1e-13)


def _log(x: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(x, SMALLEST))


def _bounds(room: Room, unit: np.ndarray) -> list[tuple[float, float]]:
    """Return the bounds of the share of the cost that each model takes."""
    high = np.minimum(room.high, np.maximum(room.low, unit))
    return list(zip(room.low / unit, high / unit, strict=True))
