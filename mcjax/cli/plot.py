"""Run ``mcjax plot``: draw the results of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.figures.files import make_folder, refuse_foreign
from mcjax.figures.own import KINDS, Wanted, draw_results
from mcjax.numbers import check_between
from mcjax.plot.style_file import read_style
from mcjax.report.tabular import read_results
from mcjax.text import shown

NARROWEST, WIDEST = 2.0, 40.0
"""Widths in inches of figures that can be read and of figures that memory holds."""


def run_plot(
    folder: Path,
    *,
    kinds: Sequence[str],
    condition: str | None,
    quantity: str,
    law: str | None,
    width: float,
    formats: Sequence[str],
    file: Path | None,
    style: Path | None,
    out: Path,
) -> None:
    """Draw figures of the results in a folder, and print the paths of their files.

    Raises
    ------
    InputError
        If there are no such results or kinds, or if files of someone else would be replaced.
        Nothing is drawn then.
    """
    for kind in kinds:
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS)
            raise InputError("--kind", f"{kind!r} is not one of {', '.join(KINDS)}{hint}")
    check_between("--width", width, NARROWEST, WIDEST)
    settings = {} if style is None else read_style(style)
    wanted = Wanted(
        folder=folder,
        results=read_results(folder),
        condition=condition,
        quantity=quantity,
        law=law,
        file=file,
    )
    with naming(folder):
        chosen = tuple(dict.fromkeys(kinds)) or wanted.usual_kinds()
    for kind in chosen:
        refuse_foreign(out, kind, formats)
    with naming(folder):
        sheets = [draw_results(kind, wanted, width, settings) for kind in chosen]
    make_folder(out)
    for sheet in sheets:
        if sheet.note:
            click.echo(f"{sheet.name}: {shown(sheet.note)}", err=True)
        for path in sheet.save(out, tuple(dict.fromkeys(formats))):
            click.echo(shown(str(path)))
