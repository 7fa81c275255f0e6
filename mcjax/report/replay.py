"""Show one chain, generation by generation: the data that every model fitted, and its estimate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mcjax import api
from mcjax.engine.compiled import compile_study
from mcjax.estimators.estimator import Dataset
from mcjax.network import Feed
from mcjax.report.console import PLAIN, label, numbers, show_table
from mcjax.solvers.status import FAILURES, Status
from mcjax.study.followed import of_chain
from mcjax.study.study import Study
from mcjax.text import number

MOST_ENTRIES = 4
"""Largest number of entries of theta in the table."""
MARKED = {Status.CONVERGED.reason: "[blue]+ {}[/]", Status.NOT_FITTED.reason: "[dim]= {}[/]"}
FAILED = "[bold red]x {}[/]"
"""Statuses differ by mark and word as well as by colour."""


def replay_json(study: Study, condition: str, chain: int) -> dict[str, Any]:
    """Replay a chain and return what ``mcjax replay --json`` prints.

    Parameters
    ----------
    study : Study
        The study.
    condition : str
        Name of a condition.
    chain : int
        Number of the chain, from 0.

    Returns
    -------
    dict
        Under ``generations`` there is one entry for each fit. Its ``data`` has one entry for each
        origin: the number of rows, the mean and standard deviation of y, the mean of x and its
        length; the number of rows alone if it is 0, or sufficient statistics were drawn. It is
        empty if the model fitted nothing.

    Raises
    ------
    InputError
        See :func:`mcjax.api.replay`.
    """
    compiled = compile_study(study)
    replayed = api.replay(compiled, condition, chain)
    index = compiled.position(condition)
    chosen, path = study.conditions[index], compiled.by_condition[index].route.path
    chosen, last = of_chain(chosen, chain, study.generations), len(replayed.theta)
    if path.draws_rows:
        drawn = api.replay_data(compiled, condition, chain, replayed)
        data = [
            [[_summary(origin, rows) for origin, rows in fit.items()] for fit in fits]
            for fits in drawn
        ]
    else:
        data = [_counts(chosen.network.reads(t), replayed.status[t]) for t in range(last)]
    return {
        "condition": condition,
        "chain": chain,
        "models": chosen.network.models,
        "sampling": path.sampling,
        "path": path,
        "generations": [
            {
                "generation": t,
                "model": model,
                "status": Status(int(replayed.status[t, i])).reason,
                "theta": replayed.theta[t, i],
                "error": math.hypot(*(replayed.theta[t, i] - chosen.theta)),
                "steps": int(replayed.steps[t, i]),
                "data": data[t][i],
            }
            for t in range(last)
            for i, model in enumerate(chosen.network.models)
        ],
    }


def _summary(origin: str, data: Dataset) -> dict[str, Any]:
    x, y = (np.asarray(part, float) for part in (data.x, data.y))
    if not y.size:
        return {"origin": origin, "rows": 0}
    with np.errstate(all="ignore"):  # the data of an exploded chain may overflow
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
    """Return the number of rows by origin for every model, empty if it fitted nothing."""
    idle = (Status.NOT_FITTED, Status.PARENT_FAILED)
    return [
        [] if code in idle else [{"origin": feed.origin, "rows": feed.samples} for feed in feeds]
        for feeds, code in zip(reads, status, strict=True)
    ]


def show_replay(console: Console, replayed: dict[str, Any]) -> None:
    """Print the result of :func:`replay_json` as a table.

    The table has one row for each fit, and a further row for each origin of its data beyond the
    first.
    """
    rows = replayed["sampling"] == "rows"
    place = f"{replayed['condition']}: " if replayed["condition"] else ""
    title = label(f"{place}chain {replayed['chain']}")
    columns: list[Column | str] = [numbers("t"), "model", "status", "theta"]
    columns += [numbers("||error||"), numbers("gradients"), "data of", numbers("rows")]
    columns += map(numbers, ("mean y", "sd y", "||mean x||") if rows else ())
    table = Table(*columns, title=title, title_justify="left", **PLAIN)
    for fit in replayed["generations"]:
        status = MARKED.get(fit["status"], FAILED).format(fit["status"])
        theta = " ".join(number(value) for value in fit["theta"][:MOST_ENTRIES])
        more = " ..." if len(fit["theta"]) > MOST_ENTRIES else ""
        cells: list[Text | str] = [str(fit["generation"]), label(fit["model"]), status]
        cells += [theta + more, number(fit["error"]), str(fit["steps"])]
        for data in fit["data"] or [{}]:
            table.add_row(*cells, *_cells(data))
            cells = [""] * len(cells)
    show_table(console, table)
    if not rows:
        console.print("Sufficient statistics were drawn, not rows: there are no x and y to show.")
    statuses = {fit["status"] for fit in replayed["generations"]}
    for failure in FAILURES:
        if failure.reason in statuses:
            console.print(f"{FAILED.format(failure.reason)}: {failure.advice}")


def _cells(data: dict[str, Any]) -> list[Text | str]:
    if not data:
        return ["-"]
    spread = (number(data[key]) for key in ("y_mean", "y_sd", "x_mean_length") if key in data)
    return [label(data["origin"]), f"{data['rows']:,}", *spread]
