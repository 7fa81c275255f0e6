"""Streaming moments of the errors of many chains, in constant memory and a fixed order of merging.

Chains are divided into tiles of 64 consecutive chain numbers. Each tile is summarised, and the
summaries are merged in the order of the tiles (Chan, Golub & LeVeque 1983). Hence moments depend
neither on the size of chunks nor on the device, and those of the first C chains are the same in a
longer run.

Only chains whose model has an estimate count; their number is part of the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from mcjax.engine.powers import PAIRS, Powers, growth_ends, sum_pairs, sum_powers

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
        first: Float[Array, "M F C"],
        last: Float[Array, "M F C"],
        valid: Bool[Array, "M F C"],
    ) -> EndMoments:
        """Return those of a tile, from values at both generations and where both are finite."""
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
    """The chains of one tile, as arrays of a program: C = 64 chains on the last axis.

    Attributes
    ----------
    theta : array
        Estimates, shape (T + 1, M, p, C), not finite where there is none.
    status, steps : array
        Outcomes of the fits and numbers of gradients, shape (T + 1, M, C).
    values : array
        Values of the functionals, shape (T + 1, M, F, C), not finite where there is none.
    counted : array of bool
        Which chains count, shape (C,). The others may hold any numbers.
    truth : array
        Parameters of the first real source, shape (p,).
    """

    theta: Float[Array, "T+1 M p C"]
    status: Int[Array, "T+1 M C"]
    steps: Int[Array, "T+1 M C"]
    values: Float[Array, "T+1 M F C"]
    counted: Bool[Array, " C"]
    truth: Float[Array, " p"]


class Errors(NamedTuple):
    """Errors of the chains of a tile, and which of them exist.

    Attributes
    ----------
    error : array
        ``theta - theta*``, 0 where there is no estimate.
    squared : array
        ||e||^2, 0 where there is no estimate.
    valid : array of bool
        Whether the chain counts and there is an estimate.
    """

    error: Float[Array, "T+1 M p C"]
    squared: Float[Array, "T+1 M C"]
    valid: Bool[Array, "T+1 M C"]

    @classmethod
    def of(cls, tile: Tile) -> Errors:
        """Return the errors of a tile."""
        error = tile.theta.astype(float) - tile.truth[None, None, :, None]
        error = lax.optimization_barrier(error)
        valid = jnp.isfinite(error).all(2) & tile.counted[None, None]
        error = jnp.where(valid[:, :, None], error, 0.0)
        # behind a barrier, so that it is computed once, and not by all that reads it
        found: Errors = lax.optimization_barrier(cls(error, (error * error).sum(2), valid))
        return found


def moments_of(
    errors: Errors,
    values: Float[Array, "T+1 M F C"],
    pooled: tuple[Float[Array, " C"], Bool[Array, " C"]] | None = None,
) -> ErrorMoments:
    """Return the moments of the chains of a tile.

    Counts are numbers in double precision, and have axes of length 1 where all entries share them;
    products of all pairs have shape (T + 1, M, p, M, p). :func:`as_kept` undoes both.

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
    finite = jnp.isfinite(values)
    functional = jnp.where(finite, values, 0.0)
    always = valid.all(0)  # (M, C)
    none = squared.shape[:2]
    beside = Moments(jnp.zeros(none), jnp.zeros((*none, 2)), jnp.zeros((*none, 2, 2)))
    pairs = jnp.zeros((*none, len(PAIRS)))
    if pooled is not None:
        own, exists = (jnp.broadcast_to(a[None, None], squared.shape) for a in pooled)
        both = valid & exists
        beside, pairs = joint_moments((own, squared), both), sum_pairs(own, squared, both)
    first, last = growth_ends(len(squared) - 1)
    return ErrorMoments(
        error=_moments(error, valid[:, :, None]),
        product=_products(error, valid),
        squared=_moments(squared, valid),
        across=_joint(squared.swapaxes(0, 1), always),
        functional=_moments(functional, finite),
        pooled=beside,
        ends=EndMoments.of(functional[first], functional[last], finite[first] & finite[last]),
        powers=sum_powers(squared, always, functional)._replace(pooled=pairs),
    )


def size_of_moments(steps: int, models: int, p: int) -> int:
    """Return about how many numbers the moments of T + 1 = ``steps`` generations are."""
    blocks, entries = (1, models * p) if models * p <= LARGEST else (models, p)
    pooled_and_powers = 2 * len(PAIRS)
    alone = steps * models * (2 * p + pooled_and_powers)
    return 2 * steps * blocks * entries**2 + models * steps**2 + alone


def merge(first: ErrorMoments, second: ErrorMoments) -> ErrorMoments:
    """Return the moments of two sets of chains together, of NumPy's or of a program's arrays."""
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


