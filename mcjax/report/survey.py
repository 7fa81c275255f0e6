"""Keep a survey on disk, piece by piece, and show its verdict."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import all_statuses
from mcjax.engine.survey import LateErrors
from mcjax.errors import InputError
from mcjax.files import ENCODING
from mcjax.numbers import how_many
from mcjax.report.console import MARK, STYLE, numbers
from mcjax.report.folder import ResultFolder, require_powers
from mcjax.report.tabular import parquet
from mcjax.report.verification import cell_rows, network_counts, survey_json
from mcjax.study.survey import Survey
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.survey import SurveyVerdict

JUDGED = ("tolerance", "confidence")
"""Settings on which the numbers do not depend."""
MOST_NETWORKS = 5
"""Largest number of networks that are listed for one verdict."""


def _kept_settings(folder: Path) -> dict[str, Any]:
    """Return what the results of a survey in a folder depend on; empty if it holds none."""
    try:
        kept = dict(json.loads((folder / "study.json").read_text(encoding=ENCODING))["survey"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {key: value for key, value in kept.items() if key not in JUDGED}


class SurveyStore:
    """A folder with a file for every finished piece, so that a survey resumes where it stopped.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it does not exist.
    survey : Survey
        The survey.

    Raises
    ------
    InputError
        See :class:`mcjax.report.folder.ResultFolder`.
    """

    def __init__(self, folder: Path, survey: Survey):
        every = dataclasses.asdict(survey)
        settings = {key: value for key, value in every.items() if value is not None}
        text = json.dumps({k: v for k, v in settings.items() if k not in JUDGED}, sort_keys=True)
        identity = hashlib.sha256(text.encode()).hexdigest()
        try:
            self._folder = ResultFolder(folder, {"survey": settings}, identity)
        except InputError as error:
            kept = _kept_settings(folder)
            chains = kept.pop("chains", None)
            if chains is None or any(settings[key] != value for key, value in kept.items()):
                raise
            held = how_many(chains, "chain")
            problem = f"holds {held} of each network, to which none can be added; give"
            remedy = f"--chains {chains}, or name another folder"
            raise InputError("--out", f"{problem} {remedy}", str(folder)) from error

    def load(self, piece: int) -> LateErrors | None:
        """Load a piece that ran before; None if it did not."""

        def unpack(data: Any) -> LateErrors:
            require_powers("moments/mean" not in data or "pairs" in data)
            moments = Moments(*(data[f"moments/{name}"] for name in Moments._fields))
            return LateErrors(moments, data["pairs"], all_statuses(data["fits"]), data["chains"])

        return self._folder.read_arrays(_name(piece), unpack)

    def save(self, piece: int, late: LateErrors) -> None:
        """Keep the late errors of a piece."""
        arrays = {f"moments/{name}": leaf for name, leaf in late.moments._asdict().items()}
        arrays |= {"pairs": late.pairs, "fits": late.fits, "chains": late.chains}
        self._folder.write_arrays(_name(piece), arrays)

    def finish(self, verdict: SurveyVerdict) -> None:
        """Keep the verdicts as JSON, CSV and Parquet."""
        cells = verdict.cells
        self._folder.write_json("verification.json", survey_json(verdict))
        self._folder.write_csv("cells.csv", cell_rows(cells), ["condition"])
        self._folder.write_bytes("cells.parquet", parquet(cells))


def _name(piece: int) -> str:
    return f"piece-{piece:05d}.npz"


def show_survey(console: Console, verdict: SurveyVerdict, seconds: float) -> None:
    """Print the verdicts on networks and on claims by kind, and the networks that are refuted."""
    survey = verdict.survey
    doomed, vertices = verdict.collapses.sum(1), verdict.collapses.shape[1]
    noun = survey.noun
    law = "the collapse law"
    if verdict.without is not None:
        law += f" without {verdict.without!r}"
    models = "models" if survey.phases == 1 else "models in either phase"
    kinds = {
        f"{noun}s in which no model collapses": verdict.networks[doomed == 0],
        f"{noun}s in which some models collapse": verdict.networks[
            (doomed > 0) & (doomed < vertices)
        ],
        f"{noun}s in which all models collapse": verdict.networks[doomed == vertices],
        f"{models}: whether they collapse": _verdicts(verdict, "collapse"),
        f"{models}: rate of growth": _verdicts(verdict, "growth"),
        f"{models}: limit": _verdicts(verdict, "limit"),
    }
    names = (VERIFIED, REFUTED, INCONCLUSIVE)
    which = f"Every {noun}" if survey.sample is None else how_many(survey.sample, noun)
    if survey.kind.does:
        which += f" of networks that {survey.kind.does},"
    title = f"{which} of {how_many(survey.models, 'model')}, by {law}"
    table = Table("by the law", *map(numbers, names), title=title)
    for kind, verdicts in kinds.items():
        table.add_row(kind, *(str((verdicts == name).sum()) for name in names))
    console.print(table)
    for name in (REFUTED, INCONCLUSIVE):
        for k in np.flatnonzero(verdict.networks == name)[:MOST_NETWORKS]:
            console.print(
                f"{MARK[name]} {name}: {survey.name(int(verdict.codes[k]))}", markup=False
            )
        more = int((verdict.networks == name).sum()) - MOST_NETWORKS
        if more > 0:
            console.print(f"{MARK[name]} and {more:,} more", markup=False)
    if verdict.failures:
        by_reason = ", ".join(f"{n:,} {reason}" for reason, n in verdict.failures.items())
        console.print(f"fits that ended without an estimate: {by_reason}")
    counts = network_counts(verdict)
    kind = (
        ""
        if counts["labelled"] == counts["simulated"]
        else f", which stand for {how_many(counts['labelled'], 'labelled one')}"
    )
    console.print(
        f"[{STYLE[verdict.verdict]}]{verdict.verdict}[/]:"
        f" {how_many(counts['simulated'], noun)}{kind}:"
        f" {counts[VERIFIED]:,} verified, {counts[REFUTED]:,} refuted,"
        f" {counts[INCONCLUSIVE]:,} inconclusive; {how_many(len(verdict.cells), 'claim')} at"
        f" ±{survey.tolerance:.0%} with confidence {survey.confidence:.0%} together;"
        f" {how_many(survey.chains, 'chain')} and"
        f" {how_many(survey.generations, 'generation')} each; {seconds:.0f} s",
        soft_wrap=True,
    )


def _verdicts(verdict: SurveyVerdict, quantity: str) -> np.ndarray:
    return np.array([cell.verdict for cell in verdict.cells if cell.quantity == quantity])
