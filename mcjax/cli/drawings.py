"""Define the commands that draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcjax.cli.start import start_jax
from mcjax.cli.status import FAULT

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--out",
    type=PATH,
    default=Path("figures"),
    show_default=True,
    help="Folder for PDF, PNG and data.",
)
@click.option(
    "--chains", type=click.IntRange(min=64), help="Number of chains, in place of the figure's."
)
def figures(names: tuple[str, ...], out: Path, chains: int | None) -> int:
    """Draw figures as PDF and PNG.

    Draws the figures NAMES, or all, and keeps the data of each beside it.
    """
    start_jax()
    from mcjax.cli.commands import run_figures

    return 0 if run_figures(names, out, chains) else FAULT


@click.command()
@click.argument("folder", metavar="RESULTS", type=PATH)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    help="errors, ratios, verdicts, ladder, network or power; may be repeated. Without it: the"
    " first three, and ladder if there is one.",
)
@click.option("--condition", help="Name of a condition or of a ladder, in place of all.")
@click.option("--quantity", default="mse", show_default=True, help="The quantity that is plotted.")
@click.option("--law", help="The law that is plotted, in place of the first.")
@click.option("--width", type=float, default=7.0, show_default=True, help="Width in inches.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(["pdf", "png", "svg"]),
    multiple=True,
    default=("pdf", "png"),
    show_default=True,
    help="Format of the figures; may be repeated.",
)
@click.option("--file", type=PATH, help="Study file, if it has moved; for network and power.")
@click.option("--style", type=PATH, help="A Matplotlib style file.")
@click.option(
    "--out", type=PATH, default=Path("plots"), show_default=True, help="Folder for the figures."
)
def plot(folder: Path, **options: Any) -> None:
    """Draw the results of a study.

    RESULTS is a folder that verify --out kept. Draws a figure of each kind, and keeps its data
    beside it.
    """
    start_jax()
    from mcjax.cli.plot import run_plot

    run_plot(folder, **options)
