"""Surveys of pairs of networks that switch, judged by the collapse law and by wrong ones.

    python benchmarks/pairs_of_networks.py NAME --folder FOLDER [--out FILE]

NAME is a built-in survey: ``every-pair``, ``drawn-pairs`` or ``pairs-3``. The pieces are kept in
FOLDER, so that a run goes on where it was stopped. For the law and for each of its clauses, which
is then left out: how many pairs are verified, refuted and inconclusive.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import jax
from machine import keep

import mcjax
from mcjax.report.survey import SurveyStore
from mcjax.report.verification import network_counts
from mcjax.study.load import builtin_file, load_survey
from mcjax.verdicts.survey import CLAUSES_OF


def main() -> None:
    """Run a survey, judge it by all laws, and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--folder", type=Path, required=True)
    default = Path(__file__).parent / "results" / "pairs_of_networks.json"
    parser.add_argument("--out", type=Path, default=default)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    survey = load_survey(builtin_file(asked.name))
    assert survey is not None, "the file has a survey"
    store, times = SurveyStore(asked.folder / asked.name, survey), asked.folder / "seconds.json"
    spent: dict[str, float] = json.loads(times.read_text()) if times.exists() else {}
    numbers = range(len(survey.pieces()))
    known = {k: piece for k in numbers if (piece := store.load(k)) is not None}
    began = _processor_seconds()
    for k, piece in mcjax.survey_pieces(survey, known):
        store.save(k, piece)
        known[k], ended = piece, _processor_seconds()
        spent[asked.name] = spent.get(asked.name, 0.0) + ended - began
        times.write_text(json.dumps(spent))
        began = ended
    found: dict[str, Any] = {"processor_seconds": spent[asked.name]}
    for without in (None, *CLAUSES_OF[survey.switching]):
        verdict = mcjax.judge_pieces(survey, [known[k] for k in numbers], without)
        counts = network_counts(verdict) | {"claims": len(verdict.cells)}
        about = [cell.verdict for cell in verdict.cells if cell.quantity == "collapse"]
        counts["wrong_about_collapse"] = about.count("refuted")
        found["the law" if without is None else f"without {without}"] = counts
        print(asked.name, without, counts)
    kept = json.loads(asked.out.read_text())["results"] if asked.out.exists() else {}
    keep(asked.out, kept | {asked.name: found})


def _processor_seconds() -> float:
    taken = os.times()
    return taken.user + taken.system


if __name__ == "__main__":
    main()
