"""Tables of losses, from files and from Python."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from mcjax.arguments import checked
from mcjax.errors import InputError, did_you_mean, naming
from mcjax.files import read_text
from mcjax.numbers import how_many, in_text, whole
from mcjax.summaries import Summarised, Summary, few

COLUMNS = {
    "generation": ("generation", "iteration"),
    "workflow": ("workflow", "model"),
    "seed": ("seed",),
    "loss": ("loss",),
}
"""Names that the header may give to each column; seed may be missing."""
LATEST = 100_000
"""Largest generation."""
LARGEST = 1e100
"""Largest loss, so that squares are finite."""
DELIMITERS = ",;\t"
DECIMAL_COMMA = re.compile(r"([-+]?\d*),(\d+(?:[eE][-+]?\d+)?)")
"""A number with a decimal comma, in a table that has another delimiter."""
BUILTIN = Path(__file__).with_name("kazdan2024.csv")
"""Losses of a model of two billion parameters, from public model cards (Kazdan et al. 2024)."""


class Row(NamedTuple):
    """A loss, with its place in what was read."""

    place: str
    generation: int
    workflow: str
    seed: str | None
    loss: float


class Cells(NamedTuple):
    """Cells of a row by column, its place, and True if it has a decimal comma."""

    place: str
    record: Mapping[str, Any]
    comma: bool = False


class Losses(Summarised):
    """Evaluation losses by generation and workflow.

    Parameters
    ----------
    generation : sequence of int
        The generation of each row.
    workflow : sequence of str
        What was trained: a workflow, or a model.
    loss : sequence of float
        The evaluation loss.
    seed : sequence, optional
        What tells rows of one generation and workflow apart. Without it they are repetitions.

    Attributes
    ----------
    rows : dict of str to pair of ndarray
        Generations and losses of each workflow, in the order of the rows.
    seeds : dict of str to list
        Seeds of the same rows, None where there is none.
    commas : int
        How many rows of a file had a decimal comma.

    Raises
    ------
    InputError
        If a generation is no whole number, a loss is not finite, or a row occurs twice.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Losses([1, 2, 3], ["replace"] * 3, [0.51, 0.62, 0.70])
    Losses: 3 rows of 1 workflow
      replace  3 rows, generations 1 to 3
    """

    rows: dict[str, tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]]
    seeds: dict[str, list[str | None]]
    commas: int

    def __init__(
        self,
        generation: Sequence[int],
        workflow: Sequence[str],
        loss: Sequence[float],
        seed: Sequence[Any] | None = None,
    ):
        columns = {"generation": generation, "workflow": workflow, "loss": loss}
        columns |= {} if seed is None else {"seed": seed}
        lengths = {name: len(column) for name, column in columns.items()}
        for name, length in lengths.items():
            if length != lengths["generation"]:
                problem = f"has {length} entries; give {lengths['generation']}, as generation has"
                raise InputError(name, problem)
        entries = zip(*columns.values(), strict=True)
        self._hold(
            Cells(f"row {k}", dict(zip(columns, entry, strict=True)))
            for k, entry in enumerate(entries)
        )

    def _hold(self, given: Iterable[Cells]) -> None:
        cells = list(given)
        self.commas = sum(each.comma for each in cells)
        found = _by_workflow(_row(each.place, each.record) for each in cells)
        self.rows = {
            name: (np.array([row.generation for row in own]), np.array([row.loss for row in own]))
            for name, own in found.items()
        }
        self.seeds = {name: [row.seed for row in own] for name, own in found.items()}

    def _summary(self) -> Summary:
        total = sum(len(t) for t, _ in self.rows.values())
        title = f"Losses: {how_many(total, 'row')} of {how_many(len(self.rows), 'workflow')}"
        rows = (
            (name, f"{how_many(len(t), 'row')}, generations {t.min()} to {t.max()}")
            for name, (t, _) in self.rows.items()
        )
        return Summary(title, rows, len(self.rows), "workflow")

    def described(self) -> str:
        """Return in one line what was read."""
        total = sum(len(t) for t, _ in self.rows.values())
        every = np.concatenate([t for t, _ in self.rows.values()])
        names = few(self.rows, len(self.rows))
        told = f"{how_many(total, 'row')} of {names}, generations {every.min()} to {every.max()}"
        return f"{told}, {self.commas:,} with a decimal comma" if self.commas else told


@checked
def read_losses(path: str | Path) -> Losses:
    """Read losses from a file: CSV with a header, or records in JSON.

    Parameters
    ----------
    path : str or path
        The file. Its columns, or the keys of its records, are ``generation`` (or ``iteration``),
        ``workflow`` (or ``model``), ``loss`` and, if there is one, ``seed``, in upper or lower
        case; others are not read. Cells are separated by commas, semicolons or tabs; beside the
        latter two a loss may have a decimal comma. JSON is a list of records, or one record a line.

    Returns
    -------
    Losses
        The losses.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has a row that is wrong.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.logs.table import BUILTIN
    >>> mcjax.read_losses(BUILTIN)
    Losses: 35 rows of 3 workflows
      replace     13 rows, generations 3 to 20
      accumulate  12 rows, generations 3 to 18
      subsample   10 rows, generations 3 to 20
    """
    with naming(path):
        text = read_text(Path(path)).lstrip()
        records = _json_records(text) if text.startswith(("[", "{")) else _csv_records(text)
        losses = object.__new__(Losses)
        losses._hold(records)
        return losses


def _csv_records(text: str) -> Iterator[Cells]:
    """Yield the rows of a CSV table, by the names of columns."""
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(lines, [])]
        columns = _columns(names, "column")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"line {lines.line_num}"
            if len(cells) != len(names):
                problem = f"has {how_many(len(cells), 'cell')}; give {len(names)}, as the header"
                comma = ", and no decimal commas" if delimiter == "," else ""
                raise InputError(place, problem + comma)
            record = {name: cells[names.index(own)].strip() for name, own in columns.items()}
            number = DECIMAL_COMMA.fullmatch(record["loss"])
            if number:
                record["loss"] = ".".join(number.groups())
            yield Cells(place, record, comma=number is not None)
    except csv.Error as error:
        raise InputError(f"line {lines.line_num}", f"is no CSV ({error}); correct it") from error


def _json_records(text: str) -> Iterator[Cells]:
    """Yield the records of a list, or of lines."""
    by_lines = text.startswith("{")
    try:
        if by_lines:
            lines = [(k, line) for k, line in enumerate(text.split("\n"), 1) if line.strip()]
            records = [(f"line {k}", json.loads(line)) for k, line in lines]
        else:
            records = [(f"record {k}", each) for k, each in enumerate(json.loads(text), 1)]
    except (ValueError, RecursionError) as error:
        what = "JSON records, one a line" if by_lines else "a list of JSON records"
        raise InputError("", f"is not {what} ({error}); correct it, or give CSV") from error
    for place, record in records:
        if not isinstance(record, dict):
            problem = 'is not a record; write {"generation": 1, "workflow": ..., "loss": ...}'
            raise InputError(place, problem)
        try:
            columns = _columns(list(record), "key")
        except InputError as error:
            raise InputError(f"{place}: {error.field}", error.message) from error
        yield Cells(place, {name: record[own] for name, own in columns.items()})


def _columns(names: Sequence[str], noun: str) -> dict[str, str]:
    """Return the name that a file gives to each column.

    Raises
    ------
    InputError
        If one is missing or given twice.
    """
    found = {}
    for column, choices in COLUMNS.items():
        given = [name for name in names if name.lower() in choices]
        if len(given) > 1:
            problem = f"is given twice, as {' and '.join(given)}; keep one"
            raise InputError(f"{noun} {column!r}", problem)
        if given:
            found[column] = given[0]
        elif column != "seed":
            hint = did_you_mean(column, names) or f"; there are {', '.join(names) or 'none'}"
            problem = f"is missing{hint}; give generation, workflow and loss"
            raise InputError(f"{noun} {column!r}", problem)
    return found


def _row(place: str, record: Mapping[str, Any]) -> Row:
    """Return the row that a record holds.

    Raises
    ------
    InputError
        If an entry is wrong.
    """

    def wrong(column: str, problem: str) -> InputError:
        return InputError(f"{place}, {column}", problem)

    generation = whole(in_text(record["generation"]))
    if not isinstance(generation, int) or isinstance(generation, bool):
        raise wrong("generation", f"is {_told(record['generation'])}; give a whole number")
    if not 0 <= generation <= LATEST:
        raise wrong("generation", f"is {generation}; give a number from 0 to {LATEST:,}")
    workflow = record["workflow"]
    if not isinstance(workflow, str) or not workflow:
        raise wrong("workflow", f"is {_told(workflow)}; give a name, such as replace")
    loss = in_text(record["loss"])
    try:
        value = math.nan if isinstance(loss, bool | str) else float(loss)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not abs(value) <= LARGEST:
        problem = f"is {_told(record['loss'])}; give a finite number, or leave the row out"
        raise wrong("loss", problem)
    seed = record.get("seed")
    told = None if seed in (None, "") else str(seed)
    return Row(place, generation, workflow, seed=told, loss=value)


def _told(value: Any) -> str:
    """Return a value for a sentence, as the file gives it."""
    return "null" if value is None else repr(value)


def _by_workflow(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the rows of each workflow.

    Raises
    ------
    InputError
        If there are no rows, if a row occurs twice, or if all do.
    """
    rows = list(rows)
    _check_repeated(rows)
    found: dict[str, list[Row]] = {}
    seen: dict[tuple[str, int, str], str] = {}
    for row in rows:
        if row.seed is not None:
            key = (row.workflow, row.generation, row.seed)
            if key in seen:
                problem = f"repeats workflow, generation and seed of {seen[key]}; keep one of them"
                raise InputError(row.place, problem)
            seen[key] = row.place
        found.setdefault(row.workflow, []).append(row)
    if not found:
        raise InputError("", "has no rows; give generation, workflow and loss of each evaluation")
    return found


def _check_repeated(rows: Sequence[Row]) -> None:
    """Raise InputError if no row has a seed, and every one has a copy.

    Single copies may be repetitions that were rounded to the same loss.
    """
    first: dict[tuple[str, int, float], Row] = {}
    copies: dict[tuple[str, int, float], Row] = {}
    for row in rows:
        key = (row.workflow, row.generation, row.loss)
        (copies if key in first else first).setdefault(key, row)
    if rows and all(row.seed is None for row in rows) and len(copies) == len(first):
        key, copy = next(iter(copies.items()))
        problem = f"repeats {first[key].place}, and every other row is repeated as well; keep one"
        raise InputError(copy.place, f"{problem} of each, or give seeds that tell them apart")
