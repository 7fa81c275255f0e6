"""Run entries and judge their rows, each together with a planted error.

A row is judged twice: against the law's number, and against the published constant if there is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcjax import api
from mcjax.engine.engine import Report
from mcjax.engine.outcome import Outcome, Tally
from mcjax.published.entry import BOUND, ConditionResult, Entry, Row
from mcjax.study.study import Study
from mcjax.verdicts.cells import Cell, settle
from mcjax.verdicts.claims import Claim, Place, mean_claim, ratio_claim
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.equivalence import Verdict, worst
from mcjax.verdicts.estimates import Estimate

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
        The comparison with the law's number, which is its ``predicted``.
    published : Cell or None
        The comparison with the published constant; None if there is none.
    planted : {"verified", "refuted", "inconclusive"}
        The verdict on a constant, or a law's number where there is none, that is 5% too large; a
        bound is 5% too low.
    """

    entry: Entry
    row: Row
    cell: Cell
    published: Cell | None
    planted: Verdict

    @property
    def verdict(self) -> Verdict:
        """The worse of the verdicts on the law's number and on the published constant."""
        cells = [self.cell] if self.published is None else [self.cell, self.published]
        return worst(np.array([cell.verdict for cell in cells]))


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
    laws = [row.predict(run.results) for run, row in rows]
    stated = [
        law if row.constant is None else row.constant
        for (_, row), law in zip(rows, laws, strict=True)
    ]
    published = [k for k, (_, row) in enumerate(rows) if row.constant is not None]

    def claims(numbers: Sequence[float]) -> list[Claim]:
        return [
            _claim(run, row, number, tolerance)
            for (run, row), number in zip(rows, numbers, strict=True)
        ]

    by_law, by_stated = claims(laws), claims(stated)
    cells = settle(by_law + [by_stated[k] for k in published], CONFIDENCE)
    constants = dict(zip(published, cells[len(rows) :], strict=True))
    wrong = [
        number / (1 + PLANTED) if run.entry.kind == BOUND else number * (1 + PLANTED)
        for (run, _), number in zip(rows, stated, strict=True)
    ]
    planted = settle(claims(wrong), CONFIDENCE)
    return [
        Result(run.entry, row, cells[k], published=constants.get(k), planted=planted[k].verdict)
        for k, (run, row) in enumerate(rows)
    ]


def _claim(run: Run, row: Row, predicted: float, tolerance: float) -> Claim:
    """Claim that the observed number agrees with a predicted one."""
    estimate = row.observe(run.results)
    bound = run.entry.kind == BOUND
    place = Place(
        condition=run.entry.id,
        model=row.setting,
        generation=0,
        quantity=run.entry.id,
        law=run.entry.kind,
    )
    observed = Estimate(estimate.value, estimate.error, estimate.skewness)
    count = count_chains(estimate.chains, estimate.chains + estimate.lost, tolerance)
    if not bound:
        return ratio_claim(
            place,
            observed=observed,
            predicted=Estimate(predicted, 0.0),
            tolerance=tolerance,
            count=count,
        )
    ratio = observed.times(1 / predicted)
    return mean_claim(
        place,
        observed=observed,
        predicted=predicted,
        ratio=ratio.value,
        judged=ratio,
        margin=(-math.inf, 1 + tolerance),
        count=count,
    )
