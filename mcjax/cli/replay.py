"""Run ``mcjax replay``: one chain of a study, again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from mcjax.cli.generators import replay_generators
from mcjax.cli.output import prints_aside
from mcjax.errors import InputError, did_you_mean
from mcjax.report.console import table_console
from mcjax.report.generators import show_chain
from mcjax.report.origin import elsewhere, load_again, read_about
from mcjax.report.replay import replay_json, show_replay
from mcjax.study.settings import PathChoice
from mcjax.text import strict_json

MOST_NAMED = 4
"""Largest number of conditions that an error names."""


def run_replay(
    folder: Path,
    condition: str | None,
    chain: str,
    file: Path | None,
    path: PathChoice | None,
    as_json: bool,
) -> None:
    """Replay one chain and print it."""
    try:
        number = int(chain)
    except ValueError as error:
        raise InputError("chain", f"is {chain!r}; give a whole number") from error
    about = read_about(folder)
    show: Callable[..., None] = show_replay
    with prints_aside(as_json):
        if about["generators"]:
            if path is not None:
                raise InputError("--path", "is for statistical models; leave it out")
            choose, show = partial(_chosen, name=condition), show_chain
            replayed = replay_generators(folder, about, file, choose, chain=number)
        else:
            study = load_again(folder, about, file)
            study = study if path is None else replace(study, path=path)
            names = [c.name for c in study.conditions]
            replayed = replay_json(study, _chosen(names, condition), number)
    if difference := elsewhere(about):
        click.echo(f"last digits may differ from the study's: {difference}", err=True)
    if as_json:
        click.echo(strict_json(replayed))
    else:
        show(table_console(), replayed)


def _chosen(names: list[str], name: str | None) -> str:
    """Return the name of the requested condition, or of the only one."""
    if name is None and len(names) == 1:
        return names[0]
    if name is not None and name in names:
        return name
    if len(names) == 1:
        raise InputError("--condition", f"{name!r} is not the study's condition; leave it out")
    fault = "is missing" if name is None else f"{name!r} is not a condition of the study"
    rest = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    known = ", ".join(map(repr, names[:MOST_NAMED])) + rest
    hint = "" if name is None else did_you_mean(name, names)
    raise InputError("--condition", f"{fault}{hint}; name one of {known}")
