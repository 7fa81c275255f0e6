"""Run ``mcjax verify`` on a survey."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console

from mcjax import api
from mcjax.laws.collapse.origins import Clause
from mcjax.progress import Progress
from mcjax.report.console import table_console
from mcjax.report.survey import SurveyStore, show_survey
from mcjax.report.verification import survey_json
from mcjax.study.survey import Survey
from mcjax.text import strict_json
from mcjax.verdicts.equivalence import Verdict
from mcjax.verdicts.survey import check_clause


def run_survey(
    survey: Survey, as_json: bool, out: Path | None, without: Clause | None, quiet: bool
) -> Verdict:
    """Simulate the missing pieces of a survey, judge it, and print and return the verdict."""
    check_clause(survey, without, "--without")
    store = None if out is None else SurveyStore(out, survey)
    began = time.monotonic()
    sizes = [len(codes) for codes in survey.pieces()]
    pieces = range(len(sizes))
    known = {} if store is None else {k: p for k in pieces if (p := store.load(k)) is not None}
    done = sum(sizes[k] for k in known)
    with Progress(
        Console(stderr=True), sum(sizes), done, quiet=quiet, what=f"{survey.noun}s"
    ) as progress:
        for k, piece in api.survey_pieces(survey, known):
            progress.advance(sizes[k])
            if store is not None:
                store.save(k, piece)
            known[k] = piece
    verdict = api.judge_pieces(survey, [known[k] for k in pieces], without)
    if store is not None:
        store.finish(verdict)
    if as_json:
        click.echo(strict_json(survey_json(verdict)))
    else:
        show_survey(table_console(), verdict, time.monotonic() - began)
    return verdict.verdict
