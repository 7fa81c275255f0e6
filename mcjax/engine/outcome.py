"""What the chains of one condition did, gathered tile by tile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mcjax.chains.chain import Trajectory
from mcjax.engine.moments import TILE, ErrorMoments, merge, tile_moments
from mcjax.fits.status import Status


class Outcome(NamedTuple):
    """A summary of C chains.

    Attributes
    ----------
    moments: of the errors.
    fits: number of fits by outcome, shape (T + 1, M, number of :class:`Status` codes).
    steps: gradients evaluated, in all. chains: C.
    """

    moments: ErrorMoments
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


def summarise(tile: Trajectory, truth: np.ndarray) -> Outcome:
    """The summary of up to 64 chains; leading axis of every array: chains."""
    status = np.asarray(tile.status)
    return Outcome(
        moments=tile_moments(np.asarray(tile.theta), truth),
        fits=np.stack([(status == code).sum(0) for code in Status], axis=-1),
        steps=int(np.asarray(tile.steps).sum()),
        chains=len(status),
    )


def merge_outcomes(first: Outcome, second: Outcome) -> Outcome:
    """The summary of both sets of chains."""
    return Outcome(
        merge(first.moments, second.moments),
        first.fits + second.fits,
        first.steps + second.steps,
        first.chains + second.chains,
    )


class Gather:
    """Takes one condition's trajectories in the order of chains and keeps a :class:`Tally`."""

    def __init__(self, truth: np.ndarray, whole: Outcome | None = None):
        self._truth = truth
        self._whole = whole
        self._waiting: list[Trajectory] = []

    def add(self, part: Trajectory) -> None:
        """``part``: the next chains, any number of them."""
        chains = len(part.theta)
        self._waiting.extend(Trajectory(*(leaf[c] for leaf in part)) for c in range(chains))
        while len(self._waiting) >= TILE:
            new = self._summary(self._waiting[:TILE])
            self._whole = new if self._whole is None else merge_outcomes(self._whole, new)
            self._waiting = self._waiting[TILE:]

    def tally(self) -> Tally:
        """All chains added so far."""
        return Tally(self._whole, self._summary(self._waiting) if self._waiting else None)

    def _summary(self, chains: list[Trajectory]) -> Outcome:
        columns = (np.stack(column) for column in zip(*chains, strict=True))
        return summarise(Trajectory(*columns), self._truth)
