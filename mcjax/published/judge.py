"""Run entries and judge their rows, each beside a planted error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcjax import api
from mcjax.engine.engine import Report
from mcjax.engine.outcome import Tally
from mcjax.published.entry import BOUND, Entry, Found, Row
from mcjax.study.study import Study
from mcjax.verdicts.claims import (
    Cell,
    Claim,
    Estimate,
    Place,
    ratio_claim,
    settle,
    student_claim,
)
from mcjax.verdicts.counts import count_chains

CONFIDENCE = 0.99
"""Of all verdicts of one table together."""
PLANTED = 0.05
"""By how much the planted constants are off."""


@dataclass(frozen=True)
class Result:
    """One row, judged.

    Attributes
    ----------
    cell: the comparison; its ``predicted`` is the law's number.
    planted: the verdict on a constant that is off by 5% (a bound: too low by 5%).
    """

    entry: Entry
    row: Row
    cell: Cell
    planted: str


@dataclass(frozen=True)
class Run:
    """What the study of one entry did."""

    entry: Entry
    study: Study
    found: list[Found]
    tallies: list[Tally]


def run_entry(
    entry: Entry,
    depth: int = 1,
    known: Sequence[Tally] | None = None,
    report: Report | None = None,
) -> Run:
    """Simulate an entry's study.

    Parameters
    ----------
    depth: see :class:`Entry`. known: tallies of an earlier run of the same study, to go on with.
    report: see :func:`mcjax.simulate`.
    """
    study = entry.study(depth)
    tallies = api.simulate(study, known, report)
    parts = zip(study.conditions, tallies, api.predict(study), strict=True)
    found = [Found(condition, tally.outcome, laws) for condition, tally, laws in parts]
    return Run(entry, study, found, tallies)


def judge_runs(runs: Sequence[Run], tolerance: float) -> list[Result]:
    """One result for each row; all verdicts share one error budget, as do those on planted
    errors."""
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
    """That the number seen is the one told, times or, for a bound, over ``factor``."""
    seen = row.seen(run.found)
    bound = run.entry.kind == BOUND
    told = row.told(run.found)
    told = told / factor if bound else told * factor
    place = Place(
        condition=run.entry.id,
        model=row.setting,
        generation=0,
        quantity=run.entry.id,
        law=run.entry.kind,
    )
    observed = Estimate(seen.value, seen.error)
    count = count_chains(seen.chains, seen.chains + seen.lost, tolerance)
    if not bound:
        return ratio_claim(
            place,
            observed=observed,
            predicted=Estimate(told, 0.0),
            tolerance=tolerance,
            count=count,
        )
    ratio, error = seen.value / told, seen.error / told
    return student_claim(
        place,
        observed=observed,
        predicted=told,
        ratio=ratio,
        judged=Estimate(ratio, error),
        excess=ratio - 1 - tolerance,
        count=count,
    )
