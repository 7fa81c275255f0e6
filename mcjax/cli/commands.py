"""Run ``mcjax predict``, ``mcjax laws``, ``mcjax families`` and ``mcjax figures``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click
import numpy as np

from mcjax import api
from mcjax.cli.output import prints_aside
from mcjax.errors import InputError, did_you_mean
from mcjax.laws.predict import applicability
from mcjax.laws.prediction import Prediction, Predictions
from mcjax.laws.registry import SHOWN
from mcjax.laws.user import laws_from_files
from mcjax.laws.validity import ACCURATE, Validity
from mcjax.models.registry import FAMILIES
from mcjax.progress import shows_work
from mcjax.report.console import table_console
from mcjax.report.laws import laws_json, show_laws
from mcjax.report.predictions import show_predictions
from mcjax.study.load import load_study
from mcjax.study.real_data import read_of
from mcjax.study.study import Condition
from mcjax.text import shown, strict_json


def run_predict(file: Path, as_json: bool, laws: tuple[Path, ...]) -> None:
    """Print what the laws predict for the study in a file."""
    with prints_aside(as_json), shows_work():
        study = load_study(file)
        predictions = api.predict(study, [*laws_from_files(laws), *SHOWN])
    read = read_of(study.conditions)
    if read:
        click.echo(f"read: {shown(read)}", err=True)
    told = {"read": read} if read else {}
    if not as_json:
        show_predictions(table_console(), study, predictions)
        return
    objects = [
        _prediction_json(condition, prediction, study.tolerance)
        for condition, prediction in zip(study.conditions, predictions, strict=True)
    ]
    if len(objects) == 1:
        click.echo(strict_json(told | objects[0]))
    else:
        names = [condition.name for condition in study.conditions]
        click.echo(strict_json(told | {"conditions": dict(zip(names, objects, strict=True))}))


def _prediction_json(
    condition: Condition, predictions: Predictions, tolerance: float
) -> dict[str, Any]:
    laws: dict[str, dict[str, Any]] = {
        name: {
            "mse": law.mse,
            "standard_error": law.standard_error,
            "growth": law.growth,
            "limit": law.limit,
            **({} if law.mean is None else {"bias": np.linalg.norm(law.mean, axis=-1)}),
            **_small_samples_json(law),
            "centre": condition.theta + law.centre_errors,
            "spread": np.trace(law.own_covariances, axis1=-2, axis2=-1),
            "mse_complete": law.mse_complete,
            "exact": law.exact,
            "source": law.reference,
            **({} if law.validity is None else _validity_json(law.validity, tolerance)),
        }
        for name, law in predictions.laws.items()
    }
    for name, predicted in predictions.functionals.items():
        # a law of functionals alone predicts no errors
        missing = np.full_like(next(iter(predicted.values.values())), np.nan)
        errors = {key: missing for key in ("mse", "standard_error")}
        errors |= {key: missing[0] for key in ("growth", "limit")}
        own = {"exact": predicted.exact, "source": predicted.reference}
        law = laws.setdefault(name, errors | own)
        law["functionals"] = dict(predicted.values)
    models = condition.network.models
    return {"models": models, "laws": laws, "inapplicable": predictions.inapplicable}


def _small_samples_json(law: Prediction) -> dict[str, Any]:
    known = law.small_samples
    return {} if isinstance(known, str) else {"small_sample_bias": known.mean}


def _validity_json(validity: Validity, tolerance: float) -> dict[str, Any]:
    radii = validity.radii()
    return {
        "radius": None if radii is None else radii._asdict(),
        "judged": validity.judged,
        "indicator": validity.indicator,
        "leverage": validity.leverage,
        "note": validity.note,
        "accurate_from": validity.accurate_from(tolerance),
        "accurate_to": {f"{to:g}": validity.accurate_from(to) for to in ACCURATE},
    }


def run_laws(file: Path | None, as_json: bool) -> None:
    """List the built-in laws, with the conditions of a study file if one is given."""
    with prints_aside(as_json):
        conditions = () if file is None else load_study(file).conditions
    names = [condition.name for condition in conditions]
    applicable = applicability(conditions)
    if as_json:
        click.echo(strict_json(laws_json(names, applicable)))
    else:
        show_laws(table_console(), names, applicable)


def run_families(as_json: bool) -> None:
    """Print the families that a study can name, with their parameters."""
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
    click.echo(
        "A family of your own: file = 'my_family.py', with loss(theta, x, y) and"
        " sample(key, theta, x).\n"
        "Models that are fitted by minimising a loss also take penalty = { ridge = 0.1 }; logistic,"
        " poisson and linear also take penalty = 'firth'."
    )


def run_figures(names: tuple[str, ...], out: Path, chains: int | None) -> bool:
    """Draw figures and print the paths of their files; return whether all were drawn.

    A figure that fails does not stop the others.

    Raises
    ------
    InputError
        If a figure does not exist, or if its files would replace someone else's. Nothing is drawn
        then.
    """
    from mcjax.figures.catalogue import FIGURES
    from mcjax.figures.files import make_folder, refuse_foreign

    for name in names:
        if name not in FIGURES:
            hint = did_you_mean(name, FIGURES)
            raise InputError("figures", f"{name!r} is not one of {', '.join(FIGURES)}{hint}")
    chosen = tuple(dict.fromkeys(names)) or tuple(FIGURES)
    for name in chosen:
        refuse_foreign(out, name)
    make_folder(out)
    drawn = True
    for name in chosen:
        click.echo(f"drawing {name}", err=True)
        try:
            paths = FIGURES[name](out, chains)
        except InputError:
            raise
        except Exception as error:  # it does not concern the other figures
            drawn = False
            reason = shown(f"{type(error).__name__}: {error}")
            click.echo(f"mcjax: the figure {name} was not drawn: {reason}", err=True)
            continue
        for path in paths:
            click.echo(shown(str(path)))
    return drawn
