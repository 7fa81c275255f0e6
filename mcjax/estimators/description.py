"""An estimator as plain data, by which results of one are not taken for those of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from types import FunctionType
from typing import Any

DEEPEST = 12
"""Closures may refer to themselves; what lies deeper is told by its type alone."""


def description(part: Any, depth: int = 0) -> Any:
    """Return an estimator, or a part of one, as data that JSON can hold; equal for equal ones.

    A dataclass is its name and fields. An optimiser of optax is a pair of functions, and a function
    is its name and what it closes over, learning rates included.
    """
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if depth > DEEPEST:
        return type(part).__qualname__

    def deeper(inner: Any) -> Any:
        return description(inner, depth + 1)

    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        fields = {f.name: deeper(getattr(part, f.name)) for f in dataclasses.fields(part)}
        return [type(part).__qualname__, fields]
    if isinstance(part, FunctionType):
        return [f"{part.__module__}.{part.__qualname__}", *map(deeper, _closed_over(part))]
    if isinstance(part, partial):
        return [deeper(part.func), deeper(part.args), deeper(part.keywords)]
    if isinstance(part, Mapping):
        return {str(key): deeper(value) for key, value in part.items()}
    if isinstance(part, tuple | list):
        return [deeper(item) for item in part]
    if hasattr(part, "tolist"):  # numbers of NumPy and JAX
        return part.tolist()
    if hasattr(part, "__wrapped__"):  # a compiled function
        return deeper(part.__wrapped__)
    return getattr(part, "__qualname__", type(part).__qualname__)


def _closed_over(function: FunctionType) -> list[Any]:
    """Return the values that a function takes from where it was defined."""
    values: list[Any] = list(function.__defaults__ or ())
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not filled yet
            values.append(None)
    return values
