"""Sampling without replacement by position: a pseudo-random permutation computed entry by entry.

The first n entries of a random permutation of N numbers are a simple random sample without
replacement. Here an entry is a function of the key and of its position alone, so that n of N are
drawn in time and memory n: no shuffle of N numbers, no rejection that depends on other entries.

A number below ``a b``, ``a`` and ``b`` near ``sqrt(N)``, is a pair (left, right), and each round
adds a hash of one half to the other, which is a bijection (a generalised Feistel network). Values
of N and above are permuted again until they fall below it ("cycle walking"), which leaves a
permutation of N numbers (Black & Rogaway, "Ciphers with arbitrary finite domains", 2002); fewer
than one in ``sqrt(N)`` needs it.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from mcjax.draws.threefry import threefry

ROUNDS = 12
"""An even number of Feistel rounds."""


def permuted(key: tuple[Array, Array], position: Array, size: Array) -> Array:
    """Entries of a random permutation of ``0 .. size - 1``.

    Parameters
    ----------
    key: two words, scalars. position: int32, shape (n,), each from 0 to size - 1.
    size: N, int32 scalar, at least 1.

    Returns
    -------
    int32, shape (n,), distinct for distinct positions.
    """
    total = size.astype(jnp.uint32)
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

    found = lax.while_loop(
        lambda index: jnp.any(index >= total), walk, mix(position.astype(jnp.uint32))
    )
    return found.astype(jnp.int32)


def _turned(half: Array, word: Array, size: Array) -> Array:
    """``half`` plus a hash of ``word`` modulo ``size``, which is at most 2**16.

    The hash mixes 32 bits (Appleby's finaliser of MurmurHash3) and scales the upper half of them
    down to ``size``; a remainder would be no vector instruction.
    """
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    moved = half + ((((word ^ (word >> 16)) >> 16) * size) >> 16)
    return jnp.where(moved < size, moved, moved - size)
