"""Studies of generators on disk, as JSON and as tables."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from mcjax.generators.chains import Block, readings
from mcjax.generators.flip import ARRIVAL
from mcjax.generators.growth import DRIFT, GROWTH, first_of_window
from mcjax.generators.judge import GeneratorVerification
from mcjax.generators.simulate import Measured, Running, fitted_of, replay
from mcjax.generators.study import GeneratorCondition, GeneratorStudy, Start
from mcjax.network import REAL
from mcjax.numbers import how_many
from mcjax.report.console import MARK, PLAIN, STYLE, counted, grouped, label, numbers, show_table
from mcjax.report.folder import ResultFolder
from mcjax.report.generated import samples_json, samples_text, show_samples
from mcjax.report.generator_claims import kind_of, measure_of, verdict_of
from mcjax.report.store import source_of
from mcjax.report.tabular import parquet
from mcjax.report.transfer import show_transfers, transfers_json
from mcjax.report.verification import cell_rows
from mcjax.text import number, shown, with_error
from mcjax.verdicts.cells import Cell

VALUES = "measures.npz"
BEGUN_AT: dict[Start, str] = {
    "scratch": "scratch: at init",
    "base": "the base: at the model's parameters of generation 0",
    "own": "their own: at the model's last parameters",
}
"""Where fits start, in words."""


class GeneratorStore:
    """A folder with the measures of one study, and with the parameters of chains that still run.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it does not exist.
    study : GeneratorStudy
        The study.
    file : Path
        The study file.
    files : sequence of str
        Files of the user's that a built-in study takes, as ``NAME=FILE``.

    Raises
    ------
    InputError
        See :class:`mcjax.report.folder.ResultFolder`.
    """

    def __init__(self, folder: Path, study: GeneratorStudy, file: Path, files: Sequence[str] = ()):
        self.study = study
        about = {"generators": study.described(), "source": source_of(file, files)}
        self._folder = ResultFolder(folder, about, study.identity)

    def load(self) -> Measured | None:
        """Load what earlier runs left; None if there is nothing."""
        return self._folder.read_arrays(VALUES, self._unpack)

    def _unpack(self, data: Any) -> Measured:
        size = len(self.study.conditions)
        values = tuple(data[f"{i}/values"] for i in range(size))
        kinds = [_kind(condition) for condition in self.study.conditions]
        shown = tuple(data.get(f"{i}/{kind}") for i, kind in enumerate(kinds))
        if "running/condition" not in data:
            return Measured(values, shown=shown)
        position = int(data["running/condition"])
        condition = self.study.conditions[position]
        structure: Any = jax.tree.structure(fitted_of(condition))

        def params(part: str) -> tuple[Any, ...]:
            return tuple(
                jax.tree.unflatten(
                    structure,
                    [data[f"running/{part}/{i}/{k}"] for k in range(structure.num_leaves)],
                )
                for i in range(condition.network.size)
            )

        own = data["running/values"], data.get(f"running/{kinds[position]}")
        block = Block(params("params"), params("first"), *own)
        return Measured(values, Running(position, block), shown)

    def save(self, measured: Measured) -> None:
        """Keep all measures, and the chains that run; the file before stays until then."""
        arrays = {f"{i}/values": values for i, values in enumerate(measured.values)}
        kinds = [_kind(condition) for condition in self.study.conditions]
        parts = {f"{i}/{kinds[i]}": shown for i, shown in enumerate(measured.shown)}
        if measured.running is not None:
            position, block = measured.running
            parts[f"running/{kinds[position]}"] = block.shown
            arrays |= {"running/condition": np.array(position), "running/values": block.values}
            for part in ("params", "first"):
                for i, params in enumerate(getattr(block, part)):
                    leaves = enumerate(jax.tree.leaves(params))
                    arrays |= {f"running/{part}/{i}/{k}": np.asarray(leaf) for k, leaf in leaves}
        arrays |= {part: shown for part, shown in parts.items() if shown is not None}
        self._folder.write_arrays(VALUES, arrays)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, device and the time at which the run began."""
        return self._folder.environment

    def finish(
        self,
        verification: GeneratorVerification,
        pictures: bytes = b"",
        pages: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the verdicts as JSON, cells and measures as tables, pictures as PNG, and pages."""
        for name, text in (pages or {}).items():
            self._folder.write_text(name, text)
        self._folder.write_json("verification.json", generators_json(verification))
        self._folder.write_csv("cells.csv", cell_rows(verification.cells), ["condition"])
        self._folder.write_bytes("cells.parquet", parquet(verification.cells))
        self._folder.write_csv("measures.csv", list(_rows(verification)), ["condition"])
        if texts := samples_text(verification):
            self._folder.write_text("samples.txt", texts)
        if pictures:
            self._folder.write_bytes("samples.png", pictures)


def _kind(condition: GeneratorCondition) -> str:
    """Return the name of what is kept of what a condition's models generate."""
    return "shown" if condition.generator.expected is None else "expected"


def generators_json(verification: GeneratorVerification) -> dict[str, Any]:
    """Return a judged study of generators as plain data."""
    study = verification.study
    measures: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    for i, (condition, names) in enumerate(
        zip(study.conditions, verification.measures, strict=True)
    ):
        mean, error = verification.mean(i), verification.standard_error(i)
        curve = verification.curve(i)
        curves[condition.name] = {
            model: {name: curve[:, m, k] for k, name in enumerate(names)}
            for m, model in enumerate(condition.network.models)
            if np.isfinite(curve[:, m]).any()
        }
        measures[condition.name] = {
            model: {
                name: {"mean": mean[:, m, k], "standard_error": error[:, m, k]}
                for k, name in enumerate(names)
            }
            for m, model in enumerate(condition.network.models)
        }
    return {
        "cells": [vars(cell) for cell in verification.cells],
        "failures": verification.failures,
        "chains": verification.chains,
        "verdict": verification.verdict,
        "measures": measures,
        "curves": curves,
        "window": {c.name: first_of_window(c, study.generations) for c in study.conditions},
        "differences": [dataclasses.asdict(one) for one in verification.differences],
        "notes": verification.notes,
        "transfers": transfers_json(verification),
        "samples": samples_json(verification),
        "starts": {c.name: c.start for c in study.conditions},
        "generations": study.generations,
        "tolerance": study.tolerance,
        "confidence": study.confidence,
    }


def _rows(verification: GeneratorVerification) -> Iterator[dict[str, Any]]:
    """Yield the mean of every measure of every model in every generation."""
    for i, condition in enumerate(verification.study.conditions):
        mean, error = verification.mean(i), verification.standard_error(i)
        for t, m, k in np.ndindex(*mean.shape):
            yield {
                "condition": condition.name,
                "model": condition.network.models[m],
                "generation": t,
                "measure": verification.measures[i][k],
                "mean": float(mean[t, m, k]),
                "standard_error": float(error[t, m, k]),
            }


def show_generators(console: Console, verification: GeneratorVerification, seconds: float) -> None:
    """Print measures at the ends and halfway, with their verdicts, then all that is paired."""
    show_measures(console, verification)
    show_arrivals(console, verification)
    show_transfers(console, verification)
    show_samples(console, verification)
    show_notes(console, verification)
    study = verification.study
    console.print(
        f"[{STYLE[verification.verdict]}]{verification.verdict}[/]:"
        f" {how_many(len(verification.cells), 'cell')}"
        f" ({counted(cell.verdict for cell in verification.cells)}) at ±{study.tolerance:.0%} with"
        f" confidence {study.confidence:.0%} together;"
        f" {how_many(verification.chains, 'chain')} for each condition; {seconds:.0f} s",
        soft_wrap=True,
    )


def show_measures(console: Console, verification: GeneratorVerification) -> None:
    """Print a table of measures for each condition."""
    console.print("Means over chains, slopes after the transient, and verdicts", style="bold")
    for i, condition in enumerate(verification.study.conditions):
        if condition.name:
            console.print(label(condition.name), style="italic", soft_wrap=True)
        show_table(console, _table(verification, i))


def show_notes(console: Console, verification: GeneratorVerification) -> None:
    """Print what is not judged and why, where fits start, and what was lost."""
    for note in dict.fromkeys(cell.note for cell in verification.cells if cell.note):
        about = [c for c in verification.cells if c.note == note]
        console.print(label(f"{how_many(len(about), 'cell')} not judged: {note}"), soft_wrap=True)
    for note in verification.notes:
        console.print(label(note), soft_wrap=True)
    starts = grouped(verification.study.conditions, lambda condition: condition.start)
    for start, conditions in starts.items():
        named = ", ".join(c.name for c in conditions) if len(starts) > 1 else ""
        where = f" in {named}" if named else ""
        console.print(label(f"Fits{where} start from {BEGUN_AT[start]}"), soft_wrap=True)
    for reason, count in verification.failures.items():
        models = how_many(count, "model")
        console.print(f"{models} of single chains ended as {reason}: a measure is not finite")


def _table(verification: GeneratorVerification, position: int) -> Table:
    """Return the measures of one condition, their slopes after the transient, and verdicts."""
    last, condition = verification.study.generations, verification.study.conditions[position]
    times = list(dict.fromkeys((0, last // 2, last)))
    mean, error = verification.mean(position), verification.standard_error(position)
    headings = [numbers(f"t = {t}") for t in times]
    table = Table("model", "measure", *headings, numbers("slope"), "verdicts", **PLAIN)
    cells = grouped(
        [cell for cell in verification.cells if cell.condition == condition.name],
        lambda cell: (cell.model, measure_of(cell)),
    )
    for m, model in enumerate(condition.network.models):
        for k, name in enumerate(verification.measures[position]):
            own = cells.get((model, name), [])
            at = [with_error(mean[t, m, k], error[t, m, k]) for t in times]
            slopes = [c for c in own if c.quantity in (f"{GROWTH}({name})", f"{DRIFT}({name})")]
            slope = [with_error(c.empirical, c.standard_error) for c in slopes] or ["-"]
            marks = ", ".join(map(_marked, own))
            table.add_row(label(model), label(name), *at, *slope, marks)
    return table


def _marked(cell: Cell) -> str:
    return f"[{STYLE[cell.verdict]}]{MARK[cell.verdict]} {kind_of(cell)}[/]"


def show_arrivals(console: Console, verification: GeneratorVerification) -> None:
    """Print when models of paired conditions first differ."""
    cells = [cell for cell in verification.cells if cell.quantity == ARRIVAL]
    if not cells:
        return
    controls = {one.condition: one.control for one in verification.differences}
    headings = map(numbers, ("first differs", "by the feeds"))
    names, title = ("condition", "control", "model"), "Arrival: when news of a change comes"
    table = Table(*names, *headings, "verdict", title=title, title_justify="left", **PLAIN)
    for cell in cells:
        times = cell.empirical, cell.predicted
        when = ("never" if math.isnan(t) else f"t = {t:.0f}" for t in times)
        places = (cell.condition, controls[cell.condition], cell.model)
        table.add_row(*(label(place or "-") for place in places), *when, verdict_of(cell))
    show_table(console, table)


def chain_json(study: GeneratorStudy, position: int, chain: int) -> dict[str, Any]:
    """Replay a chain and return what ``mcjax replay --json`` prints.

    Parameters
    ----------
    study : GeneratorStudy
        The study.
    position : int
        Position of the condition.
    chain : int
        Number of the chain, from 0.

    Returns
    -------
    dict
        Under ``generations`` there is one entry for each model and generation, with its ``data``,
        by origin, and its ``measures``.
    """
    condition = study.conditions[position]
    values, names = replay(study, position, chain)
    models = condition.network.models
    return {
        "condition": condition.name,
        "chain": chain,
        "models": models,
        "generations": [
            {
                "generation": t,
                "model": model,
                "data": [
                    {"origin": (*models, REAL)[read.origin], "rows": read.rows} for read in reads[i]
                ],
                "measures": dict(zip(names, values[t, i].tolist(), strict=True)),
            }
            for t, reads in enumerate(readings(condition.network, study.generations))
            for i, model in enumerate(models)
        ],
    }


def show_chain(console: Console, replayed: dict[str, Any]) -> None:
    """Print the result of :func:`chain_json` as a table."""
    names = list(replayed["generations"][0]["measures"])
    place = f"{replayed['condition']}: " if replayed["condition"] else ""
    title = label(f"{place}chain {replayed['chain']}")
    table = Table(numbers("t"), "model", "data of", title=title, title_justify="left", **PLAIN)
    for name in names:
        table.add_column(shown(name), justify="right")
    for fit in replayed["generations"]:
        data = ", ".join(f"{shown(part['origin'])} ({part['rows']:,})" for part in fit["data"])
        measured = (number(fit["measures"][name], 6) for name in names)
        table.add_row(str(fit["generation"]), label(fit["model"]), label(data or "-"), *measured)
    show_table(console, table)
