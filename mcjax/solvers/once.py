"""A border between stages of a program that its compiler keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

Tree = TypeVar("Tree")


def once(count: Array, compute: Callable[[], Tree]) -> Tree:
    """Compute arrays once, and keep them. ``count``: known only at run time; zeros where negative.

    XLA's CPU compiler would otherwise work them out again in each loop that uses them, random
    numbers included. A condition known only at run time, true though it is, is a border that
    fusion does not cross.
    """
    if jax.default_backend() != "cpu":  # elsewhere a condition costs a round trip to the host
        return compute()
    found: list[Any] = []

    def full() -> Tree:
        found.append(compute())
        return found[0]

    def empty() -> Tree:
        # what it returns is known from the other branch, which is traced first
        shapes = found[0] if found else jax.eval_shape(compute)
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return lax.cond(jnp.all(count >= 0), full, empty)
