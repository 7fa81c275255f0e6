"""The rows a model fits: how many, from whom, with what weight, and independent of all others.

Labels have almost no noise here, so that ``y = x'theta`` tells which model a row comes from.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import PaddedSizes, network_arrays, shape_of, tables_of
from mcjax.draws.streams import chain_keys, design_key
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
"""Of the models, and last of the real source."""


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


SHAPES = {"tight": None, "padded": COMMON}


@pytest.fixture(scope="module", params=SHAPES)
def sample(request):
    """Some generations of the network, tight and padded."""
    return draw(network(), shape=SHAPES[request.param])


@pytest.mark.by_default("padded")
def test_number_of_rows_and_weights(sample):
    """Each feed's count, odd ones included, with its share of the largest weight."""
    net = network()
    for reader in net.models:
        i = net.index[reader]
        feeds = net.feeds_by_reader[i]
        assert (sample.weight[:, :, i] > 0).sum(-1).tolist() == [
            [sum(f.samples for f in feeds)] * len(TIMES)
        ] * 3
        largest = max((f.weight for f in feeds), default=1.0)
        for (origin, rows), feed in zip(feed_rows(net, sample, reader).items(), feeds, strict=True):
            assert rows.weight.tolist() == [feed.weight / largest] * feed.samples, (origin, reader)
            assert (rows.x != 0).all()
            assert (rows.y != 0).all()


def test_padding_is_zero(sample):
    padding = sample.weight == 0
    assert padding.any()
    assert (sample.y[padding] == 0).all()
    assert (np.moveaxis(sample.x, -2, -1)[padding] == 0).all()


@pytest.mark.parametrize("time", range(3))
def test_rows_come_from_their_parent(sample, time):
    """And from no other; real rows from the truth."""
    net = network()
    for reader in "abd":
        for origin, rows in feed_rows(net, sample, reader, time=time).items():
            for other in ("a", "b", "c", "d", "real"):
                close = np.abs(residual(rows, other)) < 8 * NOISE
                assert close.all() if other == origin else close.mean() < 0.2, (reader, origin)


def test_generation_zero_is_real():
    net = network()
    data = draw(net, first=True)
    for i, (name, count) in enumerate(INITIAL.items()):
        x, y, weight = (in_order(leaf[0, 0, i]) for leaf in data)
        assert weight.tolist() == [1.0] * count + [0.0] * (len(weight) - count), name
        rows = Rows(x[:, :count].T, y[:count], weight[:count])
        assert (np.abs(residual(rows, "real")) < 8 * NOISE).all()


@pytest.mark.statistical
def test_real_labels_follow_the_real_law():
    """Wild noise in the real source, none to speak of in what models say."""
    wild = linear(
        sigma=NOISE, real_noise={"name": "contaminated_normal", "share": 0.9, "scale": 1e6}
    )
    net = network()
    data = draw(net, model=wild)
    for reader in "abd":
        for origin, rows in feed_rows(net, data, reader).items():
            size = np.abs(residual(rows, origin))
            assert (np.median(size) > 0.01) if origin == "real" else (size.max() < 8 * NOISE)


def test_covariates_have_the_covariance_of_the_factor(z_limit):
    """Low rank included."""
    factor = np.array([[2.0, 0.0, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 0.0]])
    net = build_network("abcd", [("real", name, 240) for name in "abcd"], 240)
    data = draw(net, factor=factor)
    x = np.moveaxis(data.x, -2, -1)[data.weight > 0]
    assert len(x) == 3 * len(TIMES) * 4 * 240
    cov = factor @ factor.T
    error = np.sqrt((cov**2 + np.outer(np.diag(cov), np.diag(cov))) / len(x))
    assert (np.abs(x.T @ x / len(x) - cov) <= z_limit * error).all()


# -- which data are the same


def same(a, b):
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y)


def disjoint(a, b):
    return not np.isin(a.x, b.x).any()


