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

from mcjax.engine.powers import PAIRS, Powers, growth_ends, sum_pairs, sum_powers

TILE = 64
LARGEST = 200
"""Up to this M p the joint covariance of all models is kept, above it only that of each model."""

ONE_THREAD = 2**18
"""Up to this number of multiplications, OpenBLAS multiplies two matrices in one thread."""


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


class EndMoments(NamedTuple):
    """Joint moments of functionals at generations T // 2 and T, over chains that have both.

    Attributes
    ----------
    chains : ndarray
        Number of these chains, shape (M, F).
    mean : ndarray
        Means, shape (M, F, 2).
    square : ndarray
        Centred sums of products, shape (M, F, 2, 2).
    powers : ndarray
        Sums of products of powers, with the exponents ``PAIRS``, shape (M, F, 9).
    """

    chains: Int[np.ndarray, "*tiles M F"]
    mean: Float[np.ndarray, "*tiles M F 2"]
    square: Float[np.ndarray, "*tiles M F 2 2"]
    powers: Float[np.ndarray, "*tiles M F 9"]

    @classmethod
    def of(cls, values: Float[np.ndarray, "*tiles C T+1 M F"]) -> EndMoments:
        """Return those of values, which are not finite where there is none."""
        first, last = growth_ends(values.shape[-3] - 1)
        *tiles, _, _, models, functionals = values.shape
        flat = np.stack([values[..., first, :, :], values[..., last, :, :]], -4)
        flat = flat.reshape(*flat.shape[:-2], models * functionals)  # (..., 2, C, M F)
        valid = np.isfinite(flat).all(-3)
        flat = np.where(valid[..., None, :, :], flat, 0.0)
        chains, mean, square = joint_moments(flat, valid)
        powers = sum_pairs(flat[..., 0, :, :], flat[..., 1, :, :], valid)
        shape = (*tiles, models, functionals)
        return cls(
            chains.reshape(shape),
            mean.reshape(*shape, 2),
            square.reshape(*shape, 2, 2),
            powers.reshape(*shape, len(PAIRS)),
        )

    @classmethod
    def nothing(cls, models: int, functionals: int) -> EndMoments:
        """Return those of no chain."""
        shape = (models, functionals)
        none = (np.zeros((*shape, *axes)) for axes in ((2,), (2, 2), (len(PAIRS),)))
        return cls(np.zeros(shape, int), *none)

    def merged(self, other: EndMoments) -> EndMoments:
        """Return those of two sets of chains together."""
        both = merge_joint(Moments(*self[:3]), Moments(*other[:3]))
        return EndMoments(*both, self.powers + other.powers)


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
    ends : EndMoments
        Joint moments of functionals at generations T // 2 and T.
    powers : Powers
        Sums of higher powers.
    """

    error: Moments
    product: Moments
    squared: Moments
    across: Moments
    functional: Moments
    pooled: Moments
    ends: EndMoments
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
    return moments_of(errors_of(theta, truth), values, None if pooled is None else pooled - truth)


class Errors(NamedTuple):
    """Errors of tiles of C chains, and which of them exist.

    Attributes
    ----------
    error : ndarray
        ``theta - theta*``, 0 where there is no estimate.
    squared : ndarray
        ||e||^2, 0 where there is no estimate.
    valid : ndarray of bool
        Whether there is an estimate.
    whole : bool
        Whether there are all estimates, so that none need be left out.
    """

    error: Float[np.ndarray, "*tiles C T+1 M p"]
    squared: Float[np.ndarray, "*tiles C T+1 M"]
    valid: Bool[np.ndarray, "*tiles C T+1 M"]
    whole: bool


def errors_of(
    theta: Float[np.ndarray, "*tiles C T+1 M p"], truth: Float[np.ndarray, " p"]
) -> Errors:
    """Return the errors of estimates, which are not finite where there is none."""
    # as long rows, because loops over p numbers are slow
    rows = np.reshape(theta, (*theta.shape[:-3], -1))
    error = (rows - np.tile(truth, rows.shape[-1] // len(truth))).reshape(theta.shape)
    finite = np.isfinite(error)
    whole = bool(finite.all())
    valid = np.ones(error.shape[:-1], bool) if whole else finite.all(-1)
    if not whole:
        error[~valid] = 0.0
    return Errors(error, np.einsum("...p,...p->...", error, error), valid, whole)


@np.errstate(over="ignore", invalid="ignore")  # errors near the end of the range
def moments_of(
    errors: Errors,
    values: Float[np.ndarray, "*tiles C T+1 M F"] | None = None,
    pooled: Float[np.ndarray, "*tiles C p"] | None = None,
) -> ErrorMoments:
    """Return the moments of tiles of C chains; ``pooled`` holds errors of the pooled estimator."""
    error, squared, valid, whole = errors
    if values is None:
        values = np.zeros((*squared.shape, 0))
    finite = np.isfinite(values)
    functional = np.where(finite, values, 0.0)
    always = np.asarray(valid.all(-2))  # (..., C, M)
    beside = None if pooled is None else _beside_pooled(squared, valid, pooled)
    none = squared.shape[:-3] + squared.shape[-2:]
    return ErrorMoments(
        error=_moments(error, None if whole else valid[..., None], -4),
        product=_products(error, None if whole else valid),
        squared=_moments(squared, None if whole else valid, -3),
        across=joint_moments(np.swapaxes(squared, -3, -2), always),
        functional=_moments(functional, finite, -4),
        pooled=not_pooled(none) if beside is None else joint_moments(*beside),
        ends=EndMoments.of(values),
        powers=sum_powers(squared, always, functional, beside),
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
        ends=first.ends.merged(second.ends),
        powers=first.powers.merged(second.powers),
    )


def not_pooled(shape: tuple[int, ...]) -> Moments:
    """Return moments beside the pooled estimator of no chain, for numbers (..., T + 1, M)."""
    return Moments(np.zeros(shape, int), np.zeros((*shape, 2)), np.zeros((*shape, 2, 2)))


def _beside_pooled(
    squared: np.ndarray, valid: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ||e||^2 of the pooled estimator beside that of each model, and which chains count.

    ``squared`` and ``valid`` have shape (..., C, T + 1, M), ``error`` has shape (..., C, p); the
    result has shapes (..., T + 1, 2, C, M) and (..., T + 1, C, M).
    """
    own = np.square(error).sum(-1)[..., None, None]
    both = valid & np.isfinite(own)
    own = np.broadcast_to(np.where(np.isfinite(own), own, 0.0), squared.shape)
    pair = np.stack([np.swapaxes(a, -3, -2) for a in (own, squared)], axis=-3)
    return pair, np.swapaxes(both, -3, -2)


