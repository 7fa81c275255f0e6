"""Integrals over rows of data, and over normal covariates with a mean.

They stand in for those of :mod:`mcjax.laws.first_order.span`. Over n rows, an expectation is a
finite sum. For ``x = c + w`` with fixed c and ``w ~ N(0, F F')``, expectations follow from those
over w, for instance

    E[x x' f] = c c' E f + c E[w f]' + E[w f] c' + E[w w' f] .

If a covariate is constant, as an intercept is, its entry of c is that constant and its row of F is
0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from mcjax.laws.first_order.span import Span
from mcjax.laws.law import Inapplicable

MOST_PRODUCTS = 2**33
"""Largest number of products of three covariates that are added up over all rows, which takes a
minute of a processor for each of the integrals of a fit."""
CHUNK = 2**22
"""Numbers that are held at once where products of two covariates are formed row by row."""


class RowSpan:
    """Means over rows of functions of some linear predictors; see :class:`Span`.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        The rows.
    vectors : sequence of ndarray, each of shape (p,)
        The predictors are ``x'a`` for each of them.
    """

    def __init__(self, x: Float[np.ndarray, "n p"], vectors: Sequence[Float[np.ndarray, " p"]]):
        self._x = x
        self.predictors = [x @ a for a in vectors]

    def number(self, values: np.ndarray) -> float:
        """Return ``E f`` from the values of f at the rows."""
        return float(values.mean())

    def vector(self, values: np.ndarray) -> Float[np.ndarray, " p"]:
        """Return ``E[x f]`` from the values of f at the rows."""
        return np.asarray(self._x.T @ values / len(values))

    def matrix(self, values: np.ndarray) -> Float[np.ndarray, "p p"]:
        """Return ``E[x x' f]`` from the values of f at the rows."""
        return np.asarray((self._x.T * values) @ self._x / len(values))

    def cube(self, values: np.ndarray) -> Float[np.ndarray, "p p p"]:
        """Return ``E[x x x f]`` from the values of f at the rows.

        Raises
        ------
        Inapplicable
            If there are too many rows of too many covariates.
        """
        n, p = self._x.shape
        if n * p**3 > MOST_PRODUCTS:
            raise Inapplicable(
                f"{n:,} rows of {p} covariates are too many for the third moments of covariates"
            )
        total = np.zeros((p, p * p))
        for rows in self._parts() if np.any(values) else ():
            x = self._x[rows]
            pairs = (x[:, :, None] * x[:, None, :]).reshape(len(x), p * p)
            total += (x.T * values[rows]) @ pairs
        return total.reshape(p, p, p) / len(values)

    def matrix_beside(
        self, values: np.ndarray, metric: Float[np.ndarray, "p p"]
    ) -> Float[np.ndarray, "p p"]:
        """Return ``E[(x'Gx) x x' f]`` for a symmetric matrix G, from the values of f."""
        return self.matrix(values * self._lengths(metric))

    def cube_of_square(self, values: np.ndarray, metric: Float[np.ndarray, "p p"]) -> float:
        """Return ``E[(x'Gx)^3 f]`` for a symmetric matrix G, from the values of f."""
        return float(np.mean(values * self._lengths(metric) ** 3))

    def _lengths(self, metric: np.ndarray) -> np.ndarray:
        return np.asarray(((self._x @ metric) * self._x).sum(1))

    def _parts(self) -> Iterator[slice]:
        n, p = self._x.shape
        step = max(1, CHUNK // (p * p))
        return (slice(begin, begin + step) for begin in range(0, n, step))


class ShiftedSpan(Span):
    """Integration over linear predictors of normal covariates with a mean.

    Parameters
    ----------
    centre : ndarray, shape (p,)
        c, the mean.
    *rule, **options
        As in :class:`Span`.
    """

    def __init__(self, centre: Float[np.ndarray, " p"], *rule: Any, **options: Any):
        super().__init__(*rule, **options)
        self._centre = centre
        _, vectors = rule
        pairs = zip(self.predictors, vectors, strict=True)
        self.predictors = [at + centre @ a for at, a in pairs]

    def vector(self, values: np.ndarray) -> Float[np.ndarray, " p"]:
        """Return ``E[x f]`` from the values of f at the nodes."""
        return self._centre * self.number(values) + super().vector(values)

    def matrix(self, values: np.ndarray) -> Float[np.ndarray, "p p"]:
        """Return ``E[x x' f]`` from the values of f at the nodes."""
        c, beside = self._centre, np.outer(self._centre, super().vector(values))
        return np.outer(c, c) * self.number(values) + beside + beside.T + super().matrix(values)

    def cube(self, values: np.ndarray) -> Float[np.ndarray, "p p p"]:
        """Return ``E[x x x f]`` from the values of f at the nodes."""
        c, square = self._centre, np.outer(self._centre, self._centre)
        result = super().cube(values) + np.multiply.outer(square, c) * self.number(values)
        for part in (
            np.multiply.outer(square, super().vector(values)),
            np.multiply.outer(super().matrix(values), c),
        ):  # whose last axis is the odd one
            result += part + part.transpose(0, 2, 1) + part.transpose(2, 1, 0)
        return np.asarray(result)

    def matrix_beside(
        self, values: np.ndarray, metric: Float[np.ndarray, "p p"]
    ) -> Float[np.ndarray, "p p"]:
        """Return ``E[(x'Gx) x x' f]`` for a symmetric matrix G, from the values of f."""
        c, towards = self._centre, metric @ self._centre
        first, second, third = super().vector(values), super().matrix(values), super().cube(values)
        # x'Gx = c'Gc + 2 c'Gw + w'Gw, times the products of c + w
        square = np.outer(c, c)
        result = (c @ towards) * self.matrix(values)
        for factor, once, twice in (
            (2 * towards @ first, 2 * second @ towards, 2 * third @ towards),
            (
                np.sum(metric * second),
                np.einsum("ab,abc->c", metric, third),
                super().matrix_beside(values, metric),
            ),
        ):
            beside = np.outer(c, once)
            result += factor * square + beside + beside.T + twice
        return np.asarray(result)

    def cube_of_square(self, values: np.ndarray, metric: Float[np.ndarray, "p p"]) -> float:
        """Return ``E[(x'Gx)^3 f]`` for a symmetric matrix G, from the values of f.

        Given the predictors, ``x'Gx`` is a quadratic form in the independent rest, whose first
        three cumulants are known.
        """
        g, rest = self._root.T @ metric @ self._root, self._rest
        place = self._node @ self._basis.T @ self._root.T + self._centre
        across, linear = g @ rest, place @ metric @ self._root @ rest
        first = np.einsum("na,ab,nb->n", place, metric, place) + np.trace(across)
        second = 2 * np.trace(across @ across) + 4 * (linear**2).sum(1)
        third = 8 * np.trace(across @ across @ across)
        third = third + 24 * np.einsum("na,ab,nb->n", linear, g, linear)
        return float(self._weight @ (values * (first**3 + 3 * first * second + third)))
