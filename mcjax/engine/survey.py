"""Chains of every network of a survey, reduced to two numbers for each model and phase.

A study keeps the moments of every generation. A survey, of thousands of networks over hundreds of
generations, keeps only the *slope* and the *level* of the squared error of each chain and model
over the late generations. Where two networks take turns, the generations of either phase have a
slope and a level of their own: model i in phase z is *vertex* ``z M + i`` of V, as in
:class:`mcjax.laws.collapse.lift.Lift`. In all else it is a study that the engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Float32, Int

from mcjax.engine.arrays import difference, library, product, sums_of_squares
from mcjax.engine.compiled import compile_study
from mcjax.engine.moments import Moments, Tile, joint_moments, merge_joint
from mcjax.engine.outcome import counts_by_status
from mcjax.engine.powers import sum_pairs
from mcjax.engine.simulation import summaries
from mcjax.models.location import linear
from mcjax.study.study import Study, condition
from mcjax.study.survey import Survey

CHUNK = 16_384
"""Number of chains in one call. The networks are small, and each call has a fixed cost."""


class LateErrors(NamedTuple):
    """A summary of the late errors of C chains of M models, at V vertices.

    Attributes
    ----------
    moments : Moments
        Joint moments of (slope, level) over the chains with an estimate at every generation: number
        (V,), mean (V, 2), centred sums of products (V, 2, 2).
    pairs : ndarray
        Sums of products of powers of slope and level, see :data:`mcjax.engine.powers.PAIRS`, shape
        (V, 9).
    fits : ndarray
        Number of fits by outcome, shape (M, number of :class:`Status` codes).
    chains : int or ndarray
        Number C of chains.

    Notes
    -----
    Summaries of several networks are stacked: every array has a leading axis of networks.
    """

    moments: Moments
    pairs: Float[Any, "*K V 9"]
    fits: Int[Any, "*K M codes"]
    chains: Int[Any, "*K"]

    def merged(self, other: LateErrors) -> LateErrors:
        """Return the summary of two sets of chains together."""
        return LateErrors(
            merge_joint(self.moments, other.moments),
            self.pairs + other.pairs,
            self.fits + other.fits,
            self.chains + other.chains,
        )

    def network(self, k: int) -> LateErrors:
        """Return the summary of one of several networks."""
        return jax.tree.map(lambda leaf: leaf[k], self)


def simulate_networks(survey: Survey, codes: Sequence[int]) -> LateErrors:
    """Simulate the networks with these codes; the draws of each depend on the network alone."""
    conditions = tuple(
        condition(survey.network(code), linear(), [0.0], label=survey.name(code), seed=survey.seed)
        for code in codes
    )
    study = Study(conditions, survey.generations, survey.chains, chunk=CHUNK)
    tallies = summaries(compile_study(study), LateTotals(survey.phases))
    return _joined([tally.outcome for tally in tallies], np.stack)


def joined_pieces(pieces: Sequence[LateErrors]) -> LateErrors:
    """Return the summaries of the networks of all pieces, in order."""
    return _joined(pieces, np.concatenate)


class LateTotals(NamedTuple):
    """Reduce chains to their :class:`LateErrors`, of so many phases."""

    phases: int = 1

    def of(self, tile: Tile) -> LateErrors:
        """Reduce the chains of tiles that count."""
        of = library(tile.theta)
        error = difference(tile.theta, tile.truth[..., None, None, :, None])
        squared = sums_of_squares(error, -2)  # (..., T + 1, M, C)
        *lead, steps, models, chains = squared.shape
        rows = squared.reshape(*lead, steps, models * chains)
        slopes, levels = map(of.asarray, np.split(late_weights(steps - 1, self.phases), 2))
        level = product(levels, rows)
        rows -= rows[..., -1:, :].copy()  # a constant has no slope, and that exactly
        slope = product(slopes, rows)
        slope, level = (late.reshape(*lead, -1, chains) for late in (slope, level))  # (..., V, C)
        valid = of.isfinite(slope) & of.isfinite(level) & tile.counted[..., None, :]
        return LateErrors(
            joint_moments((slope, level), valid),
            sum_pairs(slope, level, valid),
            counts_by_status(tile).sum(-3),
            tile.counted.sum(-1, dtype=float),
        )

    def merged(self, first: LateErrors, second: LateErrors) -> LateErrors:
        """Return the summary of two sets of chains together."""
        return first.merged(second)

    def sample(self, tile: Tile) -> Float32[Any, "... C 0"]:
        """Return nothing, as no chain is kept itself."""
        return library(tile.theta).zeros((*tile.counted.shape, 0), np.float32)

    def kept(self, numbers: LateErrors, sample: Float32[np.ndarray, "K 0"]) -> LateErrors:
        """Return the summary with counts in whole numbers, for every vertex."""
        count, mean, square = numbers.moments
        moments = Moments(np.broadcast_to(count, len(mean)).astype(int), mean, square)
        return LateErrors(moments, numbers.pairs, numbers.fits.astype(int), int(numbers.chains))

    def numbers(self, summary: LateErrors) -> tuple[LateErrors, Float32[np.ndarray, "0 0"]]:
        """Return the numbers of a summary."""
        found: LateErrors = jax.tree.map(lambda leaf: np.asarray(leaf, float), summary)
        return found, np.zeros((0, 0), np.float32)


def late_generations(generations: int, phases: int = 1) -> Int[np.ndarray, "L late"]:
    """Return the generations of each phase whose mean squared error is the level.

    They are the second half of all, of which each phase has the same number.
    """
    begin = generations // 2
    count = (generations + 1 - begin) // phases
    late = generations + 1 - np.arange(phases * count, 0, -1).reshape(count, phases)
    return np.asarray(late[:, np.argsort((late[0] - 1) % phases)].T)


@cache
def late_weights(generations: int, phases: int) -> np.ndarray:
    """Return the weights of generations in the slope and level of each phase, (2 phases, T + 1).

    The slope is that between the means over an eighth of the generations, the first of which begins
    after a quarter of them and the second of which ends with the last.
    """
    width, begin, last = generations // 8 // phases * phases, generations // 4, generations + 1
    time = np.arange(last)
    weights = np.zeros((2, phases, last))
    for z, level in enumerate(late_generations(generations, phases)):
        own = (time - 1) % phases == z
        early, late = own & (time >= begin) & (time < begin + width), own & (time >= last - width)
        apart = time[late].mean() - time[early].mean()
        weights[0, z, late] = 1 / late.sum() / apart
        weights[0, z, early] = -1 / early.sum() / apart
        weights[1, z, level] = 1 / len(level)
    return weights.reshape(2 * phases, last)


def _joined(summaries: Sequence[LateErrors], join: Callable[..., np.ndarray]) -> LateErrors:
    return jax.tree.map(lambda *leaves: join(leaves), *summaries)
