"""Means of a model's functionals, as predicted by laws of functionals.

The claim is that ``1 + (observed - predicted) / unit`` lies within 1 +- tolerance. The unit depends
on the scale of the functional: for a ratio it is the predicted number; for a chance too, but at
least 1/10, so that a small chance must be right to within half a per cent if the tolerance is 5%;
for a logarithm it is 1, because a difference of logarithms is a relative difference.

If a class survives, or is extinct, in all observed chains, there is no spread from which to form an
interval, and for rare events there is too little: n chains without an event do not show that the
event is impossible. If values differ by at most R, Student's interval is therefore extended by
``R log(2 / level) / n`` on either side. If all n chains agree this is exact: the probability of any
other value is at most ``1 - (level / 2)^(1/n)``. Otherwise it is, up to constants, the term for
rare events in Bernstein's inequality (Maurer & Pontil 2009), and the interval is wider than the
exact binomial interval for a chance. Values without such a bound have the interval of
:mod:`mcjax.verdicts.skewed_means`. They are not judged if all chains
agree, nor if one chain accounts for too much of the spread and is farther off than is plausible for
the square of a normal variable (:mod:`mcjax.verdicts.tails`).

In a plan, a chance c has the spread ``sqrt(c (1 - c))``. The laws of other functionals predict
means alone, so neither the number of chains that they need nor the chance of refuting a wrong mean
can be announced.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import chdtrc, ndtr, ndtri, stdtrit

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import shape_of_sums
from mcjax.models.model import Functional, Model, Scale
from mcjax.numbers import how_many
from mcjax.verdicts.claims import NOT_FINITE, Claim, Place, mean_claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount, count_chains
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.further_chains import more_for_power, square
from mcjax.verdicts.planning import PlannedCells, UnplannedCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.quantity import Quantity, Subject
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import ALIKE, HEAVY_TAIL_ODDS, LARGE_SHARE, alike

SMALLEST_CHANCE_UNIT = 0.1
"""Smallest unit in which a departure from a chance is measured."""
HEAVY_FUNCTIONAL = (
    f"heavy tail: a single chain accounts for more than {LARGE_SHARE:.0%} of the spread of this"
    " functional, so the standard error is not credible"
)
ENDLESS = "no finite value of this functional"
UNITS: dict[Scale, str] = {
    "ratio": "observed / predicted",
    "chance": "1 + (observed - predicted) / max(predicted, 0.1)",
    "logarithm": "1 + observed - predicted",
}
"""Units of intervals by the scale of a functional."""


@dataclass(frozen=True)
class ChanceCells(PlannedCells):
    """Cells about chances.

    Attributes
    ----------
    chance : ndarray of shape (N,)
        Predicted chances.
    """

    chance: Float[np.ndarray, " N"]

    @property
    def count(self) -> int:
        """Number of cells, N."""
        return self.chance.size

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true."""
        student, rare = self._reaches(level, miss, 1)
        root = (student + np.sqrt(student**2 + 4 * tolerance * rare)) / (2 * tolerance)
        return float(np.max(root**2))

    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that a number of chains refutes in any one cell."""
        student, rare = self._reaches(level, miss, chains)
        return float(np.max(tolerance + student + rare))

    def _reaches(self, level: float, miss: float, chains: int) -> tuple[np.ndarray, np.ndarray]:
        """Return half the width of an interval: Student's part, and the part for rare events."""
        unit = np.maximum(self.chance, SMALLEST_CHANCE_UNIT)
        z = -float(ndtri(level / 2)) - float(ndtri(miss))
        student = z * np.sqrt(self.chance * (1 - self.chance) / chains) / unit
        return student, math.log(2 / level) / unit / chains


