"""Chains of every network of a survey, reduced to two numbers for each model.

A study keeps the moments of every generation. A survey, of thousands of networks over hundreds of
generations, keeps only the *slope* and the *level* of the squared error of each chain and model
over the late generations. In all else it is a study that the engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from mcjax.chains.program import Trajectory
from mcjax.engine.compiled import compile_study
from mcjax.engine.moments import Moments, joint_moments, merge_joint
from mcjax.engine.outcome import count_fits
from mcjax.engine.powers import sum_pairs
from mcjax.engine.simulation import summaries
from mcjax.models.location import linear
from mcjax.models.model import Functional
from mcjax.study.study import Study, condition
from mcjax.study.survey import Survey

CHUNK = 16_384
"""Number of chains in one call. The networks are small, and each call has a fixed cost."""


class LateErrors(NamedTuple):
    """A summary of the late errors of C chains of M models.

    Attributes
    ----------
    moments : Moments
        Joint moments of (slope, level) over the chains with an estimate at every generation: number
        (M,), mean (M, 2), centred sums of products (M, 2, 2).
    pairs : ndarray
        Sums of products of powers of slope and level, see :data:`mcjax.engine.powers.PAIRS`, shape
        (M, 9).
    fits : ndarray
        Number of fits by outcome, shape (M, number of :class:`Status` codes).
    chains : int or ndarray
        Number C of chains.

    Notes
    -----
    Summaries of several networks are stacked: every array has a leading axis of networks.
    """

    moments: Moments
    pairs: Float[np.ndarray, "*K M 9"]
    fits: Int[np.ndarray, "*K M codes"]
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
    tallies = summaries(compile_study(study), late_errors)
    return _joined([tally.outcome for tally in tallies], np.stack)


def joined_pieces(pieces: Sequence[LateErrors]) -> LateErrors:
    """Return the summaries of the networks of all pieces, in order."""
    return _joined(pieces, np.concatenate)


def late_errors(
    tiles: Trajectory, truth: Float[np.ndarray, " p"], functionals: Sequence[Functional] = ()
) -> list[LateErrors]:
    """Return the summary of each tile; every array has leading axes (tiles, chains)."""
    error = np.asarray(tiles.theta, float) - truth
    squared = np.einsum("...p,...p->...", error, error)  # (tiles, C, T + 1, M)
    both = np.moveaxis(_late_weights(squared.shape[2] - 1) @ squared, 2, 1)  # (tiles, 2, C, M)
    valid = np.isfinite(both).all(1)
    moments, pairs = joint_moments(both, valid), sum_pairs(both[:, 0], both[:, 1], valid)
    status = np.asarray(tiles.status)
    fits = count_fits(np.moveaxis(status, -1, 1).reshape(len(status), status.shape[-1], -1))
    return [
        LateErrors(Moments(*(leaf[k] for leaf in moments)), pairs[k], fits[k], status.shape[1])
        for k in range(len(status))
    ]


def late_generations(generations: int) -> Int[np.ndarray, " late"]:
    """Return the generations whose mean squared error is the level: the second half."""
    return np.arange(generations // 2, generations + 1)


def _late_weights(generations: int) -> np.ndarray:
    """Return the weights of the generations in the slope and in the level, shape (2, T + 1).

    The slope is that between the means over an eighth of the generations, the first of which begins
    after a quarter of them and the second of which ends with the last.
    """
    width, begin, last = generations // 8, generations // 4, generations + 1
    weights = np.zeros((2, last))
    weights[0, last - width :] = 1 / width
    weights[0, begin : begin + width] = -1 / width
    weights[0] /= last - width - begin
    level = late_generations(generations)
    weights[1, level] = 1 / len(level)
    return weights


def _joined(summaries: Sequence[LateErrors], join: Callable[..., np.ndarray]) -> LateErrors:
    return jax.tree.map(lambda *leaves: join(leaves), *summaries)
