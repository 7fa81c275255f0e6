"""Sampling without replacement: a pseudo-random permutation evaluated entry by entry.

The first n entries of a random permutation of N numbers are a simple random sample without
replacement. Each entry is a function of the key and its position alone, so drawing n of N numbers
takes time and memory proportional to n: there is no shuffle of N numbers, and no rejection that
depends on other entries.

An index below ``a b``, with ``a`` and ``b`` near ``sqrt(N)``, is split into a pair (high, low).
Each round adds a hash of one half to the other half, which is a bijection (a generalised Feistel
network). An index that lands on N or above is permuted again until it falls below N ("cycle
walking"); the result is still a permutation of N numbers (Black & Rogaway, "Ciphers with arbitrary
finite domains", 2002). Fewer than one index in ``sqrt(N)`` needs this.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Int32, UInt32

from mcjax.draws.threefry import threefry

ROUNDS = 12
"""Number of Feistel rounds, which must be even."""


def permuted(
    key: tuple[UInt32[Array, ""], UInt32[Array, ""]],
    position: Int32[Array, " n"],
    size: Int32[Array, ""],
) -> Int32[Array, " n"]:
    """Return entries of a random permutation of ``0, ..., size - 1``.

    Parameters
    ----------
    key : tuple of Array
        Two uint32 scalars.
    position : Array
        Positions of the wanted entries, int32, shape (n,), each from 0 to size - 1.
    size : Array
        Length N of the permutation, int32 scalar, at least 1.

    Returns
    -------
    Array
        int32, shape (n,); distinct positions give distinct entries.
    """
    total = size.astype(jnp.uint32)
    # left = ceil(sqrt(N)), corrected for the rounding of float32, and right = ceil(N / left), so
    # that left * right >= N
    left = jnp.ceil(jnp.sqrt(size.astype(jnp.float32))).astype(jnp.uint32)
    left = left + (left * left < total).astype(jnp.uint32)
    right = (total + left - 1) // left
    rounds = jnp.arange(ROUNDS, dtype=jnp.uint32)
    keys, _ = threefry(key, (rounds, jnp.zeros_like(rounds)))

    def mix(index: Array) -> Array:
        high, low = index // right, index % right
        for k in range(0, ROUNDS, 2):
            high = _turned(high, low ^ keys[k], left)
            low = _turned(low, high ^ keys[k + 1], right)
        return high * right + low

    def walk(index: Array) -> Array:
        return jnp.where(index < total, index, mix(index))

    entries = lax.while_loop(
        lambda index: jnp.any(index >= total), walk, mix(position.astype(jnp.uint32))
    )
    return entries.astype(jnp.int32)


def _turned(half: Array, word: Array, size: Array) -> Array:
    """Return ``half`` plus a hash of ``word``, modulo ``size``, which is at most 2**16.

    The hash mixes 32 bits (Appleby's MurmurHash3 finaliser) and scales the upper 16 of them down to
    ``size``. Taking a remainder instead would not compile to a vector instruction.
    """
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    moved = half + ((((word ^ (word >> 16)) >> 16) * size) >> 16)
    return jnp.where(moved < size, moved, moved - size)
