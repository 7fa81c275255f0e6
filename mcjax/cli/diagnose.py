"""Run ``mcjax diagnose``. Does not import JAX, unless the diagnosis depends on the model."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import click

from mcjax.diagnosis import diagnose_file
from mcjax.network.groups import grouped
from mcjax.own_files import check_own, write_own
from mcjax.report.diagnosis import show_diagnosis
from mcjax.report.diagnosis_page import MARK, Drawn, kind_of, sketch_lines
from mcjax.study.pipeline import read_pipeline
from mcjax.text import shown, strict_json

OUT = "--out"
COMMAND = "mcjax diagnose"


def run_diagnose(file: Path, as_json: bool, out: Path | None) -> None:
    """Print the diagnosis of the network in a file, and draw it.

    Parameters
    ----------
    file : Path
        The file.
    as_json : bool
        Whether to print an object.
    out : Path or None
        Where to draw it.

    Raises
    ------
    InputError
        If the file has no valid network, or nothing can be drawn there.
    """
    notes: list[str] = []

    def tell(note: str) -> None:
        click.echo(f"read: {note}", err=True)
        notes.append(note)

    if out is not None:
        draw = kind_of(out)
        check_own(out, MARK.rstrip(), OUT, COMMAND)
    diagnosis = diagnose_file(file, tell)
    found = read_pipeline(file)
    net = grouped(found.network, found.groups)
    words = io.StringIO()
    with redirect_stdout(words):
        show_diagnosis(diagnosis)
    if as_json:
        click.echo(strict_json({"read": notes[0], **diagnosis.to_json()}))
    else:
        show_diagnosis(diagnosis)
        click.echo()
        for line in sketch_lines(net, diagnosis):
            click.echo(line)
    if out is not None:
        write_own(out, draw(Drawn(net, diagnosis, words.getvalue(), notes[0])), OUT, COMMAND)
        click.echo(f"drawn: {shown(str(out))}", err=True)
