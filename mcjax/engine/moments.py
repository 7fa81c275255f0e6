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
    functional: of the family's F functionals, mean of shape (T + 1, M, F); a chain counts where
        its value is finite.
    """

    error: Moments
    product: Moments
    squared: Moments
    across: Moments
    functional: Moments


def tile_moments(
    theta: np.ndarray, truth: np.ndarray, values: np.ndarray | None = None
) -> ErrorMoments:
    """Moments of tiles of chains.

    Parameters
    ----------
    theta: estimates, shape (..., C, T + 1, M, p) for C chains a tile, not-a-number where there is
        none.
    truth: shape (p,).
    values: of the functionals, shape (..., C, T + 1, M, F), not finite where there is none; None of
        a family that has none.

    Returns
    -------
    One :class:`ErrorMoments` whose arrays have the leading axes of theta.
    """
    error = np.moveaxis(np.asarray(theta, float), -4, -3) - truth  # (..., T + 1, C, M, p)
    valid = np.isfinite(error).all(-1)
    whole = bool(valid.all())
    if not whole:
        error = np.where(valid[..., None], error, 0.0)
    *lead, chains, models, p = error.shape
    squared = np.einsum("...p,...p->...", error, error)
    if values is None:
        values = np.zeros((*theta.shape[:-1], 0))
    functional = np.moveaxis(values, -4, -3)
    finite = np.isfinite(functional)
    if models * p <= LARGEST:
        flat = error.reshape(*lead, chains, models * p)
        present = np.repeat(valid, p, axis=-1)
    else:
        flat, present = np.moveaxis(error, -3, -2), np.moveaxis(valid, -2, -1)[..., None]
    return ErrorMoments(
        error=_moments(error, np.broadcast_to(valid[..., None], error.shape), -3),
        product=_products(flat, None if whole else np.broadcast_to(present, flat.shape)),
        squared=_moments(squared, valid, -2),
        across=_across(squared, valid.all(-3)),
        functional=_moments(np.where(finite, functional, 0.0), finite, -3),
    )


def merge(first: ErrorMoments, second: ErrorMoments) -> ErrorMoments:
    """The moments of both sets of chains together."""
    return ErrorMoments(
        error=_merge(first.error, second.error),
        product=_merge(first.product, second.product),
        squared=_merge(first.squared, second.squared),
        across=merge_across(first.across, second.across),
        functional=_merge(first.functional, second.functional),
    )


def _moments(values: np.ndarray, valid: np.ndarray, axis: int) -> Moments:
    """Over one axis, the chains'; ``values`` are 0 where not valid."""
    count = valid.sum(axis)
    mean = values.sum(axis) / np.maximum(count, 1)
    centred = np.where(valid, values - np.expand_dims(mean, axis), 0.0)
    return Moments(count, mean, np.einsum("...,...->...", centred, centred).sum(axis))


def _products(error: np.ndarray, valid: np.ndarray | None) -> Moments:
    """Of the products of all pairs of entries; ``error``: (..., C, entries), 0 where not valid.

    Matrix products of e and of e^2: a product's sum of squares less its squared mean. Errors spread
    about as far as they are from 0, so little is lost in the difference.
    """
    total = _transposed(error) @ error
    square = error**2
    if valid is None:
        count = np.full(total.shape, error.shape[-2])
    else:
        count = (_transposed(valid) @ valid.astype(float)).astype(int)
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        mean = total / np.maximum(count, 1)
        spread = np.maximum(_transposed(square) @ square - total * mean, 0.0)
    return Moments(count, mean, spread)


def _transposed(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    return Moments(count, a.mean + shift * share, a.square + b.square + shift**2 * a.chains * share)


def _across(squared: np.ndarray, valid: np.ndarray) -> Moments:
    """``squared``: (..., T + 1, C, M); ``valid``: (..., C, M), at every generation."""
    kept = valid[..., None, :, :]
    count = valid.sum(-2)
    total = np.where(kept, squared, 0.0).sum(-2)
    mean = np.swapaxes(total / np.maximum(count, 1)[..., None, :], -1, -2)  # (..., M, T + 1)
    path = np.moveaxis(squared, -1, -3) - mean[..., None]  # (..., M, T + 1, C)
    path = np.where(np.swapaxes(valid, -1, -2)[..., None, :], path, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        return Moments(count, mean, path @ _transposed(path))


def merge_across(a: Moments, b: Moments) -> Moments:
    """Moments of vectors: chains (...), mean (..., K), square (..., K, K)."""
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :] * (a.chains * share)[..., None, None]
    return Moments(count, a.mean + shift * share[..., None], a.square + b.square + outer)
