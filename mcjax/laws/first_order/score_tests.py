"""Test with draws at theta that a loss is smallest there, and that its information is finite.

Each function returns what is wrong, or an empty string. A statement about a model that is as it
should be is false with probability at most ``LEVEL``: means over batches of draws are compared with
Student quantiles, with Bonferroni's correction for the parameters and for real and generated data.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

LEVEL = 1e-6
KINDS = 2
"""Labels of real data, and labels that models generate."""
EXTREMES = 512
HEAVIEST = 2 + 3 * 2 / math.sqrt(EXTREMES)
"""An index of 2, at which the variance is infinite, and three standard errors of its estimate."""
ROUNDING = 1e-9
MOVE = 0.05
"""Share of what one observation tells of a parameter, by which it is moved to look for kinks."""
SEEN = 0.03
"""Share of the curvature that second derivatives may miss."""


class BatchMeans(NamedTuple):
    """Means over each of B batches of draws, and the largest scores.

    Attributes
    ----------
    score : ndarray
        Gradient of the loss, shape (B, p).
    outer : ndarray
        ``score score'``, shape (B, p, p).
    hessian : ndarray
        Hessian of the loss, shape (B, p, p).
    largest : ndarray
        The largest absolute scores of each batch, shape (B, p, K), K at least twice ``EXTREMES/B``.
    finite : ndarray
        Share of draws at which the loss, its gradient and its Hessian are finite, shape (B,).
    """

    score: Any
    outer: Any
    hessian: Any
    largest: Any
    finite: Any


def not_finite(moments: BatchMeans) -> str:
    """Say what is wrong if the loss or its derivatives are not finite at some draws."""
    share = 1 - moments.finite.mean()
    if share == 0:
        return ""
    return f"the loss or its derivatives are not finite at {share:.2g} of the draws"


def no_slope(moments: BatchMeans) -> str:
    """Say what is wrong if the derivative of the loss is zero at every draw."""
    if (moments.largest > 0).any():
        return ""
    return "the derivative of the loss in theta is zero at every draw"


def infinite_variance(moments: BatchMeans) -> str:
    """Say what is wrong if a component of the score has no finite variance that draws could show.

    It has none if the index of its tail is at most 2. Hill's estimate (Ann. Statist. 3, 1975) from
    the largest scores must exceed 2 by three standard errors.
    """
    tops = np.sort(np.moveaxis(moments.largest, 1, 0).reshape(moments.score.shape[1], -1))
    tops = tops[:, -EXTREMES - 1 :]
    with np.errstate(divide="ignore", invalid="ignore"):
        index = 1 / np.log(tops[:, 1:] / tops[:, :1]).mean(1)
    if not (index < HEAVIEST).any():
        return ""
    worst = int(np.nanargmin(index))
    return (
        "the score has no finite variance, or none that draws could show: the index of its tail is"
        f" {index[worst]:.2f}, and it should exceed 2"
    )


def not_smallest(moments: BatchMeans, theta: Float[np.ndarray, " p"]) -> str:
    """Say what is wrong if the mean score at theta is not zero."""
    mean, error = _mean_and_error(moments.score)
    least = ROUNDING * np.abs(np.einsum("bpp->p", moments.hessian)) / len(moments.score)
    mean = np.where(np.abs(mean) <= least * (1 + np.abs(theta)), 0, mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(mean == 0, 0, np.abs(mean) / error)
    limit = student.isf(LEVEL / 2 / KINDS / len(mean), len(moments.score) - 1)
    if not (distance > limit).any():
        return ""
    worst = int(distance.argmax())
    return (
        f"the loss is not minimised at theta: its mean slope in parameter {worst} (from 0) is"
        f" {mean[worst]:.3g} there, {distance[worst]:.0f} standard errors from zero"
    )


def not_convex(moments: BatchMeans, penalty: float = 0.0) -> str:
    """Say what is wrong if the mean loss is not curved upwards at theta, and has no minimum there.

    The direction of least curvature is that of half of the draws; the other half judge it.
    """
    hessian = moments.hessian + penalty * np.eye(moments.hessian.shape[-1])
    if not hessian.any():
        return "the second derivative of the loss in theta is zero at every draw"
    half = hessian[::2].mean(0)
    scale = np.sqrt(np.abs(np.diagonal(half)))
    scale = np.where(scale > 0, scale, scale.max())
    values, vectors = np.linalg.eigh(half / np.outer(scale, scale))
    direction = vectors[:, 0] / scale
    direction /= np.linalg.norm(direction) * np.sign(direction[np.abs(direction).argmax()])
    curvature, error = _mean_and_error(direction @ hessian[1::2] @ direction)
    limit = student.isf(LEVEL / KINDS, len(hessian) // 2 - 1)
    shown = ", ".join(f"{part:.2g}" for part in direction[:4]) + ", ..." * (len(direction) > 4)
    if curvature + limit * error < 0:
        kind = "a maximum" if values[-1] < 0 else "a saddle point"
        return (
            f"theta is {kind} of the loss: its mean curvature along ({shown}) is"
            f" {curvature:.3g} ± {error:.2g}"
        )
    if np.abs(values[0]) < 1e-12 * values[-1]:
        return f"the loss does not determine theta: it is flat along ({shown})"
    return ""


def moves_of(moments: BatchMeans, theta: Float[np.ndarray, " p"]) -> Float[np.ndarray, "4 p"]:
    """Return short moves of theta: two directions, each at a length and at half of it.

    A parameter is moved by a share of what one observation tells of it, or of its size.
    """
    size = np.maximum(np.abs(theta), 1)
    spread = np.sqrt(np.einsum("bpp->p", moments.outer) / len(moments.outer))
    curvature = np.abs(np.einsum("bpp->p", moments.hessian)) / len(moments.hessian)
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.where(curvature > 0, spread / curvature, size)
    longest = MOVE * np.minimum(told, size)
    signs = np.where(np.arange(len(theta)) % 2, -1.0, 1.0)
    return np.stack([longest, signs * longest, longest / 2, signs * longest / 2])


def kinked(
    moments: BatchMeans, moves: Float[np.ndarray, "4 p"], changes: Float[np.ndarray, "B 4 p"]
) -> str:
    """Say what is wrong if the mean slope changes otherwise than second derivatives say.

    Of a loss with kinks these do not see all curvature, however short the move. Otherwise what
    they miss of it falls like the square of the length.
    """
    expected = np.einsum("bij,kj->bki", moments.hessian, moves)
    missed, error = _mean_and_error(changes - expected)
    long, short = missed[:2], 2 * missed[2:]
    limit = student.isf(LEVEL / 4 / KINDS / missed.shape[-1], len(changes) - 1)
    sure = np.abs(short) > limit * 2 * error[2:]
    large = np.abs(short) > np.maximum(0.6 * np.abs(long), SEEN * np.abs(changes[:, :2].mean(0)))
    found = sure & large
    if not found.any():
        return ""
    worst = int(np.where(found, np.abs(short), 0).max(0).argmax())
    return (
        f"the slope of the loss in parameter {worst} (from 0) changes with theta otherwise than its"
        " second derivatives say"
    )


def _mean_and_error(batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return batches.mean(0), batches.std(0, ddof=1) / np.sqrt(len(batches))
