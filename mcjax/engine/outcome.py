"""Summaries of the chains of one condition.

What a tile is reduced to is up to the run: an :class:`Outcome` unless it says otherwise. All that
gathering needs is a :class:`Summary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int

from mcjax.engine.arrays import difference, library, masked, sums_of_squares
from mcjax.engine.kept_moments import as_computed, as_kept
from mcjax.engine.moments import (
    ErrorMoments,
    Errors,
    Tile,
    merge,
    moments_of,
)
from mcjax.models.model import Functional
from mcjax.solvers.status import Status

KEPT = 1 << 18
"""Largest number of errors of a condition kept individually, not as moments: one megabyte."""

BITS = 63
"""Bits of a number that hold counts."""


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


class Totals(NamedTuple):
    """The numbers of an :class:`Outcome`, but for its sample, as they are computed."""

    moments: ErrorMoments
    largest: Float[Any, "T+1 M"]
    highest: Float[Any, "T+1 M F"]
    fits: Float[Any, "T+1 M codes"]
    steps: Float[Any, ""]
    chains: Float[Any, ""]


class ErrorTotals(NamedTuple):
    """Reduce chains to an :class:`Outcome`.

    Attributes
    ----------
    beside_pooled : bool
        Whether the last model is the pooled estimator.
    """

    beside_pooled: bool = False

    def of(self, tile: Tile) -> Totals:
        """Reduce the chains of tiles that count."""
        tile, pooled = self._parts(tile)
        errors, squares, of = Errors.of(tile), None, library(tile.theta)
        if pooled is not None:
            own = sums_of_squares(pooled, -2)
            exists = of.isfinite(own)
            squares = masked(own, exists), exists
        counted, squared = tile.counted[..., None, None, :], errors.squared
        return Totals(
            moments=moments_of(errors, tile.values, squares),
            largest=masked(squared, of.isfinite(squared)).max(-1),
            highest=masked(tile.values, of.isfinite(tile.values), -np.inf).max(-1),
            fits=counts_by_status(tile),
            steps=masked(tile.steps, counted, 0).sum((-3, -2, -1), dtype=int).astype(float),
            chains=tile.counted.sum(-1, dtype=float),
        )

    def merged(self, first: Totals, second: Totals) -> Totals:
        """Return the numbers of two sets of chains together."""
        of = library(first.largest)
        return Totals(
            moments=merge(first.moments, second.moments),
            largest=of.maximum(first.largest, second.largest),
            highest=of.maximum(first.highest, second.highest),
            fits=first.fits + second.fits,
            steps=first.steps + second.steps,
            chains=first.chains + second.chains,
        )

    def sample(self, tile: Tile) -> Float32[Any, "... C M p"]:
        """Return the errors at generation T; those beyond single precision are infinite."""
        tile, _ = self._parts(tile)
        error = difference(tile.theta[..., -1, :, :, :], tile.truth[..., None, :, None])
        return library(error).moveaxis(error, -1, -3).astype(np.float32)

    def kept(self, numbers: Totals, sample: Float32[np.ndarray, "K M p"]) -> Outcome:
        """Return the outcome of such numbers."""
        return Outcome(
            moments=as_kept(numbers.moments),
            sample=sample,
            largest=numbers.largest,
            highest=numbers.highest,
            fits=numbers.fits.astype(int),
            steps=int(numbers.steps),
            chains=int(numbers.chains),
        )

    def numbers(self, outcome: Outcome) -> tuple[Totals, Float32[np.ndarray, "K M p"]]:
        """Return the numbers that an outcome was made from, and its sample."""
        plain = (outcome.largest, outcome.highest, outcome.fits, outcome.steps, outcome.chains)
        numbers = Totals(as_computed(outcome.moments), *(np.asarray(a, float) for a in plain))
        return numbers, outcome.sample

    def _parts(self, tile: Tile) -> tuple[Tile, Float[Any, "... p C"] | None]:
        """Return tiles without the pooled estimator, and the errors of the latter."""
        if not self.beside_pooled:
            return tile, None
        theta, status, steps, values = tile[:4]
        models = Tile(
            theta[..., :-1, :, :],
            status[..., :-1, :],
            steps[..., :-1, :],
            values[..., :-1, :, :],
            counted=tile.counted,
            truth=tile.truth,
        )
        return models, difference(theta[..., 0, -1, :, :], tile.truth[..., :, None])


def counts_by_status(tile: Tile) -> Float[Any, "... T+1 M codes"]:
    """Return how many fits of the chains that count ended in which way."""
    of, counted = library(tile.status), tile.counted[..., None, None, :]
    digit = tile.status.shape[-1].bit_length()
    several, groups = BITS // digit, []
    for first in range(0, len(Status), several):
        # each count is a digit of one sum, as many sums take longer
        place = of.asarray(tile.status, int) - first
        here = counted & (place >= 0) & (place < several)
        unit = of.left_shift(1, digit * masked(place, here, 0))
        total = masked(unit, here, 0).sum(-1)
        count = min(several, len(Status) - first)
        places = digit * np.arange(count).reshape(*[1] * total.ndim, count)
        groups.append((total[..., None] >> places) & (2**digit - 1))
    return of.concatenate(groups, -1).astype(float)


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
