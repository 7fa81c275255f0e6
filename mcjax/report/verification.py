"""Return verdicts as plain data: what ``mcjax verify --json`` prints, and tables of cells."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mcjax.engine.compiled import route_of
from mcjax.study.study import Study
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.judge import Verification
from mcjax.verdicts.survey import SurveyVerdict

TEXTS = ("condition", "model", "quantity", "law", "verdict", "note")
COUNTS = ("generation", "chains", "lost", "chains_needed")
"""Columns of a table of cells that hold texts and integers; all others hold floats."""


def verification_json(study: Study, verification: Verification) -> dict[str, Any]:
    """Return a judged study, the settings it was judged by and the paths that ran, as plain data.

    Outcomes are left out, because they are kept as arrays.
    """
    numbers = dataclasses.asdict(dataclasses.replace(verification, outcomes=()))
    del numbers["outcomes"]
    return numbers | {
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


def cell_columns(cells: Sequence[Cell]) -> dict[str, list[Any]]:
    """Return the table of cells by columns, with the interval as two columns."""
    columns = {
        field.name: [getattr(cell, field.name) for cell in cells]
        for field in dataclasses.fields(Cell)
    }
    intervals = columns.pop("interval")
    return columns | {"low": [low for low, _ in intervals], "high": [high for _, high in intervals]}


def cells_parquet(cells: Sequence[Cell]) -> bytes:
    """Return the table of cells as a Parquet file, in which only ``chains_needed`` can be null."""
    import pyarrow  # heavy, and for results on disk alone
    from pyarrow import parquet

    columns = cell_columns(cells)
    kinds = dict.fromkeys(TEXTS, pyarrow.string()) | dict.fromkeys(COUNTS, pyarrow.int64())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in columns])
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns, schema), file)
    return file.getvalue()
