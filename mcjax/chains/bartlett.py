"""Sufficient statistics of samples of normal covariates, drawn directly.

For the law see :mod:`mcjax.chains.statistics`. Lanes come last in every array.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax

from mcjax.chains.layout import Feeds
from mcjax.chains.program import Program
from mcjax.draws.samplers import GAMMA_RAISES, GAMMA_SWITCH, chi, graded_uniform, normal_pair
from mcjax.draws.streams import STATISTIC
from mcjax.draws.threefry import threefry
from mcjax.solvers.once import once

FEW_ROWS = int(2 * GAMMA_SWITCH)
"""Smallest number of degrees of freedom for which a chi variate needs no extra uniforms."""


def below(p: int) -> list[tuple[int, int]]:
    """Return the places of L below the diagonal, in the order in which they are drawn."""
    return [(i, j) for i in range(p) for j in range(i)]


def bartlett(feeds: Feeds, key: Array, t: Array, p: int, program: Program) -> tuple[Array, Array]:
    """Draw normals and the diagonal of L for every feed.

    Of the ``p (p + 3) / 2`` normals, the first p make the diagonal of L, the next p are z, and the
    others fill L below the diagonal, row by row. They have shape (2 half, M, B, lanes), where one
    may be left over. The diagonal has shape (p, M, B, lanes).
    """
    dtype = jnp.dtype(program.draw_dtype)
    half = -(-p * (p + 3) // 4)
    stamp = jnp.where(feeds.renewed, t, 0).astype(jnp.uint32)

    def words_of(streams: Array, count: int, kind: int = 0) -> tuple[Array, Array]:
        place = lax.broadcasted_iota(jnp.uint32, (count, *stamp.shape), 0)
        first, second = _unpacked(streams)
        return threefry((first[None], second[None]), (place, jnp.uint32(STATISTIC + kind)))

    def drawn() -> tuple[Array, Array]:
        # stages of their own, as in `mcjax.chains.fast_rows`: together they run out of registers
        streams = _packed(t, lambda: threefry((key[0], key[1]), (stamp, feeds.stream)))
        words = _packed(t, lambda: words_of(streams, half))
        pairs = once(t, lambda: lax.complex(*normal_pair(_unpacked(words), dtype)))
        # as one array, because entries of it are read in place, and parts of complex numbers are
        # not
        normal = once(t, lambda: jnp.concatenate([pairs.real, pairs.imag]))

        def diagonal() -> Array:
            uniforms = []
            if program.few_rows:
                half_each = GAMMA_RAISES // 2  # a counter gives two words
                more, finer = (words_of(streams, p * half_each, kind) for kind in (1, 2))
                # inverses of small chi variates have heavy tails
                halves = [graded_uniform(*pair, dtype) for pair in zip(more, finer, strict=True)]
                each = [u.reshape(p, half_each, *u.shape[1:]) for u in halves]
                uniforms = [u[:, j] for u in each for j in range(half_each)]
            lost = jnp.arange(p, dtype=feeds.samples.dtype)  # which may have 64 bits
            degrees = feeds.samples[None] - lost[:, None, None, None]
            return chi(normal[:p], degrees.astype(dtype), uniforms)

        return normal, once(t, diagonal)

    return once(t, drawn)


def _packed(t: Array, compute: Callable[[], tuple[Array, Array]]) -> Array:
    """Compute two words in one loop, and store them as one array of complex numbers."""
    return once(
        t, lambda: lax.complex(*(lax.bitcast_convert_type(a, jnp.float32) for a in compute()))
    )


def _unpacked(words: Array) -> tuple[Array, Array]:
    first, second = (lax.bitcast_convert_type(a, jnp.uint32) for a in (words.real, words.imag))
    return first, second
