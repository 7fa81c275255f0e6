"""Means of a model's functionals, against laws that predict them.

A departure is measured as the functional's scale says, in units of what the law predicts: a ratio
in that itself; a chance too, but one below 1/10 in tenths, for which a tolerance of 5% asks to be
right within half a per cent; a logarithm in ones, a difference of logarithms being a share. The
claim is that ``1 + (observed - predicted) / unit`` lies within 1 +- tolerance.

Classes that are still there, or gone, in all chains observed have no spread to make an interval of,
and rare ones too little: n chains without an event do not show that there is none. Where values
differ by at most R, the interval is Student's and ``R log(2 / level) / n`` more on either side. If
all n chains are alike that is exact: another value is then no likelier than
``1 - (level / 2)^(1/n)``. Else it is, but for constants, what Bernstein's inequality adds for rare
events (Maurer & Pontil 2009), and wider than the exact binomial interval for chances. Values
without such a bound are not judged where all are alike, nor where one chain makes too much of their
spread and is farther off than the square of a normal variable would be
(:mod:`mcjax.verdicts.tails`).

In a plan, a chance c has the spread ``sqrt(c (1 - c))``. The laws of other functionals predict
means alone, so nothing tells how many chains these take.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, ndtri, stdtr, stdtrit

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import FunctionalPrediction
from mcjax.models.model import Functional, Model
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Estimate, Place, square
from mcjax.verdicts.counts import ChainCount, count_chains
from mcjax.verdicts.planning import PlannedCells, UnplannedCells
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import ALIKE, HEAVY_TAIL_ODDS, LARGE_SHARE, alike

SMALLEST_CHANCE_UNIT = 0.1
"""A chance below this is judged as if it were this."""
HEAVY_FUNCTIONAL = (
    f"heavy tail: a single chain makes more than {LARGE_SHARE:.0%} of the spread of this"
    " functional, so the standard error is not credible"
)
ENDLESS = "chains have no finite value of this functional"
UNITS = {
    "ratio": "seen / predicted",
    "chance": "seen / predicted, in tenths where that is less",
    "logarithm": "1 + seen - predicted",
}
"""Units of intervals by the scale of a functional."""


@dataclass(frozen=True)
class ChanceCells(PlannedCells):
    """Cells about chances.

    Attributes
    ----------
    chance : ndarray of shape (K,)
        As predicted.
    """

    chance: np.ndarray

    @property
    def count(self) -> int:
        return self.chance.size

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        unit = np.maximum(self.chance, SMALLEST_CHANCE_UNIT)
        z = -float(ndtri(level / 2)) - float(ndtri(miss))
        student = z * np.sqrt(self.chance * (1 - self.chance)) / unit
        rare = math.log(2 / level) / unit
        root = (student + np.sqrt(student**2 + 4 * tolerance * rare)) / (2 * tolerance)
        return float(np.max(root**2))

    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        unit = np.maximum(self.chance, SMALLEST_CHANCE_UNIT)
        z = -float(ndtri(level / 2)) - float(ndtri(miss))
        student = z * np.sqrt(self.chance * (1 - self.chance) / chains) / unit
        return float(np.max(tolerance + student + math.log(2 / level) / unit / chains))


class FunctionalMeans(Quantity):
    """Claims about means, one for each functional that the law predicts, generation and model."""

    name = "functional"
    unit = "seen / predicted"
    subject: Literal["errors", "functionals"] = "functionals"

    def units(self, model: Model) -> Mapping[str, str]:
        return {self._named(each): UNITS[each.scale] for each in model.functionals}

    def claims(
        self,
        condition: Condition,
        prediction: FunctionalPrediction,
        outcome: Outcome,
        tolerance: float,
    ) -> list[Claim]:
        moments, squared = outcome.moments.functional, outcome.moments.squared
        error = moments.standard_error()
        p = len(condition.theta)
        claims = []
        for k, functional in enumerate(condition.model.functionals):
            if functional.name not in prediction.values:
                continue
            predicted, span = prediction.values[functional.name], functional.span(p)
            for t, i in np.ndindex(*predicted.shape):
                chains, fitted = int(moments.chains[t, i, k]), int(squared.chains[t, i])
                note = count_chains(fitted, outcome.chains, tolerance).note
                count = ChainCount(chains, outcome.chains - chains, note)
                if chains < fitted:
                    count = count.unless(f"{fitted - chains} {ENDLESS}")
                if not count.note and math.isinf(span):
                    values = Moments(*(part[t, i, k] for part in moments))
                    highest = float(outcome.highest[t, i, k])
                    count = count.unless(_tail(values, highest, functional.scale))
                value = float(moments.mean[t, i, k]) if chains else math.nan
                claims.append(
                    functional_claim(
                        self.place(condition, i, t, prediction, self._named(functional)),
                        observed=Estimate(value, float(error[t, i, k])),
                        predicted=float(predicted[t, i]),
                        unit=unit_of(functional, float(predicted[t, i])),
                        span=span,
                        tolerance=tolerance,
                        count=count,
                    )
                )
        return claims

    def planned(
        self, condition: Condition, prediction: FunctionalPrediction, tolerance: float
    ) -> list[PlannedCells | UnplannedCells]:
        cells: list[PlannedCells | UnplannedCells] = []
        for functional in condition.model.functionals:
            if functional.name not in prediction.values:
                continue
            name, predicted = self._named(functional), prediction.values[functional.name]
            if functional.scale == "chance":
                cells.append(ChanceCells(name, np.ravel(predicted)))
            else:
                cells.append(UnplannedCells(name, predicted.size))
        return cells

    def _named(self, functional: Functional) -> str:
        return f"{self.name}:{functional.name}"


def unit_of(functional: Functional, predicted: float) -> float:
    """Return what a departure from the law's number is measured in."""
    if functional.scale == "logarithm":
        return 1.0
    if functional.scale == "chance":
        return max(predicted, SMALLEST_CHANCE_UNIT)
    return abs(predicted)


