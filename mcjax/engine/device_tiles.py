"""Chunks whose tiles are reduced on the devices where their chains ran: for accelerators.

Tiles that lie whole in the share of a device are reduced there. Those that reach over the border of
a share or of a chunk are put together and reduced on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mcjax.chains.program import Program, Trajectory
from mcjax.engine.engine import Chunk
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import functional_values
from mcjax.engine.processes import several
from mcjax.engine.task import Task
from mcjax.engine.tile_program import Plan, Row, Shape, at_once, numbers_of, reduced, shape_of
from mcjax.engine.tiles import Piece, Reduction, Tiles


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
        Whether they lie whole in the share of a device, with 128 lanes to read.
    """

    task: int
    begin: np.ndarray
    end: np.ndarray
    lane: np.ndarray
    whole: np.ndarray


class OnDevices:
    """Reduces the chunks of some tasks to pieces, on the devices.

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
        self._tiles = [Tiles(task, reduction) for task in tasks]  # those that are cut

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
        slots = max(1, chunk.share // TILE, int(many.max()))  # more, if some have few chains
        group = at_once(shape, slots)
        slots = -(-slots // group) * group
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
                begin, end = np.searchsorted(chunk.owner, (own.task, own.task + 1))
                some = theta[begin:end, :, : shape.models]
                truth = np.asarray(task.arrays.truth)[0]
                found = functional_values(some, truth, task.functionals)
                lanes[begin:end, :, : shape.models] = found
        return values

    def _piece(
        self, tiles: Lying, chosen: np.ndarray, made: tuple[Row, Any], places: np.ndarray
    ) -> tuple[int, Piece]:
        """Return some tiles of a task, whose rows are in these places."""
        begin, end = tiles.begin[chosen], tiles.end[chosen]
        numbers = self.tasks[tiles.task].chains[begin].astype(int) // TILE
        piece = Piece.of(numbers, end - begin, made, places)
        if several():  # which exchange NumPy's arrays
            rows, shape = tuple(np.asarray(leaf)[places] for leaf in made[0]), self._shapes
            found = numbers_of(rows, self._reduction, shape[tiles.task])
            piece = piece._replace(numbers=found, places=np.arange(len(places)))
        return tiles.task, piece

    def _from_host(self, chunk: Chunk, lying: Sequence[Lying]) -> list[tuple[int, Piece]]:
        """Return the tiles that are reduced here, as far as they are complete."""
        if all(tiles.whole.all() for tiles in lying):
            return []
        leaves, pieces = chunk.on_host(*Trajectory._fields), []
        for tiles in lying:
            task, cut = tiles.task, np.flatnonzero(~tiles.whole)
            ends = tiles.lane + tiles.end - tiles.begin
            for run in np.split(cut, np.flatnonzero(np.diff(cut) > 1) + 1) if len(cut) else ():
                lane = int(tiles.lane[run[0]])
                low, high = max(lane, 0), min(int(ends[run[-1]]), len(chunk.owner))
                own = (leaf[low:high, :, : self.tasks[task].models] for leaf in leaves)
                begin = int(tiles.begin[run[0]]) + low - lane
                made = self._tiles[task].add(Trajectory(*own), begin)
                pieces += [(task, piece) for piece in made]
        return pieces
