"""The rows a model fits: whose they are, how many, and what they do not depend on."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import Shape, network_arrays, shape_of
from mcjax.draws.streams import chain_keys
from mcjax.families.location import huber, linear
from mcjax.network import build_network

P = 3
FEEDS = [("a", "a", 7), ("b", "a", 4, 0.5), ("real", "a", 9), ("a", "b", 7), ("real", "c", 12)]
PARENTS = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0], [1.0, 1.0, 1.0]])  # a, b, c, real


def make(draws="private", real="fresh", feeds=FEEDS):
    initial = {"a": 9, "b": 5, "c": 12}
    return build_network(["a", "b", "c"], feeds, initial, draws=draws, real=real)


def rows(net, model, t=1, shape=None, chain=0):
    """The data set of one model, with labels that name their parent: no noise to speak of."""
    shape = shape or shape_of([net])
    arrays = network_arrays(net, shape)
    table = arrays.initial if t == 0 else arrays.feeds
    own = jax.tree.map(lambda column: jnp.asarray(column[net.index[model]]), table)
    parents = np.zeros((shape.models + 1, P))
    parents[: net.size], parents[-1] = PARENTS[: net.size], PARENTS[-1]
    family = jax.tree.map(jnp.asarray, linear(sigma=1e-12))
    key = jnp.asarray(chain_keys(3, 0, np.array([chain]))[0])
    return draw_dataset(
        family, jnp.eye(P), jnp.asarray(parents), own, key, jnp.int32(t), shape.models, shape.pairs
    )


def used(data):
    keep = np.asarray(data.weight) > 0
    return np.asarray(data.x)[:, keep], np.asarray(data.y)[keep], np.asarray(data.weight)[keep]


def as_set(x):
    return {tuple(row) for row in np.asarray(x).T.tolist()}


def test_counts_weights_and_parents():
    x, y, weight = used(rows(make(), "a"))
    origin = [int(np.argmin(np.abs(PARENTS @ x[:, r] - y[r]))) for r in range(len(y))]
    assert np.bincount(origin, minlength=4).tolist() == [7, 4, 0, 9]
    assert np.array_equal(np.where(np.array(origin) == 1, 0.5, 1.0), weight)


def test_padding_is_nothing():
    data = rows(make(), "b")
    unused = np.asarray(data.weight) == 0
    assert unused.sum() == len(data.y) - 7
    assert not np.asarray(data.x)[:, unused].any()
    assert not np.asarray(data.y)[unused].any()


def test_generation_0_is_the_models_own_real_sample():
    x, y, _ = used(rows(make(), "a", t=0))
    assert x.shape == (P, 9)
    np.testing.assert_allclose(y, PARENTS[-1] @ x, atol=1e-9)


def test_rows_do_not_depend_on_padding_or_on_other_feeds():
    net = make()
    base = as_set(used(rows(net, "a"))[0])
    assert as_set(used(rows(net, "a", shape=Shape(9, 6, 40)))[0]) == base
    more = net.with_feed("c", "a", 5).with_feed("b", "b", 3)
    grown = as_set(used(rows(more, "a"))[0])
    assert base < grown
    assert len(grown - base) == 5


def test_more_samples_begin_with_the_same_rows():
    longer = make(feeds=[("a", "b", 20)])
    assert as_set(used(rows(make(), "b"))[0]) < as_set(used(rows(longer, "b"))[0])


def test_reused_is_generation_0_and_fresh_is_not():
    reused, fresh = make(real="reused"), make()
    start = as_set(used(rows(reused, "c", t=0))[0])
    assert as_set(used(rows(reused, "c", t=1))[0]) == start
    assert as_set(used(rows(reused, "c", t=5))[0]) == start
    seen = [as_set(used(rows(fresh, "c", t=t))[0]) for t in (0, 1, 5)]
    assert not seen[0] & seen[1]
    assert not seen[1] & seen[2]


def test_shared_and_private():
    shared, private = make(draws="shared"), make()
    assert as_set(used(rows(shared, "b"))[0]) < as_set(used(rows(shared, "a"))[0])
    assert not as_set(used(rows(private, "b"))[0]) & as_set(used(rows(private, "a"))[0])


def test_all_rows_are_distinct_independent_normals(z_limit):
    """Over streams, generations and chains: no row twice, moments and law as they should be."""
    net = make(feeds=[("a", "a", 7), ("real", "a", 8), ("a", "b", 11), ("real", "b", 3)])
    draw = jax.jit(lambda chain, t: [rows_of(net, model, t, chain) for model in ("a", "b")])
    found = [x for chain in range(60) for t in range(1, 8) for x in draw(jnp.uint32(chain), t)]
    x = np.concatenate([np.asarray(part)[:, keep] for part, keep in found], axis=1)
    assert len(as_set(x)) == x.shape[1] == 60 * 7 * 29
    n = x.shape[1]
    assert (np.abs(x.mean(1)) < z_limit / np.sqrt(n)).all()
    error = np.sqrt(np.where(np.eye(P) > 0, 2, 1) / n)
    assert (np.abs(x @ x.T / n - np.eye(P)) < z_limit * error).all()
    # neighbours within a sample: the two rows of a pair, and pair after pair
    lag = (x[:, 1:] * x[:, :-1]).mean(1)
    assert (np.abs(lag) < z_limit / np.sqrt(n)).all()
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-6


def rows_of(net, model, t, chain):
    shape = shape_of([net])
    table = network_arrays(net, shape).feeds
    own = jax.tree.map(lambda column: jnp.asarray(column[net.index[model]]), table)
    base = chain_keys(3, 0, np.arange(60))
    key = jnp.asarray(base)[chain]
    family = jax.tree.map(jnp.asarray, linear())
    data = draw_dataset(
        family, jnp.eye(P), jnp.asarray(PARENTS), own, key, jnp.int32(t), shape.models, shape.pairs
    )
    return data.x, data.weight > 0


def test_families_of_one_law_are_one_static_structure():
    """What a sweep changes is data: the structure, which is compiled for, stays equal."""
    same = jax.tree.structure(huber(threshold=1.0)), jax.tree.structure(huber(threshold=2.0))
    assert same[0] == same[1]
    assert same[0] != jax.tree.structure(huber(noise="laplace"))
