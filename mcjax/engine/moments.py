"""Streaming moments of the errors of many chains, in constant memory and a fixed order of merging.

Chains are divided into tiles of 64 consecutive chain numbers. Each tile is summarised, and the
summaries are merged in the order of the tiles (Chan, Golub & LeVeque 1983). Hence moments depend
neither on the size of chunks nor on the device, and those of the first C chains are the same in a
longer run.

Only chains whose model has an estimate count; their number is part of the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mcjax.engine.powers import Powers, growth_ends, sum_powers

TILE = 64
LARGEST = 200
"""Up to this M p the joint covariance of all models is kept, above it only that of each model."""


class Moments(NamedTuple):
    """Mean and centred sum of squares over the chains that count.

    Attributes
    ----------
    chains : ndarray
        Number of chains that count, with the leading axes of ``mean``.
    mean : ndarray
        Mean of a statistic, of any shape.
    square : ndarray
        Sum of squared deviations from the mean, of the shape of ``mean``; for joint moments of K
        numbers, sums of products of two deviations, with one more axis K.
    """

    chains: Int[np.ndarray, " ..."]
    mean: Float[np.ndarray, " ..."]
    square: Float[np.ndarray, " ..."]

    def standard_error(self) -> Float[np.ndarray, " ..."]:
        """Return the standard error of the mean; infinite for fewer than two chains."""
        count = self.chains.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(self.square / (count * (count - 1)))
        return np.where(count >= 2, error, np.inf)

    def ends(self, model: int) -> Moments:
        """Return one model's joint moments at T // 2 and T, from those across generations."""
        kept = growth_ends(self.mean.shape[-1] - 1)
        return Moments(
            self.chains[model], self.mean[model][kept], self.square[model][np.ix_(kept, kept)]
        )


class ErrorMoments(NamedTuple):
    """Moments of the errors ``e = theta - theta*`` of one condition.

    Attributes
    ----------
    error : Moments
        Moments of e; the mean has shape (T + 1, M, p).
    product : Moments
        Moments of the products e_a e_b of all pairs of entries, shape (T + 1, Mp, Mp), or of the
        pairs within each model, shape (T + 1, M, p, p), if Mp is above ``LARGEST``. Their spread is
        the fourth moment that standard errors need.
    squared : Moments
        Moments of ||e||^2; the mean has shape (T + 1, M).
    across : Moments
        Joint moments of ||e_t||^2 over generations, from the chains that count at every generation:
        number (M,), mean (M, T + 1), centred sums of products (M, T + 1, T + 1).
    functional : Moments
        Moments of the model's F functionals; the mean has shape (T + 1, M, F). A chain counts if
        its value is finite.
    pooled : Moments
        Joint moments of ||e||^2 of the pooled estimator and of each model: number (T + 1, M), mean
        (T + 1, M, 2), centred sums of products (T + 1, M, 2, 2). No chain counts where the pooled
        estimator was not simulated.
    powers : Powers
        Sums of higher powers.
    """

    error: Moments
    product: Moments
    squared: Moments
    across: Moments
    functional: Moments
    pooled: Moments
    powers: Powers


