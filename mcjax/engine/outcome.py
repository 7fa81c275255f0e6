"""Summaries of the chains of one condition, gathered tile by tile.

What a tile is reduced to is up to the run: an :class:`Outcome` unless it says otherwise. All that
gathering needs is a :class:`Summary`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import jax
import numpy as np
from jaxtyping import Float, Float32, Int, Integer

from mcjax.chains.program import Trajectory
from mcjax.engine.moments import TILE, ErrorMoments, errors_of, merge, moments_of
from mcjax.models.model import Functional
from mcjax.solvers.status import Status

KEPT = 1 << 18
"""Largest number of errors of a condition kept individually, not as moments: one megabyte."""

CACHED = 1 << 17
"""Number of errors summarised at once: one megabyte, which stays in the cache of a core."""


class Summary(Protocol):
    """Numbers that describe a set of chains, and merge with those of another set."""

    @property
    def chains(self) -> int:
        """Number of chains."""

    def merged(self, other: Self) -> Self:
        """Return the summary of both sets together."""


S = TypeVar("S", bound=Summary)


class Outcome(NamedTuple):
    """A summary of C chains.

    Attributes
    ----------
    moments : ErrorMoments
        Moments of the errors.
    sample : ndarray
        Errors of the first K chains at generation T, shape (K, M, p), single precision, NaN where
        there is none. K is such that these are at most ``KEPT`` numbers.
    largest : ndarray
        Largest ||e||^2 over chains, 0 if there is none, shape (T + 1, M).
    highest : ndarray
        Largest value of each functional over chains, minus infinity if there is none, shape
        (T + 1, M, F).
    fits : ndarray
        Number of fits by outcome, shape (T + 1, M, number of :class:`Status` codes).
    steps : int
        Total number of gradients evaluated.
    chains : int
        Number C of chains.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> jax.config.update("jax_enable_x64", True)
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [tally] = mcjax.simulate(study)
    >>> outcome = tally.outcome
    >>> outcome.chains, outcome.sample.shape
    (512, (512, 1, 2))
    """

    moments: ErrorMoments
    sample: Float32[np.ndarray, "K M p"]
    largest: Float[np.ndarray, "T+1 M"]
    highest: Float[np.ndarray, "T+1 M F"]
    fits: Int[np.ndarray, "T+1 M codes"]
    steps: int
    chains: int

    def merged(self, other: Outcome) -> Outcome:
        """Return the summary of two sets of chains together; this one's come first."""
        sample = self.sample
        most = kept(sample[0].size)
        if len(sample) < most:
            sample = np.concatenate([sample, other.sample])[:most]
        return Outcome(
            moments=merge(self.moments, other.moments),
            sample=sample,
            largest=np.maximum(self.largest, other.largest),
            highest=np.maximum(self.highest, other.highest),
            fits=self.fits + other.fits,
            steps=self.steps + other.steps,
            chains=self.chains + other.chains,
        )


class Tally(NamedTuple, Generic[S]):
    """A summary that can be continued by a longer run.

    A longer run continues from ``whole``, so its numbers are exactly those of a single run.

    Attributes
    ----------
    whole : Summary or None
        The chains up to the end of the last full tile.
    rest : Summary or None
        The chains after it.
    """

    whole: S | None = None
    rest: S | None = None

    @property
    def outcome(self) -> S:
        """Return the summary of both parts together."""
        parts = [part for part in (self.whole, self.rest) if part is not None]
        return parts[0].merged(parts[1]) if len(parts) == 2 else parts[0]

    @property
    def tiled(self) -> int:
        """Return the number of chains in ``whole``."""
        return 0 if self.whole is None else self.whole.chains

    @property
    def chains(self) -> int:
        """Return the total number of chains."""
        return self.tiled + (0 if self.rest is None else self.rest.chains)


