"""The rows a model fits: how many, from whom, with what weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn_rows import (
    COMMON,
    INITIAL,
    NOISE,
    TIMES,
    P,
    Rows,
    draw,
    feed_rows,
    in_order,
    network,
    residual,
)

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import network_arrays, tables_of
from mcjax.draws.streams import chain_keys, design_key
from mcjax.models.location import linear
from mcjax.network import build_network

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
    """Rows come from their origin alone, and real rows from the truth."""
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
