"""Keys made of two words draw what JAX's own keys draw, to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.draws.keys import key_of

WORDS = jnp.uint32(0x9E3779B9), jnp.uint32(7)
DRAWS = {
    "uniform": lambda key: jax.random.uniform(key, (3, 5), jnp.float32),
    "normal": lambda key: jax.random.normal(key, (7,), jnp.float64),
    "scalar": lambda key: jax.random.normal(key, (), jnp.float32),
    "bits": lambda key: jax.random.bits(key, (4,), jnp.uint8),
    "integers": lambda key: jax.random.randint(key, (9,), 0, 100, jnp.int32),
    "split": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "fold": lambda key: jax.random.normal(jax.random.fold_in(key, 12345), (2,)),
    "gamma": lambda key: jax.random.gamma(key, jnp.float64(2.5), (4,)),
    "categorical": lambda key: jax.random.categorical(key, jnp.zeros(8), shape=(6,)),
}


@pytest.mark.by_default("uniform", "normal", "scalar", "split")
@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_those_of_jax(name):
    theirs = jax.random.wrap_key_data(jnp.stack(WORDS), impl="threefry2x32")
    np.testing.assert_array_equal(DRAWS[name](key_of(WORDS)), DRAWS[name](theirs))


def test_other_words_draw_otherwise():
    other = key_of((WORDS[0], WORDS[1] + 1))
    assert not np.array_equal(DRAWS["uniform"](key_of(WORDS)), DRAWS["uniform"](other))


def test_draws_are_the_same_under_another_setting():
    with jax.threefry_partitionable(False):
        other = DRAWS["uniform"](key_of(WORDS))
    np.testing.assert_array_equal(DRAWS["uniform"](key_of(WORDS)), other)
