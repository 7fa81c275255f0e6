"""The end of the population path: where centres tend to, and what becomes of errors there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.chains.layout import network_arrays, shape_of, tables_of
from mcjax.laws.first_order.accumulated_path import path_of_pools
from mcjax.laws.first_order.path_system import growth_at_end, path_of
from mcjax.laws.first_order.population_path import Populations, fits_of, moved, transition_of
from mcjax.laws.law import Inapplicable
from mcjax.study.study import Condition

FOLLOWED = 30
"""Generations for which a path is followed that does not settle."""
FEWEST, FURTHER = 3, 1.05
"""Generations in half of what must be followed to see centres run away, and the factor by which
they get farther from the truth in the second half, or their variance larger."""
AT_TRUTH = 1e-8
"""Distance, relative to the truth, that is rounding."""


class PathEnd(NamedTuple):
    """The late centres of M models, and the errors around them.

    Attributes
    ----------
    transition : ndarray, shape (M p, M p)
        A at the limit, or at the last point of a path that does not settle.
    forgets : ndarray of bool, shape (M,)
        Whose centre does not tend to the truth.
    runs : ndarray of bool, shape (M,)
        Whose centre has no bounded limit.
    grows : ndarray of bool, shape (M,), or None
        Whose variance grows; None if that is not known.
    settles : bool
        Whether centres have a limit.
    """

    transition: Float[np.ndarray, "M*p M*p"]
    forgets: Bool[np.ndarray, " M"]
    runs: Bool[np.ndarray, " M"]
    grows: Bool[np.ndarray, " M"] | None
    settles: bool


@np.errstate(all="ignore")  # what overflows is not finite, and then the centre is not found
def end_of_path(condition: Condition) -> PathEnd:
    """Follow the centres of a condition to their end.

    Parameters
    ----------
    condition : Condition
        A condition whose model has ``scores``.

    Raises
    ------
    Inapplicable
        If a centre is not found.
    """
    net, truth = condition.network, condition.theta
    distinct, forgets = len(net.later.generations), net.memory.current_only
    if net.memory.selects:
        raise Inapplicable("centres leave the truth, and fits are of subsamples")
    try:
        path = (path_of if forgets else path_of_pools)(condition, distinct)
    except Inapplicable:  # to the noise, or to what is far away
        return _followed(condition)
    if path.late is None:
        return _followed(condition)
    return PathEnd(
        path.late.transition,
        _away(path.limit[None], truth),
        runs=np.zeros(net.size, bool),
        grows=~growth_at_end(path, net)[1] if forgets else None,
        settles=True,
    )


def _followed(condition: Condition) -> PathEnd:
    """Follow a path that does not settle, generation by generation, as far as centres are found."""
    net, distinct = condition.network, len(condition.network.later.generations)
    if not net.memory.current_only:
        raise Inapplicable("data accumulate, and their centres have no limit that is known")
    arrays = network_arrays(net, shape_of([net], distinct))
    first, *tables = (tables_of(arrays)[table] for table in arrays.order)
    populations, begun = Populations(condition), np.tile(condition.theta, (net.size, 1))
    fits = fits_of(first, populations, begun)
    centres = [moved(begun, fits)]
    problem = None
    for t in range(1, distinct + FOLLOWED):
        try:
            fits = fits_of(tables[net.later.place(t)], populations, centres[-1])
        except Inapplicable as error:
            problem = error
            break
        centres.append(moved(centres[-1], fits))
    centres = centres[distinct - 1 :]  # from where feeds stay
    if problem is not None and len(centres) < 2 * FEWEST:
        raise problem
    distance = np.abs(np.array(centres) - condition.theta).max(-1)
    half = len(distance) // 2
    runs = distance[half:].max(0) > FURTHER * distance[:half].max(0, initial=0.0)
    if problem is not None and not runs.any():
        raise problem
    return PathEnd(
        transition_of(fits, *begun.shape),
        _away(np.array(centres[half:]), condition.theta),
        runs=runs,
        grows=None if runs.any() else _grows(condition, distinct - 1, len(centres) - 1),
        settles=False,
    )


def _grows(condition: Condition, before: int, generations: int) -> np.ndarray | None:
    """Return whose variance grows in the second half of generations after others, (M,)."""
    try:
        covariance = path_of(condition, before + generations).covariance
    except Inapplicable:
        return None
    diagonal = np.diagonal(covariance, axis1=1, axis2=2)
    spread = diagonal.reshape(len(covariance), condition.network.size, -1).sum(-1)
    return np.array(spread[-1] > FURTHER * spread[before + generations // 2])


def _away(late: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return whether late centres, (T, M, p), are away from the truth, (M,)."""
    apart = np.abs(late - truth) > AT_TRUTH * max(1.0, np.abs(truth).max())
    return np.array(np.any(apart, axis=(0, 2)))
