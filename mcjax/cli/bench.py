"""Define ``mcjax bench``."""

from __future__ import annotations

from pathlib import Path

import click

from mcjax.cli.start import start_jax
from mcjax.errors import InputError

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--out", type=PATH, help="Also write the JSON object to this file.")
@click.option("--quick", is_flag=True, help="Four families at one size, in half a minute.")
@click.option(
    "--compare",
    type=PATH,
    nargs=2,
    metavar="A B",
    help="Measure nothing; show how fast B is beside A, two files that --out wrote.",
)
def bench(as_json: bool, out: Path | None, quick: bool, compare: tuple[Path, Path] | None) -> None:
    """Measure how fast chains run on this machine.

    Shows fits a second by family and size, what compilation takes, and which share that is of what
    the machine's arithmetic and memory allow.
    """
    if compare is not None:
        if quick or out is not None:
            option = "--quick" if quick else "--out"
            raise InputError(option, "does nothing with --compare; leave one out")
        from mcjax.bench.records import compare_files

        compare_files(*compare, as_json)
        return
    if out is not None:
        from mcjax.bench.records import check_place

        check_place(out)
    start_jax()
    from mcjax.bench.run import run_bench

    run_bench(as_json, out, quick)
