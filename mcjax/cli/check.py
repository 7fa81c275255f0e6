"""Run ``mcjax check``: a user's own code, before it is simulated."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from mcjax.checks.case import cases_of
from mcjax.checks.registry import Result, results_of
from mcjax.cli.output import prints_aside
from mcjax.errors import InputError, naming
from mcjax.generators.load import load_generators
from mcjax.generators.simulate import measures_of
from mcjax.generators.study import GeneratorStudy
from mcjax.laws.predict import apply_law
from mcjax.laws.registry import further_laws
from mcjax.laws.user import CheckedLaw, laws_from_files
from mcjax.models.user import model_from_file, run_file
from mcjax.network import topologies
from mcjax.numbers import how_many
from mcjax.study.load import load_study
from mcjax.study.study import Study, condition
from mcjax.text import shown, strict_json

ROWS = 1 << 20
"""Rows of the fits of a model that is checked by itself, which no check depends on."""


def run_check(file: Path, theta: str | None, laws: tuple[Path, ...], as_json: bool) -> bool:
    """Print what checks say of the code that a study or a Python file uses.

    Returns
    -------
    bool
        Whether all checks passed.
    """
    results = []
    with prints_aside(as_json):
        for result in _results(file, theta, laws):
            results.append(result)
            if not as_json:
                mark = "passed" if result.passed else "FAILED"
                click.echo(f"{mark}  {shown(f'{result.name}: {result.message}')}")
    if as_json:
        click.echo(strict_json({"checks": [result._asdict() for result in results]}))
    failed = [result.name for result in results if not result.passed]
    if failed:
        counted = f"{len(failed)} of {how_many(len(results), 'check')} failed: {', '.join(failed)}"
        click.echo(f"mcjax: {shown(f'{file}: {counted}')}", err=True)
    return not failed


def _results(file: Path, theta: str | None, laws: tuple[Path, ...]) -> Iterator[Result]:
    """Yield what each check says, as soon as it does."""
    try:
        generators = load_generators(file) if file.suffix != ".py" else None
        if generators is not None:
            yield from _of_generators(generators, theta)
            return
        study = _study(file, theta)
        own = further_laws(laws_from_files(laws))
    except InputError as error:
        if error.field.startswith("--") or not file.is_file():
            raise
        yield Result("file", False, str(error))
        return
    count = len(study.conditions)
    studied = f"is a study of {how_many(count, 'condition')}"
    yield Result("file", True, studied if theta is None else "defines a model")
    data = (each.data for each in study.conditions if each.data is not None)
    for note in dict.fromkeys(rows.note for rows in data):
        yield Result("data", True, f"are {note}")
    found = False
    cases = list(cases_of(study))
    for case in cases:
        prefix = f"{case.condition.name}: " if len(cases) > 1 else ""
        for result in results_of(case):
            found = True
            yield result._replace(name=prefix + result.name)
        for name, law in own.items():
            found = True
            try:
                apply_law(CheckedLaw(name, law), case.condition, study.generations)
                yield Result(f"{prefix}law.{name}", True, "gives a prediction, or says why not")
            except InputError as error:
                yield Result(f"{prefix}law.{name}", False, error.message)
    if not found:
        yield Result("model", True, "is built in; nothing of your own is left to check")


def _of_generators(study: GeneratorStudy, theta: str | None) -> Iterator[Result]:
    """Yield what checks say of generators."""
    if theta is not None:
        raise InputError("--theta", "is for statistical models, not for generators; leave it out")
    count = how_many(len(study.conditions), "condition")
    yield Result("file", True, f"is a study of generators, of {count}")
    try:
        names = dict.fromkeys(name for each in measures_of(study) for name in each)
        yield Result("generator", True, f"learns, generates, and measures {', '.join(names)}")
    except InputError as error:
        yield Result("generator", False, str(error))


def _study(file: Path, theta: str | None) -> Study:
    """Return the study in a file, or one of the model that a Python file defines."""
    if file.suffix != ".py":
        if theta is not None:
            problem = "is for code in a file whose name ends in .py; a study gives its own theta"
            raise InputError("--theta", f"{problem}, leave it out")
        with naming(file):
            return load_study(file)
    names = run_file(file)
    takes = [_arguments(names.get(name)) for name in ("loss", "sample")]
    linear = any("eta" in names for names in takes) or all(len(names) == 2 for names in takes)
    model = model_from_file(file, predictor="linear" if linear else None)
    if theta is None:
        raise InputError("--theta", "is missing; give parameters to check at, as in 0.5,-0.5")
    try:
        numbers = [float(part) for part in theta.split(",")]
    except ValueError as error:
        raise InputError("--theta", f"is {theta!r}; give numbers, as in 0.5,-0.5") from error
    net = topologies.self_loop(samples=ROWS, real=ROWS, initial=ROWS)
    with naming(file):
        return Study((condition(net, model, numbers),))


def _arguments(function: object) -> list[str]:
    """Return the names of a function's arguments that have no default."""
    if not inspect.isfunction(function):
        return []
    given = inspect.signature(function).parameters.values()
    return [one.name for one in given if one.default is inspect.Parameter.empty]
