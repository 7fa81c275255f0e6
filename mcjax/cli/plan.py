"""Run ``mcjax verify --plan``: chains, time and memory that a study needs."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Hashable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np
from rich.table import Table

from mcjax import api
from mcjax.cli.generator_plan import plan_of_generators
from mcjax.cli.generators import refuse_laws
from mcjax.cli.memory import duration, peak_memory
from mcjax.cli.output import prints_aside
from mcjax.cli.verify import theory_in
from mcjax.engine.compiled import CompiledStudy, SharedProgram, compile_study
from mcjax.engine.rates import split
from mcjax.errors import InputError
from mcjax.generators.load import load_generators
from mcjax.laws.user import laws_from_files
from mcjax.numbers import how_many
from mcjax.progress import shows_work
from mcjax.report.console import grouped, label, numbers, show_table, table_console
from mcjax.report.tables import show_unjudged
from mcjax.study.load import load_survey
from mcjax.study.local_files import study_with_files
from mcjax.study.settings import PathChoice
from mcjax.study.study import Study
from mcjax.text import number, strict_json
from mcjax.verdicts.plan import Need, Plan, plan
from mcjax.verdicts.unjudged import unjudged_of

OF_RATIO = "observed / predicted"
"""Unit of quantities whose departure is a percentage."""

PILOT = 256
"""Chains of each condition that are run twice, first to compile and then to measure."""


def run_plan(
    file: Path,
    power: float,
    *,
    as_json: bool,
    theory: Path | None,
    chains: int | None,
    laws: tuple[Path, ...],
    path: PathChoice | None,
    files: tuple[str, ...],
    quiet: bool,
    **_: object,
) -> None:
    """Print what a study needs; only a pilot is simulated."""
    if load_survey(file) is not None:
        raise InputError("--plan", "is for a study, and this is a survey; leave it out")
    with prints_aside(as_json):
        generators = load_generators(file, files)
    if generators is not None:
        refuse_laws({"--theory": theory, "--law": laws, "--path": path})
        generators = generators if chains is None else replace(generators, chains=chains)
        plan_of_generators(generators, power, as_json)
        return
    with prints_aside(as_json), shows_work(quiet):
        study = study_with_files(file, files)
        study = study if chains is None else replace(study, chains=chains)
        study = judged = study if path is None else replace(study, path=path)
        if theory is not None:
            judged = theory_in(theory, study)
        truth = api.predict(study) if theory is not None or laws else None
        predictions = api.predict(judged, laws_from_files(laws))
        planned = plan(study, predictions, power, truth)
        unjudged = unjudged_of(study, predictions)
        cost = _cost(study, planned)
    if as_json:
        about = {
            "needs": [dataclasses.asdict(need) for need in planned.needs],
            "chains_needed": planned.chains,
            "power": power,
            "unjudged": [dataclasses.asdict(one) for one in unjudged],
            "untold": [{"law": law, "quantity": name} for law, name in planned.unplanned],
        }
        click.echo(strict_json(about | cost))
    else:
        _show_needs(study, planned, against=truth is not None)
        show_unjudged(table_console(), unjudged)
        _show_cost(study, planned, cost)


def _cost(study: Study, planned: Plan) -> dict[str, Any]:
    """Run a pilot, and return what the study costs as plain data."""
    pilot = replace(study, chains=min(PILOT, study.chains))
    api.simulate(pilot)
    began = time.perf_counter()
    api.simulate(pilot)
    seconds_per_chain = (time.perf_counter() - began) / pilot.chains
    return {
        "programs": _programs(study),
        "chains": study.chains,
        "seconds": seconds_per_chain * study.chains,
        "seconds_needed": None if planned.chains is None else seconds_per_chain * planned.chains,
        "memory_bytes": peak_memory(),
    }


def _show_needs(study: Study, planned: Plan, against: bool) -> None:
    """Print the chains that are needed, and the chances ``against`` laws if others are true."""
    headings = ["cells", "chains needed", f"refuted by {study.chains:,}"]
    if against:
        headings += [f"chance that {study.chains:,} refute it", "chains to refute it"]
    title = f"To verify at \u00b1{study.tolerance:.0%} with power {planned.power:.0%}"
    table = Table("law", "quantity", *map(numbers, headings), title=title)
    for need in planned.needs:
        chances = (
            "-" if need.chance is None else f"{need.chance:.0%}",
            "-" if need.refuting is None else f"{need.refuting:,}",
        )
        table.add_row(
            label(need.law),
            need.quantity,
            f"{need.cells:,}",
            "no number suffices" if need.chains is None else f"{need.chains:,}",
            _refuted(need, study.chains),
            *(chances if against else ()),
        )
    console = table_console()
    show_table(console, table)
    chance = ", and no chance of refuting it" if against else ""
    for law, name in planned.unplanned:
        console.print(
            label(
                f"No number of chains is known for {name}{chance}: the law {law} does not say how"
                " much it varies over chains. A run with few chains tells how many it takes."
            )
        )


def _refuted(need: Need, chains: int) -> str:
    """Return which departure a number of chains refutes, with its unit."""
    if chains < need.fewest:
        return f"nothing: no verdict with fewer than {need.fewest:,}"
    if math.isinf(need.refuted):
        return "-"
    if need.unit == OF_RATIO:
        return f"off by {number(100 * need.refuted, 3)}%"
    return f"off by {number(need.refuted, 3)} ({need.unit.removeprefix('1 + ')})"


def _show_cost(study: Study, planned: Plan, cost: dict[str, Any]) -> None:
    """Print the programs of a study, and the time and memory that it takes."""
    console = table_console()
    for program in cost["programs"]:
        at = f" at {program['rates']} learning rates or momenta" if program["rates"] > 1 else ""
        console.print(
            f"Program: {how_many(program['conditions'], 'condition')}{at} of the"
            f" {program['family']} family, {how_many(program['models'], 'model')}, at most"
            f" {how_many(program['rows'], 'row')} per fit ({program['sampling']} drawn),"
            f" {how_many(program['chunk'], 'chain')} at a time.",
            markup=False,
        )
        if program["path"].finds_predictors:
            console.print("Fits are by linear predictors that are found in the loss.")
        if program["reason"]:
            plain = program["path"].plain
            what = "It is on the reference path" if plain else "Rows are drawn"
            console.print(f"{what} because {program['reason']}.", markup=False)
    console.print(
        f"The study's {how_many(study.chains, 'chain')} for each condition"
        f" ({len(study.conditions)} in all): about {duration(cost['seconds'])}.",
        markup=False,
    )
    if planned.chains is not None:
        needed = duration(cost["seconds_needed"])
        console.print(
            f"The {how_many(planned.chains, 'chain')} needed: about {needed}.", markup=False
        )
    if cost["memory_bytes"]:
        console.print(
            f"Peak memory so far: {cost['memory_bytes'] / 2**20:,.0f} MiB; it does not grow with"
            " the number of chains.",
            markup=False,
        )


def _programs(study: Study) -> list[dict[str, Any]]:
    """Describe the programs that the study compiles, as plain data.

    Optimisers that differ in their rates alone share one, which takes the rates as numbers.
    """
    compiled = compile_study(study)
    groups = grouped(compiled.programs, partial(_compiled_for, compiled))
    return [
        {
            "conditions": sum(len(shared.members) for shared in alike),
            "rates": len({split(shared.program)[1] for shared in alike}),
            "family": study.conditions[alike[0].members[0]].model.name,
            "models": alike[0].shape.models,
            "rows": 2 * alike[0].shape.pairs,
            "sampling": alike[0].route.path.sampling,
            "path": alike[0].route.path,
            "reason": alike[0].route.reason,
            "chunk": alike[0].chunk,
        }
        for alike in groups.values()
    ]


def _compiled_for(compiled: CompiledStudy, shared: SharedProgram) -> tuple[Hashable, ...]:
    """Return what a program is compiled for: settings without rates, and the shapes of its data."""
    task = compiled.task(shared.members[0], ())
    leaves, structure = jax.tree.flatten((task.arrays, task.files))
    shapes = tuple((np.shape(leaf), np.result_type(leaf)) for leaf in leaves)
    return split(shared.program)[0], structure, shapes, shared.chunk