def test_fresh_real_data_differ_every_generation_and_reused_ones_never():
    feeds = [("a", "a", 6), ("real", "a", 7), ("real", "b", 40), ("a", "b", 5)]
    initial = {"a": 7, "b": 40}
    fresh = build_network("ab", feeds, initial)
    reused = build_network("ab", feeds, initial, real="reused")
    begin = draw(fresh, (0, 1, 2), first=True)
    for reader, count in initial.items():
        i = fresh.index[reader]
        x, y, _ = (in_order(leaf[0, 0, i]) for leaf in begin)
        zero = Rows(x[:, :count].T, y[:count], None)
        new = draw(fresh)
        old = draw(reused)
        seen = [zero]
        for t in range(3):
            assert same(feed_rows(reused, old, reader, time=t)["real"], zero)
            real = feed_rows(fresh, new, reader, time=t)["real"]
            assert all(disjoint(real, before) for before in seen)
            seen.append(real)
            # synthetic data are new every generation, and the same whatever the real ones are
            assert same(
                feed_rows(reused, old, reader, time=t)["a"],
                feed_rows(fresh, new, reader, time=t)["a"],
            )
        synthetic = [feed_rows(fresh, new, reader, time=t)["a"] for t in range(3)]
        assert disjoint(synthetic[0], synthetic[1])
        assert disjoint(synthetic[1], synthetic[2])


@pytest.mark.parametrize("draws", ["shared", "private"])
def test_readers_share_published_samples_only(draws):
    feeds = [("real", "b", 9), ("a", "a", 21), ("a", "b", 21), ("b", "a", 21), ("b", "b", 21)]
    net = build_network("ab", [*feeds, ("real", "a", 9)], 9, draws=draws)
    data = draw(net)
    for t in range(2):
        first, second = (feed_rows(net, data, reader, time=t) for reader in "ab")
        for origin in "ab":
            if draws == "shared":
                assert same(first[origin], second[origin])
            else:
                assert disjoint(first[origin], second[origin])
        assert disjoint(first["real"], second["real"])
        assert disjoint(first["a"], first["b"])


@pytest.mark.parametrize("shape", [None, PaddedSizes(9, 6, 121)])
def test_padding_leaves_every_row_as_it_is(shape):
    net = network()
    common, other = draw(net), draw(net, shape=shape)
    for reader in "abd":
        for t in range(2):
            ours = feed_rows(net, common, reader, time=t)
            theirs = feed_rows(net, other, reader, time=t)
            for origin in ours:
                assert same(ours[origin], theirs[origin]), (reader, origin)


@pytest.mark.parametrize(
    "more", [("d", "a", 15), ("c", "b", 8), ("c", "c", 90), ("real", "c", 3), ("d", "d", 1)]
)
def test_another_feed_leaves_the_rows_of_the_others(more):
    net = network()
    large = net.with_feed(*more)
    before, after = draw(net), draw(large)
    for reader in "abd":
        theirs = feed_rows(large, after, reader)
        for origin, rows in feed_rows(net, before, reader).items():
            assert same(rows, theirs[origin]), (reader, origin)


def test_the_order_of_feeds_and_their_weights_change_no_row():
    net = network()
    turned = build_network("abcd", [(*f[:3], 7.0) for f in FEEDS[::-1]], INITIAL)
    before, after = draw(net), draw(turned)
    for reader in "abd":
        theirs = feed_rows(turned, after, reader)
        for origin, rows in feed_rows(net, before, reader).items():
            assert same(rows, theirs[origin])
            assert (theirs[origin].weight == 1.0).all()


@pytest.mark.parametrize("count", [1, 20, 30])
def test_a_smaller_sample_is_the_beginning_of_a_larger_one(count):
    """Rows are drawn by position."""
    large = network()
    small = large.without_feed("a", "a").with_feed("a", "a", count)
    few = feed_rows(small, draw(small), "a")["a"]
    many = feed_rows(large, draw(large), "a")["a"]
    assert len(few.y) == count
    assert same(few, Rows(many.x[:count], many.y[:count], None))


def test_chains_and_seeds_differ():
    net = network()
    data, other = draw(net), draw(net, seed=6)
    samples = [feed_rows(net, data, "a", chain=c)["a"] for c in range(3)]
    samples.append(feed_rows(net, other, "a")["a"])
    for k, rows in enumerate(samples):
        assert all(disjoint(rows, before) for before in samples[:k])


# -- all rows together

MODELS, CHAINS, ROWS = 3, 5, 200


def complete(**options):
    names = [str(i) for i in range(MODELS)]
    feeds = [(j, i, ROWS) for i in names for j in (*names, "real")]
    return build_network(MODELS, feeds, ROWS, **options)


def streams(net):
    """Every sample as standard normals, shape (streams, rows, p + 1): x and the label's noise."""
    data = draw(net, TIMES, CHAINS, shape=None, model=linear())
    x, y, _ = (in_order(leaf) for leaf in data)
    x = x.reshape(CHAINS, len(TIMES), MODELS, P, MODELS + 1, ROWS)
    y = y.reshape(CHAINS, len(TIMES), MODELS, MODELS + 1, ROWS)
    parents = THETA[[0, 1, 2, -1]]
    noise = y - np.einsum("ctmpbn,bp->ctmbn", x, parents)
    joint = np.concatenate([np.moveaxis(x, 3, -1), noise[..., None]], -1)
    return joint.reshape(-1, ROWS, P + 1)


