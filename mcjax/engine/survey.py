"""Chains of every network of a survey, reduced to two numbers for each model and phase.

A study keeps the moments of every generation. A survey, of thousands of networks over hundreds of
generations, keeps only the *slope* and the *level* of the squared error of each chain and model
over the late generations. Where two networks take turns, the generations of either phase have a
slope and a level of their own: model i in phase z is *vertex* ``z M + i`` of V, as in
:class:`mcjax.laws.collapse.lift.Lift`. In all else it is a study that the engine runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
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
    pairs: Float[np.ndarray, "*K V 9"]
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
    tallies = summaries(compile_study(study), partial(late_errors, phases=survey.phases))
    return _joined([tally.outcome for tally in tallies], np.stack)


def joined_pieces(pieces: Sequence[LateErrors]) -> LateErrors:
    """Return the summaries of the networks of all pieces, in order."""
    return _joined(pieces, np.concatenate)


def late_errors(
    tiles: Trajectory,
    truth: Float[np.ndarray, " p"],
    functionals: Sequence[Functional] = (),
    *,
    phases: int = 1,
) -> list[LateErrors]:
    """Return the summary of each tile; every array has leading axes (tiles, chains)."""
    error = np.asarray(tiles.theta, float) - truth
    squared = np.einsum("...p,...p->...", error, error)  # (tiles, C, T + 1, M)
    late = late_weights(squared.shape[2] - 1, phases) @ squared  # (tiles, C, 2 phases, M)
    both = np.moveaxis(late.reshape(*late.shape[:2], 2, -1), 2, 1)  # (tiles, 2, C, V)
    valid = np.isfinite(both).all(1)
    moments, pairs = joint_moments(both, valid), sum_pairs(both[:, 0], both[:, 1], valid)
    status = np.asarray(tiles.status)
    fits = count_fits(np.moveaxis(status, -1, 1).reshape(len(status), status.shape[-1], -1))
    return [
        LateErrors(Moments(*(leaf[k] for leaf in moments)), pairs[k], fits[k], status.shape[1])
        for k in range(len(status))
    ]


def late_generations(generations: int, phases: int = 1) -> Int[np.ndarray, "L late"]:
    """Return the generations of each phase whose mean squared error is the level.

    They are the second half of all, of which each phase has the same number.
    """
    begin = generations // 2
    count = (generations + 1 - begin) // phases
    late = generations + 1 - np.arange(phases * count, 0, -1).reshape(count, phases)
    return np.asarray(late[:, np.argsort((late[0] - 1) % phases)].T)


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
