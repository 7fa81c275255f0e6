"""Scores of multinomial logistic regression, over rows of covariates. Does not import JAX.

At a reader m and a row of class y the score is ``(P(m) - 1_y) (x) x``, with the probabilities P of
classes 1 to K - 1. Given x, its moments are known in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

CHUNK = 2**23
"""Numbers that are held at once where products are formed row by row."""


class ClassScores(NamedTuple):
    """The scores of K classes, of which ``others`` = K - 1 are not the reference."""

    others: int


def chances(
    x: Float[np.ndarray, "n q"], theta: Float[np.ndarray, " p"], others: int
) -> Float[np.ndarray, "n J"]:
    """Return the probabilities of classes 1, ..., J at each row."""
    eta = x @ theta.reshape(others, -1).T
    top = np.maximum(eta.max(1, keepdims=True), 0)
    mass = np.exp(eta - top)
    return np.asarray(mass / (mass.sum(1, keepdims=True) + np.exp(-top)))


def mean_score(
    x: Float[np.ndarray, "n q"], gap: Float[np.ndarray, "n J"]
) -> Float[np.ndarray, " p"]:
    """Return the mean of ``gap (x) x`` over rows."""
    return np.asarray((gap.T @ x / len(x)).ravel())


def mean_product(
    x: Float[np.ndarray, "n q"], first: Float[np.ndarray, "n J"], second: Float[np.ndarray, "n J"]
) -> Float[np.ndarray, "p p"]:
    """Return the mean of ``(first (x) x) (second (x) x)'`` over rows."""
    p = first.shape[1] * x.shape[1]
    total = np.zeros((p, p))
    for rows in _parts(len(x), p):
        left, right = (
            (gap[rows][:, :, None] * x[rows][:, None]).reshape(-1, p) for gap in (first, second)
        )
        total += left.T @ right
    return total / len(x)


def information_of_classes(
    x: Float[np.ndarray, "n q"], chance: Float[np.ndarray, "n J"]
) -> Float[np.ndarray, "p p"]:
    """Return the mean of ``(diag(P) - P P') (x) x x'`` over rows."""
    n, q = x.shape
    others = chance.shape[1]
    blocks = np.zeros((others, q, others, q))
    for j in range(others):
        blocks[j, :, j] = (x.T * chance[:, j]) @ x / n
    return blocks.reshape(others * q, others * q) - mean_product(x, chance, chance)


def mean_cube(
    x: Float[np.ndarray, "n q"], terms: Float[np.ndarray, "n J J J"]
) -> Float[np.ndarray, "p p p"]:
    """Return the mean of ``terms (x) x x x`` over rows."""
    n, q = x.shape
    others = terms.shape[1]
    total = np.zeros((others**3, q**3))
    for rows in _parts(n, q**3 + others**3):
        some = x[rows]
        products = some[:, :, None, None] * some[:, None, :, None] * some[:, None, None, :]
        total += terms[rows].reshape(len(some), -1).T @ products.reshape(len(some), -1)
    shaped = (total / n).reshape((others,) * 3 + (q,) * 3)
    return shaped.transpose(0, 3, 1, 4, 2, 5).reshape((others * q,) * 3)


def curvatures(chance: Float[np.ndarray, "n J"]) -> Float[np.ndarray, "n J J"]:
    """Return ``W = diag(P) - P P'`` of each row."""
    return _on_diagonal(chance) - chance[:, :, None] * chance[:, None]


def bends(chance: Float[np.ndarray, "n J"]) -> Float[np.ndarray, "n J J J"]:
    """Return the derivatives of W in the predictors of each row, its third cumulants."""
    w = curvatures(chance)
    eye = np.eye(chance.shape[1])
    same = eye[None, :, :, None] * w[:, :, None, :]
    beside = chance[:, None, :, None] * w[:, :, None, :]
    return np.asarray(same - beside - beside.transpose(0, 2, 1, 3))


def metric_products(
    x: Float[np.ndarray, "n q"], metric: Float[np.ndarray, "p p"], others: int
) -> Float[np.ndarray, "n J J"]:
    """Return ``x'G_jk x`` of each row, for the blocks G_jk of a matrix."""
    q = x.shape[1]
    blocks = metric.reshape(others, q, others, q)
    return np.asarray(np.einsum("nu,jukv,nv->njk", x, blocks, x, optimize=True))


def mean_blocks(
    x: Float[np.ndarray, "n q"], terms: Float[np.ndarray, "n J J"]
) -> Float[np.ndarray, "p p"]:
    """Return the mean of ``terms (x) x x'`` over rows."""
    q, others = x.shape[1], terms.shape[1]
    total = np.einsum("njk,nu,nv->jukv", terms, x, x, optimize=True) / len(x)
    return np.asarray(total.reshape(others * q, others * q))


def _on_diagonal(chance: np.ndarray) -> np.ndarray:
    return np.asarray(chance[:, :, None] * np.eye(chance.shape[1]))


def _parts(rows: int, numbers: int) -> Iterator[slice]:
    step = max(1, CHUNK // numbers)
    return (slice(begin, begin + step) for begin in range(0, rows, step))
