"""Cells: every quantity of every condition, simulated against predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.fits.status import FAILURES
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.study.study import Study
from mcjax.verdicts.equivalence import INCONCLUSIVE, VERIFIED, equivalence, worst
from mcjax.verdicts.growth import Growth, growth_of
from mcjax.verdicts.tails import LARGE_SHARE, dominated

LOST_SHARE = 0.1
"""A cell is judged only if the share of chains it lost is below this part of the tolerance."""

HEAVY = (
    f"heavy tail: a single chain makes more than {LARGE_SHARE:.0%} of the spread, far from what"
    " normal errors do, so the standard error is not credible"
)


@dataclass(frozen=True)
class Cell:
    """One comparison.

    Attributes
    ----------
    empirical: mean over chains; standard_error: of that mean, from the chains' own spread.
    predicted: by ``law``. ratio: empirical / predicted; interval: of the ratio.
    chains: that count here; lost: that have no estimate here.
    chains_needed: that would decide an inconclusive cell, if the ratio stayed where it is.
    note: why a cell is not judged, or empty.
    """

    condition: str
    model: str
    generation: int
    quantity: str
    law: str
    empirical: float
    standard_error: float
    predicted: float
    ratio: float
    interval: tuple[float, float]
    verdict: str
    chains: int
    lost: int
    chains_needed: int | None
    note: str


@dataclass(frozen=True)
class Verification:
    """The judged study.

    Attributes
    ----------
    cells: every comparison. verdict: of all of them together.
    growth: slopes of the MSE beside those the laws predict, for the eye; they are not judged.
    failures: reason -> number of fits. chains: for each condition.
    inapplicable: condition -> law -> why it was not judged.
    """

    cells: tuple[Cell, ...]
    verdict: str
    growth: tuple[Growth, ...]
    failures: dict[str, int]
    chains: int
    inapplicable: dict[str, dict[str, str]]


def judge(
    study: Study, predictions: Sequence[Predictions], outcomes: Sequence[Outcome]
) -> Verification:
    """Compare simulation and laws, one prediction and one outcome for each condition.

    Cells: the MSE of every model at every generation, by every law that applies. They share one
    error budget.
    """
    raw = [
        cell
        for condition, laws, outcome in zip(study.conditions, predictions, outcomes, strict=True)
        for law in laws.laws.values()
        for cell in _mse_cells(condition.name, condition.network.models, law, outcome)
    ]
    cells = _decide(raw, study)
    failures = {
        status.reason: count
        for status in FAILURES
        if (count := sum(int(o.fits[..., status].sum()) for o in outcomes))
    }
    return Verification(
        cells=cells,
        verdict=_overall(cells, predictions),
        growth=tuple(
            growth
            for condition, laws, outcome in zip(
                study.conditions, predictions, outcomes, strict=True
            )
            for law in laws.laws.values()
            for growth in growth_of(condition.name, condition.network.models, law, outcome)
        ),
        failures=failures,
        chains=min(outcome.chains for outcome in outcomes),
        inapplicable={
            c.name: p.inapplicable
            for c, p in zip(study.conditions, predictions, strict=True)
            if p.inapplicable
        },
    )


def _overall(cells: Sequence[Cell], predictions: Sequence[Predictions]) -> str:
    """The worst cell; but a study is not verified while no law speaks of one of its conditions."""
    verdict = worst(np.array([cell.verdict for cell in cells]))
    silent = any(not found.laws for found in predictions)
    return INCONCLUSIVE if silent and verdict == VERIFIED else verdict


@dataclass(frozen=True)
class _Raw:
    """A cell before it is judged."""

    place: tuple[str, str, int, str, str]
    empirical: float
    standard_error: float
    predicted: float
    prediction_error: float
    dominated: float
    chains: int
    lost: int


def _mse_cells(name: str, models: Sequence[str], law: Prediction, outcome: Outcome) -> list[_Raw]:
    squared = outcome.moments.squared
    error, share = squared.standard_error(), dominated(outcome)
    return [
        _Raw(
            place=(name, model, t, "mse", law.law),
            empirical=float(squared.mean[t, i]) if squared.chains[t, i] else math.nan,
            standard_error=float(error[t, i]),
            predicted=float(law.mse[t, i]),
            prediction_error=float(law.standard_error[t, i]),
            dominated=float(share[t, i]),
            chains=int(squared.chains[t, i]),
            lost=outcome.chains - int(squared.chains[t, i]),
        )
        for t in range(len(law.mse))
        for i, model in enumerate(models)
    ]


def _decide(raw: Sequence[_Raw], study: Study) -> tuple[Cell, ...]:
    empirical, own, predicted, theirs = (
        np.array([getattr(cell, field) for cell in raw], float)
        for field in ("empirical", "standard_error", "predicted", "prediction_error")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(predicted > 0, empirical / predicted, np.nan)
        error = np.hypot(own, ratio * theirs) / predicted
    allowed = LOST_SHARE * study.tolerance
    too_few = np.array([c.lost > allowed * (c.lost + c.chains) for c in raw], bool)
    heavy = np.array([c.dominated > 0 for c in raw], bool)
    judged = np.where(too_few | heavy, np.nan, ratio)
    chains = np.array([c.chains for c in raw], int)
    verdicts, low, high = equivalence(judged, error, chains, study.tolerance, study.confidence)
    cells = []
    for k, cell in enumerate(raw):
        condition, model, generation, quantity, law = cell.place
        needed, note = None, ""
        if too_few[k]:
            note = f"{cell.lost} of {cell.lost + cell.chains} chains have no estimate"
        elif not math.isfinite(ratio[k]):
            note = "the law predicts 0" if predicted[k] == 0 else "no finite estimate or prediction"
        elif heavy[k]:
            note = HEAVY
        elif verdicts[k] == INCONCLUSIVE:
            needed = _chains_needed(cell, float(ratio[k]), high[k] - low[k], study.tolerance)
        cells.append(
            Cell(
                condition,
                model,
                generation,
                quantity,
                law,
                cell.empirical,
                cell.standard_error,
                cell.predicted,
                float(ratio[k]),
                (float(low[k]), float(high[k])),
                str(verdicts[k]),
                cell.chains,
                cell.lost,
                needed,
                note,
            )
        )
    return tuple(cells)


def _chains_needed(cell: _Raw, ratio: float, width: float, tolerance: float) -> int | None:
    """Chains that shrink the interval until it no longer crosses 1 +- tolerance."""
    distance = abs(abs(ratio - 1) - tolerance)
    if not (distance > 0 and math.isfinite(width)):
        return None
    return math.ceil(cell.chains * (width / (2 * distance)) ** 2)
