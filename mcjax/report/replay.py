"""One chain, generation by generation: what every model fitted, and what came of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.estimators.estimator import Dataset
from mcjax.network import Feed
from mcjax.report.tables import label, show_table
from mcjax.report.text import number
from mcjax.solvers.status import FAILURES, Status
from mcjax.study.study import Study

SHOWN = 4
"""Entries of theta in a table."""
MARKED = {Status.CONVERGED.reason: "[blue]+ {}[/]", Status.NOT_FITTED.reason: "[dim]= {}[/]"}
FAILED = "[bold red]x {}[/]"
"""Statuses differ by mark and word as well as by colour."""


def replay_json(study: Study, condition: str, chain: int) -> dict[str, Any]:
    """Replay a chain; what ``mcjax replay --json`` prints.

    ``data`` has one entry an origin: its rows, and of those the mean and standard deviation of y,
    the mean of x and its length; if sufficient statistics were drawn instead, its rows alone.
    It is empty where a model fitted nothing.

    Raises
    ------
    InputError: see :func:`mcjax.api.replay`.
    """
    compiled = compile_study(study)
    found = api.replay(compiled, condition, chain)
    index = compiled.position(condition)
    chosen, path = study.conditions[index], compiled.by_condition[index].route.path
    if path != "statistics":
        drawn = api.replay_data(compiled, condition, chain, found)
        data = [[[_summary(*one) for one in own.items()] for own in fits] for fits in drawn]
    else:
        data = [_counts(chosen.network.reads(t), found.status[t]) for t in range(len(found.theta))]
    return {
        "condition": condition,
        "chain": chain,
        "models": chosen.network.models,
        "sampling": "statistics" if path == "statistics" else "rows",
        "path": path,
        "generations": [
            {
                "generation": t,
                "model": model,
                "status": Status(int(found.status[t, i])).reason,
                "theta": found.theta[t, i],
                "error": math.hypot(*(found.theta[t, i] - chosen.theta)),
                "steps": int(found.steps[t, i]),
                "data": data[t][i],
            }
            for t in range(len(found.theta))
            for i, model in enumerate(chosen.network.models)
        ],
    }


def _summary(origin: str, data: Dataset) -> dict[str, Any]:
    x, y = (np.asarray(part, float) for part in (data.x, data.y))
    with np.errstate(all="ignore"):  # an exploded chain's data may be beyond any number
        mean = x.mean(-1)
        return {
            "origin": origin,
            "rows": len(y),
            "y_mean": y.mean(),
            "y_sd": y.std(),
            "x_mean": mean,
            "x_mean_length": math.hypot(*mean),
        }


def _counts(reads: tuple[tuple[Feed, ...], ...], status: np.ndarray) -> list[list[dict[str, Any]]]:
    """Rows by origin of every model that fitted any."""
    idle = (Status.NOT_FITTED, Status.PARENT_FAILED)
    return [
        [] if code in idle else [{"origin": feed.origin, "rows": feed.samples} for feed in feeds]
        for feeds, code in zip(reads, status, strict=True)
    ]


def show_replay(console: Console, found: dict[str, Any]) -> None:
    """A table of what :func:`replay_json` found: a row for each fit, and one more for each origin
    of its data beyond the first."""
    rows = found["sampling"] == "rows"
    place = f"{found['condition']}: " if found["condition"] else ""
    title = f"{place}chain {found['chain']}"
    table = Table(title=label(title), title_justify="left", box=None, header_style="dim")
    texts = ("model", "status", "theta", "data of")
    headings = ("t", "model", "status", "theta", "||error||", "gradients", "data of", "rows")
    for heading in (*headings, *(("mean y", "sd y", "||mean x||") if rows else ())):
        table.add_column(heading, justify="left" if heading in texts else "right")
    for fit in found["generations"]:
        status = MARKED.get(fit["status"], FAILED).format(fit["status"])
        theta = " ".join(number(value) for value in fit["theta"][:SHOWN])
        more = " ..." if len(fit["theta"]) > SHOWN else ""
        own: list[Text | str] = [str(fit["generation"]), label(fit["model"]), status, theta + more]
        own += [number(fit["error"]), str(fit["steps"])]
        for data in fit["data"] or [{}]:
            table.add_row(*own, *_cells(data))
            own = [""] * len(own)
    show_table(console, table)
    if not rows:
        console.print("Sufficient statistics were drawn, not rows: there are no x and y to show.")
    seen = {fit["status"] for fit in found["generations"]}
    for failure in FAILURES:
        if failure.reason in seen:
            console.print(f"{FAILED.format(failure.reason)}: {failure.advice}")


def _cells(data: dict[str, Any]) -> list[Text | str]:
    if not data:
        return ["-"]
    spread = (number(data[key]) for key in ("y_mean", "y_sd", "x_mean_length") if key in data)
    return [label(data["origin"]), f"{data['rows']:,}", *spread]
