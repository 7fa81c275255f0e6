"""Run ``mcjax verify --plan`` on studies of generators: fits, time, what chains tell."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from mcjax.cli.memory import duration, peak_memory
from mcjax.cli.output import prints_aside
from mcjax.generators.contrasts import FEWEST
from mcjax.generators.growth import too_short
from mcjax.generators.plan import Fits, GeneratorPlan, plan_generators, time_of
from mcjax.generators.study import GeneratorStudy
from mcjax.numbers import how_many
from mcjax.report.console import PLAIN, label, numbers, show_table, table_console
from mcjax.text import number, strict_json

MOST_TIMED = 4
"""Largest number of kinds of fits that are timed."""
UNKNOWN = (
    "How large slopes and differences are, and how much they vary over chains, no law says, so that"
    " no number of chains is known. A run with few chains tells; with --out, --chains adds to it."
)


def plan_of_generators(study: GeneratorStudy, power: float, as_json: bool) -> None:
    """Print what a study needs; a few fits of each kind are run, to time them."""
    with prints_aside(as_json):
        planned = plan_generators(study, power)
        times = _times(planned)
    notes = list(too_short(study))
    known = [one["seconds"] for one in times if one["seconds"] is not None]
    compiling = sum(one["compile_seconds"] or 0.0 for one in times)
    cost: dict[str, Any] = {
        "fits": times,
        "block": planned.block,
        "chains": study.chains,
        "seconds": sum(known) + compiling if len(known) == len(times) else None,
        "block_bytes": planned.bytes,
        "kept_bytes": planned.kept,
        "memory_bytes": peak_memory(),
    }
    if as_json:
        about = {
            "claims": [
                {"quantity": kind, "law": law, "cells": cells}
                for (kind, law), cells in planned.claims.items()
            ],
            "chains_needed": None,
            "power": power,
            "told": [one._asdict() for one in planned.told],
            "notes": notes,
        }
        click.echo(strict_json(about | cost))
    else:
        _show_claims(study, planned, power)
        for note in notes:
            table_console().print(label(note), soft_wrap=True)
        _show_cost(study, planned, cost)


def _times(planned: GeneratorPlan) -> list[dict[str, Any]]:
    """Return the fits as plain data, with the seconds that they take, if they are few kinds."""
    found = []
    for one in planned.fits:
        timed = None
        if len(planned.fits) <= MOST_TIMED:
            timed = time_of(one.generator, one.rows, planned.block)
        found.append(
            {
                "generator": one.generator.name,
                "rows": one.rows,
                "fits": one.fits,
                "steps": one.steps,
                "seconds": None if timed is None else timed.running * one.fits / planned.block,
                "compile_seconds": None if timed is None else timed.compiling,
            }
        )
    return found


def _show_claims(study: GeneratorStudy, planned: GeneratorPlan, power: float) -> None:
    """Print the claims, and which means of them are told."""
    console = table_console()
    table = Table("claim", "law", numbers("cells"), title="Claims of one error budget", **PLAIN)
    for (kind, law), cells in planned.claims.items():
        table.add_row(kind, law, f"{cells:,}")
    show_table(console, table)
    if study.chains < FEWEST:
        console.print(f"With fewer than {FEWEST} chains no claim about means is judged.")
    headings = map(numbers, ("chains", "growth, flip", "drift, equal"))
    title = f"Standard deviations over chains that are told, each with power {power:.0%}"
    table = Table(*headings, title=title, **PLAIN)
    for one in planned.told:
        table.add_row(f"{one.chains:,}", number(one.difference, 3), number(one.margin, 3))
    if planned.told:
        show_table(console, table)
        console.print(
            "growth, flip: the least mean slope or paired difference that is told from 0. drift,"
            " equal: the least tolerated change that holds a mean of 0.",
            soft_wrap=True,
        )
    console.print(UNKNOWN, soft_wrap=True)


def _show_cost(study: GeneratorStudy, planned: GeneratorPlan, cost: dict[str, Any]) -> None:
    """Print the fits of a study, and the time and memory that it takes."""
    console = table_console()
    for one in planned.fits:
        console.print(label(f"Fits: {_fits(one)}."), soft_wrap=True)
    extra = -study.chains % planned.block
    idle = f", of which {extra:,} only fill the last block and are dropped" if extra else ""
    console.print(f"{how_many(planned.block, 'chain')} run at a time{idle}.", soft_wrap=True)
    chains = f"The study's {how_many(study.chains, 'chain')} for each condition"
    if cost["seconds"] is None:
        kinds = how_many(len(planned.fits), "number")
        console.print(
            f"{chains}: time unknown, because fits have {kinds} of rows, of which at most"
            f" {MOST_TIMED} are timed.",
            soft_wrap=True,
        )
    else:
        console.print(
            f"{chains}: about {duration(cost['seconds'])}, from one fit of each kind that was run"
            " here.",
            soft_wrap=True,
        )
    console.print(
        f"Rows and parameters of a block: about {_size(planned.bytes)}. Measures of all chains:"
        f" {_size(planned.kept)}.",
        soft_wrap=True,
    )
    if cost["memory_bytes"]:
        console.print(f"Peak memory so far: {_size(cost['memory_bytes'])}.", soft_wrap=True)


def _fits(one: Fits) -> str:
    """Return how many fits there are, of how many rows and steps."""
    steps = "no loop" if one.steps == 0 else f"loops of {how_many(one.steps or 0, 'step')}"
    if one.steps is None:
        steps = "loops of a number of steps that depends on the data"
    return f"{one.fits:,} of {one.generator.name} to {how_many(one.rows, 'row')}, with {steps}"


def _size(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count < 10 * 2**20 else f"{count / 2**20:,.0f} MiB"
