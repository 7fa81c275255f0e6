"""Run ``mcjax published``: simulate and judge published results."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from mcjax.progress import Progress
from mcjax.published.judge import judge_runs, run_entry
from mcjax.published.registry import chosen
from mcjax.report.console import table_console
from mcjax.report.published import PublishedStore, published_json, show_published, verdict_of
from mcjax.text import strict_json
from mcjax.verdicts.equivalence import Verdict

TOLERANCE, DEPTH = {False: 0.03, True: 0.01}, {False: 1, True: 4}
"""Margin and depth of a run, by whether it is deep."""


def run_published(
    names: tuple[str, ...], as_json: bool, out: Path | None, deep: bool, quiet: bool
) -> Verdict:
    """Simulate and judge entries, print their table and return the worst verdict."""
    entries, depth = chosen(names), DEPTH[deep]
    store = None if out is None else PublishedStore(out)
    studies = [entry.study(depth) for entry in entries]
    known = [
        None if store is None else store.load(entry, depth, study)
        for entry, study in zip(entries, studies, strict=True)
    ]
    total = sum(study.chains * len(study.conditions) for study in studies)
    done = sum(
        min(t.tiled, s.chains) for ts, s in zip(known, studies, strict=True) for t in ts or ()
    )
    began = time.monotonic()
    runs = []
    with Progress(Console(stderr=True), total, done, quiet) as progress:

        def report(lanes: int, _: Any) -> None:
            progress.advance(lanes)

        for entry, tallies in zip(entries, known, strict=True):
            runs.append(run_entry(entry, depth, tallies, report))
            if store is not None:
                store.save(entry, runs[-1].tallies)
    results = judge_runs(runs, TOLERANCE[deep])
    if store is not None:
        from mcjax.figures.published import published_figure

        store.finish(results, TOLERANCE[deep])
        published_figure(store.path, results, TOLERANCE[deep])
    if as_json:
        click.echo(strict_json(published_json(results, TOLERANCE[deep])))
    else:
        show_published(table_console(), results, TOLERANCE[deep], time.monotonic() - began)
    return verdict_of(results)
