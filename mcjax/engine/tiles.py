"""Tiles of 128 chains, reduced to numbers by NumPy on the host; and what all reducers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import numpy as np
from jaxtyping import Float, Float32, Integer

from mcjax.chains.program import Trajectory
from mcjax.engine.arrays import chains_last
from mcjax.engine.moments import TILE, Tile
from mcjax.engine.outcome import ErrorTotals, Outcome, functional_values, kept
from mcjax.engine.task import Task
from mcjax.models.model import Functional

CACHED = 1 << 18
"""Number of errors reduced at once: two megabytes, about the cache of a core."""

Result = TypeVar("Result")
Numbers = Any
"""A tree of arrays in double precision that describes a set of chains."""


class Reduction(Protocol[Result]):
    """Reduction of sets of chains to numbers; equal reductions have equal hashes.

    Numbers are of NumPy or inside a program, see :mod:`mcjax.engine.arrays`.
    """

    def __hash__(self) -> int:
        """Return the same for equal ones."""

    def of(self, tile: Tile) -> Numbers:
        """Reduce the chains of tiles that count."""

    def merged(self, first: Numbers, second: Numbers) -> Numbers:
        """Return the numbers of two sets of chains together."""

    def sample(self, tile: Tile) -> Float32[Any, "... C M p"]:
        """Return what is kept of each of the first chains themselves."""

    def kept(self, numbers: Numbers, sample: Float32[np.ndarray, "K M p"]) -> Result:
        """Return the summary that is kept of such numbers, in NumPy arrays."""

    def numbers(self, summary: Result) -> tuple[Numbers, Float32[np.ndarray, "K M p"]]:
        """Return the numbers that a summary was made from, and what it keeps of chains."""


class Piece(NamedTuple):
    """Some tiles of a condition, reduced.

    Attributes
    ----------
    tiles : ndarray
        Their numbers, ascending.
    chains : ndarray
        Number of chains of each.
    numbers : tree of array
        Their numbers, with a leading axis of tiles: of NumPy, or packed on a device, see
        :mod:`mcjax.engine.tile_program`.
    places : ndarray
        Where on that axis each tile is.
    samples : dict
        What is kept of the chains of some tiles, by number.
    """

    tiles: Integer[np.ndarray, " K"]
    chains: Integer[np.ndarray, " K"]
    numbers: Numbers
    places: Integer[np.ndarray, " K"]
    samples: dict[int, Float32[np.ndarray, "C M p"]]

    @classmethod
    def of(
        cls,
        tiles: Integer[np.ndarray, " K"],
        chains: Integer[np.ndarray, " K"],
        made: tuple[Numbers, Any],
        places: Integer[np.ndarray, " K"],
    ) -> Piece:
        """Return tiles with their samples, of which those of the first chains are fetched."""
        numbers, sample = made
        size = int(np.prod(sample.shape[2:]))
        asked = ((TILE * tiles < kept(max(size, 1))) | (chains < TILE)) & bool(size)
        samples = {}
        if asked.any():
            chosen = zip(tiles[asked], chains[asked], places[asked], strict=True)
            fetched = np.asarray(sample)
            samples = {int(tile): fetched[place, :count].copy() for tile, count, place in chosen}
        return cls(tiles, chains, numbers, places, samples)


class Tiles:
    """Chains of one task that are on the host, reduced tile by tile.

    Parameters
    ----------
    task : Task
        The task, of which all tiles but the last are whole.
    reduction : Reduction
        What tiles are reduced to.
    """

    def __init__(self, task: Task, reduction: Reduction[Any]):
        self._task, self._reduction = task, reduction
        self._waiting: list[Trajectory] = []
        self._done = 0

    def add(self, part: Trajectory, begin: int | None = None) -> list[Piece]:
        """Add the next chains, any number of them; return the tiles that are now complete.

        Where no tile is incomplete, some that are reduced elsewhere may be left out, up to the
        position ``begin`` in the task.
        """
        if begin is not None and not self._waiting:
            self._done = begin
        self._waiting.append(part)
        have = sum(len(part.theta) for part in self._waiting)
        last = self._done + have == len(self._task.chains)
        if have < TILE and not last:
            return []
        leaves = self._waiting[0]
        if len(self._waiting) > 1:
            leaves = Trajectory(*map(np.concatenate, zip(*self._waiting, strict=True)))
        whole, found = have // TILE * TILE, []
        if whole:
            tiles = (leaf[:whole].reshape(-1, TILE, *leaf.shape[1:]) for leaf in leaves)
            found += self._reduced(Trajectory(*tiles))
        if last and whole < have:
            found += self._reduced(Trajectory(*(leaf[None, whole:] for leaf in leaves)))
            whole = have
        self._waiting = [Trajectory(*(leaf[whole:] for leaf in leaves))] if whole < have else []
        return found

    def _reduced(self, sets: Trajectory) -> list[Piece]:
        truth, pieces = np.asarray(self._task.arrays.truth)[0], []
        for k in _batches(sets):
            some = Trajectory(*(leaf[k] for leaf in sets))
            tiles, chains = some.status.shape[:2]
            values = functional_values(some.theta, truth, self._task.functionals)
            made = reduced(some, values, truth, self._reduction)
            numbers = self._task.chains[self._done : self._done + tiles * chains : TILE] // TILE
            each = np.full(tiles, chains)
            pieces.append(Piece.of(numbers.astype(int), each, made, np.arange(tiles)))
            self._done += tiles * chains
        return pieces


def reduced(
    sets: Trajectory,
    values: Float[np.ndarray, "sets C T+1 M F"],
    truth: Float[np.ndarray, " p"],
    reduction: Reduction[Any],
) -> tuple[Numbers, Float32[np.ndarray, "sets C M p"]]:
    """Reduce sets of C chains in NumPy; every array has leading axes (sets, C).

    Returns
    -------
    numbers, sample
        Numbers of each set, and what is kept of its chains.
    """
    tile = Tile(
        chains_last(sets.theta),
        np.moveaxis(sets.status, 1, -1),
        np.moveaxis(sets.steps, 1, -1),
        chains_last(values),
        counted=np.ones(sets.status.shape[:2], bool),
        truth=truth,
    )
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        return reduction.of(tile), reduction.sample(tile)


def _batches(sets: Trajectory) -> Iterator[slice]:
    """Yield which sets of chains fit into the cache of a core together."""
    step = max(1, CACHED // max(1, np.size(sets.theta[0])))
    for k in range(0, len(sets.theta), step):
        yield slice(k, k + step)


def summarise(
    sets: Trajectory,
    truth: Float[np.ndarray, " p"],
    functionals: Sequence[Functional] = (),
    pooled: Float[np.ndarray, "sets C p"] | None = None,
) -> list[Outcome]:
    """Return the outcome of each set of C chains; every array has leading axes (sets, C).

    ``pooled`` holds the estimates of the pooled estimator, if it was simulated.
    """
    theta, status, steps = map(np.asarray, sets)
    values = functional_values(theta, truth, functionals)
    if pooled is not None:
        beside = np.broadcast_to(pooled[:, :, None, None], (*theta.shape[:3], 1, theta.shape[-1]))
        theta = np.concatenate([theta, beside], -2)
        more = [(0, 0)] * 3 + [(0, 1)]
        status, steps, values = (
            np.pad(status, more),
            np.pad(steps, more),
            np.pad(values, [*more, (0, 0)]),
        )
    return outcomes(Trajectory(theta, status, steps), values, truth, pooled is not None)


def outcomes(
    sets: Trajectory,
    values: Float[np.ndarray, "sets C T+1 M F"],
    truth: Float[np.ndarray, " p"],
    beside_pooled: bool = False,
) -> list[Outcome]:
    """Return the outcome of each set of chains, given the values of functionals."""
    reduction, found = ErrorTotals(beside_pooled), []
    for k in _batches(sets):
        some = Trajectory(*(leaf[k] for leaf in sets))
        numbers, sample = reduced(some, values[k], truth, reduction)
        for i, errors in enumerate(sample):
            one = jax.tree.map(itemgetter(i), numbers)
            found.append(reduction.kept(one, errors[: kept(errors[0].size)]))
    return found
