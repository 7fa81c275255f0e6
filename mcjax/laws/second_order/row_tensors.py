"""Moments of the score of one row and of its derivatives, as tensors.

For a model of a linear predictor ``eta = x'theta`` with ``x = L z``, z standard normal, errors are
described in the coordinates ``L'theta``. There the truth is gamma times a unit vector u, here the
first axis, and everything that an observation contributes is, for a scalar function g,

    T_k[g] = E[g(gamma z_1) z (x) ... (x) z]     (k factors) .

Its entry of indices i, ..., l is ``E[g(gamma z_1) z_1^a]`` times standard normal moments of the
other coordinates, where a counts how often the first axis occurs. So one-dimensional sums suffice
for any p.

The sums are trapezoidal. For integrands that are analytic and vanish at both ends the error is
about ``exp(-2 pi d / step)`` with d the distance of their poles from the real line, which is
``pi / gamma`` for a logistic function.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mcjax.laws.law import Inapplicable
from mcjax.models.score_expansion import Eta, Orders, ScoreExpansion

FARTHEST, STEP, STEP_OF_POLES = 14.0, 0.05, 0.25
"""Half width of the grid, its step, and the step times gamma, where that is smaller."""
FINEST = 1e4
"""Largest gamma, for which the grid has millions of places."""
NORMAL = np.array([1.0, 0.0, 1.0, 0.0, 3.0])
"""Moments of a standard normal number."""


class Grid(NamedTuple):
    """Values z of the first coordinate, and their weights under the normal density."""

    z: Float[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]

    def moments(self, g: Eta | float, highest: int) -> Float[np.ndarray, " k+1"]:
        """Return ``E[g z^j]`` for j from 0 to ``highest``."""
        powers = self.z ** np.arange(highest + 1)[:, None]
        return powers @ (self.weight * g)

    def tensor(self, g: Eta | float, p: int, order: int) -> Float[np.ndarray, "*p"]:
        """Return ``T_k[g]`` with k = ``order`` axes of length p."""
        index = np.indices([p] * order).reshape(order, -1)
        counts = (index[:, :, None] == np.arange(p)).sum(0)  # (p^k, p)
        others = NORMAL[counts[:, 1:]].prod(-1)
        return (self.moments(g, order)[counts[:, 0]] * others).reshape([p] * order)


def grid_for(gamma: float) -> Grid:
    """Return a grid on which functions of ``gamma z`` are integrated to rounding.

    Exponential functions of ``3 gamma z`` have their mass around ``3 gamma``, which lies inside.

    Raises
    ------
    Inapplicable
        If the grid would be too fine for memory.
    """
    if not gamma <= FINEST:
        raise Inapplicable(
            f"predictors have a standard deviation of {gamma:.2g}, and moments are integrated up to"
            f" {FINEST:g} (theta too large)"
        )
    end = FARTHEST + 3 * min(gamma, FARTHEST)
    step = min(STEP, STEP_OF_POLES / max(gamma, 1e-9))
    z = np.linspace(-end, end, 2 * math.ceil(end / step) + 1)
    return Grid(z, np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * (z[1] - z[0]))


class Tensors:
    """Moments of one row at the truth.

    Attributes
    ----------
    mean : dict
        By orders (a, c) in reader and parent, the derivatives of the mean score: its axis, then
        those of the derivatives.
    product : dict
        By orders (a, b, c) in two readers and the parent, the derivatives of ``E s s'``.
    mixed : dict
        By orders (a, c), the derivatives of ``E H (x) s`` for the Hessian H.
    noise, noise_third : ndarray
        Covariance and third cumulants of the noise of one row; see :class:`NoiseAxes`.
    """

    mean: dict[Orders, np.ndarray]
    product: dict[Orders, np.ndarray]
    mixed: dict[Orders, np.ndarray]
    noise: Float[np.ndarray, "q q"]
    noise_third: Float[np.ndarray, "q q q"]


class RowTensors(Tensors):
    """Moments of one row of a model of a linear predictor, in the coordinates above.

    Parameters
    ----------
    expansion : ScoreExpansion
        Taylor coefficients at ``gamma z`` for the z of the grid.
    grid : Grid
        The grid.
    p : int
        Number of coordinates.
    """

    def __init__(self, expansion: ScoreExpansion, grid: Grid, p: int):
        mean, product = expansion.mean_term, expansion.product_term
        self.mean = {
            (a, c): grid.tensor(mean(a, c), p, 1 + a + c)
            for a in range(4)
            for c in range(4 - a)
            if a + c > 0
        }
        self.product = {
            (a, b, c): grid.tensor(product(a, b, c), p, 2 + a + b + c)
            for a in range(3)
            for b in range(3 - a)
            for c in range(3 - a - b)
        }
        self.mixed = {
            (0, 0): grid.tensor(product(1, 0, 0), p, 3),
            (1, 0): grid.tensor(np.add(product(2, 0, 0), product(1, 1, 0)), p, 4),
            (0, 1): grid.tensor(product(1, 0, 1), p, 4),
        }
        hessian, score = self.mean[1, 0], self.product[0, 0, 0]
        axes = noise_axes(p)
        self.noise = axes.covariance(
            score=score,
            mixed=self.mixed[0, 0],
            hessian=grid.tensor(product(1, 1, 0), p, 4) - np.multiply.outer(hessian, hessian),
            third=grid.tensor(product(2, 0, 0), p, 4),
        )
        self.noise_third = axes.third_cumulants(
            score=grid.tensor(expansion.cubed_slope, p, 3),
            mixed=grid.tensor(expansion.curved_square, p, 4) - np.multiply.outer(score, hessian),
        )


class NoiseAxes(NamedTuple):
    """Layout of the noise of a mean over rows as a vector of length q.

    It holds that of the score (p numbers), of its derivative (the upper triangle) and of its second
    derivative (indices in ascending order).

    Attributes
    ----------
    indices : tuple of lists
        Indices of the entries of the three, in order.
    terms : dict
        By orders (a, 1), the linear maps from the vector to the three, with shapes (p, q),
        (p, p, q) and (p, p, p, q): terms of the mean score of which the noise is the parent.
    """

    indices: tuple[list[tuple[int, ...]], ...]
    terms: dict[Orders, Float[np.ndarray, "*shape"]]

    @property
    def size(self) -> int:
        """Length q of the vector."""
        return sum(map(len, self.indices))

    def covariance(
        self,
        score: Float[np.ndarray, "p p"],
        mixed: Float[np.ndarray, "p p p"],
        hessian: Float[np.ndarray, "p p p p"],
        third: Float[np.ndarray, "p p p p"],
    ) -> Float[np.ndarray, "q q"]:
        """Return the covariance of the noise of one row, without those that are never needed.

        Parameters
        ----------
        score : ndarray
            Covariance of the score.
        mixed : ndarray
            Covariance of the Hessian (two axes) and the score.
        hessian : ndarray
            Covariance of the Hessian.
        third : ndarray
            Covariance of the third derivative (three axes) and the score.
        """
        g, h, k = self.indices
        ends = np.cumsum([len(part) for part in self.indices])
        first, second, last = slice(0, ends[0]), slice(ends[0], ends[1]), slice(ends[1], ends[2])
        result = np.zeros((self.size, self.size))
        result[first, first] = score
        result[second, first] = [[mixed[i + j] for j in g] for i in h]
        result[second, second] = [[hessian[i + j] for j in h] for i in h]
        result[last, first] = [[third[i + j] for j in g] for i in k]
        result[first, second], result[first, last] = (
            result[second, first].T,
            result[last, first].T,
        )
        return result

    def third_cumulants(
        self, score: Float[np.ndarray, "p p p"], mixed: Float[np.ndarray, "p p p p"]
    ) -> Float[np.ndarray, "q q q"]:
        """Return the third cumulants of the noise of one row, without those never needed.

        Parameters
        ----------
        score : ndarray
            Those of the score.
        mixed : ndarray
            Those of score, score and Hessian (the last two axes).
        """
        g, h, _ = self.indices
        p = len(g)
        result = np.zeros([self.size] * 3)
        result[:p, :p, :p] = score
        block = np.array([[[mixed[a + b + i] for i in h] for b in g] for a in g])
        second = slice(p, p + len(h))
        result[:p, :p, second] = block
        result[:p, second, :p] = block.transpose(0, 2, 1)
        result[second, :p, :p] = block.transpose(2, 0, 1)
        return result


def noise_axes(p: int) -> NoiseAxes:
    """Return the arrangement for p coordinates."""
    indices = tuple(list(combinations_with_replacement(range(p), order)) for order in (1, 2, 3))
    size, start = sum(map(len, indices)), 0
    terms: dict[Orders, np.ndarray] = {}
    for a, entries in enumerate(indices):
        place = {entry: start + n for n, entry in enumerate(entries)}
        term = np.zeros([p] * (a + 1) + [size])
        for index in np.ndindex(*[p] * (a + 1)):
            term[(*index, place[tuple(sorted(index))])] = 1.0
        terms[a, 1] = term
        start += len(entries)
    return NoiseAxes(indices, terms)
