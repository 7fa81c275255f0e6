"""A boundary between stages of a program that the compiler does not fuse across."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Integer

Tree = TypeVar("Tree")
_stored: ContextVar[bool | None] = ContextVar("stored", default=None)


@contextmanager
def stages(stored: bool) -> Iterator[None]:
    """Set whether :func:`once` stores the results of stages in programs that are traced inside.

    Elsewhere it stores them if the default device is a CPU.
    """
    token = _stored.set(stored)
    try:
        yield
    finally:
        _stored.reset(token)


def once(count: Integer[Array, " ..."], compute: Callable[[], Tree]) -> Tree:
    """Compute arrays once and store them.

    XLA's CPU compiler would otherwise compute them again, random numbers included, in every loop
    that uses them. It does not fuse across a conditional whose condition is known only at run time,
    even one that is always true.

    Parameters
    ----------
    count : Array
        Integers known only at run time. If any is negative the result is zeros.
    compute : callable
        Returns the arrays, without arguments.

    Returns
    -------
    pytree of Array
        What ``compute`` returns.
    """
    stored = _stored.get()
    if not (jax.default_backend() == "cpu" if stored is None else stored):
        return compute()
    traced: list[Tree] = []

    def full() -> Tree:
        traced.append(compute())
        return traced[0]

    def empty() -> Tree:
        # the other branch is usually traced first, and tells the shapes
        shapes = traced[0] if traced else jax.eval_shape(compute)
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return lax.cond(jnp.all(count >= 0), full, empty)