class FunctionalMeans(Quantity):
    """Claims about the means of functionals.

    There is one claim for each functional that the law predicts, generation and model.
    """

    name = "functional"
    unit = "observed / predicted"
    subject: Subject = "functionals"
    needs = "functionals"

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the unit of each functional's claims, by their quantity."""
        return {
            self._named(functional): UNITS[functional.scale] for functional in model.functionals
        }

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the mean of each functional is the predicted one, at every generation."""
        moments, squared = outcome.moments.functional, outcome.moments.squared
        shape = shape_of_sums(moments, *np.moveaxis(outcome.moments.powers.functional, -1, 0))
        numbers = moments.mean, moments.standard_error(), *map(np.asarray, shape)
        for k, functional, predicted in _predicted(comparison):
            law_error = comparison.prediction.standard_error(functional.name)
            span = functional.span(len(comparison.condition.theta))
            for t, i in np.ndindex(*predicted.shape):
                chains, fitted = int(moments.chains[t, i, k]), int(squared.chains[t, i])
                note = count_chains(fitted, outcome.chains, comparison.tolerance).note
                count = ChainCount(chains, outcome.chains - chains, note)
                if chains < fitted:
                    have = "has" if fitted - chains == 1 else "have"
                    endless = f"{how_many(fitted - chains, 'chain')} {have} {ENDLESS}"
                    count = count.unless(endless)
                if not count.note and math.isinf(span):
                    values = Moments(*(part[t, i, k] for part in moments))
                    highest = float(outcome.highest[t, i, k])
                    tail = _tail(values, highest, functional.scale, moments.mean.size)
                    count = count.unless(tail)
                observed = Estimate(*(float(part[t, i, k]) for part in numbers))
                yield functional_claim(
                    comparison.place(self._named(functional), t, i),
                    observed=observed if chains else observed._replace(value=math.nan),
                    predicted=Estimate(
                        float(predicted[t, i]),
                        float(law_error[t, i]),
                        batches=len(comparison.prediction.versions),
                    ),
                    unit=unit_of(functional, float(predicted[t, i])),
                    span=span,
                    tolerance=comparison.tolerance,
                    count=count,
                )

    def planned(self, comparison: Comparison) -> list[PlannedCells | UnplannedCells]:
        """Plan the cells about chances, and count those about other functionals."""
        cells: list[PlannedCells | UnplannedCells] = []
        for _, functional, predicted in _predicted(comparison):
            name = self._named(functional)
            if functional.scale == "chance":
                cells.append(ChanceCells(name, np.ravel(predicted)))
            else:
                cells.append(UnplannedCells(name, predicted.size))
        return cells

    def chances(
        self,
        comparison: Comparison,
        truth: Any,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law of chances if another one is true, cell by cell.

        Cells about other functionals are left out, as laws do not say how much these vary.
        """
        chances: list[Chance] = []
        for _, functional, predicted in _predicted(comparison):
            if functional.scale == "chance":
                pairs = zip(
                    np.ravel(predicted), np.ravel(truth.values[functional.name]), strict=True
                )
                chances += [
                    _chance_of_chance(told, true, comparison.tolerance, level)
                    for told, true in pairs
                ]
        return chances

    def _named(self, functional: Functional) -> str:
        return f"{self.name}:{functional.name}"


def _chance_of_chance(told: float, true: float, tolerance: float, level: float) -> Chance:
    """Return the chance of refuting a predicted chance if another one is true."""
    unit = max(told, SMALLEST_CHANCE_UNIT)
    departure, spread = abs(true - told) / unit, math.sqrt(true * (1 - true)) / unit

    def chance(n: float) -> float:
        half = -float(stdtrit(n - 1, level / 2)) * spread / math.sqrt(n)
        beyond = departure - tolerance - half - math.log(2 / level) / unit / n
        return float(ndtr(beyond * math.sqrt(n) / spread)) if spread else float(beyond > 0)

    return chance


def _predicted(comparison: Comparison) -> Iterator[tuple[int, Functional, np.ndarray]]:
    """Yield the positions of predicted functionals, themselves, and their means (T + 1, M)."""
    for k, functional in enumerate(comparison.condition.model.functionals):
        if functional.name in comparison.prediction.values:
            yield k, functional, comparison.prediction.values[functional.name]


def unit_of(functional: Functional, predicted: float) -> float:
    """Return the unit of a departure from the predicted mean of a functional."""
    if functional.scale == "logarithm":
        return 1.0
    if functional.scale == "chance":
        return max(predicted, SMALLEST_CHANCE_UNIT)
    return abs(predicted)