def _tail(moments: Moments, highest: float, scale: str) -> str:
    """Return why the spread of one functional is not credible, or nothing."""
    if moments.chains < 2 or alike(moments):
        return ALIKE
    if scale != "ratio":  # logarithms have light tails
        return ""
    share = (highest - moments.mean) ** 2 / moments.square
    odds = moments.chains * chdtrc(1, highest / moments.mean)
    return HEAVY_FUNCTIONAL if share > LARGE_SHARE and odds < HEAVY_TAIL_ODDS else ""


def functional_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: float,
    unit: float,
    span: float,
    tolerance: float,
    count: ChainCount,
) -> Claim:
    """Claim that a mean is what a law predicts, within the tolerance times a unit.

    Parameters
    ----------
    place : Place
        What is compared.
    observed : Estimate
        The mean over chains.
    predicted : float
        The law's number.
    unit : float
        What a departure is measured in.
    span : float
        Largest difference between two values, infinite if there is none.
    tolerance : float
        Margin, in units.
    count : ChainCount
        The chains behind ``observed``.

    Returns
    -------
    Claim
    """
    chains = count.counted
    if unit == 0:
        count = count.unless("the law predicts 0")
    if not (chains > 1 and all(map(math.isfinite, (*observed, predicted)))):
        count = count.unless("no finite estimate or prediction")
    departure, spread, rare = 0.0, 1.0, 0.0
    if not count.note:
        departure, spread = (observed.value - predicted) / unit, observed.error / unit
        rare = 0.0 if math.isinf(span) else span / unit / chains
    freedom = max(chains - 1, 1)

    def student(level: float) -> float:
        # at very small levels a quantile of few chains is infinite, and times no spread no number
        return -float(stdtrit(freedom, level / 2)) * spread if spread else 0.0

    def half(level: float) -> float:
        return student(level) + rare * math.log(2 / level)

    def p_value(distance: float) -> float:
        """Return the level from which on the interval does not reach so far."""
        if count.note or not distance > 0:
            return 1.0
        if rare == 0:
            return float(2 * stdtr(freedom, -distance / spread))
        if half(1.0) >= distance:
            return 1.0
        lowest = -700.0  # exp of it is about the smallest number there is
        while math.isinf(half(math.exp(lowest))):  # an infinite end misleads the search
            lowest /= 2
        if half(math.exp(lowest)) <= distance:
            return math.exp(lowest)
        return math.exp(brentq(lambda log: half(math.exp(log)) - distance, lowest, 0.0))

    inside = tolerance - abs(departure)

    def factor(level: float) -> float:
        distance = max(abs(inside), sys.float_info.min)
        few = rare * math.log(2 / level)
        # normal / sqrt(f) + few / f = distance
        normal = student(level)
        root = (normal + math.hypot(normal, 2 * math.sqrt(distance * few))) / (2 * distance)
        return square(root)

    return Claim(
        place=place,
        empirical=observed.value,
        standard_error=observed.error,
        predicted=predicted,
        ratio=1 + departure if unit == abs(predicted) and not count.note else math.nan,
        within=p_value(inside),
        beyond=p_value(-inside),
        interval=lambda level: (1 + departure - half(level), 1 + departure + half(level)),
        factor=factor,
        chains=chains,
        lost=count.lost,
        note=count.note,
    )


QUANTITY = FunctionalMeans()
