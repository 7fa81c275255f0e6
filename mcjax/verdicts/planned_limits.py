"""Planned cells about the limits of ladders of sample sizes.

The error of a limit depends on what the rungs happen to show: the size of the terms that are left
out is estimated from them, and grows where they fit badly or seem to fall more slowly
(:mod:`mcjax.verdicts.extrapolation`). So a plan draws the errors of rungs, and judges these ladders
as a study would. The ratio at scale s is taken to be ``f exp(a x)``, where f is 1 if the law is
true, and a is the allowance at the smallest scale (half of it if it is a rule of thumb) or, where
that takes more chains, 0. Models whose departures are the largest of all, or have not been
measured, may approach the limit more slowly: a plan then takes ``f exp(a x^(3/4))`` too. The errors
of the rungs are normal, and that of a law that simulates is common to all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import stdtrit

from mcjax.verdicts.extrapolation import Limit, extrapolate_all
from mcjax.verdicts.ladder import limit_of
from mcjax.verdicts.planning import RatioCells, fewest
from mcjax.verdicts.power import MOST_CHAINS
from mcjax.verdicts.skewed_means import Tails

LARGEST_SIZE = 1e2
"""Largest departure at the smallest rung that a plan expects."""
SMALLEST_ERROR = 1e-5
"""Standard error of a rung below which more chains do not tell more."""
SLOWER = 0.75
"""Power in which departures shrink that are slow, over the one that theory gives."""
LARGEST_FACTOR = 1e3
"""Largest factor by which a law is taken to be off."""
MISSES, FEWEST_DRAWS, MOST_DRAWS = 20, 1 << 10, 1 << 14
"""Number of drawn ladders that should miss their verdict, and least and largest number drawn."""


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
    slower : ndarray of bool, shape (N,)
        Whether the departure may shrink more slowly than with that power.
    """

    rungs: Shaped[np.ndarray, " N"]
    power: Float[np.ndarray, " N"]
    size: Float[np.ndarray, " N"]
    slower: Bool[np.ndarray, " N"]

    def amplification(self, chains: float) -> Float[np.ndarray, " N"]:
        """Return the mean standard errors of the limits over those of their rungs."""
        known: dict[tuple[object, ...], float] = {}
        result = np.full(self.count, np.inf)
        for k in np.flatnonzero(np.isfinite(self.spread + self.size)).tolist():
            alike = self.rungs[k], self.power[k], self.size[k], self.spread[k]
            if alike not in known:
                approach = self._approaches(k)[0]
                found = self._limits(k, chains, approach, FEWEST_DRAWS, error=0.0)
                known[alike] = found.error.mean() / (self.spread[k] / math.sqrt(chains))
            result[k] = known[alike]
        return result

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true."""
        draws = _draws(miss)
        found = 2.0
        for k in self._hardest():

            def enough(chains: float, k: int = k) -> bool:
                return all(
                    ((low > 1 - tolerance) & (high < 1 + tolerance)).mean() >= 1 - miss
                    for low, high in self._intervals(k, chains, 1.0, level=level, draws=draws)
                )

            if not math.isfinite(self.spread[k] + self.size[k]):
                return math.inf
            if not enough(found):
                most = min(MOST_CHAINS, (self.spread[k] / SMALLEST_ERROR) ** 2)
                found = fewest(enough, most, found)
            if math.isinf(found):
                break
        return found

    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that a number of chains refutes in any one cell."""
        draws, found = _draws(miss), 1 + tolerance
        for k in self._hardest():

            def enough(factor: float, k: int = k) -> bool:
                return all(
                    (low > 1 + tolerance).mean() >= 1 - miss
                    for low, _ in self._intervals(k, chains, factor, level=level, draws=draws)
                )

            if not math.isfinite(self.spread[k] + self.size[k]):
                return math.inf
            if not enough(found):
                found = fewest(enough, LARGEST_FACTOR, found)
            if math.isinf(found):
                break
        return found - 1

    def _hardest(self) -> Iterator[int]:
        """Yield the cells, the most uncertain first, without those that another one exceeds."""
        seen: list[int] = []
        for k in np.lexsort((self.spread, self.size))[::-1].tolist():
            exceeded = any(
                self.rungs[k] == self.rungs[j]
                and self.power[k] == self.power[j]
                and self.slower[k] <= self.slower[j]
                and self.spread[k] <= self.spread[j]
                and self.error[k] <= self.error[j]
                for j in seen
            )
            if not exceeded:
                seen.append(k)
                yield k

    def _approaches(self, k: int) -> list[Float[np.ndarray, " K"]]:
        """Return the ratios on one cell's rungs, (K,), for each way to approach the limit 1."""
        scales, power, size = np.array(self.rungs[k]), float(self.power[k]), float(self.size[k])
        ways = [(size, power), (0.0, power), *([(size, SLOWER * power)] if self.slower[k] else [])]
        return [np.exp(a * (scales.min() / scales) ** q) for a, q in ways]

    def _intervals(
        self, k: int, chains: float, factor: float, *, level: float, draws: int
    ) -> Iterator[tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]]:
        """Yield the ends of the intervals of one cell's limit on drawn ladders, (D,) each.

        There is one pair for each approach. The law is off by a ``factor``.
        """
        far = -float(stdtrit(max(chains - 1, 1), level / 2))
        for approach in self._approaches(k):
            mean = factor * approach
            limit = self._limits(k, chains, mean, draws, error=float(self.error[k]))
            yield limit.value - far * limit.error, limit.value + far * limit.error

    def _limits(
        self, k: int, chains: float, mean: Float[np.ndarray, " K"], draws: int, *, error: float
    ) -> Limit:
        """Return the limits of one cell on drawn ladders with these mean ratios.

        ``error`` is that of the law.
        """
        scales = np.array(self.rungs[k])
        of_rungs, of_law = np.split(_normal(draws, len(scales) + 1), [len(scales)], axis=1)
        spread = mean * max(self.spread[k] / math.sqrt(chains), SMALLEST_ERROR)
        ratios = (mean + spread * of_rungs) * (1 + error * of_law)
        common = error * ratios
        covariance = np.diag(spread**2) + common[:, :, None] * common[:, None, :]
        return extrapolate_all(scales, ratios, covariance, float(self.power[k]))


def on_ladder(
    cells: RatioCells, rungs: Sequence[float], power: float, *, share: float, slower: bool
) -> LimitCells:
    """Return the cells about the limits of a ladder, from those of its largest rung.

    They have no allowance. A share of it, at the smallest rung, is taken for the departure there.
    ``slower`` says whether departures may shrink more slowly than with the ``power``.
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
        slower=np.full(cells.count, slower),
        tails=Tails.UNKNOWN,
    )


def _draws(miss: float) -> int:
    """Return how many ladders tell that a probability is missed."""
    return int(min(max(MISSES / miss, FEWEST_DRAWS), MOST_DRAWS))


@lru_cache(maxsize=4)
def _normal(draws: int, columns: int) -> Float[np.ndarray, "D columns"]:
    """Return normal numbers, the same for every number of chains."""
    return np.random.default_rng(0).standard_normal((draws, columns))
