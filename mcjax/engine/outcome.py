"""What the chains of one condition did, gathered tile by tile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcjax.chains.chain import Trajectory
from mcjax.engine.moments import TILE, ErrorMoments, Moments, merge, tile_moments
from mcjax.fits.status import Status

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
    fits: number of fits by outcome, shape (T + 1, M, number of :class:`Status` codes).
    steps: gradients evaluated, in all. chains: C.
    """

    moments: ErrorMoments
    sample: np.ndarray
    largest: np.ndarray
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


def summarise(tiles: Trajectory, truth: np.ndarray) -> list[Outcome]:
    """The summary of each tile; leading axes of every array: tiles, chains."""
    status, theta = np.asarray(tiles.status), np.asarray(tiles.theta)
    moments = tile_moments(theta, truth)
    error = theta - truth
    sample = error[:, :, -1].astype(np.float32)
    squared = np.square(error, dtype=float).sum(-1)
    largest = np.where(np.isfinite(squared), squared, 0.0).max(1)
    fits = np.stack([(status == code).sum(1) for code in Status], axis=-1)
    steps = np.asarray(tiles.steps).sum((1, 2, 3))
    return [
        Outcome(
            ErrorMoments(*(Moments(*(leaf[k] for leaf in part)) for part in moments)),
            sample[k, : kept(sample[k, 0].size)],
            largest[k],
            fits[k],
            int(steps[k]),
            status.shape[1],
        )
        for k in range(len(status))
    ]


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
        first.fits + second.fits,
        first.steps + second.steps,
        first.chains + second.chains,
    )


def kept(numbers: int) -> int:
    """Chains whose errors are kept, if each has so many numbers."""
    return max(1, KEPT // numbers)


class Gather:
    """Takes one condition's trajectories in the order of chains and keeps a :class:`Tally`."""

    def __init__(self, truth: np.ndarray, whole: Outcome | None = None):
        self._truth = truth
        self._whole = whole
        self._waiting: Trajectory | None = None

    def add(self, part: Trajectory) -> None:
        """``part``: the next chains, any number of them."""
        if self._waiting is not None:
            part = Trajectory(
                *(np.concatenate(both) for both in zip(self._waiting, part, strict=True))
            )
        whole = len(part.theta) // TILE * TILE
        if whole:
            tiles = (leaf[:whole].reshape(-1, TILE, *leaf.shape[1:]) for leaf in part)
            for new in summarise(Trajectory(*tiles), self._truth):
                self._whole = new if self._whole is None else merge_outcomes(self._whole, new)
        rest = Trajectory(*(leaf[whole:] for leaf in part))
        self._waiting = rest if len(rest.theta) else None

    def tally(self) -> Tally:
        """All chains added so far."""
        if self._waiting is None:
            return Tally(self._whole, None)
        one = Trajectory(*(leaf[None] for leaf in self._waiting))
        return Tally(self._whole, summarise(one, self._truth)[0])
