"""Streaming moments of the errors of many chains, in constant memory and a fixed order of merging.

Chains are divided into tiles of 128 consecutive chain numbers. Each tile is summarised, and the
summaries are merged in the order of the tiles (Chan, Golub & LeVeque 1983). Hence, on a CPU,
moments depend neither on the size of chunks nor on the number of devices, and those of the first C
chains are the same in a longer run. On accelerators, tiles that reach over the border of a chunk or
a device are summarised on the host, with another rounding (:mod:`mcjax.engine.device_tiles`).

Only chains whose model has an estimate count; their number is part of the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from mcjax.engine.arrays import (
    apart,
    at_least_one,
    at_least_zero,
    chains_in,
    chains_in_both,
    difference,
    library,
    masked,
    product,
    sums_of_squares,
    transposed,
)
from mcjax.engine.powers import PAIRS, Powers, growth_ends, sum_pairs, sum_powers

TILE = 128
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

    chains: Int[Any, " ..."]
    mean: Float[Any, " ..."]
    square: Float[Any, " ..."]

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

    chains: Int[Any, "M F"]
    mean: Float[Any, "M F 2"]
    square: Float[Any, "M F 2 2"]
    powers: Float[Any, "M F 9"]

    @classmethod
    def of(
        cls,
        first: Float[Any, "... M F C"],
        last: Float[Any, "... M F C"],
        valid: Bool[Any, "... M F C"],
    ) -> EndMoments:
        """Return those of tiles, from values at both generations and where both are finite."""
        joint = joint_moments((first, last), valid)
        return cls(*joint, sum_pairs(first, last, valid))

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


class Tile(NamedTuple):
    """The chains of one tile or, with leading axes, of several; C <= 128 of them on the last axis.

    Attributes
    ----------
    theta : array
        Estimates, shape (..., T + 1, M, p, C), not finite where there is none.
    status, steps : array
        Outcomes of the fits and numbers of gradients, shape (..., T + 1, M, C).
    values : array
        Values of the functionals, shape (..., T + 1, M, F, C), not finite where there is none or a
        chain does not count.
    counted : array of bool
        Which chains count, shape (..., C). The others may hold any numbers.
    truth : array
        Parameters of the first real source, shape (..., p).
    """

    theta: Float[Any, "... T+1 M p C"]
    status: Int[Any, "... T+1 M C"]
    steps: Int[Any, "... T+1 M C"]
    values: Float[Any, "... T+1 M F C"]
    counted: Bool[Any, "... C"]
    truth: Float[Any, "... p"]


class Errors(NamedTuple):
    """Errors of the chains of tiles, and which of them exist.

    Attributes
    ----------
    error : array
        ``theta - theta*``, 0 where there is no estimate.
    squared : array
        ||e||^2, 0 where there is no estimate.
    valid : array of bool
        Whether the chain counts and there is an estimate.
    """

    error: Float[Any, "... T+1 M p C"]
    squared: Float[Any, "... T+1 M C"]
    valid: Bool[Any, "... T+1 M C"]

    @classmethod
    def of(cls, tile: Tile) -> Errors:
        """Return the errors of tiles."""
        of = library(tile.theta)
        error = apart(difference(tile.theta, tile.truth[..., None, None, :, None]))
        valid = of.isfinite(error).all(-2) & tile.counted[..., None, None, :]
        error = masked(error, valid[..., None, :])
        return apart(cls(error, sums_of_squares(error, -2), valid))


def moments_of(
    errors: Errors,
    values: Float[Any, "... T+1 M F C"],
    pooled: tuple[Float[Any, "... C"], Bool[Any, "... C"]] | None = None,
) -> ErrorMoments:
    """Return the moments of the chains of tiles.

    Counts are numbers in double precision, and have axes of length 1 where all entries share them;
    products of all pairs have shape (..., T + 1, M, p, M, p). They are kept otherwise, see
    :mod:`mcjax.engine.kept_moments`.

    Parameters
    ----------
    errors : Errors
        Errors of the chains.
    values : array
        Values of the functionals, not finite where there is none or a chain does not count.
    pooled : tuple of array, optional
        ||e||^2 of the pooled estimator, and which chains have it.
    """
    error, squared, valid = errors
    of = library(error)
    finite = of.isfinite(values)
    functional = masked(values, finite)
    always = valid.all(-3)  # (..., M, C)
    none = squared.shape[:-1]
    beside = Moments(of.zeros(none), of.zeros((*none, 2)), of.zeros((*none, 2, 2)))
    pairs = of.zeros((*none, len(PAIRS)))
    if pooled is not None:
        own, exists = (of.broadcast_to(a[..., None, None, :], squared.shape) for a in pooled)
        both = valid & exists
        beside, pairs = joint_moments((own, squared), both), sum_pairs(own, squared, both)
    first, last = growth_ends(squared.shape[-3] - 1)
    begin, end = functional[..., first, :, :, :], functional[..., last, :, :, :]
    return ErrorMoments(
        error=_moments(error, valid[..., None, :]),
        product=_products(error, valid),
        squared=_moments(squared, valid),
        across=_joint(squared.swapaxes(-3, -2), always),
        functional=_moments(functional, finite),
        pooled=beside,
        ends=EndMoments.of(begin, end, finite[..., first, :, :, :] & finite[..., last, :, :, :]),
        powers=sum_powers(squared, always, functional)._replace(pooled=pairs),
    )


def size_of_moments(steps: int, models: int, p: int) -> int:
    """Return about how many numbers the moments of T + 1 = ``steps`` generations are."""
    blocks, entries = (1, models * p) if models * p <= LARGEST else (models, p)
    pooled_and_powers = 2 * len(PAIRS)
    alone = steps * models * (2 * p + pooled_and_powers)
    return 2 * steps * blocks * entries**2 + models * steps**2 + alone


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


def _moments(values: Any, valid: Any) -> Moments:
    """Return the moments over the last axis, of the chains that are valid.

    ``values`` are 0 where not valid.
    """
    count = chains_in(valid)
    mean = values.sum(-1) / at_least_one(count)
    centred = masked(values - mean[..., None], valid)
    return Moments(count, mean, sums_of_squares(centred))


def _products(error: Float[Any, "... T+1 M p C"], valid: Bool[Any, "... T+1 M C"]) -> Moments:
    """Return the moments of products of all pairs of entries, or of those within each model.

    Errors are 0 where not valid. The centred sum of squares is computed from matrix products of e
    and of e^2, as the sum of squares minus the squared mean. Errors are spread about as widely as
    they are far from 0, so the difference loses few digits.
    """
    *lead, models, p, chains = error.shape
    if models * p <= LARGEST:
        entries = error.reshape(*lead, models * p, chains)
        count = chains_in_both(valid)[..., :, None, :, None]
        shape = (*lead, models, p, models, p)
    else:
        entries, count, shape = error, chains_in(valid)[..., None, None], (*lead, models, p, p)
    # all that follows is in place, of NumPy's arrays, as large new ones take long
    other = transposed(entries)
    total = product(entries, other).reshape(shape)
    other *= other
    spread = product(entries * entries, other).reshape(shape)
    mean = total / at_least_one(count)
    total *= mean
    spread -= total
    return Moments(count, mean, at_least_zero(spread))


def _joint(values: Float[Any, "... K C"], valid: Bool[Any, "... C"]) -> Moments:
    """Return the joint moments of K numbers over chains, see :func:`joint_moments`."""
    count = chains_in(valid)
    kept = masked(values, valid[..., None, :])
    mean = kept.sum(-1) / at_least_one(count)[..., None]
    centred = masked(kept - mean[..., None], valid[..., None, :])
    return Moments(count, mean, product(centred, transposed(centred)))


def joint_moments(
    pair: tuple[Float[Any, "... C"], Float[Any, "... C"]], valid: Bool[Any, "... C"]
) -> Moments:
    """Return the joint moments of two numbers over chains.

    Parameters
    ----------
    pair : tuple of array
        The two numbers of each chain, shape (..., C).
    valid : array of bool
        Whether a chain counts, of the same shape.

    Returns
    -------
    Moments
        Number (...), mean (..., 2), centred sums of products (..., 2, 2).
    """
    return _joint(library(valid).stack(pair, -2), valid)


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / at_least_one(count)
    shift = b.mean - a.mean
    mean = shift * share
    mean += a.mean
    shift *= shift  # in place, of NumPy's arrays, which may be large
    shift *= a.chains * share
    square = a.square + b.square
    square += shift
    return Moments(count, mean, square)


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Return the joint moments of two sets of chains together."""
    count = a.chains + b.chains
    share = b.chains / at_least_one(count)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :] * (a.chains * share)[..., None, None]
    return Moments(count, a.mean + shift * share[..., None], a.square + b.square + outer)