def _moments(values: np.ndarray, valid: np.ndarray | None, axis: int) -> Moments:
    """Return the moments over the axis of chains, of all of them or of those that are valid.

    ``values`` are 0 where not valid.
    """
    total = values.sum(axis)
    if valid is None:
        count = np.broadcast_to(values.shape[axis], total.shape)
    else:
        count = np.broadcast_to(valid.sum(axis), total.shape)
    mean = total / np.maximum(count, 1)
    centred = values - np.expand_dims(mean, axis)
    if valid is not None:
        centred = np.where(valid, centred, 0.0)
    return Moments(count, mean, np.square(centred, out=centred).sum(axis))


def _products(error: np.ndarray, valid: np.ndarray | None) -> Moments:
    """Return the moments of products of all pairs of entries, or of those within each model.

    ``error`` has shape (..., C, T + 1, M, p) and is 0 where not valid. The centred sum of squares
    is computed from matrix products of e and of e^2, as the sum of squares minus the squared mean.
    Errors are spread about as widely as they are far from 0, so the difference loses few digits.
    """
    *lead, models, p = error.shape
    if models * p <= LARGEST:
        entries = np.moveaxis(error.reshape(*lead, models * p), -3, -1)  # (..., T + 1, M p, C)
    else:
        entries = np.moveaxis(error, -4, -1)  # (..., T + 1, M, p, C)
    total, spread = _sums_of_products(entries), _sums_of_products(entries**2)
    if valid is None:
        count = np.broadcast_to(entries.shape[-1], total.shape)
    elif models * p <= LARGEST:
        present = np.moveaxis(valid, -3, -1).astype(float)
        pairs = _sums_of_products(present).astype(int)  # of models
        count = pairs.repeat(p, -1).repeat(p, -2)
    else:
        count = np.broadcast_to(valid.sum(-3)[..., None, None], total.shape)
    mean = total / (entries.shape[-1] if valid is None else np.maximum(count, 1))
    total *= mean
    spread -= total
    return Moments(count, mean, np.maximum(spread, 0.0, out=spread))


def _sums_of_products(numbers: np.ndarray) -> np.ndarray:
    """Return the sums over C chains of the products of all pairs of K numbers, (..., K, C)."""
    *lead, count, chains = numbers.shape
    sums = np.empty((*lead, count, count))
    # Threads of BLAS would compete with the devices for the cores of a CPU, and with a core taken
    # they wait far longer than they compute. It starts some for products of a matrix with its own
    # transpose, hence the copy, and for large ones, hence the pieces.
    other = np.swapaxes(numbers, -1, -2).copy()
    width = max(1, ONE_THREAD // (count * chains))
    for k in range(0, count, width):
        np.matmul(numbers, other[..., k : k + width], out=sums[..., k : k + width])
    return sums


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    mean = shift * share
    mean += a.mean
    shift *= shift  # in place, because these arrays may be large
    shift *= a.chains
    shift *= share
    square = a.square + b.square
    square += shift
    return Moments(count, mean, square)


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
    count = valid.sum(-2)
    path = np.where(valid[..., None, :, :], values, 0.0)
    path = np.ascontiguousarray(np.moveaxis(path, -1, -3))  # (..., M, K, C)
    mean = path.sum(-1) / np.maximum(count, 1)[..., None]
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        path -= mean[..., None]
        if not valid.all():
            path *= np.swapaxes(valid, -1, -2)[..., None, :]
        return Moments(count, mean, _sums_of_products(path))


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Return the joint moments of two sets of chains together."""
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :] * (a.chains * share)[..., None, None]
    return Moments(count, a.mean + shift * share[..., None], a.square + b.square + outer)
