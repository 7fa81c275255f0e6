"""The scatter of the losses of one workflow around any curve that their mean may follow.

Losses of one workflow are taken to be independent and normal around their means, with one variance
for all generations. A law is judged within a space of curves that holds it, and the variance is
estimated around that space:

- With enough repeated generations, any mean at every generation is allowed. The variance is then
  that of repetitions around their mean, whatever the laws.
- Otherwise, curves are sums of the law, u, log u and 1 / u, where u counts generations from the
  first that was logged. These are ways to grow evenly, ever more slowly, and to a limit. The
  variance is that of losses around such a curve. Departures that
  are rougher than that are taken for noise.

Which of the two it is depends on generations alone, not on losses, unless repetitions are equal to
the last digit (:mod:`mcjax.logs.digits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

REPETITIONS = 6
"""Smallest number of repetitions, beyond one row a generation, that estimate the variance."""
FEWEST = 3
"""Smallest number of degrees of freedom with which a variance is used."""
NEW = 0.01
"""A curve is added if this share of it, at least, is not a sum of those that are there."""
RESOLUTION = 1e-9
"""Smallest standard deviation, relative to the largest loss."""

SMALLEST = 1e-100
"""Smallest standard deviation, so that squares do not vanish."""


class Design(NamedTuple):
    """The generations of the rows of one workflow, and the curves that their mean may follow.

    Attributes
    ----------
    generations : ndarray of int, shape (N,)
        Fits t of each row.
    growth : ndarray of shape (N,)
        M_t of the law at each row.
    curves : ndarray of shape (N, r)
        An orthonormal basis of the space of curves.
    repeated : bool
        Whether any mean is allowed at every generation.
    """

    generations: Int[np.ndarray, " N"]
    growth: Float[np.ndarray, " N"]
    curves: Float[np.ndarray, "N r"]
    repeated: bool

    @property
    def freedom(self) -> int:
        """The degrees of freedom of the variance."""
        return len(self.curves) - self.curves.shape[1]

    @property
    def parts(self) -> Float[np.ndarray, "r 2"]:
        """The constant and the growth in coordinates of the basis, which holds them."""
        ones = np.ones_like(self.growth)
        return np.asarray(self.curves.T @ np.column_stack([ones, self.growth]))


class Scatter(NamedTuple):
    """The losses of one workflow in coordinates of curves.

    Attributes
    ----------
    design : Design
        The curves.
    coordinates : ndarray of shape (r,)
        Losses in coordinates of the basis.
    deviation : float
        Standard deviation of a loss.
    equal : bool
        Whether repetitions are equal to the last digit (:mod:`mcjax.logs.digits`).
    """

    design: Design
    coordinates: Float[np.ndarray, " r"]
    deviation: float
    equal: bool


def design_of(generations: Int[np.ndarray, " N"], growth: Float[np.ndarray, " T"]) -> Design:
    """Return the design of rows at some generations, by a law with the growth M_1 to M_T."""
    t = np.asarray(generations)
    at = growth[t - 1]
    distinct, place = np.unique(t, return_inverse=True)
    repeated = len(t) - len(distinct) >= REPETITIONS
    if repeated:
        curves = (place[:, None] == np.arange(len(distinct))).astype(float)
        curves /= np.sqrt(curves.sum(0))
    else:
        u = t - t.min() + 1.0
        curves = _basis([np.ones(len(t)), at, u, np.log(u), 1 / u])
    return Design(t, at, curves, repeated)


def scatter_of(
    design: Design, losses: Float[np.ndarray, " N"], least: float = 0.0, equal: bool = False
) -> Scatter:
    """Return the scatter of losses around the curves of a design.

    Parameters
    ----------
    design : Design
        The curves.
    losses : ndarray of shape (N,)
        Losses.
    least : float, optional
        Smallest standard deviation that a loss can have.
    equal : bool, optional
        Whether further repetitions would be equal, and tell nothing.
    """
    coordinates = design.curves.T @ losses
    rest = losses - design.curves @ coordinates
    floor = max(least, RESOLUTION * float(np.abs(losses).max()), SMALLEST)
    variance = float(rest @ rest) / max(design.freedom, 1)
    return Scatter(design, coordinates, max(variance**0.5, floor), equal)


def _basis(columns: Sequence[np.ndarray]) -> Float[np.ndarray, "N r"]:
    """Return an orthonormal basis of the space of columns, the first of which are kept first."""
    basis: list[np.ndarray] = []
    for k, column in enumerate(columns):
        rest = column - column.mean() if k else column
        size = np.linalg.norm(rest)
        for _ in range(2):  # once is not exact
            for known in basis:
                rest = rest - known * (known @ rest)
        if size > 0 and np.linalg.norm(rest) > NEW * size:
            basis.append(rest / np.linalg.norm(rest))
    return np.column_stack(basis)
