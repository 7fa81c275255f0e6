"""Return verdicts as plain data: what ``mcjax verify --json`` prints, and tables of cells."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mcjax.engine.routes import route_of
from mcjax.study.real_data import read_of
from mcjax.study.study import Study
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.survey import SurveyVerdict


def verification_json(study: Study, verification: Verification) -> dict[str, Any]:
    """Return a judged study, the settings it was judged by and the paths that ran, as plain data.

    Outcomes are left out, because they are kept as arrays, as are study and predictions.
    """
    kept = dataclasses.replace(verification, outcomes=(), study=None, predictions=())
    numbers = dataclasses.asdict(kept)
    for name in ("outcomes", "study", "predictions"):
        del numbers[name]
    read = read_of(study.conditions)
    return (numbers if not read else {"read": read} | numbers) | {
        "tolerance": study.tolerance,
        "confidence": study.confidence,
        "paths": {c.name: route_of(c, study).path for c in study.conditions},
    }


def survey_json(verdict: SurveyVerdict) -> dict[str, Any]:
    """Return a judged survey as plain data, with the number of networks by verdict."""
    survey = verdict.survey
    return {
        "cells": [vars(cell) for cell in verdict.cells],
        "failures": verdict.failures,
        "chains": survey.chains,
        "verdict": verdict.verdict,
        "without": verdict.without,
        "networks": network_counts(verdict),
        "tolerance": survey.tolerance,
        "confidence": survey.confidence,
    }


def network_counts(verdict: SurveyVerdict) -> dict[str, int]:
    """Count the simulated networks, the labelled networks they represent, and each verdict."""
    counts = Counter(verdict.networks.tolist())
    return {
        "simulated": len(verdict.codes),
        "labelled": int(verdict.sizes.sum()),
        **{name: counts[name] for name in (VERIFIED, REFUTED, INCONCLUSIVE)},
    }


def cell_rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return a flat row for each cell, with the interval as two columns."""
    rows = [dict(vars(cell)) for cell in cells]
    for row in rows:
        row["low"], row["high"] = row.pop("interval")
    return rows
