"""Arrangement of the p numbers of an estimate as a model's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

from mcjax.errors import InputError
from mcjax.faults import is_users
from mcjax.solvers.conditioning import LARGEST


@dataclass(frozen=True)
class Structure:
    """The shape of a parameter pytree.

    Attributes
    ----------
    nesting : PyTreeDef
        The tree without its leaves.
    shapes : tuple of tuple of int
        Shape of each leaf, in order.
    """

    nesting: Any
    shapes: tuple[tuple[int, ...], ...]

    def parameters(self, vector: Float[Array, " p"]) -> Any:
        """Return the pytree whose leaves are the numbers of ``vector``, shape (p,), in order."""
        sizes = [math.prod(shape) for shape in self.shapes]
        ends = np.cumsum([0, *sizes])
        leaves = [
            jnp.reshape(vector[start:end], shape)
            for start, end, shape in zip(ends[:-1], ends[1:], self.shapes, strict=True)
        ]
        return jax.tree.unflatten(self.nesting, leaves)

    def check(self, name: str, loss: Callable[..., Any]) -> None:
        """Raise InputError if a loss, of the model of a name, takes a vector of numbers alone."""
        if not is_users(loss):
            shapes = " and ".join(map(str, self.shapes[:3])) + ", ..." * (len(self.shapes) > 3)
            raise InputError(
                "family.theta",
                f"has arrays of shape {shapes}; give {name!r} a list of numbers, one per parameter",
            )


def read_parameters(theta: Any) -> tuple[Float[np.ndarray, " p"], Structure | None]:
    """Return the numbers of a truth and how they are arranged.

    Parameters
    ----------
    theta : sequence of float, or pytree of arrays
        A vector of p numbers, or any nesting of dictionaries, tuples and arrays of numbers.

    Returns
    -------
    numbers : ndarray
        Shape (p,).
    structure : Structure or None
        Their arrangement; None for a plain vector.

    Raises
    ------
    InputError
        If a leaf is not an array of finite numbers, or there is no leaf.
    """
    vector = not isinstance(theta, dict) and np.ndim(_numbers(theta)) == 1
    leaves, nesting = jax.tree.flatten(theta, is_leaf=_is_leaf)
    arrays = [_numbers(leaf) for leaf in ([theta] if vector else leaves)]
    numbers = np.concatenate([np.ravel(array) for array in arrays]) if arrays else np.zeros(0)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise InputError("family.theta", "must be a list of finite numbers, one per parameter")
    if np.abs(numbers).max() > LARGEST:
        raise InputError("family.theta", f"has a number beyond {LARGEST:g}; use another unit")
    if vector:
        return numbers, None
    return numbers, Structure(nesting, tuple(np.shape(array) for array in arrays))


def _is_leaf(value: Any) -> bool:
    """Return True if a list is an array of numbers rather than a level of nesting."""
    return isinstance(value, list) and np.ndim(_numbers(value)) > 0


def _numbers(value: Any) -> np.ndarray:
    """Return ``value`` as an array of floats, or a single NaN if it is not one."""
    try:
        return np.asarray(list(value) if hasattr(value, "__next__") else value, float)
    except (TypeError, ValueError):
        return np.full((), np.nan)
