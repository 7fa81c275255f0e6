"""Run ``mcjax diagnose``. Does not import JAX, unless the diagnosis depends on the model."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click

from mcjax.diagnosis import diagnose_pipeline
from mcjax.diagnosis.asked import Asked
from mcjax.diagnosis.rates import MOST_MODELS
from mcjax.errors import InputError, naming
from mcjax.network.groups import by_owner
from mcjax.numbers import how_many
from mcjax.own_files import check_own, write_own
from mcjax.progress import shows_work
from mcjax.report.diagnosis import show_diagnosis
from mcjax.report.diagnosis_page import MARK, Drawn, kind_of, sketch_lines
from mcjax.study.pipeline import Pipeline, read_pipeline
from mcjax.text import shown

WORST = 20
"""Number of models of a large network that are shown, those that fail worst."""
OUT, ONLY = "--out", "--only"
COMMAND = "mcjax diagnose"
PIECES = 1000
"""Pieces of JSON that are written together."""


def run_diagnose(
    file: Path,
    as_json: bool,
    out: Path | None,
    *,
    only: tuple[str, ...],
    worst: int | None,
    owners: bool,
) -> None:
    """Print the diagnosis of the network in a file, and draw it.

    Parameters
    ----------
    file : Path
        The file.
    as_json : bool
        Whether to print an object.
    out : Path or None
        Where to draw it.
    only : tuple of str
        The models to show; all, or the worst of a large network, if there is none.
    worst : int or None
        Number of models to show, the worst first.
    owners : bool
        Whether the models of an owner, by their names, are one model.

    Raises
    ------
    InputError
        If the file has no valid network, or nothing can be drawn there.
    """
    if out is not None:
        draw = kind_of(out)
        check_own(out, MARK.rstrip(), OUT, COMMAND)
    found = read_pipeline(file)
    if owners:
        with naming(file):
            found = _of_owners(found)
    click.echo(f"read: {found.note}", err=True)
    if not (only or worst or as_json) and len(found.network.models) > MOST_MODELS:
        worst = WORST
    with shows_work():
        net, diagnosis = diagnose_pipeline(found, file, Asked(only or None, worst, ONLY))
    whole = replace(diagnosis, models=diagnosis.every)
    if as_json:
        pieces = diagnosis.json_pieces(found.note)
        while text := "".join(islice(pieces, PIECES)):
            click.echo(text, nl=False)
        click.echo()
    else:
        show_diagnosis(diagnosis)
        click.echo()
        for line in sketch_lines(net, whole):
            click.echo(line)
    if out is not None:
        words = io.StringIO()
        with redirect_stdout(words):
            show_diagnosis(diagnosis)
        write_own(out, draw(Drawn(net, whole, words.getvalue(), found.note)), OUT, COMMAND)
        click.echo(f"drawn: {shown(str(out))}", err=True)


def _of_owners(found: Pipeline) -> Pipeline:
    """Return what was read, with the models of each owner as a group."""
    if found.groups:
        raise InputError("--by-owner", "is for files without groups, and this has some; drop one")
    groups = by_owner(found.network.models)
    return found._replace(groups=groups, note=f"{found.note}, {how_many(len(groups), 'owner')}")