def tile_moments(
    theta: Float[np.ndarray, "*tiles C T+1 M p"],
    truth: Float[np.ndarray, " p"],
    values: Float[np.ndarray, "*tiles C T+1 M F"] | None = None,
    pooled: Float[np.ndarray, "*tiles C p"] | None = None,
) -> ErrorMoments:
    """Return the moments of tiles of C chains.

    Parameters
    ----------
    theta : ndarray
        Estimates, shape (..., C, T + 1, M, p), NaN where there is none.
    truth : ndarray
        Shape (p,).
    values : ndarray, optional
        Values of the functionals, shape (..., C, T + 1, M, F), not finite where there is none.
    pooled : ndarray, optional
        Estimates by the pooled estimator, shape (..., C, p), NaN where there is none.

    Returns
    -------
    ErrorMoments
        Arrays have the leading axes of ``theta``.
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
    functional = np.where(finite, functional, 0.0)
    if models * p <= LARGEST:
        flat = error.reshape(*lead, chains, models * p)
        present = np.repeat(valid, p, axis=-1)
    else:
        flat, present = np.moveaxis(error, -3, -2), np.moveaxis(valid, -2, -1)[..., None]
    beside = None if pooled is None else _beside_pooled(squared, valid, pooled - truth)
    return ErrorMoments(
        error=_moments(error, np.broadcast_to(valid[..., None], error.shape), -3),
        product=_products(flat, None if whole else np.broadcast_to(present, flat.shape)),
        squared=_moments(squared, valid, -2),
        across=joint_moments(squared, valid.all(-3)),
        functional=_moments(functional, finite, -3),
        pooled=not_pooled(valid.any(-2).shape) if beside is None else joint_moments(*beside),
        powers=sum_powers(squared, valid, functional, beside),
    )


def merge(first: ErrorMoments, second: ErrorMoments) -> ErrorMoments:
    """Return the moments of two sets of chains together."""
    return ErrorMoments(
        error=_merge(first.error, second.error),
        product=_merge(first.product, second.product),
        squared=_merge(first.squared, second.squared),
        across=merge_joint(first.across, second.across),
        functional=_merge(first.functional, second.functional),
        pooled=merge_joint(first.pooled, second.pooled),
        powers=first.powers.merged(second.powers),
    )


def not_pooled(shape: tuple[int, ...]) -> Moments:
    """Return moments beside the pooled estimator of no chain, for numbers (..., T + 1, M)."""
    return Moments(np.zeros(shape, int), np.zeros((*shape, 2)), np.zeros((*shape, 2, 2)))


def _beside_pooled(
    squared: np.ndarray, valid: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ||e||^2 of the pooled estimator beside that of each model, and which chains count.

    ``squared`` and ``valid`` have shape (..., T + 1, C, M), ``error`` has shape (..., C, p); the
    result has shapes (..., T + 1, 2, C, M) and (..., T + 1, C, M).
    """
    own = np.square(error).sum(-1)[..., None, :, None]
    both = valid & np.isfinite(own)
    own = np.broadcast_to(np.where(np.isfinite(own), own, 0.0), squared.shape)
    return np.stack([own, squared], axis=-3), both


def _moments(values: np.ndarray, valid: np.ndarray, axis: int) -> Moments:
    """Return the moments over the axis of chains; ``values`` are 0 where not valid."""
    count = valid.sum(axis)
    mean = values.sum(axis) / np.maximum(count, 1)
    centred = np.where(valid, values - np.expand_dims(mean, axis), 0.0)
    return Moments(count, mean, np.einsum("...,...->...", centred, centred).sum(axis))


def _products(error: np.ndarray, valid: np.ndarray | None) -> Moments:
    """Return the moments of products of all pairs of entries.

    ``error`` has shape (..., C, entries) and is 0 where not valid. The centred sum of squares is
    computed from matrix products of e and of e^2, as the sum of squares minus the squared mean.
    Errors are spread about as widely as they are far from 0, so the difference loses few digits.
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


def joint_moments(
    values: Float[np.ndarray, "*tiles K C M"], valid: Bool[np.ndarray, "*tiles C M"]
) -> Moments:
    """Return the joint moments of K numbers of every model over chains.

    Parameters
    ----------
    values : ndarray
        Shape (..., K, C, M).
    valid : ndarray of bool
        Whether a chain counts, shape (..., C, M).

    Returns
    -------
    Moments
        Number (..., M), mean (..., M, K), centred sums of products (..., M, K, K).
    """
    kept = valid[..., None, :, :]
    count = valid.sum(-2)
    total = np.where(kept, values, 0.0).sum(-2)
    mean = np.swapaxes(total / np.maximum(count, 1)[..., None, :], -1, -2)  # (..., M, K)
    path = np.moveaxis(values, -1, -3) - mean[..., None]  # (..., M, K, C)
    path = np.where(np.swapaxes(valid, -1, -2)[..., None, :], path, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        return Moments(count, mean, path @ _transposed(path))


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Return the joint moments of two sets of chains together."""
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :] * (a.chains * share)[..., None, None]
    return Moments(count, a.mean + shift * share[..., None], a.square + b.square + outer)
