"""Time until errors reach a given multiple of the first ones.

``c_ii(t)`` is the error of model i at generation t, from ``c_t = A c_{t-1} A' + N`` for
``e_t = A e_{t-1} + R xi + noise_t``. What is drawn once, xi, is carried along as a part of the
state that stays. The *time to harm* of a factor L is the first t with ``c_ii(t) >= L c_ii(0)``.

The first generations are taken one by one. After them most errors that grow do so along a line:
where the slope of the last period P of generations is the slope S in the long run, up to a share
eps, and comes ever closer to it, each generation of a period has

    t = first t' + P q    with    c(t') + P q S >= L c(0) ,

with a relative error of at most eps. Of the others, let ``c_ii(t)`` not come back below the factor
later. Then the time follows by doubling and bisection: with row w of ``A^t`` and its noise so far
v,

    v + w V_k w'    and    w A^(2^k),    V_k = sum_{s < 2^k} A^s N A'^s,

are those of ``2^k`` generations more. Each model takes its own steps, and all of them share the
powers. Models that settle below the factor never come to it. Equal numbers are common, so that
errors are compared with a relative slack. Derived here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from mcjax.laws.first_order.linear_system import LinearSystem

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

TIMES = (1, 5, 20)
"""Generations at which errors are compared with the first ones."""
FACTORS = (2.0, 10.0)
SLACK, STRAIGHT = 1e-12, 1e-10
"""Relative differences of errors, and of slopes, that count as none."""
WORK, DOUBLINGS = 2e8, 40
"""Multiplications that generations one by one may take, and the largest number of doublings."""


class Harm(NamedTuple):
    """Errors of M models as multiples of the first ones.

    Attributes
    ----------
    relative : ndarray, shape (3, M)
        The errors at :data:`TIMES`.
    times : ndarray, shape (2, M)
        The times to harm of :data:`FACTORS`, nan for models that do not come to it.
    """

    relative: Float[np.ndarray, "3 M"]
    times: Float[np.ndarray, "2 M"]


def generations(time: float) -> int | None:
    """Return a time to harm as a number of generations, None in place of nan."""
    return None if math.isnan(time) else int(time)


def time_to_harm(
    system: LinearSystem,
    slopes: Float[np.ndarray, " M"],
    limit: Float[np.ndarray, " M"],
    period: int = 1,
    asked: Bool[np.ndarray, " M"] | None = None,
) -> Harm:
    """Return errors as multiples of the first ones, and the times to harm.

    Parameters
    ----------
    system : LinearSystem
        The law of the errors, for one parameter; constant, and of data that are replaced.
    slopes : ndarray, shape (M,)
        Slopes in the long run, nan for models whose errors are bounded.
    limit : ndarray, shape (M,)
        The limit of the errors of these, nan for others.
    period : int, optional
        A multiple of the periods of all collapse origins.
    asked : ndarray of bool, shape (M,), optional
        The models whose times are asked for; defaults to all. Late ones of others are nan.
    """
    size = len(system.transition)
    a, noise, start = _state(system)
    first = np.diagonal(start)[:size].copy()
    relative, times = np.full((len(TIMES), size), np.nan), np.full((len(FACTORS), size), np.nan)
    targets = np.array(FACTORS)[:, None] * first * (1 - SLACK)
    sparse = csr_array(a)
    affordable = int(WORK / (len(a) * max(sparse.nnz, len(a))))
    one_by_one = max(*TIMES, min(affordable, len(a) ** 2))
    now, recent = start, [first]
    for t in range(1, one_by_one + 1):
        now = sparse @ (sparse @ now).T + noise
        errors = np.diagonal(now)[:size].copy()
        recent = [*recent[-period:], errors]
        times[np.isnan(times) & (errors >= targets)] = t
        if t in TIMES:
            relative[TIMES.index(t)] = errors / first
    waiting = np.isnan(times) & (True if asked is None else asked)
    if period < len(recent):
        along = np.abs((recent[-1] - recent[0]) / period - slopes) <= STRAIGHT * slopes
        rounds = [np.ceil((targets - errors) / (period * slopes)) for errors in recent[1:]]
        ahead = np.arange(1 - period, 1)[:, None, None] + period * np.array(rounds)
        times = np.where(waiting & along, one_by_one + ahead.min(0), times)
    comes = np.isfinite(slopes) | (limit >= targets)
    late = waiting & np.isnan(times) & comes
    if late.any():
        times = np.where(late, one_by_one + _late(a, noise, now, targets=targets, late=late), times)
    return Harm(relative, times)


def _state(system: LinearSystem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return transition, noise and first covariance of errors, and of what is used again."""
    size, x = len(system.transition), system.initial
    if not system.reuse.any():
        return system.transition, system.noise, x[:size, :size]
    whole = size + len(x)
    a, noise = np.eye(whole), np.zeros((whole, whole))
    a[:size, :size], a[:size, size:] = system.transition, system.reuse
    noise[:size, :size] = system.noise
    places = np.append(np.arange(size), np.arange(len(x)))  # errors begin as the first of xi
    return a, noise, x[np.ix_(places, places)]


def _late(
    a: np.ndarray,
    noise: np.ndarray,
    now: np.ndarray,
    targets: Float[np.ndarray, "2 M"],
    late: Bool[np.ndarray, "2 M"],
) -> Float[np.ndarray, "2 M"]:
    """Return how many generations more it takes to come to the targets, nan if too many.

    ``now`` is the covariance that they begin with.
    """
    which, models = np.nonzero(late)
    goal = targets[which, models]
    powers, sums, last = [a], [noise], np.zeros(len(models), int)
    waiting = np.arange(len(models))
    while True:  # the first doubling that comes to the goal
        row = powers[-1][models[waiting]]
        ahead = np.diagonal(sums[-1])[models[waiting]] + np.einsum("ij,ij->i", row @ now, row)
        waiting = waiting[ahead < goal[waiting]]
        last[waiting] = len(powers)
        if not len(waiting) or len(powers) > DOUBLINGS:
            break
        a = powers[-1]
        sums.append(sums[-1] + a @ sums[-1] @ a.T)
        powers.append(a @ a)
    # what all doublings before it pass, and then bisection
    begun = np.maximum(last - 1, 0)
    rows = np.array([powers[k][i] for k, i in zip(begun, models, strict=True)])
    total = np.array([sums[k][i, i] for k, i in zip(begun, models, strict=True)])
    passed = 2.0**begun
    rows[last == 0], total[last == 0], passed[last == 0] = np.eye(len(a))[models[last == 0]], 0, 0
    for k in range(len(powers) - 1, -1, -1):
        some = np.flatnonzero(last - 1 > k)
        if not len(some):
            continue
        ahead = rows[some] @ powers[k]
        more = total[some] + np.einsum("ij,ij->i", rows[some] @ sums[k], rows[some])
        below = more + np.einsum("ij,ij->i", ahead @ now, ahead) < goal[some]
        kept = some[below]
        rows[kept], total[kept], passed[kept] = ahead[below], more[below], passed[kept] + 2.0**k
    result = np.full(late.shape, np.nan)
    result[which, models] = np.where(last < len(powers), passed + 1, np.nan)
    return result
