"""Streaming moments of the errors of many chains, in constant memory and a fixed order of merging.

Chains are divided into tiles of 64 consecutive chain numbers. Each tile is summarised, and the
summaries are merged in the order of the tiles (Chan, Golub & LeVeque 1983; third moments by Pébay,
Sandia report SAND2008-6212). Hence moments depend
neither on the size of chunks nor on the device, and those of the first C chains are the same in a
longer run.

Only chains whose model has an estimate count; their number is part of the result.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

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
    cube : ndarray or None
        Sum of cubed deviations, of the shape of ``mean``; for joint moments, sums of products of
        three deviations, with two more axes K. None where it is not kept.
    """

    chains: Int[np.ndarray, " ..."]
    mean: Float[np.ndarray, " ..."]
    square: Float[np.ndarray, " ..."]
    cube: Float[np.ndarray, " ..."] | None = None

    def standard_error(self) -> Float[np.ndarray, " ..."]:
        """Return the standard error of the mean; infinite for fewer than two chains."""
        count = self.chains.astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt(self.square / (count * (count - 1)))
        return np.where(count >= 2, error, np.inf)

    def skewness(self) -> Float[np.ndarray, " ..."]:
        """Return the skewness of the mean, that is, of one value over ``sqrt(C)``.

        It is 0 if there is no spread, and not defined for joint moments.
        """
        assert self.cube is not None, "these moments have no cubes"
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            skewness = self.cube / self.square**1.5
        return np.where(self.square > 0, skewness, 0.0)

    def skewness_along(self, weights: Float[np.ndarray, " K"]) -> float:
        """Return the skewness of a weighted sum of K means, from joint moments at one index.

        It is 0 if the sum has no spread, or one that may be rounding errors.
        """
        assert self.cube is not None, "these moments have no cubes"
        with np.errstate(over="ignore", invalid="ignore"):
            square = float(weights @ self.square @ weights)
            cube = float(self.cube @ weights @ weights @ weights)
            rounding = 1e-12 * float(weights**2 @ np.diagonal(self.square))
        return cube / square**1.5 if square > rounding else 0.0

    def at(self, index: Any) -> Moments:
        """Return the moments at an index of the leading axes."""
        cube = None if self.cube is None else self.cube[index]
        return Moments(self.chains[index], self.mean[index], self.square[index], cube)


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
    ends : Moments
        The same at generations T // 2 and T alone, (M, 2) and (M, 2, 2), with cubes (M, 2, 2, 2).
    functional : Moments
        Moments of the model's F functionals; the mean has shape (T + 1, M, F). A chain counts if
        its value is finite.
    """

    error: Moments
    product: Moments
    squared: Moments
    across: Moments
    ends: Moments
    functional: Moments


def tile_moments(
    theta: Float[np.ndarray, "*tiles C T+1 M p"],
    truth: Float[np.ndarray, " p"],
    values: Float[np.ndarray, "*tiles C T+1 M F"] | None = None,
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
    ends = growth_ends(squared.shape[-3] - 1)
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
        error=_moments(error, np.broadcast_to(valid[..., None], error.shape), -3, cubes=False),
        product=_products(flat, None if whole else np.broadcast_to(present, flat.shape)),
        squared=_moments(squared, valid, -2),
        across=joint_moments(squared, valid.all(-3)),
        ends=joint_moments(squared[..., ends, :, :], valid.all(-3), cubes=True),
        functional=_moments(np.where(finite, functional, 0.0), finite, -3),
    )


def merge(first: ErrorMoments, second: ErrorMoments) -> ErrorMoments:
    """Return the moments of two sets of chains together."""
    return ErrorMoments(
        error=_merge(first.error, second.error),
        product=_merge(first.product, second.product),
        squared=_merge(first.squared, second.squared),
        across=merge_joint(first.across, second.across),
        ends=merge_joint(first.ends, second.ends),
        functional=_merge(first.functional, second.functional),
    )


def growth_ends(last: int) -> list[int]:
    """Return the two generations between which growth is judged, T // 2 and T."""
    return [last // 2, last]


def _moments(values: np.ndarray, valid: np.ndarray, axis: int, *, cubes: bool = True) -> Moments:
    """Return the moments over the axis of chains; ``values`` are 0 where not valid."""
    count = valid.sum(axis)
    mean = values.sum(axis) / np.maximum(count, 1)
    centred = np.where(valid, values - np.expand_dims(mean, axis), 0.0)
    square = np.einsum("...,...->...", centred, centred).sum(axis)
    if not cubes:
        return Moments(count, mean, square)
    with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
        return Moments(count, mean, square, (centred * centred * centred).sum(axis))


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
    square = a.square + b.square + shift**2 * a.chains * share
    cube = None
    if a.cube is not None and b.cube is not None:
        other = a.chains / np.maximum(count, 1)
        with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
            cube = a.cube + b.cube + 3 * shift * (other * b.square - share * a.square)
            cube += shift**3 * a.chains * share * (other - share)
    return Moments(count, a.mean + shift * share, square, cube)


def joint_moments(
    values: Float[np.ndarray, "*tiles K C M"],
    valid: Bool[np.ndarray, "*tiles C M"],
    *,
    cubes: bool = False,
) -> Moments:
    """Return the joint moments of K numbers of every model over chains.

    Parameters
    ----------
    values : ndarray
        Shape (..., K, C, M).
    valid : ndarray of bool
        Whether a chain counts, shape (..., C, M).
    cubes : bool, optional
        Whether to keep sums of products of three deviations, (..., M, K, K, K).

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
        cube = None
        if cubes:
            pairs = path[..., :, None, :] * path[..., None, :, :]
            cube = np.einsum("...abc,...dc->...abd", pairs, path)
        return Moments(count, mean, path @ _transposed(path), cube)


def merge_joint(a: Moments, b: Moments) -> Moments:
    """Return the joint moments of two sets of chains together."""
    count = a.chains + b.chains
    share = b.chains / np.maximum(count, 1)
    shift = b.mean - a.mean
    outer = shift[..., :, None] * shift[..., None, :]
    weight = a.chains * share
    square = a.square + b.square + outer * weight[..., None, None]
    cube = None
    if a.cube is not None and b.cube is not None:
        other = a.chains / np.maximum(count, 1)
        spread = other[..., None, None] * b.square - share[..., None, None] * a.square
        with np.errstate(over="ignore", invalid="ignore"):  # errors near the end of the range
            cube = (
                a.cube
                + b.cube
                + sum(
                    np.einsum(f"...a,...bc->...{axes}", shift, spread)
                    for axes in ("abc", "bac", "bca")
                )
            )
            cube += np.einsum("...ab,...c,...->...abc", outer, shift, weight * (other - share))
    return Moments(count, a.mean + shift * share[..., None], square, cube)
