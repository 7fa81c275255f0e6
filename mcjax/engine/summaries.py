"""Simulation of tasks whose chains are reduced to summaries where they run.

Tiles that lie whole in the share of a device are reduced there. Those that reach over the border of
a share or of a chunk are put together on the host first, and go through the same program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mcjax.chains.program import Program, Trajectory
from mcjax.engine import engine
from mcjax.engine.engine import Chunk, Report
from mcjax.engine.gather import Gather, Piece, tiles_of
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import S, Tally, functional_values
from mcjax.engine.processes import several, together
from mcjax.engine.task import Task
from mcjax.engine.tiles import Plan, Reduction, Row, Shape, at_once, reduced


def simulate(
    tasks: Sequence[Task],
    program: Program,
    chunk: int,
    known: Sequence[Tally[S]],
    *,
    reduction: Reduction[S],
    report: Report | None = None,
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

    Returns
    -------
    list of Tally
        One for each task.
    """
    device = jax.local_devices()[0]
    shapes = [shape_of(task, program) for task in tasks]
    gathers = [
        Gather(tally, reduction, shape, device) for tally, shape in zip(known, shapes, strict=True)
    ]
    reducer = Reducer(_own_share(tasks), program, reduction)
    for pieces in together(engine.chunks(reducer.tasks, program, chunk, reducer.start)):
        for task, piece in pieces:
            gathers[task].add(piece)
        if report is not None:
            added = sum(int(piece.chains.sum()) for _, piece in pieces)
            report(added, lambda: [gather.tally() for gather in gathers])
    return [gather.tally() for gather in gathers]


def shape_of(task: Task, program: Program) -> Shape:
    """Return the shape of the chains of a task."""
    p, functionals = task.arrays.truth.shape[1], len(task.functionals)
    return Shape(program.generations + 1, task.models, p, functionals)