def summarise(
    tiles: Trajectory,
    truth: Float[np.ndarray, " p"],
    functionals: Sequence[Functional] = (),
    pooled: Float[np.ndarray, "tiles C p"] | None = None,
) -> list[Outcome]:
    """Return the summary of each tile; every array has leading axes (tiles, chains).

    ``pooled`` holds the estimates of the pooled estimator, if it was simulated.
    """
    step = max(1, CACHED // max(1, np.size(tiles.theta[0])))
    found: list[Outcome] = []
    for k in range(0, len(tiles.theta), step):
        some = Trajectory(*(leaf[k : k + step] for leaf in tiles))
        beside = None if pooled is None else pooled[k : k + step]
        found += _summarise(some, truth, functionals, beside)
    return found


def _summarise(
    tiles: Trajectory,
    truth: Float[np.ndarray, " p"],
    functionals: Sequence[Functional],
    pooled: Float[np.ndarray, "tiles C p"] | None,
) -> list[Outcome]:
    """Summarise tiles that fit into the cache of a core."""
    status, theta = np.asarray(tiles.status), np.asarray(tiles.theta)
    errors = errors_of(theta, truth)
    values = functional_values(theta, truth, functionals)
    moments = moments_of(errors, values, None if pooled is None else pooled - truth)
    with np.errstate(over="ignore"):  # errors beyond single precision become infinite
        sample = (theta[:, :, -1] - truth).astype(np.float32)
    largest = np.where(np.isfinite(errors.squared), errors.squared, 0.0).max(1)
    highest = np.where(np.isfinite(values), values, -np.inf).max(1)
    fits = count_fits(np.moveaxis(status, 1, -1))
    steps = np.asarray(tiles.steps).sum((1, 2, 3))
    return [
        Outcome(
            moments=jax.tree.map(itemgetter(k), moments),
            sample=sample[k, : kept(sample[k, 0].size)],
            largest=largest[k],
            highest=highest[k],
            fits=fits[k],
            steps=int(steps[k]),
            chains=status.shape[1],
        )
        for k in range(len(status))
    ]


def summarise_beside_pooled(
    tiles: Trajectory, truth: Float[np.ndarray, " p"], functionals: Sequence[Functional] = ()
) -> list[Outcome]:
    """Return the summary of each tile whose last model is the pooled estimator."""
    models = Trajectory(tiles.theta[..., :-1, :], tiles.status[..., :-1], tiles.steps[..., :-1])
    pooled = np.asarray(tiles.theta, float)[:, :, 0, -1]
    return summarise(models, truth, functionals, pooled)


def count_fits(status: Int[np.ndarray, "*shape N"]) -> Int[np.ndarray, "*shape codes"]:
    """Count statuses (..., N) by code; the result has shape (..., number of codes)."""
    codes = len(Status)
    rows = (
        np.reshape(status, (-1, status.shape[-1])) + codes * np.arange(status[..., 0].size)[:, None]
    )
    counts = np.bincount(rows.ravel(), minlength=codes * len(rows))
    return counts.reshape(*status.shape[:-1], codes)


def all_statuses(counts: Int[np.ndarray, "*shape some"]) -> Int[np.ndarray, "*shape codes"]:
    """Return counts by status with zeros for statuses that came later than the counts."""
    missing = len(Status) - counts.shape[-1]
    return np.pad(counts, [(0, 0)] * (counts.ndim - 1) + [(0, missing)])


def functional_values(
    theta: Float[np.ndarray, "*shape p"],
    truth: Float[np.ndarray, " p"],
    functionals: Sequence[Functional],
) -> Float[np.ndarray, "*shape F"]:
    """Return the functionals of estimates (..., p), shape (..., F); NaN without an estimate."""
    values = np.full((*theta.shape[:-1], len(functionals)), np.nan)
    if not functionals:
        return values
    known = np.isfinite(theta).all(-1)
    estimates = np.asarray(theta[known], float)
    together: dict[Any, np.ndarray] = {}  # values of functionals that are computed together
    for k, functional in enumerate(functionals):
        if functional.entry is None:
            values[known, k] = functional.value(estimates, truth)
            continue
        if functional.value not in together:
            together[functional.value] = functional.value(estimates, truth)
        values[known, k] = together[functional.value][..., functional.entry]
    return values


def kept(numbers: int) -> int:
    """Return how many chains' errors are kept if each has this many numbers."""
    return max(1, KEPT // numbers)


Summarise = Callable[[Trajectory, Float[np.ndarray, " p"], Sequence[Functional]], list[S]]
"""Reduces tiles of chains, given the truth and the model's functionals, to one summary each."""


class Tiles(Generic[S]):
    """Summaries, tile by tile, of the trajectories of one condition in the order of its chains.

    Parameters
    ----------
    truth : ndarray
        Shape (p,).
    chains : ndarray
        Numbers of the chains to come, ascending; all tiles but the last are whole.
    functionals : sequence of Functional
        The model's functionals.
    summarise : callable
        What a tile is reduced to.
    """

    def __init__(
        self,
        truth: Float[np.ndarray, " p"],
        chains: Integer[np.ndarray, " C"],
        functionals: Sequence[Functional],
        summarise: Summarise[S],
    ):
        self._summarise = summarise
        self._truth = truth
        self._chains = chains
        self._functionals = functionals
        self._waiting: list[Trajectory] = []
        self._done = 0

    def add(self, part: Trajectory) -> list[tuple[int, S]]:
        """Add the next chains, any number of them; return the tiles that are now complete."""
        self._waiting.append(part)
        have = sum(len(part.theta) for part in self._waiting)
        last = self._done + have == len(self._chains)
        if have < TILE and not last:
            return []
        leaves = self._waiting[0]
        if len(self._waiting) > 1:
            leaves = Trajectory(*map(np.concatenate, zip(*self._waiting, strict=True)))
        whole = have // TILE * TILE
        outcomes: list[S] = []
        if whole:
            tiles = (leaf[:whole].reshape(-1, TILE, *leaf.shape[1:]) for leaf in leaves)
            outcomes += self._summarise(Trajectory(*tiles), self._truth, self._functionals)
        if last and whole < have:
            rest = Trajectory(*(leaf[None, whole:] for leaf in leaves))
            outcomes += self._summarise(rest, self._truth, self._functionals)
            whole = have
        first = self._chains[self._done : self._done + whole : TILE] // TILE
        self._done += whole
        self._waiting = [Trajectory(*(leaf[whole:] for leaf in leaves))] if whole < have else []
        return list(zip(first.tolist(), outcomes, strict=True))


class Gather(Generic[S]):
    """The tiles of one condition, merged in the order of their numbers, however they arrive."""

    def __init__(self, known: Tally[S]):
        self._whole = known.whole
        self._rest: S | None = None
        self._next = known.tiled // TILE
        self._early: dict[int, S] = {}

    def add(self, tile: int, outcome: S) -> None:
        """Add a tile, given by its number, of 64 chains or, if it is the last, fewer."""
        assert self._rest is None, "no tile follows one that is not full"
        self._early[tile] = outcome
        while self._next in self._early:
            following = self._early.pop(self._next)
            if following.chains < TILE:
                self._rest = following
            else:
                whole = self._whole
                self._whole = following if whole is None else whole.merged(following)
            self._next += 1

    def tally(self) -> Tally[S]:
        """Return the summary of all tiles up to the first that is missing."""
        return Tally(self._whole, self._rest)
