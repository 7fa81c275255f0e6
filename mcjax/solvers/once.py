"""Boundaries between stages of a program that the compiler does not fuse across.

XLA's CPU compiler would otherwise compute a stage again, random numbers included, in every loop
that uses its results. What keeps stages apart depends on the platform and on the options of the
compiler, and is set where a program is traced (:func:`stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Integer

AT_A_TIME = 7
"""Largest number of loops in a stage. XLA's CPU runtime runs up to eight one after the other. It
hands more to its threads, which takes as long as loops over a block of small fits."""

Tree = TypeVar("Tree")
Boundary = Callable[[Array, Callable[[], Any]], Any]
"""Computes a stage, given integers known only at run time and a function without arguments."""


def fused(count: Array, compute: Callable[[], Tree]) -> Tree:
    """Compute a stage and leave it to the compiler what it fuses."""
    return compute()


def barrier(count: Array, compute: Callable[[], Tree]) -> Tree:
    """Compute a stage behind a barrier.

    A barrier costs nothing, neither time nor another compiled loop. XLA's CPU compiler drops
    barriers before it fuses, unless its pass ``cse_barrier_expander`` is disabled.
    """
    return lax.optimization_barrier(compute())


def conditional(count: Array, compute: Callable[[], Tree]) -> Tree:
    """Compute a stage in a branch of a conditional, whatever the options of the compiler.

    XLA does not fuse across a conditional whose condition is known only at run time, even one that
    is always true.
    """
    traced: list[Tree] = []

    def full() -> Tree:
        traced.append(compute())
        return traced[0]

    def empty() -> Tree:
        # the other branch is usually traced first, and tells the shapes
        shapes = traced[0] if traced else jax.eval_shape(compute)
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return lax.cond(jnp.all(count >= 0), full, empty)


_boundary: ContextVar[Boundary | None] = ContextVar("boundary", default=None)


@contextmanager
def stages(boundary: Boundary) -> Iterator[None]:
    """Set what keeps stages apart in programs that are traced inside.

    Elsewhere it is a conditional if the default device is a CPU, and nothing otherwise.
    """
    token = _boundary.set(boundary)
    try:
        yield
    finally:
        _boundary.reset(token)


def _here() -> Boundary:
    default = conditional if jax.default_backend() == "cpu" else fused
    return _boundary.get() or default


def fuses() -> bool:
    """Return whether it is left to the compiler what it fuses, as on an accelerator."""
    return _here() is fused


def once(count: Integer[Array, " ..."], compute: Callable[[], Tree]) -> Tree:
    """Compute arrays once and store them.

    Parameters
    ----------
    count : Array
        Integers known only at run time, none of them negative.
    compute : callable
        Returns the arrays, without arguments.

    Returns
    -------
    pytree of Array
        What ``compute`` returns.
    """
    result: Tree = _here()(count, compute)
    return result


def once_from_stored(count: Integer[Array, " ..."], compute: Callable[[], Tree]) -> Tree:
    """Compute arrays once, as :func:`once`, from arrays that are themselves stored.

    Behind a barrier the compiler may compute in the same loop what a stage depends on, with other
    rounding errors. In a branch of a conditional it does not.
    """
    return compute() if fuses() else conditional(count, compute)


def where_needed(
    needed: Bool[Array, ""], compute: Callable[[], Tree], otherwise: Callable[[], Tree]
) -> Tree:
    """Compute arrays only if they are needed, on platforms where a condition costs no time.

    Parameters
    ----------
    needed : Array
        Whether the results of ``compute`` are needed; if not, they must be as good as those of
        ``otherwise``.
    compute, otherwise : callable
        Return arrays of the same shapes, without arguments.

    Returns
    -------
    pytree of Array
        What one of the two returns.
    """
    if fuses():
        return compute()
    result: Tree = lax.cond(needed, compute, otherwise)
    return result


def in_turn(
    count: Integer[Array, " ..."], loops: Sequence[Callable[[], Sequence[Array]]]
) -> list[Array]:
    """Compute arrays in many loops, as stages of at most ``AT_A_TIME`` loops or stages each.

    Parameters
    ----------
    count : Array
        Integers known only at run time, none of them negative.
    loops : sequence of callable
        Each returns the arrays of one loop, without arguments.

    Returns
    -------
    list of Array
        The arrays of all loops, in their order.
    """
    if len(loops) <= AT_A_TIME:
        return once(count, lambda: [array for loop in loops for array in loop()])
    size = -(-len(loops) // AT_A_TIME)
    groups = [loops[begin : begin + size] for begin in range(0, len(loops), size)]
    return once(count, lambda: [array for group in groups for array in in_turn(count, group)])


def together(arrays: Sequence[Array]) -> list[Array]:
    """Compute several arrays of one shape in one loop, which computes what they share once.

    XLA's CPU compiler makes a loop for each array, except for the results of one variadic
    reduction. The arrays are therefore summed over a new axis of length two, whose second place
    holds zeros. The compiler unrolls it.

    Parameters
    ----------
    arrays : sequence of Array
        Computed from stored arrays by additions and multiplications alone.

    Returns
    -------
    list of Array
        The arrays.
    """
    if len(arrays) == 1 or fuses():
        return list(arrays)
    first = lax.broadcasted_iota(jnp.int32, (2, *arrays[0].shape), 0) == 0
    return sum_together([jnp.where(first, a[None], jnp.zeros((), a.dtype)) for a in arrays], 0)


def sum_together(arrays: Sequence[Array], axis: int) -> list[Array]:
    """Sum several arrays of one shape over an axis, on a CPU in one loop.

    Parameters
    ----------
    arrays : sequence of Array
        The arrays.
    axis : int
        The axis.

    Returns
    -------
    list of Array
        The sums.
    """
    return [a.sum(axis) for a in arrays] if fuses() else reduced_together(arrays, axis)


def reduced_together(arrays: Sequence[Array], axis: int) -> list[Array]:
    """Sum several arrays of one shape over an axis by one variadic reduction, on any platform."""

    def add(a: Sequence[Array], b: Sequence[Array]) -> list[Array]:
        return [x + y for x, y in zip(a, b, strict=True)]

    return list(lax.reduce(list(arrays), [jnp.zeros((), a.dtype) for a in arrays], add, (axis,)))


def one_by_one(
    count: Integer[Array, " ..."], compute: Callable[[Tree], Any], arrays: Tree, axis: int
) -> Any:
    """Compute results for each place on an axis of arrays, on a CPU one after the other.

    What one of them needs stays in the cache. On an accelerator they are computed together, and
    nothing is stored.

    Parameters
    ----------
    count : Array
        Integers known only at run time, none of them negative.
    compute : callable
        Returns the results, given the arrays at one place, without the axis.
    arrays : pytree of Array
        The arrays, all of which have the axis.
    axis : int
        The axis.

    Returns
    -------
    pytree of Array
        The results, with the axis first.
    """
    if fuses():
        return jax.vmap(compute, axis)(arrays)

    def at(place: Array) -> Any:
        return compute(
            jax.tree.map(lambda a: lax.dynamic_index_in_dim(a, place, axis, False), arrays)
        )

    places = jnp.arange(jax.tree.leaves(arrays)[0].shape[axis], dtype=jnp.int32)
    return once(count, lambda: lax.map(at, places))


def hidden(values: Tree) -> Tree:
    """Return arrays or numbers as if they were known only at run time and computed elsewhere.

    Loops that differ in such values alone are the same to XLA's CPU compiler, which compiles them
    once.
    """
    return values if fuses() else lax.optimization_barrier(values)
