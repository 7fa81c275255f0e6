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
    parameters : ndarray of shape (N,)
        Number of coordinates p of a model's error.
    """

    parameters: np.ndarray

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, at which a claim is decided."""
        p = int(self.parameters.max())
        return sum(math.sqrt(math.log(2 * p / rate) / 2) for rate in (level, miss))


class Normality(Quantity):
    """Claims about the distribution of errors, one for each model."""

    name = "normality"
    unit = "between distribution functions"

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts a normal limit."""
        return prediction.asymptotic

    def claims(
        self, condition: Condition, prediction: Prediction, outcome: Outcome, tolerance: float
    ) -> list[Claim]:
        """Claim that the errors of every model are normal at the last generation."""
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

    @np.errstate(all="ignore")  # a number of chains that does not exist becomes infinite
    def planned(
        self, condition: Condition, prediction: Prediction, tolerance: float
    ) -> list[NormalityCells]:
        """Plan a cell for each model; no number of chains suffices if a covariance is singular."""
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
    """Return the Kolmogorov distance of each column from the standard normal distribution.

    Parameters
    ----------
    errors : ndarray of shape (C, p)
        Whitened errors.

    Returns
    -------
    ndarray of shape (p,)
    """
    expected = ndtr(np.sort(errors, axis=0))
    above = np.arange(1, len(errors) + 1)[:, None] / len(errors)
    return np.maximum(above - expected, expected - (above - 1 / len(errors))).max(0)


QUANTITY = Normality()
