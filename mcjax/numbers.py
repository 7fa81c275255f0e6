"""Numbers as they come from Python, NumPy and files."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from mcjax.errors import InputError

MOST = 2**63 - 1
"""Largest count, which 64 bits hold."""


def check_between(field: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise InputError for a number that is not finite, or not from ``low`` to ``high``."""
    if not (low <= value <= high and math.isfinite(value)):
        limits = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise InputError(field, f"is {value!r}; give a number {limits}")


def check_share(field: str, value: float) -> None:
    """Raise InputError for a number that does not lie between 0 and 1."""
    if not 0 < value < 1:
        raise InputError(field, f"is {value!r}; give a number between 0 and 1")


def whole(value: Any) -> Any:
    """Return a whole number, of whatever type, as an int; anything else unchanged."""
    if isinstance(value, bool) or type(value) is int:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value) and value == math.floor(value):
        return math.floor(value)
    return value


def how_many(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 condition``, ``2,048 chains`` or ``3 entries``."""
    if count != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun}"


def plain(value: Any) -> Any:
    """Return a number, of whatever type, as an int or a float; anything else unchanged."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def in_text(value: Any) -> Any:
    """Return the number that a text spells; anything else unchanged."""
    if not isinstance(value, str) or not value.isascii():
        return value
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value