def as_kept(moments: ErrorMoments) -> ErrorMoments:
    """Return moments as they are kept, with counts of every entry, from those of a program."""

    def counted(part: Moments, axes: int = 0) -> Moments:
        shape = part.mean.shape[: part.mean.ndim - axes]
        return part._replace(chains=np.broadcast_to(part.chains, shape).astype(int))

    product = counted(moments.product)
    if product.mean.ndim == 5:  # of all pairs
        steps, models, p = product.mean.shape[:3]
        shape = (steps, models * p, models * p)
        product = Moments(*(part.reshape(shape) for part in product))
    return moments._replace(
        error=counted(moments.error),
        product=product,
        squared=counted(moments.squared),
        across=counted(moments.across, 1),
        functional=counted(moments.functional),
        pooled=counted(moments.pooled, 1),
        ends=moments.ends._replace(chains=moments.ends.chains.astype(int)),
    )


def as_computed(moments: ErrorMoments) -> ErrorMoments:
    """Return moments as a program has them, from those that are kept."""
    steps, models, p = moments.error.mean.shape
    product = moments.product
    if product.mean.ndim == 3:
        product = Moments(*(part.reshape(steps, models, p, models, p) for part in product))
        product = product._replace(chains=product.chains[:, :, :1, :, :1])
    else:
        product = product._replace(chains=product.chains[:, :, :1, :1])
    error = moments.error._replace(chains=moments.error.chains[..., :1])
    found = moments._replace(error=error, product=product)
    numbers: ErrorMoments = jax.tree.map(lambda leaf: np.asarray(leaf, float), found)
    return numbers


def not_pooled(shape: tuple[int, ...]) -> Moments:
    """Return moments beside the pooled estimator of no chain, for numbers (..., T + 1, M)."""
    return Moments(np.zeros(shape, int), np.zeros((*shape, 2)), np.zeros((*shape, 2, 2)))


def _moments(values: Array, valid: Array) -> Moments:
    """Return the moments over the last axis, of the chains that are valid.

    ``values`` are 0 where not valid.
    """
    count = valid.sum(-1, dtype=float)
    mean = values.sum(-1) / at_least_one(count)
    centred = jnp.where(valid, values - mean[..., None], 0.0)
    return Moments(count, mean, (centred * centred).sum(-1))


def _products(error: Float[Array, "T+1 M p C"], valid: Bool[Array, "T+1 M C"]) -> Moments:
    """Return the moments of products of all pairs of entries, or of those within each model.

    Errors are 0 where not valid. The centred sum of squares is computed from matrix products of e
    and of e^2, as the sum of squares minus the squared mean. Errors are spread about as widely as
    they are far from 0, so the difference loses few digits.
    """
    steps, models, p, chains = error.shape
    if models * p <= LARGEST:
        entries = error.reshape(steps, models * p, chains)
        total, spread = (
            _sums_of_products(a).reshape(steps, models, p, models, p)
            for a in (entries, entries * entries)
        )
        count = _sums_of_products(valid.astype(float))[:, :, None, :, None]
    else:
        total, spread = _sums_of_products(error), _sums_of_products(error * error)
        count = valid.sum(-1, dtype=float)[:, :, None, None]
    mean = total / at_least_one(count)
    return Moments(count, mean, jnp.maximum(spread - total * mean, 0.0))


def _sums_of_products(numbers: Float[Array, "... K C"]) -> Float[Array, "... K K"]:
    """Return the sums over C chains of the products of all pairs of K numbers."""
    return jnp.einsum("...ac,...bc->...ab", numbers, numbers, precision="highest")


def _joint(values: Float[Array, "... K C"], valid: Bool[Array, "... C"]) -> Moments:
    """Return the joint moments of K numbers over chains, see :func:`joint_moments`."""
    count = valid.sum(-1, dtype=float)
    kept = jnp.where(valid[..., None, :], values, 0.0)
    mean = kept.sum(-1) / at_least_one(count)[..., None]
    centred = jnp.where(valid[..., None, :], kept - mean[..., None], 0.0)
    return Moments(count, mean, _sums_of_products(centred))


def joint_moments(
    pair: tuple[Float[Array, "... C"], Float[Array, "... C"]], valid: Bool[Array, "... C"]
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
    return _joint(jnp.stack(pair, -2), valid)


def at_least_one(count: Any) -> Any:
    """Return numbers of chains to divide by, of NumPy's or of a program's arrays."""
    return count + (count == 0).astype(count.dtype)


def _merge(a: Moments, b: Moments) -> Moments:
    count = a.chains + b.chains
    share = b.chains / at_least_one(count)
    shift = b.mean - a.mean
    square = a.square + b.square + shift * shift * (a.chains * share)
    return Moments(count, a.mean + shift * share, square)


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Return the joint moments of two sets of chains together."""
    count = a.chains + b.chains
    share = b.chains / at_least_one(count)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :] * (a.chains * share)[..., None, None]
    return Moments(count, a.mean + shift * share[..., None], a.square + b.square + outer)
