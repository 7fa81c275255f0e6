"""Tiles of one condition, merged in the order of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Generic

import jax
import numpy as np

from mcjax.engine.arrays import library
from mcjax.engine.moments import TILE
from mcjax.engine.outcome import S, Tally, kept
from mcjax.engine.tile_program import Shape, fold, numbers_of, row_at
from mcjax.engine.tiles import Numbers, Piece, Reduction


class Gather(Generic[S]):
    """The tiles of one condition, merged in the order of their numbers, however they arrive.

    Numbers of NumPy are merged by NumPy, those on a device by a program there.

    Parameters
    ----------
    known : Tally
        What they continue.
    reduction : Reduction
        What tiles are reduced to.
    shape : Shape
        Shape of the chains.
    """

    def __init__(self, known: Tally[S], reduction: Reduction[S], shape: Shape):
        self._known = known.whole
        self._reduction, self._shape = reduction, shape
        self._next = known.tiled // TILE
        self._early: dict[int, tuple[Piece, int]] = {}
        self._total: Numbers = None
        self._samples: list[np.ndarray] = []
        self._rest: tuple[Numbers, list[np.ndarray]] | None = None
        if known.whole is not None:
            self._total, sample = reduction.numbers(known.whole)
            self._samples = [sample]

    def add(self, piece: Piece) -> None:
        """Add tiles of 128 chains or, if it is the last, fewer."""
        self._early |= {int(tile): (piece, k) for k, tile in enumerate(piece.tiles)}
        run: list[int] = []
        while self._next in self._early:
            assert self._rest is None, "no tile follows one that is not full"
            own, k = self._early.pop(self._next)
            sample = [own.samples[self._next]] if self._next in own.samples else []
            place = int(own.places[k])
            if own.chains[k] < TILE:
                self._rest = self._one(own.numbers, place), sample
            else:
                run.append(place)
                self._samples += sample
            self._next += 1
            following = self._early.get(self._next)
            if run and (following is None or following[0].numbers is not own.numbers):
                self._merge(own.numbers, run)
                run = []

    def _merge(self, numbers: Numbers, places: Sequence[int]) -> None:
        self._known = None
        if not _on_host(numbers):
            self._total = fold(
                self._total,
                numbers,
                np.array(places),
                reduction=self._reduction,
                shape=self._shape,
            )
            return
        total, (leaves, structure) = self._numpy(self._total), jax.tree.flatten(numbers)
        with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
            for place in places:
                own = jax.tree.unflatten(structure, [leaf[place] for leaf in leaves])
                total = own if total is None else self._reduction.merged(total, own)
        self._total = total

    def _one(self, numbers: Numbers, place: int) -> Numbers:
        """Return the numbers of one tile, of NumPy."""
        if _on_host(numbers):
            return jax.tree.map(itemgetter(place), numbers)
        return self._numpy(row_at(numbers, place))

    def _numpy(self, numbers: Numbers) -> Numbers:
        """Return numbers of NumPy."""
        if numbers is None or _on_host(numbers):
            return numbers
        return numbers_of(numbers, self._reduction, self._shape)

    def tally(self) -> Tally[S]:
        """Return the summary of all tiles up to the first that is missing."""
        whole = self._known
        if whole is None and self._total is not None:
            whole = self._summary(self._total, self._samples)
        return Tally(whole, None if self._rest is None else self._summary(*self._rest))

    def _summary(self, numbers: Numbers, samples: Sequence[np.ndarray]) -> S:
        found = np.zeros((0, self._shape.models, self._shape.p), np.float32)
        if samples:
            found = np.concatenate(samples)
            found = found[: kept(found[0].size)]
        return self._reduction.kept(self._numpy(numbers), found)


def _on_host(numbers: Numbers) -> bool:
    return library(jax.tree.leaves(numbers)[0]) is np
