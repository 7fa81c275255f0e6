"""One published result: what it says, who said so, and the study that shows it.

An entry makes a study; its rows each read one number from what the study's chains did, and the same
number from what a law of this package predicts for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Predictions
from mcjax.study.study import Condition, Study

EXACT, ASYMPTOTIC, BOUND = "exact", "asymptotic", "bound"


class Estimate(NamedTuple):
    """A number with its standard error over chains; ``lost`` chains had none."""

    value: float
    error: float
    chains: int
    lost: int = 0


class Found(NamedTuple):
    """What one condition's chains did, and what laws say of it."""

    condition: Condition
    outcome: Outcome
    predictions: Predictions


Seen = Callable[[Sequence[Found]], Estimate]
Told = Callable[[Sequence[Found]], float]


@dataclass(frozen=True)
class Row:
    """One number of an entry.

    Attributes
    ----------
    setting: what tells it from the entry's other rows.
    seen, told: by the chains and by a law, from what was found of each condition of the study.
    constant: as published, or as the published formula has it; None where there is none.
    """

    setting: str
    seen: Seen
    told: Told
    constant: float | None = None


@dataclass(frozen=True)
class Entry:
    """A published result.

    Attributes
    ----------
    id, group: as they are called on the command line, and in figures.
    claim, formula, source: in words, in symbols, and where from.
    kind: exact (at the study's sample counts), asymptotic (as they grow) or bound (from above).
    study: for a depth, 1 or more, which multiplies chains and, of an asymptotic law, samples.
    rows: the numbers.
    """

    id: str
    group: str
    claim: str
    formula: str
    source: str
    kind: str
    study: Callable[[int], Study]
    rows: tuple[Row, ...]


def study_of(conditions: Sequence[Condition], generations: int, chains: int) -> Study:
    """A study whose verdict is not asked for, only its moments."""
    return Study(tuple(conditions), generations, chains)


def mean_square(law: str, t: int, place: int = 0) -> tuple[Seen, Told]:
    """``E ||e_t||^2`` of the first model of the condition in one place of the study."""

    def seen(found: Sequence[Found]) -> Estimate:
        outcome = found[place].outcome
        return _estimate(outcome.moments.squared, (t, 0), outcome)

    def told(found: Sequence[Found]) -> float:
        return float(found[place].predictions.laws[law].mse[t, 0])

    return seen, told


def risk_ratio(law: str, t: int, place: int = 0) -> tuple[Seen, Told]:
    """``M = E ||e_t||^2 / E ||e_0||^2``: the risk after t + 1 fits over that of the first."""

    def seen(found: Sequence[Found]) -> Estimate:
        outcome = found[place].outcome
        across = outcome.moments.across
        chains = int(across.chains[0])
        first, last = across.mean[0, [0, t]]
        if chains < 2 or not first > 0:
            return Estimate(math.nan, math.inf, chains, outcome.chains - chains)
        spread = across.square[0][np.ix_([t, 0], [t, 0])]
        slope = np.array([1 / first, -last / first**2])
        variance = max(float(slope @ spread @ slope), 0.0)  # rounding, of a ratio that is 1
        error = math.sqrt(variance / (chains * (chains - 1)))
        return Estimate(float(last / first), error, chains, outcome.chains - chains)

    def told(found: Sequence[Found]) -> float:
        mse = found[place].predictions.laws[law].mse[:, 0]
        return float(mse[t] / mse[0])

    return seen, told


def limit_ratio(law: str, place: int = 0) -> Told:
    """The limit of the risk over that of the first fit."""

    def told(found: Sequence[Found]) -> float:
        prediction = found[place].predictions.laws[law]
        return float(prediction.limit[0] / prediction.mse[0, 0])

    return told


def functional(name: str, law: str, t: int, place: int = 0) -> tuple[Seen, Told]:
    """The mean of a family's functional over the estimates of the first model."""

    def seen(found: Sequence[Found]) -> Estimate:
        names = [functional.name for functional in found[place].condition.model.functionals]
        outcome = found[place].outcome
        return _estimate(outcome.moments.functional, (t, 0, names.index(name)), outcome)

    def told(found: Sequence[Found]) -> float:
        return float(found[place].predictions.functionals[law].values[name][t, 0])

    return seen, told


def _estimate(moments: Moments, index: tuple[int, ...], outcome: Outcome) -> Estimate:
    chains = int(moments.chains[index])
    error = float(moments.standard_error()[index])
    return Estimate(float(moments.mean[index]), error, chains, outcome.chains - chains)
