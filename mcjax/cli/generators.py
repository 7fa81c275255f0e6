"""Run ``mcjax verify`` and ``mcjax replay`` on studies of generators."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mcjax.cli.output import prints_aside
from mcjax.cli.saving import command_again, reporting
from mcjax.errors import InputError
from mcjax.files import read_text
from mcjax.generators.judge import judge_generators
from mcjax.generators.load import load_generators
from mcjax.generators.simulate import Measured, measures_of, simulate
from mcjax.generators.study import GeneratorStudy
from mcjax.progress import Progress
from mcjax.report.console import table_console
from mcjax.report.generators import (
    GeneratorStore,
    chain_json,
    generators_json,
    show_generators,
)
from mcjax.report.origin import found_again
from mcjax.text import strict_json
from mcjax.verdicts.equivalence import Verdict

Choose = Callable[[list[str]], str]
"""Chooses one of some conditions by name."""


def refuse_laws(options: Mapping[str, object]) -> None:
    """Raise InputError if one of some options is given, which are for statistical models.

    Parameters
    ----------
    options : mapping of str to object
        What was given, by option.
    """
    for option, given in options.items():
        if given:
            problem = "is for statistical models, and these are generators; leave it out"
            raise InputError(option, problem)


def run_generators(
    study: GeneratorStudy,
    file: Path,
    files: Sequence[str],
    *,
    as_json: bool,
    out: Path | None,
    quiet: bool,
) -> Verdict:
    """Simulate the missing chains of a study, judge it, and print and return the verdict."""
    with prints_aside(as_json):
        measures_of(study)  # whatever is wrong is said before a folder is made
        text = read_text(file)
    store = None if out is None else GeneratorStore(out, study, file, files)
    known = None if store is None else store.load()
    began, times = time.monotonic(), study.generations + 1
    total = len(study.conditions) * study.chains * times
    with (
        prints_aside(as_json),
        Progress(
            Console(stderr=True), total, _done(study, known), quiet, what="generations"
        ) as line,
    ):
        report = reporting(None if store is None else store.save, line)
        measured = simulate(study, known, report)
        if store is not None:
            store.save(measured)
        verification = judge_generators(study, measured)
    seconds = time.monotonic() - began
    if store is not None:
        # matplotlib is slow to import, and only --out needs it
        from mcjax.figures.generated import samples_png
        from mcjax.figures.generator_page import generator_pages

        command = command_again(study.chains, min(map(len, verification.values)))
        about = {"command": command, "file": text, "environment": store.environment}
        pictures = samples_png(verification)
        pages = generator_pages(verification, seconds, about=about, pictures=pictures)
        store.finish(verification, pictures, pages)
    if as_json:
        click.echo(strict_json(generators_json(verification)))
    else:
        show_generators(table_console(), verification, seconds)
    return verification.verdict


def _done(study: GeneratorStudy, known: Measured | None) -> int:
    """Return how many generations of chains earlier runs have left."""
    if known is None:
        return 0
    times = study.generations + 1
    ended = [min(len(values), study.chains) for values in known.values]
    running = 0
    if known.running is not None:
        position, block = known.running
        running = min(len(block.values), study.chains - ended[position]) * block.values.shape[1]
    return sum(ended) * times + max(running, 0)


def replay_generators(
    folder: Path, about: dict[str, Any], file: Path | None, choose: Choose, chain: int
) -> dict[str, Any]:
    """Return one chain of the study of generators whose results are in a folder."""

    def load(path: Path, files: Sequence[str]) -> GeneratorStudy:
        study = load_generators(path, files)
        if study is None:
            raise InputError("family", "names no generator any more", str(path))
        return study

    study = found_again(folder, about, file, load=load, identity_of=lambda found: found.identity)
    names = [condition.name for condition in study.conditions]
    return chain_json(study, names.index(choose(names)), chain)
