"""Run ``mcjax verify`` on a study: simulate, judge, keep, show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import jax
from rich.console import Console

from mcjax import api
from mcjax.cli.generators import refuse_laws, run_generators
from mcjax.cli.output import prints_aside
from mcjax.cli.saving import command_again, reporting
from mcjax.cli.survey import run_survey
from mcjax.engine.outcome import Outcome, Tally
from mcjax.engine.processes import agreed, exchange, first_alone
from mcjax.errors import InputError, SharedError, named_by, naming
from mcjax.files import read_text
from mcjax.generators.load import load_generators
from mcjax.laws.collapse.origins import Clause
from mcjax.laws.prediction import Predictions
from mcjax.laws.user import laws_from_files
from mcjax.progress import Progress, shows_work
from mcjax.report.console import table_console
from mcjax.report.store import Store
from mcjax.report.tables import show_verification
from mcjax.report.tabular import netcdf
from mcjax.report.verification import verification_json
from mcjax.study.identity import describe, identity
from mcjax.study.load import load_study, load_survey
from mcjax.study.local_files import study_with_files
from mcjax.study.real_data import read_of
from mcjax.study.settings import PathChoice
from mcjax.study.study import Study
from mcjax.study.theory import theory_for
from mcjax.text import shown, strict_json
from mcjax.verdicts.equivalence import Verdict
from mcjax.verdicts.judge import Verification, judge
from mcjax.verdicts.labelled import dataset


def run_verify(
    file: Path,
    *,
    as_json: bool = False,
    out: Path | None = None,
    theory: Path | None = None,
    chains: int | None = None,
    quiet: bool = False,
    without: Clause | None = None,
    laws: tuple[Path, ...] = (),
    until_decided: bool = False,
    path: PathChoice | None = None,
    files: tuple[str, ...] = (),
) -> Verdict:
    """Simulate and judge the study or survey in a file, and print and return the verdict."""
    survey = agreed(lambda: load_survey(file))
    if survey is not None:
        for option, given, problem in (
            ("--theory", theory, "is for a study; for a survey use --without"),
            ("--with", files, "is for a study, and this is a survey"),
            ("--law", laws, "is for a study; a survey is judged by the collapse law"),
            ("--path", path, "is for a study; a survey draws no rows"),
            ("--until-decided", until_decided, "is for a study, and this is a survey"),
            ("--distributed", jax.process_count() > 1, "is for a study, and this is a survey"),
        ):
            if given:
                raise InputError(option, f"{problem}; leave it out")
        survey = survey if chains is None else replace(survey, chains=chains)
        return run_survey(survey, as_json=as_json, out=out, without=without, quiet=quiet)
    if without is not None:
        raise InputError("--without", "is for a survey; for a study use --theory")
    with prints_aside(as_json):
        generators = agreed(lambda: load_generators(file, files))
    if generators is not None:
        refuse_laws(
            {
                "--theory": theory,
                "--law": laws,
                "--path": path,
                "--until-decided": until_decided,
                "--distributed": jax.process_count() > 1,
            }
        )
        generators = generators if chains is None else replace(generators, chains=chains)
        return run_generators(generators, file, files, as_json=as_json, out=out, quiet=quiet)

    def prepare() -> tuple[Study, list[Predictions], str]:
        study = study_with_files(file, files)
        study = study if chains is None else replace(study, chains=chains)
        judged_by = study
        study = study if path is None else replace(study, path=path)
        if theory is not None:
            judged_by = theory_in(theory, study)
        return study, api.predict(judged_by, laws_from_files(laws)), read_text(file)

    silent = quiet or jax.process_index() > 0
    with prints_aside(as_json), shows_work(silent):
        study, predictions, text = agreed(prepare)
    job = [str(f) for f in (describe(study)["settings"], identity(study), until_decided)]
    if len(set(map(tuple, exchange(job)))) > 1:
        raise SharedError(
            "--distributed", "has processes with different studies or settings; give all the same"
        )
    first = jax.process_index() == 0  # this process alone reads, writes and prints
    if first and (read := read_of(study.conditions)):
        click.echo(f"read: {shown(read)}", err=True)
    quiet = quiet or not first
    store: Store | None = None

    def open_store() -> list[Tally[Outcome]] | None:
        nonlocal store
        store = None if out is None else Store(out, study, file, files)
        return None if store is None else store.load()

    known = first_alone(open_store)
    ran = (t.tiled if t.chains < study.chains else study.chains for t in known or ())
    done = sum(ran)  # without a last tile that was not full, which is run again
    total = study.chains * len(study.conditions)
    began = time.monotonic()
    console = Console(stderr=True)
    with prints_aside(as_json), Progress(console, total, done, quiet) as progress:
        report = reporting(None if store is None else store.save, progress)
        if until_decided:
            verification, tallies = api.verify_until_decided(study, predictions, known, report)
        else:
            tallies = api.simulate(study, known, report)
            verification = judge(study, predictions, [tally.outcome for tally in tallies])
    seconds = time.monotonic() - began
    if store is not None:
        _keep(
            store,
            study,
            text=text,
            predictions=predictions,
            verification=verification,
            tallies=tallies,
            seconds=seconds,
        )
    if first and as_json:
        click.echo(strict_json(verification_json(study, verification)))
    elif first:
        show_verification(table_console(), study, predictions, verification, seconds=seconds)
    return verification.verdict


def theory_in(file: Path, study: Study) -> Study:
    """Return the study in the file of ``--theory``, to predict what another study does."""
    with named_by("--theory"):
        theory = load_study(file)
    with naming(file):
        return theory_for(study, theory)


def _keep(
    store: Store,
    study: Study,
    text: str,
    predictions: Sequence[Predictions],
    verification: Verification,
    tallies: Sequence[Tally[Outcome]],
    seconds: float,
) -> None:
    """Keep everything that a folder of results holds; ``text`` is that of the study file."""
    from mcjax.figures.page import pages  # matplotlib is slow to import, and only --out needs it

    store.save(tallies)
    command = command_again(study.chains, verification.chains)
    about = {"command": command, "file": text, "environment": store.environment}
    origin = {
        "command": command,
        "study_file": text,
        "started": store.environment["started"],
        "wall_seconds": seconds,
    }
    outcomes = [tally.outcome for tally in tallies]
    labelled = dataset(study, predictions, outcomes, verification, about=origin)
    files = pages(study, predictions, verification, seconds=seconds, about=about)
    store.finish(verification, files | {"results.nc": netcdf(labelled)})
