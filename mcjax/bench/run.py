"""Measure all cases and print them."""

from __future__ import annotations

from pathlib import Path

import click
import jax
from rich.console import Console

from mcjax.bench.machine import describe, product_rate
from mcjax.bench.measure import cases, measure
from mcjax.bench.records import Record, show_record, write_record
from mcjax.progress import Progress
from mcjax.text import strict_json


def run_bench(as_json: bool, out: Path | None, quick: bool) -> None:
    """Measure this machine, print the results, and write them to a file if one is given.

    The file is written after each case, and holds those that are done.
    """
    devices = tuple(jax.local_devices())
    machine = describe()
    machine |= {
        "product_rate_float32": product_rate("float32", devices),
        "product_rate_float64": product_rate("float64", devices),
    }
    todo = cases(quick, len(devices))
    record = Record(device=machine.pop("device"), machine=machine, quick=quick, results=[])
    with Progress(Console(stderr=True, highlight=False), len(todo), what="measurements") as bar:
        for case in todo:
            record.results.append(measure(case, quick))
            if out is not None:
                write_record(out, record)
            bar.advance(1)
    if as_json:
        click.echo(strict_json(record.to_json()))
    else:
        show_record(record)
