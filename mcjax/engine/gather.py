"""Tiles of one condition, gathered in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Float32, Integer

from mcjax.chains.program import Trajectory
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import (
    ErrorTotals,
    Outcome,
    S,
    Tally,
    functional_values,
    kept,
)
from mcjax.engine.tiles import (
    Plan,
    Reduction,
    Row,
    Shape,
    at_once,
    fold,
    layout,
    packed,
    reduced,
    row_at,
    unpacked,
)
from mcjax.models.model import Functional

AT_ONCE = 16
"""Number of groups of tiles that come from the host at a time, if there are more than one."""


class Piece(NamedTuple):
    """Some tiles of a condition, as rows of numbers.

    Attributes
    ----------
    tiles : ndarray
        Their numbers, ascending.
    chains : ndarray
        Number of chains of each.
    rows : array
        Rows of numbers, on a device or not.
    places : ndarray
        Which row is that of each tile.
    samples : dict
        What is kept of the chains of some tiles, by number.
    """

    tiles: Integer[np.ndarray, " K"]
    chains: Integer[np.ndarray, " K"]
    rows: Row
    places: Integer[np.ndarray, " K"]
    samples: dict[int, Float32[np.ndarray, "C M p"]]

    @classmethod
    def of(
        cls,
        tiles: Integer[np.ndarray, " K"],
        chains: Integer[np.ndarray, " K"],
        made: tuple[Row, Any],
        places: Integer[np.ndarray, " K"],
    ) -> Piece:
        """Return tiles with their samples, of which those of the first chains are fetched."""
        rows, sample = made
        size = int(np.prod(sample.shape[2:]))
        first = TILE * tiles < kept(max(size, 1))
        asked = (first | (chains < TILE)) & bool(size)
        fetched = np.asarray(sample) if asked.any() else None
        samples = {}
        if fetched is not None:
            chosen = zip(tiles[asked], chains[asked], places[asked], strict=True)
            samples = {int(tile): fetched[place, :count] for tile, count, place in chosen}
        return cls(tiles, chains, rows, places, samples)

    def on_host(self) -> Piece:
        """Return the tiles with their own rows in NumPy arrays."""
        rows = row_at(self.rows, self.places)
        return self._replace(rows=rows, places=np.arange(len(self.places)))


class Gather(Generic[S]):
    """The tiles of one condition, merged in the order of their numbers, however they arrive.

    Parameters
    ----------
    known : Tally
        What they continue.
    reduction : Reduction
        What tiles are reduced to.
    shape : Shape
        Shape of the chains.
    device : Device
        Where rows are merged.
    """

    def __init__(self, known: Tally[S], reduction: Reduction[S], shape: Shape, device: jax.Device):
        self._known = known.whole
        self._reduction, self._shape, self._device = reduction, shape, device
        self._next = known.tiled // TILE
        self._early: dict[int, tuple[Piece, int]] = {}
        self._total: Row | None = None
        self._samples: list[np.ndarray] = []
        self._rest: tuple[Row, list[np.ndarray]] | None = None
        if known.whole is not None:
            numbers, sample = reduction.numbers(known.whole)
            self._total, self._samples = packed(numbers), [sample]

    def add(self, piece: Piece) -> None:
        """Add tiles of 64 chains or, if it is the last, fewer."""
        self._early |= {int(tile): (piece, k) for k, tile in enumerate(piece.tiles)}
        run: list[int] = []
        while self._next in self._early:
            assert self._rest is None, "no tile follows one that is not full"
            own, k = self._early.pop(self._next)
            sample = [own.samples[self._next]] if self._next in own.samples else []
            place = int(own.places[k])
            if own.chains[k] < TILE:
                self._rest = row_at(own.rows, place), sample
            else:
                run.append(place)
                self._samples += sample
            self._next += 1
            following = self._early.get(self._next)
            if run and (following is None or following[0].rows is not own.rows):
                self._merge(own.rows, run)
                run = []

    def _merge(self, rows: Row, places: Sequence[int]) -> None:
        self._known = None
        if self._total is None and len(places) == 1:
            self._total = row_at(rows, places[0])
            return
        about = {"reduction": self._reduction, "shape": self._shape, "device": self._device}
        self._total = fold(self._total, rows, np.array(places), **about)

    def tally(self) -> Tally[S]:
        """Return the summary of all tiles up to the first that is missing."""
        whole = self._known
        if whole is None and self._total is not None:
            whole = self._summary(self._total, self._samples)
        return Tally(whole, None if self._rest is None else self._summary(*self._rest))

    def _summary(self, row: Row, samples: Sequence[np.ndarray]) -> S:
        numbers = unpacked(row_at(row, ...), layout(self._reduction, self._shape))
        found = np.zeros((0, self._shape.models, self._shape.p), np.float32)
        if samples:
            found = np.concatenate(samples)
            found = found[: kept(found[0].size)]
        return self._reduction.kept(numbers, found)


def tiles_of(
    chains: Trajectory,
    values: Float[np.ndarray, "K C T+1 M F"],
    counts: Integer[np.ndarray, " K"],
    truth: Float[np.ndarray, " p"],
    *,
    reduction: Reduction[Any],
    device: jax.Device,
) -> Iterator[tuple[slice, tuple[Row, Any]]]:
    """Reduce tiles that are on the host; yield which, with their rows and samples.

    Every array has leading axes (K, C) with at most 64 chains C.
    """
    steps, models, p = chains.theta.shape[2:]
    shape = Shape(steps, models, p, values.shape[-1])
    group = at_once(shape, device.platform)
    size = group if len(counts) <= group else AT_ONCE * group
    for k in range(0, len(counts), size):
        chosen = slice(k, k + size)
        number = len(counts[chosen])

        def padded(leaf: np.ndarray, chosen: slice = chosen) -> np.ndarray:
            some = leaf[chosen]
            whole = np.zeros((size, TILE, *leaf.shape[2:]), leaf.dtype)
            whole[: len(some), : some.shape[1]] = some
            return whole

        taken = np.zeros(size, np.int32)
        taken[:number] = counts[chosen]
        plan = Plan(
            TILE * np.arange(size, dtype=np.int32)[None],
            taken[None],
            np.broadcast_to(np.asarray(truth, float), (1, size, p)),
            np.array([-(-number // group)], np.int32),
        )
        yield (
            chosen,
            reduced(
                Trajectory(*map(padded, chains)),
                padded(values),
                plan,
                reduction,
                shape=shape,
                devices=(device,),
            ),
        )


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
    reduction, device = ErrorTotals(beside_pooled), jax.local_devices()[0]
    count, chains = sets.status.shape[:2]
    each, width = -(-chains // TILE), min(chains, TILE)  # tiles of each set
    missing = each * width - chains

    def cut(leaf: np.ndarray) -> np.ndarray:
        whole = np.pad(leaf, [(0, 0), (0, missing)] + [(0, 0)] * (leaf.ndim - 2))
        return whole.reshape(count * each, width, *leaf.shape[2:])

    steps, models, p = sets.theta.shape[2:]
    shape = Shape(steps, models, p, values.shape[-1])
    gathers = [Gather(Tally(), reduction, shape, device) for _ in range(count)]
    counts = np.tile(np.minimum(TILE, chains - TILE * np.arange(each)), count)
    made = tiles_of(
        Trajectory(*map(cut, sets)), cut(values), counts, truth, reduction=reduction, device=device
    )
    for chosen, found in made:
        rows = jax.tree.map(np.asarray, found)
        which = np.arange(len(counts))[chosen]
        for k in range(which[0] // each, which[-1] // each + 1):
            own = which[which // each == k]
            gathers[k].add(Piece.of(own % each, counts[own], rows, own - which[0]))
    return [gather.tally().outcome for gather in gathers]
