"""Operations on arrays that leave scalars linear in theta, by the names of JAX's primitives.

Each takes arrays of scalars, the parameters of the operation, and the shape of its result.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np

MOST_TERMS = 2**16
"""Largest number of scalars that an operation makes."""

Shape = tuple[int, ...]
Operation = Callable[..., "list[np.ndarray] | None"]


def _sliced(a: np.ndarray, params: dict[str, Any], shape: Shape) -> list[np.ndarray]:
    steps = params["strides"] or (1,) * a.ndim
    limits = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return [a[tuple(slice(*limit) for limit in limits)]]


def _split(a: np.ndarray, params: dict[str, Any], shape: Shape) -> list[np.ndarray]:
    return list(np.split(a, np.cumsum(params["sizes"])[:-1], axis=params["axis"]))


def _broadcast(a: np.ndarray, params: dict[str, Any], shape: Shape) -> list[np.ndarray]:
    own = np.ones(len(shape), int)
    own[list(params["broadcast_dimensions"])] = a.shape
    return [np.broadcast_to(a.reshape(own), shape)]


def _reshaped(a: np.ndarray, params: dict[str, Any], shape: Shape) -> list[np.ndarray] | None:
    return None if params.get("dimensions") is not None else [a.reshape(shape)]


def _cumulated(a: np.ndarray, params: dict[str, Any], shape: Shape) -> list[np.ndarray]:
    axis = params["axis"]
    if params["reverse"]:
        return [np.flip(np.cumsum(np.flip(a, axis), axis), axis)]
    return [np.cumsum(a, axis)]


def _dot(
    a: np.ndarray, b: np.ndarray, params: dict[str, Any], shape: Shape
) -> list[np.ndarray] | None:
    (over_a, over_b), (batch_a, batch_b) = params["dimension_numbers"]
    terms = prod(shape) * prod(a.shape[i] for i in over_a)
    if not 0 < terms <= MOST_TERMS:
        return None
    free = prod(a.shape[i] for i in range(a.ndim) if i not in (*over_a, *batch_a))
    many = prod(a.shape[i] for i in batch_a)

    def arranged(one: np.ndarray, over: Shape, batch: Shape) -> np.ndarray:
        rest = [i for i in range(one.ndim) if i not in (*over, *batch)]
        return one.transpose([*batch, *rest, *over])

    first = arranged(a, over_a, batch_a).reshape(many, free, 1, -1)
    second = arranged(b, over_b, batch_b).reshape(many, 1, -1, first.shape[-1])
    return [(first * second).sum(-1).reshape(shape)]


OPERATIONS: dict[str, Operation] = {
    "add": lambda a, b, params, shape: [a + b],
    "add_any": lambda a, b, params, shape: [a + b],
    "sub": lambda a, b, params, shape: [a - b],
    "mul": lambda a, b, params, shape: [a * b],
    "div": lambda a, b, params, shape: [a / b],
    "neg": lambda a, params, shape: [-a],
    "dot_general": _dot,
    "reduce_sum": lambda a, params, shape: [a.sum(params["axes"])],
    "cumsum": _cumulated,
    "convert_element_type": lambda a, params, shape: [a],
    "copy": lambda a, params, shape: [a],
    "reshape": _reshaped,
    "squeeze": lambda a, params, shape: [a.reshape(shape)],
    "slice": _sliced,
    "split": _split,
    "rev": lambda a, params, shape: [np.flip(a, params["dimensions"])],
    "transpose": lambda a, params, shape: [a.transpose(params["permutation"])],
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda *a, params, shape: [np.concatenate(a, params["dimension"])],
    "stack": lambda *a, params, shape: [np.stack(a, params["axis"])],
}
"""Operations whose arguments are all of one type."""

BY_POSITION = ("gather", "scatter", "dynamic_slice", "dynamic_update_slice", "select_n", "pad")
"""Operations that move entries to places that integers tell."""


def moved(
    equation: Any, given: list[np.ndarray], integers: dict[int, np.ndarray]
) -> list[np.ndarray] | None:
    """Return what an operation that moves entries makes of arrays of scalars.

    The operation itself is applied to the positions of the entries.

    Parameters
    ----------
    equation : JaxprEqn
        The operation, one of ``BY_POSITION``.
    given : list
        What the operation is given: arrays of scalars, and integers.
    integers : dict
        The integers, by their place among what is given.

    Returns
    -------
    list of ndarray or None
        The result; None if it has entries that are not given, or if the order in which entries are
        written to the same place decides.
    """
    positions: list[Any] = []
    entries: list[Any] = []
    for i, one in enumerate(given):
        if i in integers:
            positions.append(integers[i])
        else:
            numbers = np.arange(len(entries), len(entries) + one.size, dtype=np.float32)
            positions.append(numbers.reshape(one.shape))
            entries.extend(one.ravel())
    if len(entries) > MOST_TERMS:
        return None
    params = equation.params
    if "fill_value" in params:  # which may be any number, and so a position
        params = params | {"fill_value": np.nan}
    with jax.ensure_compile_time_eval():
        found = np.asarray(equation.primitive.bind(*positions, **params))
    if not np.isin(found, np.arange(len(entries))).all():  # filled with what no entry is
        return None
    if equation.primitive.name == "scatter" and not np.isin(positions[-1], found).all():
        return None
    result = np.empty(len(entries), object)
    result[:] = entries
    return [result[found.astype(int)]]
