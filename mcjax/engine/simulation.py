"""Simulation of a compiled study, or of single chains of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from mcjax.chains.layout import shape_of
from mcjax.chains.program import Trajectory
from mcjax.engine import engine
from mcjax.engine.compiled import CompiledStudy, task_of
from mcjax.engine.engine import Report
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import ErrorTotals, Outcome, S, Tally
from mcjax.engine.redraw import redraw
from mcjax.engine.summaries import simulate as simulate_tasks
from mcjax.engine.tiles import Reduction
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.solvers.status import Status
from mcjax.study.followed import of_chain

LISTED, AT_LEAST = 2**22, 2**16
"""Numbers of chains that are listed at a time, of all conditions together and of each at least.
There may be four billion of them; both numbers are whole tiles."""


def simulate(
    compiled: CompiledStudy,
    known: Sequence[Tally[Outcome]] | None = None,
    report: Report | None = None,
    chains: Sequence[int] | None = None,
) -> list[Tally[Outcome]]:
    """Run the chains of a study; see :func:`mcjax.simulate`."""
    return summaries(
        compiled,
        ErrorTotals(),
        known=known,
        report=report,
        chains=chains,
        beside_pooled=ErrorTotals(beside_pooled=True),
    )


def summaries(
    compiled: CompiledStudy,
    reduction: Reduction[S],
    known: Sequence[Tally[S]] | None = None,
    report: Report | None = None,
    chains: Sequence[int] | None = None,
    beside_pooled: Reduction[S] | None = None,
) -> list[Tally[S]]:
    """Run the chains of a study as :func:`simulate` does, with tiles reduced by ``reduction``.

    If the study asks for the pooled estimator, it is simulated where ``beside_pooled`` is given. In
    those tiles the pooled estimator is the last model, and ``beside_pooled`` reduces them.
    """
    study = compiled.study
    tallies = list(known or [Tally()] * len(study.conditions))
    wanted = [study.chains] * len(tallies) if chains is None else list(chains)
    for shared in compiled.programs:
        whole = beside_pooled if shared.pooled else None
        while missing := [i for i in shared.members if tallies[i].chains < wanted[i]]:
            most = max(AT_LEAST, LISTED // len(missing) // TILE * TILE)
            ends = {i: min(wanted[i], tallies[i].tiled + most) for i in missing}
            tasks = [
                compiled.task(
                    i,
                    np.arange(tallies[i].tiled, end, dtype=np.uint32),
                    pooled=whole is not None,
                )
                for i, end in ends.items()
            ]
            relay = partial(_relay, report, tallies, missing) if report is not None else None
            ran = simulate_tasks(
                tasks,
                shared.program,
                shared.chunk,
                [tallies[i] for i in missing],
                reduction=whole or reduction,
                report=relay,
            )
            for i, tally in zip(missing, ran, strict=True):
                tallies[i] = tally
    return tallies


def _relay(
    report: Report,
    tallies: Sequence[Tally[Any]],
    running: Sequence[int],
    chains: int,
    current: Callable[[], list[Tally[Any]]],
) -> None:
    """Report on all conditions of a study while those of one program run."""

    def everything() -> list[Tally[Any]]:
        merged = list(tallies)
        for i, tally in zip(running, current(), strict=True):
            merged[i] = tally
        return merged

    report(chains, everything)


def replay(compiled: CompiledStudy, condition: str, chain: int) -> Trajectory:
    """Run a single chain of a study; see :func:`mcjax.replay`."""
    index = compiled.position(condition)
    if not 0 <= chain < 2**32:
        raise InputError("chain", f"is {chain}; give a whole number from 0 to 2**32 - 1")
    task = compiled.task(index, [chain])
    shared = compiled.by_condition[index]
    [[(_, trajectory)]] = engine.trajectories([task], shared.program, compiled.study.chunk)
    return Trajectory(*(leaf[0] for leaf in trajectory))


def replay_data(
    compiled: CompiledStudy, condition: str, chain: int, trajectory: Trajectory
) -> Iterator[list[dict[str, Dataset]]]:
    """Draw the rows that a replayed chain fitted again; see :func:`mcjax.replay_data`."""
    index = compiled.position(condition)
    chosen, shared = compiled.study.conditions[index], compiled.by_condition[index]
    if not shared.route.path.draws_rows:
        raise InputError("run.sampling", "drew sufficient statistics here, so there are no rows")
    chosen = of_chain(chosen, chain, compiled.study.generations)
    net = chosen.network
    task = task_of(chosen, shape_of([net], compiled.study.generations), [chain])
    for t, samples in enumerate(redraw(task, trajectory.theta, shared.program)):
        rows: list[dict[str, Dataset]] = [{} for _ in net.models]
        for i, feeds in enumerate(net.reads(t)):
            if trajectory.status[t, i] in (Status.NOT_FITTED, Status.PARENT_FAILED):
                continue
            for b, feed in enumerate(feeds):
                x, y, weight = (leaf[i, b] for leaf in samples)
                kept = weight > 0
                alone = sum(other.origin == feed.origin for other in feeds) == 1
                name = feed.origin if alone or feed.keep is None else f"{feed.origin}, {feed.keep}"
                rows[i][name] = Dataset(x[:, kept], y[..., kept], weight[kept])
        yield rows
