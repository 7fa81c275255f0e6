"""The generator against JAX's, and the promise that a draw depends on its position alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from mcjax.draws import streams
from mcjax.draws.threefry import threefry


@pytest.fixture(scope="module")
def words():
    return np.random.default_rng(0).integers(0, 2**32, (4, 64), dtype=np.uint32)


def test_bit_equal_to_jax(words):
    k0, k1, c0, c1 = words
    ours = np.stack(threefry((k0, k1), (c0, c1)))
    theirs = [
        np.asarray(threefry_2x32(jnp.asarray([a, b]), jnp.asarray([c, d])))
        for a, b, c, d in words.T
    ]
    np.testing.assert_array_equal(ours.T, theirs)


def test_host_and_compiled_code_agree(words):
    k0, k1, c0, c1 = words
    host = threefry((k0, k1), (c0, c1))
    compiled = jax.jit(threefry)((k0, k1), (c0, c1))
    np.testing.assert_array_equal(np.stack(host), np.stack(compiled))


def test_published_vector():
    """Random123's known answer for Threefry-2x32-20 with all-ones key and counter."""
    ones = np.full(1, 0xFFFFFFFF, np.uint32)
    out = threefry((ones, ones), (ones, ones))
    assert [int(w[0]) for w in out] == [0x1CB996FC, 0xBB002BE7]


def test_chain_keys_do_not_depend_on_which_chains_run():
    everything = streams.chain_keys(7, 3, np.arange(100))
    np.testing.assert_array_equal(everything[40:50], streams.chain_keys(7, 3, np.arange(40, 50)))


def test_keys_differ_by_seed_condition_and_chain():
    keys = {
        tuple(key)
        for seed in (0, 1, 2**32, 2**64 - 1)
        for word in (0, 1, streams.condition_word("scale=2"))
        for key in streams.chain_keys(seed, word, np.arange(50)).tolist()
    }
    assert len(keys) == 4 * 3 * 50


def test_streams_are_distinct():
    labels = [streams.real_stream(i) for i in range(20)]
    labels += [streams.published_stream(i) for i in range(20)]
    labels += [streams.private_stream(i, j) for i in range(20) for j in range(20)]
    labels += [streams.selection_stream(i) for i in range(20)]
    labels += [streams.source_stream(s, i) for s in range(1, 9) for i in (*range(20), None)]
    assert len(set(labels)) == len(labels)
    assert streams.condition_word("") == 0
