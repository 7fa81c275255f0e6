"""One published result: what it says, who said so, and the study that shows it.

An entry makes a study; its rows each read one number from what the study's chains did, and the same
number from what a law of this package predicts for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.study.study import Condition, Study

EXACT, ASYMPTOTIC, BOUND = "exact", "asymptotic", "bound"


class Estimate(NamedTuple):
    """A number with its standard error over chains; ``lost`` chains had none."""

    value: float
    error: float
    chains: int
    lost: int = 0


Seen = Callable[[Sequence[Outcome]], Estimate]
Told = Callable[[Sequence[Predictions]], float]


@dataclass(frozen=True)
class Row:
    """One number of an entry.

    Attributes
    ----------
    setting: what tells it from the entry's other rows.
    seen: from one outcome for each condition of the study.
    told: from one set of predictions for each condition.
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


def study_of(
    conditions: Sequence[Condition], generations: int, chains: int, **settings: object
) -> Study:
    """A study whose verdict is not asked for, only its moments."""
    return Study(tuple(conditions), generations, chains, **settings)  # type: ignore[arg-type]


def law_of(predictions: Sequence[Predictions], condition: int, law: str) -> Prediction:
    """A law's prediction of one condition; a law that does not apply is a fault of the entry."""
    return predictions[condition].laws[law]


def mean_square(
    law: str, t: int, unit: float = 1.0, condition: int = 0, model: int = 0
) -> tuple[Seen, Told]:
    """``E ||e_t||^2 / unit`` of one model."""

    def seen(outcomes: Sequence[Outcome]) -> Estimate:
        outcome = outcomes[condition]
        squared = outcome.moments.squared
        chains = int(squared.chains[t, model])
        return Estimate(
            float(squared.mean[t, model]) / unit,
            float(squared.standard_error()[t, model]) / unit,
            chains,
            outcome.chains - chains,
        )

    def told(predictions: Sequence[Predictions]) -> float:
        return float(law_of(predictions, condition, law).mse[t, model]) / unit

    return seen, told


def risk_ratio(law: str, t: int, condition: int = 0, model: int = 0) -> tuple[Seen, Told]:
    """``M = E ||e_t||^2 / E ||e_0||^2``: the risk after t + 1 fits over that of the first."""

    def seen(outcomes: Sequence[Outcome]) -> Estimate:
        outcome = outcomes[condition]
        across = outcome.moments.across
        chains = int(across.chains[model])
        first, last = across.mean[model, [0, t]]
        spread = across.square[model][np.ix_([t, 0], [t, 0])]
        slope = np.array([1 / first, -last / first**2])
        error = np.sqrt(slope @ spread @ slope / (chains * (chains - 1)))
        return Estimate(float(last / first), float(error), chains, outcome.chains - chains)

    def told(predictions: Sequence[Predictions]) -> float:
        mse = law_of(predictions, condition, law).mse[:, model]
        return float(mse[t] / mse[0])

    return seen, told


def limit_ratio(law: str, condition: int = 0, model: int = 0) -> Told:
    """The limit of the risk over that of the first fit."""

    def told(predictions: Sequence[Predictions]) -> float:
        found = law_of(predictions, condition, law)
        return float(found.limit[model] / found.mse[0, model])

    return told
