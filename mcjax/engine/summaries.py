"""Simulation of tasks whose chains are reduced to summaries, on the host or where they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from mcjax.chains.program import Program
from mcjax.engine import engine
from mcjax.engine.device_tiles import OnDevices
from mcjax.engine.engine import Chunk, Report
from mcjax.engine.gather import Gather
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import S, Tally
from mcjax.engine.platforms import works_on_host
from mcjax.engine.processes import together
from mcjax.engine.task import Task
from mcjax.engine.tile_program import shape_of
from mcjax.engine.tiles import Piece, Reduction, Tiles


def simulate(
    tasks: Sequence[Task],
    program: Program,
    chunk: int,
    known: Sequence[Tally[S]],
    *,
    reduction: Reduction[S],
    report: Report | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> list[Tally[S]]:
    """Run all tasks in one compiled program and summarise each.

    If several processes were started together, each runs its share of the tiles, and all of them
    return all tallies.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks, whose arrays have the same shapes and the same structure of the model.
    program : Program
        Settings of the run.
    chunk : int
        Largest number of chains in one call.
    known : sequence of Tally
        Tally of an earlier run of each task, the same in all processes. The chains of a task must
        start at ``known.tiled``.
    reduction : Reduction
        What tiles of chains are reduced to.
    report : callable, optional
        Called after every chunk with the number of chains it added and a function that returns the
        tallies so far.
    devices : sequence of Device, optional
        Where chains run; defaults to all devices of this process.

    Returns
    -------
    list of Tally
        One for each task.
    """
    gathers = [
        Gather(tally, reduction, shape_of(task, program))
        for tally, task in zip(known, tasks, strict=True)
    ]
    on_host = works_on_host(jax.local_devices()[0].platform)
    reducer = (OnHost if on_host else OnDevices)(_own_share(tasks), program, reduction)
    parts = engine.chunks(reducer.tasks, program, chunk, reducer.start, devices=devices)
    for pieces in together(parts):
        for task, piece in pieces:
            gathers[task].add(piece)
        if report is not None:
            added = sum(int(piece.chains.sum()) for _, piece in pieces)
            report(added, lambda: [gather.tally() for gather in gathers])
    return [gather.tally() for gather in gathers]


def _own_share(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with this process's share of the tiles, which are dealt out in turn."""
    index, count = jax.process_index(), jax.process_count()
    return [
        task._replace(chains=task.chains[(task.chains // TILE + k) % count == index])
        for k, task in enumerate(tasks)
    ]


class OnHost:
    """Reduces the chunks of some tasks to pieces, on the host.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks.
    program : Program
        Settings of the run.
    reduction : Reduction
        What tiles are reduced to.
    """

    def __init__(self, tasks: Sequence[Task], program: Program, reduction: Reduction[Any]):
        self.tasks = tasks
        self._tiles = [Tiles(task, reduction) for task in tasks]

    def start(self, chunk: Chunk) -> Callable[[], list[tuple[int, Piece]]]:
        """Return a function that waits for a chunk and reduces it."""
        return lambda: [
            (task, piece)
            for task, chains in engine.by_task(chunk, self.tasks)
            for piece in self._tiles[task].add(chains)
        ]
