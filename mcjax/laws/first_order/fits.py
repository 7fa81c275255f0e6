"""The fits of one generation as matrices: what they make of the errors and scores they read.

The notation is that of :mod:`mcjax.laws.first_order.score_equations`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.chains.layout import Feeds
from mcjax.laws.first_order.trained import Means, Trained

if TYPE_CHECKING:
    from jaxtyping import Float


class Batches(NamedTuple):
    """Matrices of every feed slot of a generation; M models, B slots.

    Attributes
    ----------
    curvature : ndarray, shape (M, B, p, p)
        C_b, zero in empty slots.
    score : ndarray, shape (M, B, p, p)
        ``Cov(U_b)``.
    share : ndarray, shape (M, B), optional
        Share of each batch in the curvature of its fit, where all of a model's batches have
        proportional curvatures; nan for other models. None: they have not.
    """

    curvature: Float[np.ndarray, "M B p p"]
    score: Float[np.ndarray, "M B p p"]
    share: Float[np.ndarray, "M B"] | None = None


class Fits:
    """The fits of one generation, one entry for each of F feeds.

    Attributes
    ----------
    reader, origin, stream, weight, renewed, share : ndarray, shape (F,)
        As in :class:`mcjax.chains.layout.Feeds` and :class:`Batches`.
    curvature, score : ndarray, shape (F, p, p)
        C_b and ``Cov(U_b)``.
    rows : ndarray, shape (M,)
        Sizes of the fits, 0 for models that read nothing.
    total, inverse : ndarray, shape (M, p, p)
        K_i and its inverse, the identity for models that read nothing; where fits take steps, what
        these make of their data stands in place of the inverse.
    gain : ndarray, shape (F, p, p)
        ``w_b K_i^-1``, which takes the score U_b to the error.
    moved : ndarray, shape (F, p, p)
        What an error of the origin adds to the reader's: ``K_i^-1 C_b``, without rounding where
        curvatures are proportional, unless steps respond otherwise, or begin at the origin.
    trained : Trained or None
        What the fits make of their starts, if they take steps.
    """

    def __init__(
        self,
        feeds: Feeds,
        batches: Batches,
        training: Callable[[Means], Trained] | None = None,
    ):
        used = np.nonzero(feeds.samples > 0)
        self.reader = used[0]
        self.rows = feeds.samples.sum(1)
        self.origin, self.stream = feeds.origin[used], feeds.stream[used]
        self.weight, self.renewed = feeds.weight[used], feeds.renewed[used]
        self.curvature, self.score = batches.curvature[used], batches.score[used]
        nothing = np.full(len(self.reader), np.nan)
        shares = None if training is not None else batches.share
        self.share = nothing if shares is None else shares[used]
        self.total = batches.curvature.sum(1)
        self.total[self.rows == 0] = np.eye(self.total.shape[-1])
        self.trained: Trained | None = None
        if training is None:
            self.inverse = np.linalg.inv(self.total)
        else:
            mass = np.where(self.rows > 0, (feeds.weight * feeds.samples).sum(1), 1.0)
            rows = np.maximum(self.rows, 1)[:, None, None]
            means = Means(
                feeds,
                batches.curvature / mass[:, None, None, None],
                hessian=self.total / mass[:, None, None],
                score=batches.score.sum(1) / rows,
                rows=self.rows,
            )
            self.trained = training(means)
            self.inverse = self.trained.gain / mass[:, None, None]
        self.gain = self.weight[:, None, None] * self.inverse[self.reader]
        self.moved = self.inverse[self.reader] @ self.curvature
        alike = ~np.isnan(self.share)
        self.moved[alike] = self.share[alike, None, None] * np.eye(self.total.shape[-1])
        if self.trained is not None and self.trained.response is not None:
            response = self.trained.response[used]
            self.moved = np.where(np.isnan(response), self.moved, response)
        if self.trained is not None and self.trained.starts.behind.any():
            behind = self.trained.starts.behind[self.reader]
            share = np.where(behind, (feeds.weight * feeds.samples)[used] / mass[self.reader], 0)
            self.moved = self.moved + share[:, None, None] * self.trained.kept[self.reader]

    def scores_by_model(self) -> np.ndarray:
        """Return ``K_i^-1 Cov(sum_b w_b U_b) K_i^-T`` of each model, (M, p, p)."""
        return sum_by(self.reader, self.gain @ self.score @ transposed(self.gain), self.total)

    def noise(self, chosen: np.ndarray) -> np.ndarray:
        """Return the covariance of what the scores of some feeds add to errors, (M, p, M, p).

        What steps add to it is independent of all scores.
        """
        size, p = self.total.shape[:2]
        _, place, readers = np.unique(self.stream, return_inverse=True, return_counts=True)
        alone = chosen & (readers[place] == 1)
        result = np.zeros((size, p, size, p))
        models = np.arange(size)
        if self.trained is not None:
            if self.trained.common is not None:
                result += self.trained.common
            result[models, :, models, :] += self.trained.noise
        own = self.gain[alone] @ self.score[alone] @ transposed(self.gain[alone])
        result[models, :, models, :] += sum_by(self.reader[alone], own, self.total)
        common = np.flatnonzero(chosen & ~alone)
        if len(common):  # one column for each sample that several models read
            _, first, place = np.unique(self.stream[common], return_index=True, return_inverse=True)
            gains = np.zeros((size, len(first), p, p))
            gains[self.reader[common], place] = self.gain[common]
            spread = gains @ self.score[common[first]]
            flat = (size * p, len(first) * p)
            left, right = (np.moveaxis(m, 2, 1).reshape(flat) for m in (spread, gains))
            result += (left @ right.T).reshape(result.shape)
        return result


def sum_by(reader: np.ndarray, matrices: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return the sums of matrices (F, p, p) by reader, (M, p, p)."""
    result = np.zeros_like(like)
    np.add.at(result, reader, matrices)
    return result


def transposed(matrices: np.ndarray) -> np.ndarray:
    """Return the transposes of matrices, (..., p, p)."""
    return np.swapaxes(matrices, -1, -2)
