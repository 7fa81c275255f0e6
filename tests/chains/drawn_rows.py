"""Data sets of a network of four models, as NumPy arrays, and the rows of each feed.

Labels have almost no noise here, so that ``y = x'theta`` tells which model a row comes from.
"""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import PaddedSizes, network_arrays, shape_of, tables_of
from mcjax.draws.streams import chain_keys
from mcjax.models.location import linear
from mcjax.network import build_network

P = 3
NOISE = 1e-6
CLEAN = linear(sigma=NOISE)
FEEDS = [
    ("a", "a", 31),
    ("b", "a", 20, 0.5),
    ("real", "a", 7, 3.0),
    ("a", "b", 1),
    ("real", "b", 40),
    ("b", "d", 12),
    ("real", "d", 33),
]
INITIAL = {"a": 7, "b": 40, "c": 25, "d": 33}
THETA = np.random.default_rng(0).normal(size=(5, P))
"""One for each model and, last, one for the real source."""


class Rows(NamedTuple):
    """The rows of one feed, in order."""

    x: np.ndarray  # (n, p)
    y: np.ndarray  # (n,)
    weight: np.ndarray  # (n,)


@partial(jax.jit, static_argnames=("models", "pairs"))
def drawn(model, factor, parents, feeds, keys, times, models, pairs):
    """Data of all models, for all keys and generations."""
    draw = partial(draw_dataset, models=models, pairs=pairs)
    each = jax.vmap(draw, (None, None, None, 0, None, None))
    timed = jax.vmap(each, (None, None, None, None, None, 0))
    return jax.vmap(timed, (None, None, None, None, 0, None))(
        model, factor, parents, feeds, keys, times
    )


def network(**options):
    return build_network("abcd", FEEDS, INITIAL, **options)


COMMON = PaddedSizes(6, 5, 120)
TIMES = (1, 2, 4)


def draw(net, times=TIMES, chains=3, shape=COMMON, model=CLEAN, first=False, factor=None, seed=5):
    """NumPy arrays with leading axes (chains, generations, models).

    A common shape, so that one compilation serves most tests.
    """
    shape = shape or shape_of([net])
    parents = np.zeros((shape.models + 1, P))
    parents[: net.size] = THETA[: net.size]
    parents[-1] = THETA[-1]
    arrays = network_arrays(net, shape)
    data = drawn(
        jax.tree.map(float, model),
        np.eye(P) if factor is None else factor,
        parents,
        tables_of(arrays)[0 if first else 1],
        chain_keys(seed, 0, np.arange(chains)),
        np.asarray(times, np.int32),
        models=shape.models,
        pairs=shape.pairs,
    )
    return jax.tree.map(np.asarray, data)


def in_order(leaf):
    """Rows 0, 1, 2, ... from even rows, then odd rows, along the last axis."""
    pairs = leaf.shape[-1] // 2
    return np.stack([leaf[..., :pairs], leaf[..., pairs:]], -1).reshape(leaf.shape)


def feed_rows(net, data, reader, chain=0, time=0):
    """Origin -> :class:`Rows`, taken apart by the counts of the network alone."""
    i = net.index[reader]
    x, y, weight = (in_order(leaf[chain, time, i]) for leaf in data)
    found, begin = {}, 0
    for feed in net.feeds_by_reader[i]:
        rows = slice(begin, begin + feed.samples)
        found[feed.origin] = Rows(x[:, rows].T, y[rows], weight[rows])
        begin += feed.samples + feed.samples % 2
    return found


def residual(rows, origin):
    theta = THETA[-1] if origin == "real" else THETA["abcd".index(origin)]
    return rows.y - rows.x @ theta
