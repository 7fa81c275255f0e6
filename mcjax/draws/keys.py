"""JAX keys for a user's functions, made of the two random words of an observation.

Random bits, splits and folds equal those of JAX's default generator (threefry2x32-20,
partitionable) to the bit. They are written out as expressions, because JAX's CPU lowering is a loop
that does not fuse with other computations. They do not depend on the setting
``jax_threefry_partitionable``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.random import define_prng_impl
from jaxtyping import Key, UInt32

from mcjax.draws.threefry import threefry


def key_of(words: tuple[UInt32[Array, ""], UInt32[Array, ""]]) -> Key[Array, ""]:
    """Return the JAX key made of two random words."""
    return jax.random.wrap_key_data(jnp.stack(words), impl=_generator())


@cache
def _generator() -> Hashable:
    return define_prng_impl(
        key_shape=(2,),
        seed=_seed,
        split=_split,
        random_bits=_random_bits,
        fold_in=_fold_in,
        name="threefry2x32_unrolled",
        tag="fru",
    )


def _seed(seed: Array) -> Array:
    return jnp.stack([jnp.zeros((), jnp.uint32), seed.astype(jnp.uint32)])


def _split(key: Array, shape: tuple[int, ...]) -> Array:
    return jnp.stack(_words(key, shape), axis=-1)


def _fold_in(key: Array, data: Any) -> Array:
    zero = jnp.zeros((), jnp.uint32)
    return jnp.stack(threefry((key[0], key[1]), (zero, jnp.asarray(data).astype(jnp.uint32))))


def _random_bits(key: Array, width: int, shape: tuple[int, ...]) -> Array:
    first, second = _words(key, shape)
    if width == 64:
        return first.astype(jnp.uint64) << 32 | second.astype(jnp.uint64)
    return (first ^ second).astype(f"uint{width}")


def _words(key: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return two words for each entry of an array of this shape, counted in row-major order."""
    place = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
    return threefry((key[0], key[1]), (jnp.zeros_like(place), place))
