"""Rows that readers get: what they satisfy, which are the same, and how they are distributed."""

from functools import partial

import jax
import numpy as np
import pytest
from kinds import EXAMPLES, ROOT, C, scores

from mcjax import api
from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import network_arrays, shape_of, tables_of
from mcjax.draws.streams import chain_keys
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Feed, build_network
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.verifier import Verifier
from mcjax.study.study import Study, condition

COVARIANCE = ROOT @ ROOT.T
THETA = (0.4, -0.3, 0.2)
NARROW, WIDE = Verifier(C, 0.4), Verifier(C, 1.5)

# ------------------------------------------------------------------------------- distributions


@partial(jax.jit, static_argnames=("models", "pairs"))
def drawn(model, factor, parents, feeds, keys, selections, models, pairs):
    """The data of the one model, for every key."""

    def one(key):
        sizes = {"models": models, "pairs": pairs, "selections": selections}
        return draw_dataset(model, factor, parents, feeds, key, np.int32(1), **sizes)

    return jax.vmap(one)(keys)


def rows_of(example, samples, chains, dtype=float):
    """Rows that one model gets of itself, of all chains together, and which it fits."""
    net = build_network(1, [Feed("0", "0", samples, keep=example.keep)], samples)
    shape = shape_of([net])
    theta = example.points[0]
    root = ROOT if len(theta) == 3 and example.model.covariates != 0 else np.eye(len(theta))
    feeds = tables_of(network_arrays(net, shape))[1]
    data = drawn(
        jax.tree.map(dtype, example.model),
        root.astype(dtype),
        np.array([theta, theta], dtype),
        jax.tree.map(lambda leaf: leaf[0], feeds),
        chain_keys(7, 0, np.arange(chains)),
        jax.tree.map(dtype, net.selections),
        models=1,
        pairs=shape.pairs,
    )
    x, y, weight = (np.asarray(leaf, float) for leaf in data)
    return np.moveaxis(x, 1, 2).reshape(y.size, -1), y.ravel(), weight.ravel() > 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", EXAMPLES)
def test_rows_against_rows_of_numpy(name, dtype, z_limit):
    """Scores of rows drawn in compiled code have the moments of those that NumPy draws."""
    own = EXAMPLES[name]
    parent, reader, _ = own.points
    x, y, kept = rows_of(own, samples=2001, chains=40, dtype=dtype)
    theirs = own.draw(np.random.default_rng(9), parent, 400_000)
    if own.raw:
        assert 0.05 < kept.mean() < 0.95
        shares = kept[np.arange(len(kept)) % 2002 < 2001], theirs[2]
        error = np.hypot(*(share.std() / np.sqrt(len(share)) for share in shares))
        assert abs(shares[0].mean() - shares[1].mean()) < z_limit * error
    else:
        assert kept.sum() == 2001 * 40
    features = []
    for covariates, labels, mask in ((x, y, kept), theirs):
        read = scores(own.model, covariates[mask], labels[mask], reader)
        features.append(np.concatenate([covariates[mask], labels[mask, None], read, read**2], 1))
    error = np.sqrt(sum(part.var(0) / len(part) for part in features))
    assert (np.abs(features[0].mean(0) - features[1].mean(0)) < z_limit * error + 1e-6).all()


# ------------------------------------------------------------------------- which rows are kept


def rows_read(net, model=None, chain=0, generations=2):
    """The rows of every model and generation of a chain, by origin."""
    model = linear(sigma=0.7) if model is None else model
    own = Study(
        (condition(net, model, THETA, COVARIANCE),),
        generations=generations,
        chains=2,
        sampling="rows",
        path="reference",
    )
    return list(api.replay_data(own, "", chain, api.replay(own, "", chain)))


def agrees(data, within):
    return np.abs(np.asarray(data.y) - np.asarray(data.x).T @ C) <= within * (1 + 1e-5)


def test_accepted_rows_are_as_many_as_asked_for():
    net = build_network(
        1, [Feed("0", "0", 61, 2.0, keep=NARROW), Feed("real", "0", 40, keep=WIDE)], 90
    )
    for fits in rows_read(net)[1:]:
        own, real = fits[0]["0"], fits[0]["real"]
        assert (len(own.y), len(real.y)) == (61, 40)
        assert agrees(own, 0.4).all()
        assert agrees(real, 1.5).all()
        assert not agrees(real, 0.4).all()
        assert (own.weight == 1.0).all()
        assert (real.weight == 0.5).all()
        assert len(np.unique(own.x)) == own.x.size


def test_rows_looked_at_are_fewer_when_kept():
    keep = Verifier(C, 0.4, count="raw")
    plain = build_network(1, [("0", "0", 400)], 90)
    net = build_network(1, [Feed("0", "0", 400, keep=keep)], 90)
    first = rows_read(net)[1][0]["0"]
    whole = rows_read(plain)[1][0]["0"]
    kept = agrees(whole, 0.4)
    assert 0 < kept.sum() < 300
    np.testing.assert_array_equal(first.x, whole.x[:, kept])
    np.testing.assert_array_equal(first.y, whole.y[kept])


