"""What the commands that need JAX do."""

from __future__ import annotations

import inspect
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
from rich.console import Console

from mcjax import api
from mcjax.cli.survey import run_survey
from mcjax.engine.engine import Report
from mcjax.engine.outcome import Tally
from mcjax.engine.processes import exchange, first_alone
from mcjax.errors import InputError, did_you_mean, naming
from mcjax.families.registry import FAMILIES
from mcjax.laws.prediction import Predictions
from mcjax.laws.user import law_from_file
from mcjax.report.dataset import dataset, netcdf
from mcjax.report.progress import Progress
from mcjax.report.store import Store, identity
from mcjax.report.tables import show_predictions, show_verification, table_console
from mcjax.report.text import strict_json
from mcjax.report.verification import verification_json
from mcjax.study.load import builtin_file, builtin_study, load_study, load_survey
from mcjax.verdicts.judge import judge

SAVE_EVERY, SAVE_SHARE = 1.0, 0.05
"""What has been found is saved every so many seconds, and in no more than this share of them."""


def run_predict(file: Path, as_json: bool, laws: tuple[Path, ...]) -> None:
    """``mcjax predict``"""
    study = load_study(file)
    predictions = api.predict(study, dict(map(law_from_file, laws)))
    if not as_json:
        show_predictions(table_console(), study, predictions)
        return
    objects = [
        _prediction_json(condition.network.models, prediction)
        for condition, prediction in zip(study.conditions, predictions, strict=True)
    ]
    if len(objects) == 1:
        click.echo(strict_json(objects[0]))
    else:
        names = [condition.name for condition in study.conditions]
        click.echo(strict_json({"conditions": dict(zip(names, objects, strict=True))}))


def _prediction_json(models: tuple[str, ...], predictions: Predictions) -> dict[str, Any]:
    return {
        "models": models,
        "laws": {
            name: {
                "mse": law.mse,
                "standard_error": law.standard_error,
                "growth": law.growth,
                "limit": law.limit,
                **({} if law.mean is None else {"bias": np.linalg.norm(law.mean, axis=-1)}),
                "exact": law.exact,
                "source": law.source,
            }
            for name, law in predictions.laws.items()
        },
        "inapplicable": predictions.inapplicable,
    }


def run_verify(
    file: Path | None,
    as_json: bool,
    out: Path | None,
    theory: Path | None,
    chains: int | None,
    quiet: bool,
    without: str | None = None,
    laws: tuple[Path, ...] = (),
    until_decided: bool = False,
) -> str:
    """``mcjax verify``; returns the verdict."""
    if file is not None and (survey := load_survey(file)) is not None:
        if theory is not None:
            raise InputError("--theory", "is for a study; a survey has --without")
        if until_decided:
            raise InputError("--until-decided", "is for a study, and this is a survey")
        if jax.process_count() > 1:
            raise InputError("--distributed", "is for a study, and this is a survey")
        if laws:
            raise InputError("--law", "is for a study; a survey is judged by the collapse law")
        survey = survey if chains is None else replace(survey, chains=chains)
        return run_survey(survey, as_json, out, without, quiet)
    if without is not None:
        raise InputError("--without", "is for a survey; a study has --theory")
    study = builtin_study() if file is None else load_study(file)
    if chains is not None:
        study = replace(study, chains=chains)
    judged_by = study
    if theory is not None:
        with naming(theory):
            judged_by = api.theory_for(study, load_study(theory))
    predictions = api.predict(judged_by, dict(map(law_from_file, laws)))
    if len(set(exchange(identity(study)))) > 1:
        raise InputError("--distributed", "has processes with different studies; give all the same")
    first = jax.process_index() == 0  # it alone reads, writes and speaks
    quiet = quiet or not first
    store: Store | None = None

    def open_store() -> list[Tally] | None:
        nonlocal store
        store = None if out is None else Store(out, study, file or builtin_file("study"))
        return None if store is None else store.load()

    known = first_alone(open_store)
    done = 0 if known is None else sum(min(t.chains, study.chains) for t in known)
    total = study.chains * len(study.conditions)
    began = time.monotonic()
    console = Console(stderr=True)
    with Progress(console, total, done, quiet) as progress:
        report = _reporting(store, progress)
        if until_decided:
            verification, tallies = api.verify_until_decided(study, predictions, known, report)
        else:
            tallies = api.simulate(study, known, report)
            verification = judge(study, predictions, [tally.outcome for tally in tallies])
    seconds = time.monotonic() - began
    if store is not None:
        store.save(tallies)
        command = shlex.join(["mcjax", *sys.argv[1:]])
        text = (file or builtin_file("study")).read_text(encoding="utf-8")
        about = {"command": command, "file": text, "environment": store.environment}
        from mcjax.figures.page import pages  # matplotlib is heavy, and for --out alone

        labelled = dataset(
            study,
            predictions,
            [tally.outcome for tally in tallies],
            verification,
            {
                "command": command,
                "study_file": text,
                "started": store.environment["started"],
                "wall_seconds": seconds,
            },
        )
        store.finish(
            verification,
            pages(study, predictions, verification, seconds, about)
            | {"results.nc": netcdf(labelled)},
        )
    if first and as_json:
        click.echo(strict_json(verification_json(study, verification)))
    elif first:
        show_verification(table_console(), study, predictions, verification, seconds)
    return verification.verdict


def _reporting(store: Store | None, progress: Progress) -> Report:
    """Progress after every chunk, and from time to time what has been found so far."""
    following = time.monotonic() + SAVE_EVERY

    def report(lanes: int, current: Any) -> None:
        nonlocal following
        progress.advance(lanes)
        began = time.monotonic()
        if store is not None and began > following:
            store.save(current())
            ended = time.monotonic()
            following = ended + max(SAVE_EVERY, (ended - began) / SAVE_SHARE)

    return report


def run_families(as_json: bool) -> None:
    """``mcjax families``"""
    described: dict[str, dict[str, Any]] = {
        name: {
            "summary": (inspect.getdoc(make) or "").split("\n\n")[0].replace("\n", " "),
            "parameters": {
                key: None if p.default is inspect.Parameter.empty else p.default
                for key, p in inspect.signature(make).parameters.items()
            },
        }
        for name, make in FAMILIES.items()
    }
    if as_json:
        click.echo(strict_json(described))
        return
    for name, about in described.items():
        click.echo(f"{name}: {about['summary']}")
        for key, default in about["parameters"].items():
            click.echo(f"    {key} = {default!r}")
    click.echo("Your own: file = 'my_family.py', with loss(theta, x, y) and sample(key, theta, x).")


def run_figures(names: tuple[str, ...], out: Path, chains: int | None) -> None:
    """``mcjax figures``"""
    from mcjax.figures.catalogue import FIGURES

    for name in names:
        if name not in FIGURES:
            hint = did_you_mean(name, FIGURES)
            raise InputError("figures", f"{name!r} is not one of {', '.join(FIGURES)}{hint}")
    for name in names or tuple(FIGURES):
        click.echo(f"drawing {name}", err=True)
        for path in FIGURES[name](out, chains):
            click.echo(path)