@pytest.fixture(scope="module")
def normals():
    return streams(complete())


@pytest.mark.statistical
def test_rows_are_standard_normal(normals, z_limit):
    """Means, variances, covariances and each marginal law, over all streams."""
    z = normals.reshape(-1, P + 1)
    count = len(z)
    assert count == CHAINS * len(TIMES) * MODELS * (MODELS + 1) * ROWS
    assert (np.abs(z.mean(0)) < z_limit / np.sqrt(count)).all()
    error = np.sqrt((1 + np.eye(P + 1)) / count)
    assert (np.abs(z.T @ z / count - np.eye(P + 1)) < z_limit * error).all()
    squares = z**2 - 1
    error = np.sqrt(np.where(np.eye(P + 1) > 0, 56, 4) / count)
    expected = 2 * np.eye(P + 1)
    assert (np.abs(squares.T @ squares / count - expected) < z_limit * error).all()
    for column in z.T:
        assert stats.kstest(column, stats.norm.cdf).pvalue > 1e-6
    assert stats.kstest((z**2).sum(1), stats.chi2(P + 1).cdf).pvalue > 1e-6


def largest_correlation(normals):
    """Between any two streams, row by row, in standard errors; and of each row with the next."""
    flat = normals.reshape(len(normals), -1)
    between = flat @ flat.T / np.sqrt(flat.shape[1])
    next_row = (normals[:, :-1] * normals[:, 1:]).sum((1, 2)) / np.sqrt((ROWS - 1) * (P + 1))
    return np.abs(between[np.triu_indices(len(flat), 1)]).max(), np.abs(next_row).max()


def limit(tests):
    """For the largest of ``tests`` normal statistics; a product of normals has heavier tails, by
    an amount that sums of hundreds of them leave well below the margin of 1."""
    return stats.norm.isf(0.5e-6 / tests) + 1


def test_streams_are_uncorrelated(normals):
    between, next_row = largest_correlation(normals)
    count = len(normals)
    assert between < limit(count * (count - 1) / 2)
    assert next_row < limit(count)


def test_no_row_is_drawn_twice(normals):
    assert len(np.unique(normals[..., :P])) == normals[..., :P].size


def test_shared_samples_fail_the_battery():
    """The companion: where readers do share, both tests above notice."""
    joint = streams(complete(draws="shared"))
    between, _ = largest_correlation(joint)
    assert between > limit(len(joint) ** 2)
    synthetic = CHAINS * len(TIMES) * MODELS * ROWS
    assert len(np.unique(joint[..., 0])) == synthetic + CHAINS * len(TIMES) * MODELS * ROWS


# -- fixed designs


@pytest.mark.system
def test_fixed_designs_are_those_of_generation_0_in_every_chain():
    """x belongs to the stream alone; y is drawn anew, from the parent of the generation."""
    net = network(real="fresh")
    arrays = network_arrays(net, COMMON)
    parents = np.zeros((COMMON.models + 1, P))

    @jax.jit
    def one(feeds, key, t, design):
        model, sizes = jax.tree.map(float, linear()), (COMMON.models, COMMON.pairs)
        return draw_dataset(model, np.eye(P), jnp.asarray(parents), feeds, key, t, *sizes, design)

    def data(feeds, chain, t, design):
        key = chain_keys(5, 0, np.array([chain]))[0]
        found = one(feeds, key, np.int32(t), design)
        return np.asarray(found.x), np.asarray(found.y)

    design = design_key(5, 0)
    first, own = (
        jax.tree.map(lambda leaf: leaf[1], feeds)  # model b
        for feeds in tables_of(arrays)
    )
    x, y = data(own, 0, 1, design)
    for chain, t in [(0, 2), (7, 1), (7, 0)]:
        again, labels = data(own, chain, t, design)
        np.testing.assert_array_equal(again, x)
        assert (labels != y)[y != 0].all()
    assert not np.array_equal(data(own, 0, 1, None)[0], x)
    assert not np.array_equal(data(own, 0, 1, design_key(6, 0))[0], x)
    initial, _ = data(first, 3, 0, design)
    real = initial[:, (initial != 0).any(0)]
    assert {tuple(row) for row in real.T} <= {tuple(row) for row in x.T}  # one real source, one X
    assert len(real.T) == 40
