"""What the chains of one condition did, gathered tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mcjax.chains.program import Trajectory
from mcjax.engine.moments import TILE, ErrorMoments, Moments, merge, tile_moments
from mcjax.models.model import Functional
from mcjax.solvers.status import Status

KEPT = 1 << 18
"""Numbers of one condition that are kept as they are, not as moments: a megabyte."""


class Outcome(NamedTuple):
    """A summary of C chains.

    Attributes
    ----------
    moments: of the errors.
    sample: errors at generation T of the first chains, (K, M, p), single precision, not-a-number
        where there is none; as many as make ``KEPT`` numbers.
    largest: ||e||^2 of the chain farthest off, 0 without any, (T + 1, M).
    highest: value of each functional in the chain where it is highest, minus infinity without any,
        (T + 1, M, F).
    fits: number of fits by outcome, shape (T + 1, M, number of :class:`Status` codes).
    steps: gradients evaluated, in all. chains: C.
    """

    moments: ErrorMoments
    sample: np.ndarray
    largest: np.ndarray
    highest: np.ndarray
    fits: np.ndarray
    steps: int
    chains: int


class Tally(NamedTuple):
    """A summary that can be continued.

    ``whole`` covers the chains up to the last full tile, ``rest`` those after it. A longer run
    goes on from ``whole`` and so comes to the very numbers it would have found in one go.
    """

    whole: Outcome | None = None
    rest: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """Both parts together."""
        parts = [part for part in self if part is not None]
        return merge_outcomes(*parts) if len(parts) == 2 else parts[0]

    @property
    def tiled(self) -> int:
        """Chains in ``whole``."""
        return 0 if self.whole is None else self.whole.chains

    @property
    def chains(self) -> int:
        """Chains in all."""
        return self.tiled + (0 if self.rest is None else self.rest.chains)


def summarise(
    tiles: Trajectory, truth: np.ndarray, functionals: Sequence[Functional] = ()
) -> list[Outcome]:
    """The summary of each tile; leading axes of every array: tiles, chains."""
    status, theta = np.asarray(tiles.status), np.asarray(tiles.theta)
    values = functional_values(theta, truth, functionals)
    moments = tile_moments(theta, truth, values)
    error = theta - truth
    with np.errstate(over="ignore"):  # beyond single precision it is infinite, and no estimate
        sample = error[:, :, -1].astype(np.float32)
    squared = np.square(error, dtype=float).sum(-1)
    largest = np.where(np.isfinite(squared), squared, 0.0).max(1)
    highest = np.where(np.isfinite(values), values, -np.inf).max(1)
    fits = np.stack([(status == code).sum(1) for code in Status], axis=-1)
    steps = np.asarray(tiles.steps).sum((1, 2, 3))
    return [
        Outcome(
            ErrorMoments(*(Moments(*(leaf[k] for leaf in part)) for part in moments)),
            sample[k, : kept(sample[k, 0].size)],
            largest[k],
            highest[k],
            fits[k],
            int(steps[k]),
            status.shape[1],
        )
        for k in range(len(status))
    ]


def functional_values(
    theta: np.ndarray, truth: np.ndarray, functionals: Sequence[Functional]
) -> np.ndarray:
    """The functionals of estimates (..., p), shape (..., F); not-a-number where there is none."""
    found = np.full((*theta.shape[:-1], len(functionals)), np.nan)
    known = np.isfinite(theta).all(-1)
    estimates = np.asarray(theta[known], float)
    for k, functional in enumerate(functionals):
        found[known, k] = functional.value(estimates, truth)
    return found


def merge_outcomes(first: Outcome, second: Outcome) -> Outcome:
    """The summary of both sets of chains."""
    sample = first.sample
    most = kept(sample[0].size)
    if len(sample) < most:
        sample = np.concatenate([sample, second.sample])[:most]
    return Outcome(
        merge(first.moments, second.moments),
        sample,
        np.maximum(first.largest, second.largest),
        np.maximum(first.highest, second.highest),
        first.fits + second.fits,
        first.steps + second.steps,
        first.chains + second.chains,
    )


def kept(numbers: int) -> int:
    """Chains whose errors are kept, if each has so many numbers."""
    return max(1, KEPT // numbers)


class Tiles:
    """Takes one condition's trajectories in the order of its chains and summarises tile by tile.

    Parameters
    ----------
    truth: shape (p,). chains: the numbers of those to come, ascending, whole tiles but the last.
    functionals: the family's.
    """

    def __init__(
        self, truth: np.ndarray, chains: np.ndarray, functionals: Sequence[Functional] = ()
    ):
        self._truth = truth
        self._chains = chains
        self._functionals = functionals
        self._waiting: list[Trajectory] = []
        self._done = 0

    def add(self, part: Trajectory) -> list[tuple[int, Outcome]]:
        """``part``: the next chains, any number of them. Tiles that are now whole, by number."""
        self._waiting.append(part)
        have = sum(len(part.theta) for part in self._waiting)
        last = self._done + have == len(self._chains)
        if have < TILE and not last:
            return []
        leaves = [np.concatenate(leaf) for leaf in zip(*self._waiting, strict=True)]
        whole = have // TILE * TILE
        found: list[Outcome] = []
        if whole:
            tiles = (leaf[:whole].reshape(-1, TILE, *leaf.shape[1:]) for leaf in leaves)
            found += summarise(Trajectory(*tiles), self._truth, self._functionals)
        if last and whole < have:
            rest = Trajectory(*(leaf[None, whole:] for leaf in leaves))
            found += summarise(rest, self._truth, self._functionals)
            whole = have
        first = self._chains[self._done : self._done + whole : TILE] // TILE
        self._done += whole
        self._waiting = [Trajectory(*(leaf[whole:] for leaf in leaves))]
        return list(zip(first.tolist(), found, strict=True))


class Gather:
    """Merges one condition's tiles in the order of their numbers, whatever order they come in."""

    def __init__(self, known: Tally):
        self._whole = known.whole
        self._rest: Outcome | None = None
        self._next = known.tiled // TILE
        self._early: dict[int, Outcome] = {}

    def add(self, tile: int, found: Outcome) -> None:
        """Tile ``tile``, of 64 chains or, the last one, fewer."""
        assert self._rest is None, "no tile follows one that is not full"
        self._early[tile] = found
        while self._next in self._early:
            following = self._early.pop(self._next)
            if following.chains < TILE:
                self._rest = following
            else:
                whole = self._whole
                self._whole = following if whole is None else merge_outcomes(whole, following)
            self._next += 1

    def tally(self) -> Tally:
        """All tiles so far that no other is missing before."""
        return Tally(self._whole, self._rest)
