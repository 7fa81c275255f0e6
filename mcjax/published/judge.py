"""Run entries and judge their rows, each together with a planted error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcjax import api
from mcjax.engine.engine import Report
from mcjax.engine.outcome import Outcome, Tally
from mcjax.published.entry import BOUND, ConditionResult, Entry, Row
from mcjax.study.study import Study
from mcjax.verdicts.claims import Cell, Claim, Estimate, Place, ratio_claim, settle, student_claim
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.equivalence import Verdict

CONFIDENCE = 0.99
"""Joint confidence level of all verdicts of a table."""
PLANTED = 0.05
"""Relative error of the planted constants."""


@dataclass(frozen=True)
class Result:
    """A judged row.

    Attributes
    ----------
    entry : Entry
        The entry.
    row : Row
        One of its rows.
    cell : Cell
        The comparison; its ``predicted`` is the law's number.
    planted : {"verified", "refuted", "inconclusive"}
        The verdict on a constant that is 5% too large, or on a bound that is 5% too low.
    """

    entry: Entry
    row: Row
    cell: Cell
    planted: Verdict


@dataclass(frozen=True)
class Run:
    """The simulated study of an entry.

    Attributes
    ----------
    entry : Entry
        The entry.
    study : Study
        Its study.
    results : list of ConditionResult
        Outcomes and predictions of each condition.
    tallies : list of Tally
        Tallies of each condition, from which the run can be resumed.
    """

    entry: Entry
    study: Study
    results: list[ConditionResult]
    tallies: list[Tally[Outcome]]


def run_entry(
    entry: Entry,
    depth: int = 1,
    known: Sequence[Tally[Outcome]] | None = None,
    report: Report | None = None,
) -> Run:
    """Simulate the study of an entry; ``known`` tallies of an earlier run are resumed."""
    study = entry.study(depth)
    tallies = api.simulate(study, known, report)
    parts = zip(study.conditions, tallies, api.predict(study), strict=True)
    results = [ConditionResult(condition, tally.outcome, laws) for condition, tally, laws in parts]
    return Run(entry, study, results, tallies)


def judge_runs(runs: Sequence[Run], tolerance: float) -> list[Result]:
    """Judge every row of every run to within a margin of every ratio.

    All verdicts share one error budget, and so do the verdicts on planted errors.
    """
    rows = [(run, row) for run in runs for row in run.entry.rows]
    cells, planted = (
        settle([_claim(run, row, tolerance, factor) for run, row in rows], CONFIDENCE)
        for factor in (1.0, 1 + PLANTED)
    )
    return [
        Result(run.entry, row, cell, wrong.verdict)
        for (run, row), cell, wrong in zip(rows, cells, planted, strict=True)
    ]


def _claim(run: Run, row: Row, tolerance: float, factor: float) -> Claim:
    """Claim that the observed number agrees with the predicted one, which is off by a factor.

    A bound is divided by ``factor``; any other number is multiplied by it.
    """
    estimate = row.observe(run.results)
    bound = run.entry.kind == BOUND
    predicted = row.predict(run.results)
    predicted = predicted / factor if bound else predicted * factor
    place = Place(
        condition=run.entry.id,
        model=row.setting,
        generation=0,
        quantity=run.entry.id,
        law=run.entry.kind,
    )
    observed = Estimate(estimate.value, estimate.error)
    count = count_chains(estimate.chains, estimate.chains + estimate.lost, tolerance)
    if not bound:
        return ratio_claim(
            place,
            observed=observed,
            predicted=Estimate(predicted, 0.0),
            tolerance=tolerance,
            count=count,
        )
    ratio, error = estimate.value / predicted, estimate.error / predicted
    return student_claim(
        place,
        observed=observed,
        predicted=predicted,
        ratio=ratio,
        judged=Estimate(ratio, error),
        excess=ratio - 1 - tolerance,
        count=count,
    )
