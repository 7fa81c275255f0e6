"""Number of further rows that would decide an inconclusive claim.

If the observed departure is within its noise, these are the rows with which a law that is right is
verified with a probability of 90%. Otherwise they suffice if L0, V, the noise and the departure, as
a share, stay what they are. The level is that of the claim today.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.logs.claims import LossClaim, margins
from mcjax.logs.fit import Weighted
from mcjax.logs.scatter import FEWEST, Scatter, design_of

POWER = 0.9
WITHIN = 0.05
"""P-value above which a departure is within its noise."""
MOST_SEEDS, MOST_GENERATIONS = 1000, 500
"""Largest numbers that are announced."""
GrowthLaw = Callable[[int], Float[np.ndarray, " T"] | None]
"""Growth M_1 to M_T for a number T of fits; None if it is not known so far."""


class Further(NamedTuple):
    """Numbers of further rows that would decide a claim by itself.

    Attributes
    ----------
    seeds : int or None
        Further seeds at every generation that was logged; None if no number is known.
    generations : int or None
        Further generations of every workflow, with one row each; None if no number is known.
    """

    seeds: int | None
    generations: int | None


def further_rows(
    claim: LossClaim, scatters: Sequence[Scatter], laws: Sequence[GrowthLaw], tolerance: float
) -> Further:
    """Return how many further seeds, or generations, would decide a claim."""
    case = _Case(claim, [one.deviation for one in scatters], laws, tolerance)
    logged = [one.design.generations for one in scatters]

    def seeds(count: int) -> bool:
        if any(one.equal for one in scatters):
            return False
        return case.decided_by(
            [np.concatenate([t, np.repeat(np.unique(t), count)]) for t in logged]
        )

    def generations(count: int) -> bool:
        new = np.arange(1, count + 1)
        return case.decided_by([np.concatenate([t, t.max() + new]) for t in logged])

    return Further(_smallest(seeds, MOST_SEEDS), _smallest(generations, MOST_GENERATIONS))


class _Case(NamedTuple):
    claim: LossClaim
    deviations: Sequence[float]
    laws: Sequence[GrowthLaw]
    tolerance: float

    def decided_by(self, rows: Sequence[np.ndarray]) -> bool:
        """Return whether rows at these generations would decide the claim, most likely."""
        fit, level = self.claim.fit, self.claim.level
        growths = [law(int(t.max())) for law, t in zip(self.laws, rows, strict=True)]
        if fit is None or fit.noise.error == math.inf or any(growth is None for growth in growths):
            return False
        designs = [design_of(t, m) for t, m in zip(rows, growths, strict=True) if m is not None]
        if min(design.freedom for design in designs) < FEWEST:
            return False
        planned = Weighted(designs, self.deviations)
        error = planned.error(1)
        low, high = margins(fit.noise.value / error, self.tolerance)
        radius = planned.spread.radius(level)
        if fit.spread.above(fit.departure**2) > WITHIN:
            spare = max(low - radius, 0.0)
            return 1 - planned.spread.above(spare**2) >= POWER
        excess = math.sqrt(max(fit.departure**2 - fit.spread.coordinates, 0.0))
        grown = excess * fit.noise.error / error
        length = math.hypot(grown, math.sqrt(planned.spread.coordinates))
        return length + radius < low or length - radius > high


def _smallest(decides: Callable[[int], bool], most: int) -> int | None:
    """Return the smallest number that decides, if deciding is monotone; None above ``most``."""
    high = 1
    while not decides(high):
        if high >= most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
