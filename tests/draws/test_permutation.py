"""Sampling without replacement by position."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from mcjax.draws.permutation import permuted

SAMPLES = 8192


def draw(size, count, samples=SAMPLES, seed=0):
    keys = np.random.default_rng(seed).integers(0, 2**32, (samples, 2), dtype=np.uint32)
    place = jnp.arange(count, dtype=jnp.int32)
    return np.asarray(
        jax.jit(jax.vmap(lambda key: permuted((key[0], key[1]), place, jnp.int32(size))))(keys)
    )


@pytest.mark.by_default("2", "10", "101", "4097")
@pytest.mark.parametrize("size", [1, 2, 3, 10, 99, 100, 101, 4097, 100_000])
def test_a_permutation(size):
    for row in draw(size, size, samples=3):
        np.testing.assert_array_equal(np.sort(row), np.arange(size))


@pytest.mark.statistical
@pytest.mark.parametrize("size", [2, 3, 5, 12])
def test_every_ordered_pair_is_as_likely(size):
    """First and last place: independence of rounds would show at small sizes first."""
    found = draw(size, size)
    for a, b in ((0, size - 1), (size // 2, 0)) if size > 2 else ((0, 1),):
        counts = np.zeros((size, size))
        np.add.at(counts, (found[:, a], found[:, b]), 1)
        off = counts[~np.eye(size, dtype=bool)]
        expected = SAMPLES / len(off)
        assert chi2.sf(((off - expected) ** 2 / expected).sum(), len(off) - 1) > 1e-4


def test_every_number_is_as_likely_in_every_place():
    size, found = 1009, draw(1009, 6)
    for place in range(6):
        counts = np.bincount(found[:, place], minlength=size)
        expected = SAMPLES / size
        assert chi2.sf(((counts - expected) ** 2 / expected).sum(), size - 1) > 1e-4


def test_an_entry_is_a_function_of_its_place():
    np.testing.assert_array_equal(draw(1000, 5, 10), draw(1000, 400, 10)[:, :5])
