"""A study whose results are kept, and ways to look at what is kept."""

import jax
import numpy as np

from mcjax.models.location import linear
from mcjax.network import build_network
from mcjax.study.study import Study, condition

CHAINS = 260  # two full tiles and a rest


def make(theta=(0.5,), samples=20, sigma=1.0, seed=0, label="one", **settings):
    feeds = [("a", "a", samples), ("a", "b", 20)]
    pair = build_network("ab", feeds, 20)
    lone = build_network(["c"], [("c", "c", 20)], 20)
    conditions = (
        condition(pair, linear(sigma=sigma), theta, label=label, seed=seed),
        condition(lone, linear(), theta, label="two"),
    )
    settings = {"generations": 2, "chains": CHAINS, "chunk": 128, "tolerance": 0.5} | settings
    return Study(conditions, **settings)


def assert_equal(found, expected):
    """To the last bit, types of parts included; None stays None."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_array_equal(a, b)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
