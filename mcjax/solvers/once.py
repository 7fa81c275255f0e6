"""Borders between stages of a program that its compiler keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental.xla_metadata import set_xla_metadata

Tree = TypeVar("Tree")


def once(count: Array, compute: Callable[[], Tree]) -> Tree:
    """Compute arrays once, and keep them. ``count``: known only at run time; zeros where negative.

    XLA's CPU compiler would otherwise work them out again in each loop that uses them, random
    numbers included. A condition known only at run time, true though it is, is a border that
    fusion does not cross.
    """
    if jax.default_backend() != "cpu":  # elsewhere a condition costs a round trip to the host
        return compute()
    shapes = jax.eval_shape(compute)
    empty = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return lax.cond(jnp.all(count >= 0), compute, lambda: empty)


def one_kernel(compute: Callable[..., Tree], *given: Any) -> Tree:
    """Compile ``compute(*given)`` to one function, loops included; nothing fuses across its border.

    XLA's CPU backend otherwise runs a loop as a program, at about 0.1 us a step for each operation.
    Its own passes mark calls of the smallest loops to be one function (``xla_cpu_small_call``), and
    so is this call marked. Where a compiler does not know the mark it is an ordinary call.

    For bodies of loops whose number of steps is known only at run time: around code whose inputs
    the compiler knew, because the loop had one step, a compilation never ended (jaxlib 0.10).
    """
    if jax.default_backend() != "cpu":
        return compute(*given)
    found = jax.jit(compute)(*given)
    # the mark on one result is on the call, and not on what the call does
    first, *rest = jax.tree.leaves(found)
    marked = set_xla_metadata(first, xla_cpu_small_call="true", inlineable="false")
    return jax.tree.unflatten(jax.tree.structure(found), [marked, *rest])
