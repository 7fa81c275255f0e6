"""Planned cells about the limits of ladders of sample sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from mcjax.verdicts.extrapolation import limit_errors
from mcjax.verdicts.ladder import SMALLEST_ERROR, limit_of
from mcjax.verdicts.planning import RatioCells, fewest
from mcjax.verdicts.power import MOST_CHAINS

LARGEST_SIZE = 1e3
"""Largest departure at the smallest rung that a plan expects."""


@dataclass(frozen=True)
class LimitCells(RatioCells):
    """Cells about limits, whose rungs have the spread and the error of the largest one.

    Attributes
    ----------
    rungs : ndarray of tuple, shape (N,)
        Scales of the rungs.
    power : ndarray of shape (N,)
        The powers of ``1 / s`` in which ratios approach their limits.
    size : ndarray of shape (N,)
        Departure at the smallest scale that is expected.
    """

    rungs: Shaped[np.ndarray, " N"]
    power: Float[np.ndarray, " N"]
    size: Float[np.ndarray, " N"]

    def amplification(self, chains: float) -> Float[np.ndarray, " N"]:
        """Return the standard errors of the limits over those of their rungs."""
        alone = replace(self, error=0 * self.error)
        return alone.widths(chains) / (self.spread / math.sqrt(chains))

    def widths(self, chains: float) -> Float[np.ndarray, " N"]:
        """Return the standard errors of the limits."""
        result = np.full(self.count, np.inf)
        for k in np.flatnonzero(np.isfinite(self.spread + self.size)).tolist():
            scales = np.array(self.rungs[k])
            covariance = np.eye(len(scales)) * max(self.spread[k] ** 2 / chains, SMALLEST_ERROR**2)
            result[k] = limit_errors(
                scales, float(self.power[k]), covariance[None], self.size[k : k + 1]
            )[0]
        return np.hypot(result, self.error)

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true."""
        reach = tolerance / self.standard_errors(level, miss)
        return fewest(lambda chains: bool((self.widths(chains) < reach).all()), MOST_CHAINS)

    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that a number of chains refutes in any one cell."""
        reach = self.standard_errors(level, miss) * self.widths(chains)
        return float(self.departures(tolerance + 0 * reach, reach).max())


def on_ladder(cells: RatioCells, rungs: Sequence[float], power: float, share: float) -> LimitCells:
    """Return the cells about the limits of a ladder, from those of its largest rung.

    They have no allowance. A share of it, at the smallest rung, is taken for the departure there.
    """
    limits = np.empty(cells.count, object)
    limits[:] = [tuple(rungs)] * cells.count
    smallest = cells.allowance * (max(rungs) / min(rungs)) ** power
    return LimitCells(
        limit_of(cells.quantity),
        spread=cells.spread,
        error=cells.error,
        allowance=np.zeros(cells.count),
        rungs=limits,
        power=np.full(cells.count, power),
        size=np.minimum(smallest * share, LARGEST_SIZE),
    )
