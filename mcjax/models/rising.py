"""The logarithm of a rising factorial, ``k (k + 1) ... (k + y - 1)``, and its derivatives in k.

They are differences of the gamma function's logarithm at ``k + y`` and at k, which lose all their
digits where k is large beside y. Here differences are formed of every term of Stirling's series at
``k + SHIFT``, and of the recurrence from there. All functions are elementwise, of arrays of NumPy
or of JAX; ``log1p`` is that of their library. Does not import JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

SHIFT = 8
"""Where the series is used: its error is below 1e-14 from there on."""
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
"""Coefficients of ``1 / x, 1 / x^3, ...`` in ``log Gamma(x) - (x - 1/2) log x + x`` (Abramowitz &
Stegun 6.1.41)."""

Entries = Any
"""An array of NumPy or of JAX, or a number."""
Elementwise = Callable[[Entries], Entries]


def log_rising(k: Entries, y: Entries, log1p: Elementwise) -> Entries:
    """Return the logarithm of the rising factorial over ``k^y``, ``sum_{j < y} log(1 + j / k)``."""
    low = k + SHIFT
    total = (low + y - 0.5) * log1p(y / low) + y * log1p(SHIFT / k) - y
    total = total + _series(low + y, 0) - _series(low, 0)
    for j in range(SHIFT):
        total = total - log1p(y / (k + j))
    return total


class Rises(NamedTuple):
    """Sums over ``j < y``, for labels y that are whole numbers.

    Attributes
    ----------
    first : Array
        ``sum k / (k + j)``, which is k times the derivative of the rising factorial's logarithm.
    second : Array
        ``sum k^2 / (k + j)^2``, which is minus ``k^2`` times its second derivative.
    """

    first: Entries
    second: Entries


def rises(k: Entries, y: Entries, log1p: Elementwise) -> Rises:
    """Return the first two derivatives of the logarithm of the rising factorial, scaled."""
    low, high = k + SHIFT, k + SHIFT + y
    first = log1p(y / low) + y / (2 * low * high) + _series(high, 1) - _series(low, 1)
    second = y / (low * high) + (1 / low**2 - 1 / high**2) / 2
    second = second - _series(high, 2) + _series(low, 2)
    for j in range(SHIFT):
        near, far = k + j, k + y + j
        step = y / (near * far)
        first = first + step
        second = second + step * (1 / near + 1 / far)
    return Rises(k * first, k**2 * second)


def _series(x: Entries, order: int) -> Entries:
    """Return the derivative of an order of the sum of Stirling's negative powers of x."""
    total: Entries = 0.0
    for number in reversed(range(len(STIRLING))):
        power, coefficient = 2 * number + 1, STIRLING[number]
        for further in range(order):
            coefficient *= -(power + further)
        total = total / x**2 + coefficient
    return total / x ** (1 + order)
