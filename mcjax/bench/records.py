"""Results of ``mcjax bench``: as a table, in a file, and two of them side by side."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from mcjax.bench.measure import Case, Result
from mcjax.errors import InputError, naming
from mcjax.files import read_text
from mcjax.report.console import PLAIN, numbers, show_table, table_console
from mcjax.text import number, shown, strict_json


class Record(msgspec.Struct, frozen=True):
    """The measurements of one machine.

    Attributes
    ----------
    device : str
        What JAX calls the device.
    machine : dict
        Versions, processor, number of devices, the day, and rates of matrix products.
    quick : bool
        Whether the measurement was short.
    results : list of Result
        One for each case.
    """

    device: str
    machine: dict[str, Any]
    quick: bool
    results: list[Result]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return dict(msgspec.to_builtins(self))

    @property
    def hardware(self) -> str:
        """Return one line that says what the machine is."""
        of = self.machine
        count, processor = of.get("devices", 1), of.get("processor", "")
        what = f"{count} x {self.device}" + (f" ({processor})" if processor else "")
        version = of.get("versions", {}).get("jaxlib", "?")
        return shown(f"{what}, {of.get('cores')} cores, jaxlib {version}, {of.get('date')}")


def check_place(path: Path) -> None:
    """Raise an InputError if a file cannot be written, before anything is measured."""
    folder = path.parent
    if path.is_dir():
        raise InputError("--out", f"{path} is a directory; name a file")
    if not folder.is_dir():
        raise InputError("--out", f"{folder} is no directory; make it, or name another file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise InputError("--out", f"{path} cannot be written; name another file")


def write_record(path: Path, record: Record) -> None:
    """Write results to a file as JSON."""
    path.write_text(strict_json(record.to_json()) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """Return the results in a file.

    Raises
    ------
    InputError
        If it holds none.
    """
    with naming(path):
        try:
            return msgspec.json.decode(read_text(path), type=Record)
        except msgspec.MsgspecError as error:
            problem = f"is no result of `mcjax bench --out` ({error}); name one"
            raise InputError("", problem) from error


def show_record(record: Record) -> None:
    """Print results as a table."""
    console = table_console()
    console.print(record.hardware, markup=False)
    rates = [record.machine.get(f"product_rate_{dtype}") for dtype in ("float32", "float64")]
    products = " and ".join(number(None if rate is None else rate / 1e9, 3) for rate in rates)
    console.print(f"Matrix products: {products} GFLOP/s in single and double precision.")
    sizes, speeds = ("p", "rows", "models", "devices"), ("fits/s", "µs a fit", "chains alone")
    headings = (*sizes, *speeds, "of bound", "compile s")
    table = Table("family", *map(numbers, headings), "bound by", numbers("converged"), **PLAIN)
    for one in record.results:
        table.add_row(
            one.family,
            *map(str, (one.p, one.rows, one.models, one.devices)),
            f"{one.fits_per_second:,.0f}",
            number(one.microseconds, 3),
            number(one.chains_microseconds, 3),
            f"{one.bound_share:.1%}",
            number(one.compile_seconds, 2),
            one.bound_by,
            f"{one.converged:.2%}",
        )
    show_table(console, table)


def compare_files(first: Path, second: Path, as_json: bool) -> None:
    """Print how fast the machine of the second file is beside that of the first.

    Raises
    ------
    InputError
        If a file holds no results, or the two have no case in common.
    """
    records = read_record(first), read_record(second)
    before, after = ({_case(one): one for one in record.results} for record in records)
    shared = [case for case in before if case in after]
    if not shared:
        raise InputError("--compare", f"{first} and {second} have no case in common; name others")
    rows = [
        {
            **case._asdict(),
            "fits_per_second": [each[case].fits_per_second for each in (before, after)],
            "speed_ratio": after[case].fits_per_second / before[case].fits_per_second,
            "compile_seconds": [each[case].compile_seconds for each in (before, after)],
        }
        for case in shared
    ]
    if as_json:
        machines = [{"device": record.device, "machine": record.machine} for record in records]
        click.echo(strict_json({"machines": machines, "results": rows}))
        return
    console = table_console()
    for letter, record in zip("AB", records, strict=True):
        console.print(f"{letter}: {record.hardware}", markup=False)
    headings = ("p", "rows", "models", "devices", "A fits/s", "B fits/s", "B / A")
    table = Table("family", *map(numbers, headings), **PLAIN)
    for case, row in zip(shared, rows, strict=True):
        rates = (f"{rate:,.0f}" for rate in row["fits_per_second"])
        sizes = map(str, case[1:])
        table.add_row(shown(case.family), *sizes, *rates, number(row["speed_ratio"], 3))
    show_table(console, table)


def _case(result: Result) -> Case:
    return Case(*(getattr(result, name) for name in Case._fields))