@pytest.mark.parametrize(
    ("keep", "model"), [(WIDE, linear(sigma=0.7)), (Checker(C), logistic())], ids=["c", "checker"]
)
def test_a_row_that_is_accepted_at_once_is_that_of_the_whole_sample(keep, model):
    net = build_network(1, [Feed("0", "0", 400, keep=keep)], 90)
    plain = build_network(1, [("0", "0", 400)], 90)
    ours, theirs = (rows_read(n, model)[1][0]["0"] for n in (net, plain))
    same = (ours.x == theirs.x).all(0)
    assert 100 < same.sum() < 400
    np.testing.assert_array_equal(ours.y[same], theirs.y[same])
    if keep is WIDE:
        np.testing.assert_array_equal(same, agrees(theirs, 1.5))
    assert not np.isin(ours.x[:, ~same], theirs.x).any()


def test_swapped_labels_belong_to_the_same_covariates():
    plain = build_network(1, [("0", "0", 400)], 90)
    net = build_network(1, [Feed("0", "0", 400, keep=Flip(0.25))], 90)
    ours, theirs = (rows_read(n, logistic())[1][0]["0"] for n in (net, plain))
    np.testing.assert_array_equal(ours.x, theirs.x)
    assert 50 < (ours.y != theirs.y).sum() < 150
    never, always = (
        rows_read(build_network(1, [Feed("0", "0", 400, keep=Flip(q))], 90), logistic())[1][0]["0"]
        for q in (0.0, 1.0)
    )
    np.testing.assert_array_equal(never.y, theirs.y)
    np.testing.assert_array_equal(always.y, 1 - theirs.y)


def test_temperature_1_changes_nothing():
    plain = build_network(1, [("0", "0", 400)], 90)
    net = build_network(1, [Feed("0", "0", 400, keep=Temperature(1.0))], 90)
    for model in (logistic(), linear(sigma=0.7)):
        ours, theirs = (rows_read(n, model)[1][0]["0"] for n in (net, plain))
        np.testing.assert_array_equal(ours.x, theirs.x)
        np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-6)


# ------------------------------------------------------------------------ which data are the same


def disjoint(a, b):
    return not np.isin(a.x, b.x).any()


def equal(a, b):
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y)


FEEDS = [Feed("0", "0", 50), Feed("real", "0", 40), Feed("0", "1", 50), Feed("1", "1", 40)]


@pytest.mark.parametrize("draws", ["private", "shared"])
def test_a_selection_leaves_the_rows_of_other_feeds(draws):
    plain = build_network(2, FEEDS, 90, draws=draws)
    chosen = build_network(2, [*FEEDS[:3], Feed("1", "1", 40, keep=NARROW)], 90, draws=draws)
    ours, theirs = rows_read(chosen)[1], rows_read(plain)[1]
    for i, origin in ((0, "0"), (0, "real"), (1, "0")):
        assert equal(ours[i][origin], theirs[i][origin])
    assert not equal(ours[1]["1"], theirs[1]["1"])
    for before, after in zip(rows_read(plain)[0], rows_read(chosen)[0], strict=True):
        assert equal(before["real"], after["real"])


@pytest.mark.parametrize("draws", ["private", "shared"])
@pytest.mark.parametrize("other", [NARROW, WIDE, None])
def test_readers_share_what_they_select_in_the_same_way(draws, other):
    feeds = [Feed("0", "0", 50, keep=NARROW), Feed("0", "1", 50, keep=other)]
    one, two = rows_read(build_network(2, feeds, 90, draws=draws))[1]
    if draws == "shared" and other == NARROW:
        assert equal(one["0"], two["0"])
    else:
        assert disjoint(one["0"], two["0"])


@pytest.mark.parametrize("real", ["fresh", "reused"])
def test_samples_of_one_edge_are_independent(real):
    """They differ in what is kept, so that none is part of another."""
    keeps = (None, NARROW, WIDE, Verifier(C, 1.5, count="raw"))
    feeds = [Feed(origin, "0", 90, keep=keep) for origin in ("0", "real") for keep in keeps]
    for fits in rows_read(build_network(1, feeds, 90, real=real))[1:]:
        assert len(fits[0]) == 8
        rows = np.concatenate([data.x for data in fits[0].values()], axis=1)
        assert 630 < rows.shape[1] < 720
        assert len(np.unique(rows)) == rows.size
        for origin in ("0", "real"):
            assert agrees(fits[0][f"{origin}, {NARROW}"], 0.4).all()


def test_what_is_reused_is_selected_once():
    feeds = [Feed("real", "0", 60, keep=NARROW), Feed("0", "0", 40)]
    _, first, second = rows_read(build_network(1, feeds, 90, real="reused"))
    assert equal(first[0]["real"], second[0]["real"])
    assert disjoint(first[0]["0"], second[0]["0"])
    assert agrees(first[0]["real"], 0.4).all()
