"""Normality: whether errors at the last generation have the predicted normal distribution.

An asymptotic law of M-estimators predicts more than moments: errors are normal. If the law is
right, each coordinate of a model's error, centred and whitened by the law's covariance, is standard
normal. The quantity is the Kolmogorov distance between the standard normal distribution function
and that of the chains, maximised over coordinates, and the claim is that it is at most the
tolerance. Its interval is that of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (Annals of
Probability 18, 1990): except with probability ``2 exp(-2 n eps^2)``, the distribution function of n
chains is nowhere more than eps from the true one. (To first order, subtracting the mean makes the
error smaller, not larger.) Skewness is of order 1/sqrt(rows), so an asymptotic law has an allowance
that is the square root of its allowance for second moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Estimate, Interval, Place, more_chains
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.planning import VectorCells
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.whitening import whiten


class NormalityCells(VectorCells):
    """Cells about a Kolmogorov distance."""

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, at which a claim is decided."""
        return sum(math.sqrt(math.log(2 * self.p / rate) / 2) for rate in (level, miss))


class Normality(Quantity):
    """Claims about the distribution of errors, one for each model."""

    name = "normality"
    unit = "between distribution functions"

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts a normal limit."""
        return prediction.asymptotic

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the errors of every model are normal at the last generation."""
        tolerance, last = comparison.tolerance, comparison.last
        errors, _, count = whiten(comparison, outcome)
        for i, allowance in enumerate(np.sqrt(comparison.allowance[last]).tolist()):
            place = comparison.place(self.name, last, i)
            yield _claim(place, errors[:, i], tolerance=tolerance, count=count, allowance=allowance)

    def planned(self, comparison: Comparison) -> list[NormalityCells]:
        """Plan a cell for each model; no number of chains suffices if covariances are not alike."""
        ranks = comparison.prediction.rank[-1]
        spread = np.where((ranks == ranks[0]) & (ranks > 0), 1.0, np.inf)
        return [
            NormalityCells(
                self.name,
                spread=spread,
                error=np.zeros(len(spread)),
                allowance=np.sqrt(comparison.allowance[-1]),
                parameters=np.maximum(ranks, 1),
            )
        ]


def _claim(
    place: Place, errors: np.ndarray, tolerance: float, count: ChainCount, allowance: float
) -> Claim:
    chains, p = errors.shape
    distance = math.nan if count.note else float(kolmogorov(errors).max())
    excess = distance - tolerance

    def p_value(beyond: float) -> float:
        if count.note or not beyond > 0:
            return 1.0
        return min(1.0, 2 * p * math.exp(-2 * chains * beyond**2))

    def half(level: float) -> float:
        return math.sqrt(math.log(2 * p / level) / (2 * chains))

    def interval(level: float) -> Interval:
        return max(0.0, distance - half(level)), distance + half(level)

    return Claim(
        place=place,
        observed=Estimate(distance, 0.5 / math.sqrt(max(chains, 1))),
        predicted=0.0,
        within=p_value(-excess),
        beyond=p_value(excess - allowance),
        interval=interval,
        factor=lambda level: more_chains(half(level), max(-excess, excess - allowance)),
        count=count,
    )


def kolmogorov(errors: Float[np.ndarray, "C p"]) -> Float[np.ndarray, " p"]:
    """Return the Kolmogorov distance of each column from the standard normal distribution."""
    expected = ndtr(np.sort(errors, axis=0))
    above = np.arange(1, len(errors) + 1)[:, None] / len(errors)
    return np.maximum(above - expected, expected - (above - 1 / len(errors))).max(0)


QUANTITY = Normality()
