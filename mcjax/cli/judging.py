"""Define ``mcjax judge``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcjax.cli.status import EXIT

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=PATH, required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--law",
    "laws",
    multiple=True,
    metavar="WORKFLOW=LAW",
    help="Law of a workflow: replace, accumulate or subsample, with the share of fresh real data"
    " after a colon, as in replace:0.25; may be repeated. Without it: that of its name.",
)
@click.option(
    "--study",
    type=PATH,
    help="Workflows that are models of this study are judged by its first-order law.",
)
@click.option(
    "--pair",
    type=click.Choice(["common", "own"]),
    default="common",
    show_default=True,
    help="Whether workflows share one L0 and V, or each has its own.",
)
@click.option(
    "--first",
    type=int,
    default=1,
    show_default=True,
    help="Generation of the first fit, which is of real data.",
)
@click.option(
    "--tolerance",
    type=float,
    default=0.2,
    show_default=True,
    help="Largest departure of a law that holds, as a share of the variation that it explains.",
)
@click.option(
    "--confidence",
    type=float,
    default=0.99,
    show_default=True,
    help="Probability that no claim has a wrong verdict.",
)
@click.option("--out", type=PATH, help="Keep a figure of the losses in this folder.")
def judge(file: Path | None, **options: Any) -> int:
    """Judge logged losses by the laws of how errors add up.

    FILE is a table with the columns generation, workflow, loss and, if there are several, seed, in
    CSV or in JSON records. It defaults to a built-in table from public model cards.

    Exit status: 0 verified, 1 refuted, 2 bad input, 3 inconclusive.
    """
    from mcjax.cli.judge import run_judge

    return EXIT[run_judge(file, **options)]
