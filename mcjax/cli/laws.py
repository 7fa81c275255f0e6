"""Run ``mcjax laws``: list the laws, and the conditions of a study to which they apply."""

from __future__ import annotations

from pathlib import Path

import click

from mcjax.laws.predict import applicability
from mcjax.report.laws import laws_json, show_laws
from mcjax.report.tables import table_console
from mcjax.report.text import strict_json
from mcjax.study.load import load_study


def run_laws(file: Path | None, as_json: bool) -> None:
    """List the built-in laws, with the conditions of a study file if one is given."""
    conditions = () if file is None else load_study(file).conditions
    names = [condition.name for condition in conditions]
    applicable = applicability(conditions)
    if as_json:
        click.echo(strict_json(laws_json(names, applicable)))
    else:
        show_laws(table_console(), names, applicable)
