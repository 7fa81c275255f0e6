"""Whether errors at the last generation have the normal distribution that a law says.

An asymptotic law of M-estimators says more than moments: errors are normal. Whitened by its
covariance and less their mean, each coordinate of a model's error has the standard normal
distribution function, if the law is right. The quantity is the largest distance between that
function and the chains' own (Kolmogorov), over coordinates, and the claim is that it is at most the
tolerance. Its interval is that of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (Annals of
Probability 18, 1990): the distribution function of K chains is nowhere more than eps from the true
one, but with probability ``2 exp(-2 K eps^2)``. (Taking the mean off makes the error smaller than
that, not larger, to first order.) Skewness is of the order of 1/sqrt(n), so an asymptotic law is
allowed the root of what it is allowed for second moments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Interval, Place, allowances, more_chains
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.planning import NormalCells
from mcjax.verdicts.power import parameters, singular
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.whitening import whiten


@dataclass(frozen=True)
class NormalityCells(NormalCells):
    """Cells about a Kolmogorov distance.

    Attributes
    ----------
    parameters : ndarray of shape (K,)
        Coordinates p of a model's error.
    """

    parameters: np.ndarray

    def standard_errors(self, level: float, miss: float) -> float:
        p = int(self.parameters.max())
        return sum(math.sqrt(math.log(2 * p / rate) / 2) for rate in (level, miss))


class Normality(Quantity):
    """Claims about the distribution of errors, one for each model."""

    name = "normality"
    unit = "between distribution functions"

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law is about a normal limit."""
        return prediction.asymptotic

    def claims(
        self, condition: Condition, prediction: Prediction, outcome: Outcome, tolerance: float
    ) -> list[Claim]:
        errors, _, count = whiten(prediction, outcome, tolerance)
        last = len(prediction.mse) - 1
        allowance = np.sqrt(allowances(prediction)[last])
        return [
            _claim(
                self.place(condition, i, last, prediction),
                errors=errors[:, i],
                tolerance=tolerance,
                count=count,
                allowance=float(allowance[i]),
            )
            for i in range(condition.network.size)
        ]

    @np.errstate(all="ignore")  # what has no number of chains is infinite
    def planned(
        self, condition: Condition, prediction: Prediction, tolerance: float
    ) -> list[NormalityCells]:
        spread = np.where(singular(prediction)[-1], np.inf, 1.0)
        return [
            NormalityCells(
                self.name,
                spread=spread,
                error=np.zeros(len(spread)),
                allowance=np.sqrt(allowances(prediction)[-1]),
                parameters=np.full(len(spread), parameters(prediction)),
            )
        ]


def _claim(
    place: Place, *, errors: np.ndarray, tolerance: float, count: ChainCount, allowance: float
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
        empirical=distance,
        standard_error=0.5 / math.sqrt(max(chains, 1)),
        predicted=0.0,
        ratio=math.nan,
        within=p_value(-excess),
        beyond=p_value(excess - allowance),
        interval=interval,
        factor=lambda level: more_chains(half(level), max(-excess, excess - allowance)),
        chains=count.counted,
        lost=count.lost,
        note=count.note,
    )


def kolmogorov(errors: np.ndarray) -> np.ndarray:
    """Return the distance of each column's distribution function from the normal one."""
    expected = ndtr(np.sort(errors, axis=0))
    above = np.arange(1, len(errors) + 1)[:, None] / len(errors)
    return np.maximum(above - expected, expected - (above - 1 / len(errors))).max(0)


QUANTITY = Normality()