def _tail(moments: Moments, highest: float, scale: Scale, cells: int) -> str:
    """Return why the spread of a functional is not credible; empty if it is.

    The probability of a false alarm is shared by all the cells of a condition.
    """
    if moments.chains < 2 or alike(moments):
        return ALIKE
    if scale != "ratio":  # logarithms have light tails
        return ""
    share = (highest - moments.mean) ** 2 / moments.square
    odds = cells * moments.chains * chdtrc(1, highest / moments.mean)
    return HEAVY_FUNCTIONAL if share > LARGE_SHARE and odds < HEAVY_TAIL_ODDS else ""


def functional_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: Estimate,
    unit: float,
    span: float,
    tolerance: float,
    count: ChainCount,
) -> Claim:
    """Claim that a mean is within the tolerance, times a unit, of the predicted one.

    Parameters
    ----------
    place : Place
        What is compared.
    observed : Estimate
        Mean over chains.
    predicted : Estimate
        Mean predicted by the law.
    unit : float
        Unit of the departure, see :func:`unit_of`.
    span : float
        Largest possible difference between two values; infinite if there is no bound.
    tolerance : float
        Margin, in units.
    count : ChainCount
        The chains behind ``observed``.
    """
    chains = count.counted
    if unit == 0:
        count = count.unless("the law predicts 0")
    if not (chains > 1 and all(map(math.isfinite, (*observed, *predicted)))):
        count = count.unless(NOT_FINITE)
    judged = Estimate(1.0, 1.0)
    if not count.note:
        judged = observed.plus(-predicted.value, predicted.error, predicted.batches)
        judged = judged.times(1 / unit).plus(1.0, 0.0)
    ratio = judged.value if unit == abs(predicted.value) and not count.note else math.nan
    if math.isinf(span):
        return mean_claim(
            place,
            observed=observed,
            predicted=predicted.value,
            judged=judged,
            margin=(1 - tolerance, 1 + tolerance),
            count=count,
            ratio=ratio,
            tails=Tails.MEASURED,
        )
    spread, rare = judged.error, 0.0 if count.note else span / unit / chains
    freedom = max(chains - 1, 1)

    def student(level: float) -> float:
        # at very small levels the quantile for few chains is infinite, and infinity times 0 is nan
        return -float(stdtrit(freedom, level / 2)) * spread if spread else 0.0

    def half(level: float) -> float:
        return student(level) + rare * math.log(2 / level)

    def p_value(distance: float) -> float:
        """Return the level at which the half-width of the interval equals the distance."""
        if count.note or not distance > 0:
            return 1.0
        if half(1.0) >= distance:
            return 1.0
        lowest = -700.0  # its exponential is about the smallest positive double
        while math.isinf(half(math.exp(lowest))):  # the root search needs finite ends
            lowest /= 2
        if half(math.exp(lowest)) <= distance:
            return math.exp(lowest)
        return math.exp(brentq(lambda log: half(math.exp(log)) - distance, lowest, 0.0))

    inside = tolerance - abs(judged.value - 1)

    def more_chains(distance: float, level: float) -> float:
        """Return the factor of chains with which half the interval is as wide as a distance."""
        few = rare * math.log(2 / level)
        # f solves normal / sqrt(f) + few / f = distance
        normal = student(level)
        root = (normal + math.hypot(normal, 2 * math.sqrt(distance * few))) / (2 * distance)
        return square(root)

    def factor(level: float) -> float:
        return more_chains(max(abs(inside), sys.float_info.min), level)

    def expected(level: float) -> float:
        if count.note or abs(judged.value - 1) > half(level):
            return math.nan
        return more_chains(tolerance, level) * more_for_power(level)

    return Claim(
        place=place,
        observed=observed,
        predicted=predicted.value,
        within=p_value(inside),
        beyond=p_value(-inside),
        interval=lambda level: (judged.value - half(level), judged.value + half(level)),
        factor=factor,
        count=count,
        ratio=ratio,
        expected=expected,
    )


QUANTITY = FunctionalMeans()
