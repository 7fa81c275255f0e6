"""Polynomials in several variables with arrays as values, truncated at a degree.

They carry Taylor expansions through sums, products and inverses. Dense arrays of coefficients are
enough: a fit depends on the errors of its own parents alone, so there are few variables, and no
expansion goes beyond degree 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

VALUES, VARIABLES, OTHERS = "abcdefgh", "UVW", "XYZ"
"""Letters of axes in products: those of values, and of the variables of either factor."""


@dataclass(frozen=True)
class Polynomial:
    """``sum_k c_k[x, ..., x]`` in variables x.

    Attributes
    ----------
    parts : mapping of int to ndarray
        Coefficients c_k by degree, the axes of the value first, then k axes of variables; a degree
        that is missing has none.
    """

    parts: Mapping[int, Float[np.ndarray, "*shape"]]

    def __add__(self, other: Polynomial) -> Polynomial:
        """Return the sum."""
        parts = dict(self.parts)
        for degree, part in other.parts.items():
            parts[degree] = parts[degree] + part if degree in parts else part
        return Polynomial(parts)

    def __mul__(self, factor: float) -> Polynomial:
        """Return a multiple."""
        return Polynomial({degree: factor * part for degree, part in self.parts.items()})

    def derivative(
        self, degree: int, shape: tuple[int, ...], variables: int
    ) -> Float[np.ndarray, "*shape"]:
        """Return the derivatives of one order at 0, symmetric in the axes of variables.

        Parameters
        ----------
        degree : int
            Their order k.
        shape : tuple of int
            Shape of the value.
        variables : int
            Number of variables.

        Returns
        -------
        ndarray
            The axes of the value, then k axes of variables.
        """
        if degree not in self.parts:
            return np.zeros((*shape, *[variables] * degree))
        part, lead = self.parts[degree], len(shape)
        axes = [
            (*range(lead), *(lead + place for place in order))
            for order in permutations(range(degree))
        ]
        total: np.ndarray = sum(np.transpose(part, order) for order in axes[1:]) + part
        return total

    def among(self, places: Int[np.ndarray, " n"], variables: int) -> Polynomial:
        """Return the same polynomial as one in more variables, of which these are at ``places``."""
        parts = {}
        for degree, part in self.parts.items():
            shape = part.shape[: part.ndim - degree]
            wide = np.zeros((*shape, *[variables] * degree))
            rows = [np.arange(count) for count in shape]
            wide[np.ix_(*rows, *[places] * degree)] = part
            parts[degree] = wide
        return Polynomial(parts)


def constant(value: Float[np.ndarray, "*shape"]) -> Polynomial:
    """Return a polynomial of degree 0."""
    return Polynomial({0: value})


def linear(matrix: Float[np.ndarray, "*shape n"]) -> Polynomial:
    """Return a polynomial of degree 1."""
    return Polynomial({1: matrix})


def product(subscripts: str, first: Polynomial, second: Polynomial, degree: int) -> Polynomial:
    """Return a product of two polynomials, up to a degree.

    Parameters
    ----------
    subscripts : str
        How their values are multiplied and summed, as in ``numpy.einsum``.
    first, second : Polynomial
        The factors.
    degree : int
        Largest degree that is kept.
    """
    inputs, output = subscripts.split("->")
    left, right = inputs.split(",")
    total = Polynomial({})
    for i, x in first.parts.items():
        for j, y in second.parts.items():
            if i + j <= degree:
                u, v = VARIABLES[:i], OTHERS[:j]
                spec = f"{left}{u},{right}{v}->{output}{u}{v}"
                total += Polynomial({i + j: np.einsum(spec, x, y, optimize=True)})
    return total


def taylor(
    coefficients: Mapping[tuple[int, ...], Float[np.ndarray, "*shape"]],
    arguments: Sequence[Polynomial],
    degree: int,
) -> Polynomial:
    """Return a Taylor expansion at polynomials without constant terms, up to a degree.

    Parameters
    ----------
    coefficients : mapping of tuple to ndarray
        Derivatives at 0, by their orders in each argument: the axes of the value, then one axis for
        each derivative, argument by argument.
    arguments : sequence of Polynomial
        The arguments, whose values are vectors.
    degree : int
        Largest degree that is kept.
    """
    total = Polynomial({})
    for orders, coefficient in coefficients.items():
        if sum(orders) > degree:
            continue
        term = constant(coefficient / math.prod(map(math.factorial, orders)))
        axes = VALUES[: coefficient.ndim]
        for argument, order in reversed(list(zip(arguments, orders, strict=True))):
            for _ in range(order):
                term = product(f"{axes},{axes[-1]}->{axes[:-1]}", term, argument, degree)
                axes = axes[:-1]
        total += term
    return total


def inverse(matrix: Polynomial, degree: int) -> Polynomial:
    """Return the inverse of a polynomial of square matrices, up to a degree."""
    start = constant(np.linalg.inv(matrix.parts[0]))
    rest = Polynomial({k: part for k, part in matrix.parts.items() if k > 0})
    moved = product("ab,bc->ac", start, rest, degree)
    result = start
    for _ in range(degree):
        result = start + product("ab,bc->ac", moved, result, degree) * -1.0
    return result
