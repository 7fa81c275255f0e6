"""The end of the population path: where centres tend to, and whether they leave the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.chains.layout import network_arrays, shape_of, tables_of
from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.first_order.population_path import (
    Populations,
    fits_of,
    moved,
    settled,
    transition_of,
)
from mcjax.study.study import Condition

FOLLOWED = 200
"""Generations for which a path is followed that does not settle."""
FURTHER = 1.05
"""Factor by which centres get farther from the truth, in the second half of these, where they have
no bounded limit."""
AT_TRUTH = 1e-8
"""Distance, relative to the truth, that is rounding."""


class PathEnd(NamedTuple):
    """The late centres of M models.

    Attributes
    ----------
    transition : ndarray, shape (M p, M p)
        A at the limit, or at the last point of a path that does not settle.
    forgets : ndarray of bool, shape (M,)
        Whose centre does not tend to the truth.
    runs : ndarray of bool, shape (M,)
        Whose centre has no bounded limit.
    """

    transition: Float[np.ndarray, "M*p M*p"]
    forgets: Bool[np.ndarray, " M"]
    runs: Bool[np.ndarray, " M"]


@np.errstate(all="ignore")  # what overflows is not finite, and then the centre is not found
def end_of_path(condition: Condition) -> PathEnd:
    """Follow the centres of a condition to their end.

    Parameters
    ----------
    condition : Condition
        A condition whose model has ``scores``, and whose fits are of one generation's data.

    Raises
    ------
    Inapplicable
        If a centre is not found.
    """
    net = condition.network
    first, *later = tables_of(network_arrays(net, shape_of([net], len(net.later.generations))))
    populations = Populations(condition)
    truth = np.tile(condition.theta, (net.size, 1))
    centres = moved(truth, fits_of(first, populations, truth))
    for feeds in later[:-1]:
        centres = moved(centres, fits_of(feeds, populations, centres))
    remembers = populations.ridge == 0 and bool(collapse_origins(net))
    end = settled(later[-1], populations, centres, remembers)
    if end is not None:
        late, fits = end[0][None], end[1]
        runs = np.zeros(net.size, bool)
    else:
        path = [centres]
        for _ in range(FOLLOWED):
            fits = fits_of(later[-1], populations, path[-1])
            path.append(moved(path[-1], fits))
        late = np.array(path[FOLLOWED // 2 :])
        away = np.abs(np.array(path) - truth).max(-1)
        runs = away[FOLLOWED // 2 :].max(0) > FURTHER * away[: FOLLOWED // 2].max(0)
    size = np.maximum(1.0, np.abs(truth).max())
    return PathEnd(
        transition=transition_of(fits, *truth.shape),
        forgets=(np.abs(late - truth) > AT_TRUTH * size).any((0, 2)),
        runs=runs,
    )