def _own_share(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with this process's share of the tiles, which are dealt out in turn."""
    index, count = jax.process_index(), jax.process_count()
    return [
        task._replace(chains=task.chains[(task.chains // TILE + k) % count == index])
        for k, task in enumerate(tasks)
    ]


class Lying(NamedTuple):
    """The tiles of one task of which a chunk has chains.

    Attributes
    ----------
    task : int
        Position of the task.
    begin, end : ndarray
        Positions of their first chains and behind their last in the task.
    lane : ndarray
        Lanes of their first chains in the chunk, below 0 in an earlier one.
    whole : ndarray of bool
        Whether they lie whole in the share of a device, with 64 lanes to read.
    """

    task: int
    begin: np.ndarray
    end: np.ndarray
    lane: np.ndarray
    whole: np.ndarray


class Reducer:
    """Reduces the chunks of some tasks to pieces.

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
        self._shapes = [shape_of(task, program) for task in tasks]
        self._reduction = reduction
        self._ends = np.cumsum([len(task.chains) for task in tasks])
        self._cut: dict[tuple[int, int], dict[int, Trajectory]] = {}

    def start(self, chunk: Chunk) -> Callable[[], list[tuple[int, Piece]]]:
        """Start to reduce a chunk; return a function that waits for its pieces.

        Functionals are functions of NumPy, which need the estimates first.
        """
        lying = self._lying(chunk)
        groups: dict[Shape, list[Lying]] = {}
        for tiles in lying:
            if tiles.whole.any():
                groups.setdefault(self._shapes[tiles.task], []).append(tiles)
        begun = {
            shape: self._reduced(chunk, shape, tiles)
            for shape, tiles in groups.items()
            if not shape.functionals
        }

        def finish() -> list[tuple[int, Piece]]:
            pieces: list[tuple[int, Piece]] = []
            for shape, tiles in groups.items():
                made, places = begun.get(shape) or self._reduced(chunk, shape, tiles)
                # on one device, and here rather than later if memory is short
                made = jax.block_until_ready(jax.device_put(made, chunk.devices[0]))
                pieces += [
                    self._piece(own, own.whole, made, place)
                    for own, place in zip(tiles, places, strict=True)
                ]
            return pieces + self._from_host(chunk, lying)

        return finish

    def _lying(self, chunk: Chunk) -> list[Lying]:
        """Return the tiles of which a chunk has chains, by task."""
        found, lanes = [], chunk.share
        for task in range(chunk.owner[0], chunk.owner[-1] + 1):
            chains = len(self.tasks[task].chains)
            first = int(self._ends[task]) - chains - chunk.begin
            low, high = max(0, -first), min(len(chunk.owner) - first, chains)
            begin = TILE * np.arange(low // TILE, -(-high // TILE))
            end = np.minimum(begin + TILE, chains)
            lane = first + begin
            whole = (begin >= low) & (end <= high) & (lane % lanes + TILE <= lanes)
            found.append(Lying(task, begin, end, lane, whole=whole))
        return found

    def _reduced(
        self, chunk: Chunk, shape: Shape, tiles: Sequence[Lying]
    ) -> tuple[tuple[Row, Any], list[np.ndarray]]:
        """Start to reduce tiles on their devices; return also the place of each."""
        devices = len(chunk.devices)
        lane = np.concatenate([own.lane[own.whole] for own in tiles])
        count = np.concatenate([(own.end - own.begin)[own.whole] for own in tiles])
        sizes = [int(own.whole.sum()) for own in tiles]
        truths = [np.asarray(self.tasks[own.task].arrays.truth, float)[0] for own in tiles]
        device = lane // chunk.share
        many = np.bincount(device, minlength=devices)
        slot = np.arange(len(lane)) - (np.cumsum(many) - many)[device]  # lanes ascend
        group = at_once(shape, chunk.devices[0].platform)
        slots = -(-max(chunk.share // TILE, int(many.max())) // group) * group
        plan = Plan(
            np.zeros((devices, slots), np.int32),
            np.zeros((devices, slots), np.int32),
            np.zeros((devices, slots, shape.p)),
            (-(-many // group)).astype(np.int32),
        )
        plan.starts[device, slot] = lane % chunk.share
        plan.counts[device, slot] = count
        plan.truth[device, slot] = np.repeat(truths, sizes, 0)
        made = reduced(
            chunk.chains,
            self._values(chunk, shape, tiles),
            plan,
            self._reduction,
            shape=shape,
            devices=chunk.devices,
        )
        return made, np.split(device * slots + slot, np.cumsum(sizes)[:-1])

    def _values(self, chunk: Chunk, shape: Shape, tiles: Sequence[Lying]) -> np.ndarray:
        """Return the values of functionals of all lanes that belong to tiles of one shape."""
        size = (*chunk.chains.status.shape, shape.functionals)
        values = np.full(size, np.nan)
        if shape.functionals:
            lanes, (theta,) = values.reshape(-1, *size[2:]), chunk.on_host("theta")
            for own in tiles:
                task = self.tasks[own.task]
                for begin, end in zip(own.lane[own.whole], own.end - own.begin, strict=False):
                    some = theta[begin : begin + end, :, : shape.models]
                    truth = np.asarray(task.arrays.truth)[0]
                    found = functional_values(some, truth, task.functionals)
                    lanes[begin : begin + end, :, : shape.models] = found
        return values

    def _piece(
        self, tiles: Lying, chosen: np.ndarray, made: tuple[Row, Any], places: np.ndarray
    ) -> tuple[int, Piece]:
        """Return some tiles of a task, whose rows are in these places."""
        begin, end = tiles.begin[chosen], tiles.end[chosen]
        numbers = self.tasks[tiles.task].chains[begin].astype(int) // TILE
        piece = Piece.of(numbers, end - begin, made, places)
        return tiles.task, piece.on_host() if several() else piece

    def _from_host(self, chunk: Chunk, lying: Sequence[Lying]) -> list[tuple[int, Piece]]:
        """Return the tiles that are put together here, as far as they are complete."""
        if all(tiles.whole.all() for tiles in lying):
            return []
        leaves, pieces = chunk.on_host("theta", "status", "steps"), []
        for tiles in lying:
            models, complete = self.tasks[tiles.task].models, []
            for k in np.flatnonzero(~tiles.whole):
                lane, count = int(tiles.lane[k]), int(tiles.end[k] - tiles.begin[k])
                lanes = slice(max(lane, 0), min(lane + count, len(chunk.owner)))
                part = Trajectory(*(leaf[lanes, :, :models].copy() for leaf in leaves))
                parts = self._cut.setdefault((tiles.task, int(tiles.begin[k])), {})
                parts[lanes.start - lane] = part  # once, if the chunk is run again
                if sum(len(part.theta) for part in parts.values()) == count:
                    complete.append(k)
            if complete:
                pieces += self._put_together(chunk, tiles, np.array(complete))
        return pieces

    def _put_together(
        self, chunk: Chunk, tiles: Lying, complete: np.ndarray
    ) -> list[tuple[int, Piece]]:
        """Reduce tiles of one task that lay in several shares or chunks."""
        task, counts = self.tasks[tiles.task], (tiles.end - tiles.begin)[complete]
        truth = np.asarray(task.arrays.truth)[0]
        joined = []
        for begin, count in zip(tiles.begin[complete], counts, strict=True):
            parts = self._cut[tiles.task, int(begin)].values()
            whole = Trajectory(*map(np.concatenate, zip(*parts, strict=True)))
            joined.append([np.pad(a, [(0, TILE - count)] + [(0, 0)] * (a.ndim - 1)) for a in whole])
        chains = Trajectory(*map(np.stack, zip(*joined, strict=True)))
        values = functional_values(chains.theta, truth, task.functionals)
        made = tiles_of(
            chains, values, counts, truth, reduction=self._reduction, device=chunk.devices[0]
        )
        pieces = [
            self._piece(tiles, complete[chosen], rows, np.arange(len(complete[chosen])))
            for chosen, rows in made
        ]
        for begin in tiles.begin[complete]:
            del self._cut[tiles.task, int(begin)]
        return pieces
