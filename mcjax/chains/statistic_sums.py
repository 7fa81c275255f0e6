"""Normal equations of every model's fit, from the sufficient statistics of its feeds.

For feeds b with weights w_b, whose samples are labelled with errors e_b, they have the matrix
``sum_b w_b S_b`` and the right-hand side ``sum_b w_b (S_b e_b + X_b' eps_b)``. With ``S = L L'``
and ``X' eps = sigma L z``, the latter is L times ``L' e + sigma z``, which is computed first.

Lanes come last in every array, so that each entry of a matrix is one long vector. Up to
``WRITTEN_OUT`` parameters all arithmetic is written out entry by entry, in loops of several sums
each. Otherwise it is in loops over entries, which compile quickly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.chains.bartlett import below
from mcjax.solvers.once import fuses, in_turn, once, one_by_one, sum_together

Lower = list[list[Array]]
"""Rows of lower triangles: entries (i, j) for j <= i, arrays of one shape."""

WRITTEN_OUT = 8
"""Largest number of parameters whose sums are written out; more take long to compile."""

PRODUCTS = 90
"""Largest number of products that one loop adds, over all its feeds. The compiler makes vector
instructions only if it unrolls the sum over feeds, and it does not unroll 300 instructions."""

SLOTS = 4
"""Largest number of feeds in one loop, where sums are written out; more are added part by part."""

TERMS = 64
"""Largest number of terms that one loop adds where sums are in loops over entries; the compiler
makes no vector instructions of 200."""

TERMS_WRITTEN_OUT = 8 * TERMS
"""Up to this number of terms, loops for all columns are written out, which is up to a third faster;
otherwise those for one column, in a loop over columns. Compile time grows with their number."""


class Feed(NamedTuple):
    """Holds what the sums of feeds are computed from; ``e`` are the errors of their origins."""

    normal: Array  # see `bartlett`, (2 half, M, B, lanes)
    chis: Array  # the diagonal of L, (p, M, B, lanes)
    samples: Array | None  # (M, B, lanes), where columns of L may be zero
    parents: Array  # e, (p, M, B, lanes)
    weight: Array  # (M, B, lanes)
    sigma: Array  # standard deviation of the noise, (1, 1, lanes)


def normal_equations(feed: Feed, t: Array) -> tuple[Any, Any]:
    """Return the matrix and the right-hand side of the normal equations of every model.

    Up to p = ``WRITTEN_OUT`` they are lists of entries of shape (M, lanes), those of the matrix the
    rows of its lower triangle. Otherwise the shapes are (M, p, p, lanes) and (M, p, lanes).
    """
    if len(feed.chis) <= WRITTEN_OUT:
        return once(t, lambda: _by_entries(feed, t))
    return one_by_one(
        t, lambda model: _by_columns(Feed(*model, sigma=feed.sigma[0]), t), feed[:-1], -3
    )


def _by_entries(feed: Feed, t: Array) -> tuple[Lower, list[Array]]:
    """Return the sums over feeds, with all arithmetic written out entry by entry."""
    p, dtype, (models, slots, lanes) = len(feed.chis), feed.parents.dtype, feed.weight.shape

    def along(k: int) -> list[Array]:
        lower, z = entries(feed.normal, feed.chis, feed.samples)
        products = (lower[i, k].astype(dtype) * feed.parents[i] for i in range(k, p))
        return [feed.sigma * z[k].astype(dtype) + sum(products)]

    inner = in_turn(t, [partial(along, k) for k in range(p)])
    # entries of the lower triangle, and those of the right-hand side as column p
    places = [(i, j) for i in range(p) for j in (*range(i + 1), p)]
    parts = 1 if fuses() else -(-slots // SLOTS)
    size = -(-slots // parts)  # feeds of a part; the last may begin among those before

    def loop(where: Sequence[tuple[int, int]], part: Array, before: Sequence[Array]) -> list[Array]:
        """Add sums over the feeds of a part to those before."""
        begin = jnp.minimum(part * size, slots - size)

        def some(array: Array) -> Array:
            if parts == 1:
                return array
            return lax.dynamic_slice_in_dim(array, begin, size, -2, allow_negative_indices=False)

        normal, chis, weight = (some(a) for a in (feed.normal, feed.chis, feed.weight))
        lower, _ = entries(normal, chis, None if feed.samples is None else some(feed.samples))
        rows = {place: entry.astype(dtype) for place, entry in lower.items()}
        rows |= {(p, k): some(inner[k]) for k in range(p)}
        number = lax.broadcasted_iota(jnp.int32, (1, size, 1), 1)
        if parts > 1:  # feeds that the part before has added do not count again
            weight = jnp.where(begin + number >= part * size, weight, 0)
        sums = [
            weight * sum(rows[i, k] * rows[j, k] for k in range(min(i, j) + 1)) for i, j in where
        ]
        if parts > 1:
            old = (jnp.where(number == 0, total[:, None], 0) for total in before)
            sums = [a + b for a, b in zip(sums, old, strict=True)]
        return sum_together(sums, 1)

    def all_loops(part: Array, totals: Sequence[Array]) -> list[Array]:
        before = dict(zip(places, totals, strict=True))
        groups = _groups(places, PRODUCTS // size)
        return in_turn(
            t, [partial(loop, group, part, [before[place] for place in group]) for group in groups]
        )

    zeros = [jnp.zeros((models, lanes), dtype)] * len(places)
    if parts == 1:
        totals = all_loops(jnp.int32(0), zeros)
    else:
        totals = lax.fori_loop(jnp.int32(0), jnp.int32(parts), all_loops, zeros)
    found = dict(zip(places, totals, strict=True))
    return [[found[i, j] for j in range(i + 1)] for i in range(p)], [found[i, p] for i in range(p)]


def _groups(places: Sequence[tuple[int, int]], most: int) -> Iterator[list[tuple[int, int]]]:
    """Divide entries into groups of at most ``most`` products each, or of one entry."""
    group: list[tuple[int, int]] = []
    products = 0
    for i, j in places:
        if group and products + min(i, j) + 1 > most:
            yield group
            group, products = [], 0
        group.append((i, j))
        products += min(i, j) + 1
    yield group


def entries(
    normal: Array, chis: Array, samples: Array | None
) -> tuple[dict[tuple[int, int], Array], list[Array]]:
    """Return the entries of L and the vector z of every feed, each of shape (M, B, lanes)."""
    p = len(chis)
    lower = {(i, i): chis[i] for i in range(p)}
    for at, (i, j) in enumerate(below(p), 2 * p):
        lower[i, j] = normal[at] if samples is None else jnp.where(samples > j, normal[at], 0)
    return lower, [normal[k] for k in range(p, 2 * p)]


def _by_columns(feed: Feed, t: Array) -> tuple[Array, Array]:
    """Return the same sums of one model, in loops over entries of L.

    They compile as quickly whatever p. Arrays of the feed have no axis M.
    """
    p, dtype = len(feed.chis), feed.parents.dtype
    place, strictly = np.zeros((p, p), np.int32), np.tri(p, k=-1, dtype=bool)
    place[tuple(np.transpose(below(p)))] = 2 * p + np.arange(p * (p - 1) // 2)

    def columns() -> Array:
        # (p, p, B, lanes): columns of L first, then rows
        strict, diagonal = (mask.T[..., None, None] for mask in (strictly, np.eye(p, dtype=bool)))
        if feed.samples is not None:
            number = np.arange(p, dtype=np.int32)[:, None, None, None]
            strict = strict & (feed.samples[None, None] > number)
        return jnp.where(diagonal, feed.chis[None], jnp.where(strict, feed.normal[place.T], 0))

    lower = once(t, columns)

    def dot(i: Array, total: Array) -> Array:
        row, error = (
            lax.dynamic_index_in_dim(a, i, axis, False, allow_negative_indices=False)
            for a, axis in ((lower, 1), (feed.parents, 0))
        )
        return total + row.astype(dtype) * error[None]

    z = feed.sigma[None] * feed.normal[p : 2 * p].astype(dtype)
    inner = lax.fori_loop(jnp.int32(0), jnp.int32(p), dot, z)

    def factors() -> Array:
        # (p, B, p + 1, lanes): columns of L, each with its entry of the vector
        return jnp.concatenate([jnp.moveaxis(lower, 2, 1).astype(dtype), inner[:, :, None]], 2)

    right = once(t, factors)
    slots = range(right.shape[1])

    def more(system: Array | float, some: Sequence[tuple[int, int]], columns: Array) -> Array:
        for k, b in some:
            left = feed.weight[b, None] * columns[k, b, :p]
            system += left[:, None] * columns[k, b, None]
        return jnp.asarray(system)

    def summed(system: Array | float, columns: Array) -> Array:
        terms = [(k, b) for k in range(len(columns)) for b in slots]
        for begin in range(0, len(terms), TERMS):
            some = terms[begin : begin + TERMS]
            system = once(t, partial(more, system, some, columns))
        return jnp.asarray(system)

    def column(k: Array, system: Array) -> Array:
        return summed(system, once(k, lambda: lax.dynamic_slice_in_dim(right, k, 1)))

    if p * len(slots) <= TERMS_WRITTEN_OUT:
        system = summed(0.0, right)
    else:
        zero = jnp.zeros((p, p + 1, right.shape[-1]), dtype)
        system = lax.fori_loop(jnp.int32(0), jnp.int32(p), column, zero)
    return system[:, :p], system[:, p]
