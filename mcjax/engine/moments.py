"""Streaming moments of the errors of many chains: constant memory, one fixed order of merging.

Chains are taken in tiles of 64 consecutive chain numbers, each tile is summarised, and summaries
are merged in the order of the tiles (Chan, Golub & LeVeque 1983). So the moments of a run do not
depend on chunk size or device, and those of the first C chains are the same in a longer run.

Only chains whose model has an estimate count; how many those are is part of the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TILE = 64
LARGEST = 200
"""Up to M p = 200 the full covariance of all models is kept, above it each model's own."""


class Moments(NamedTuple):
    """Mean and centred sum of squares over the chains that count.

    Attributes
    ----------
    chains: how many count, same leading axes as ``mean``.
    mean: of a statistic. square: sum of squared deviations from the mean.
    """

    chains: np.ndarray
    mean: np.ndarray
    square: np.ndarray

    def standard_error(self) -> np.ndarray:
        """Of the mean, from the chains' own spread; infinite for fewer than two chains."""
        count = self.chains.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(self.square / (count * (count - 1)))
        return np.where(count >= 2, error, np.inf)


class ErrorMoments(NamedTuple):
    """Moments of the errors ``e = theta - theta*`` of one condition.

    Attributes
    ----------
    error: of e, mean of shape (T + 1, M, p).
    product: of e_a e_b; all pairs, (T + 1, Mp, Mp), or each model's own, (T + 1, M, p, p), when
        Mp is above ``LARGEST``. Its spread is the fourth moment standard errors need.
    squared: of ||e||^2, mean of shape (T + 1, M).
    across: sums of products of ||e_t||^2 - mean between generations, (M, T + 1, T + 1), over the
        chains that count at every generation; with their number (M,) and mean (M, T + 1).
    """

    error: Moments
    product: Moments
    squared: Moments
    across: Moments


def tile_moments(theta: np.ndarray, truth: np.ndarray) -> ErrorMoments:
    """Moments of one tile of chains.

    Parameters
    ----------
    theta: estimates, shape (C, T + 1, M, p), not-a-number where there is none.
    truth: shape (p,).
    """
    error = np.asarray(theta, float) - truth
    valid = np.isfinite(error).all(-1)  # (C, T + 1, M)
    error = np.where(valid[..., None], error, 0.0)
    chains, steps, models, p = error.shape
    squared = (error**2).sum(-1)
    if models * p <= LARGEST:
        flat = error.reshape(chains, steps, models * p)
        pair = np.repeat(valid, p, axis=-1)
        product = flat[..., :, None] * flat[..., None, :]
        both = pair[..., :, None] & pair[..., None, :]
    else:
        product = error[..., :, None] * error[..., None, :]
        both = np.broadcast_to(valid[..., None, None], product.shape)
    return ErrorMoments(
        error=_moments(error, np.broadcast_to(valid[..., None], error.shape)),
        product=_moments(product, both),
        squared=_moments(squared, valid),
        across=_across(squared, valid.all(1)),
    )


def merge(first: ErrorMoments, second: ErrorMoments) -> ErrorMoments:
    """The moments of both sets of chains together."""
    return ErrorMoments(
        error=_merge(first.error, second.error),
        product=_merge(first.product, second.product),
        squared=_merge(first.squared, second.squared),
        across=_merge_across(first.across, second.across),
    )


def _moments(values: np.ndarray, valid: np.ndarray) -> Moments:
    count = valid.sum(0)
    mean = np.where(valid, values, 0.0).sum(0) / np.maximum(count, 1)
    centred = np.where(valid, values - mean, 0.0)
    return Moments(count, mean, (centred**2).sum(0))


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    return Moments(count, a.mean + shift * share, a.square + b.square + shift**2 * a.chains * share)


def _across(squared: np.ndarray, valid: np.ndarray) -> Moments:
    values = np.where(valid[:, None, :], squared, 0.0)
    count = valid.sum(0)
    mean = (values.sum(0) / np.maximum(count, 1)).T  # (M, T + 1)
    centred = np.where(valid[:, None, :], squared - mean.T, 0.0)
    return Moments(count, mean, np.einsum("csm,ctm->mst", centred, centred))


def _merge_across(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    outer = shift[:, :, None] * shift[:, None, :] * (a.chains * share)[:, None, None]
    return Moments(count, a.mean + shift * share[:, None], a.square + b.square + outer)
