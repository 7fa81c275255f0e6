"""Rows that readers get: what they satisfy, which are the same, and how they are distributed."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import pytest
from kinds import EXAMPLES, ROOT, C, scores

from mcjax.chains.dataset import draw_dataset
from mcjax.chains.layout import PaddedSizes, network_arrays, shape_of, tables_of
from mcjax.draws.streams import chain_keys
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Feed, build_network
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.verifier import Verifier

THETA = (0.4, -0.3, 0.2)
LINEAR = linear(sigma=0.7)
COMMON = PaddedSizes(2, 8, 400)
"""A common shape, so that one compilation serves many tests."""
NARROW, WIDE = Verifier(C, 0.4), Verifier(C, 1.5)

# ------------------------------------------------------------------------------- distributions


@partial(jax.jit, static_argnames=("models", "pairs"))
def drawn(model, factor, parents, feeds, keys, times, selections, models, pairs):
    """The data of all models, for every key and generation."""

    def one(feeds, key, t):
        sizes = {"models": models, "pairs": pairs, "selections": selections}
        return draw_dataset(model, factor, parents, feeds, key, t, **sizes)

    each = jax.vmap(one, (0, None, None))
    return jax.vmap(jax.vmap(each, (None, None, 0)), (None, 0, None))(feeds, keys, times)


def data_of(net, model, theta, times, chains, shape=None, dtype=np.float64, seed=7):
    """Data in NumPy arrays with leading axes (chains, generations, models)."""
    shape = shape or shape_of([net])
    factor = ROOT if len(theta) == 3 and model.covariates != 0 else np.eye(len(theta))
    data = drawn(
        jax.tree.map(dtype, model),
        factor.astype(dtype),
        np.array([theta] * (shape.models + 1), dtype),
        tables_of(network_arrays(net, shape))[1],
        chain_keys(seed, 0, np.arange(chains)),
        np.asarray(times, np.int32),
        jax.tree.map(dtype, net.selections),
        models=shape.models,
        pairs=shape.pairs,
    )
    return [np.asarray(leaf, float) for leaf in data]


def rows_of(example, samples, chains, dtype):
    """Rows that one model gets of itself, of all chains together, and which it fits."""
    net = build_network(1, [Feed("0", "0", samples, keep=example.keep)], samples)
    x, y, weight = data_of(net, example.model, example.points[0], [1], chains, dtype=dtype)
    return np.moveaxis(x, -2, -1).reshape(y.size, -1), y.ravel(), weight.ravel() > 0


FEW = ("flip 1, bernoulli", "top_p 0, categorical")
"""Examples whose rows are drawn in double precision too, and by default in single precision."""
ROWS = [
    pytest.param(
        *(name, dtype),
        id=f"{name}-{np.dtype(dtype)}",
        marks=() if name in FEW and dtype is np.float32 else pytest.mark.statistical,
    )
    for dtype, names in ((np.float32, EXAMPLES), (np.float64, FEW))
    for name in names
]


@pytest.mark.parametrize(("name", "dtype"), ROWS)
def test_rows_against_rows_of_numpy(name, dtype, z_limit):
    """Scores of rows drawn in compiled code have the moments of those that NumPy draws."""
    own = EXAMPLES[name]
    parent, reader, _ = own.points
    x, y, kept = rows_of(own, samples=2001, chains=40, dtype=dtype)
    theirs = own.draw(np.random.default_rng(9), parent, 200_000)
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


class Sample(NamedTuple):
    """The rows of one feed that are fitted, in order."""

    x: np.ndarray  # (p, n)
    y: np.ndarray  # (n,)
    weight: np.ndarray


def samples_of(net, model=LINEAR, times=(1,), seed=7):
    """The samples of every feed, for every generation and model."""
    data = data_of(net, model, THETA, times, 1, shape=COMMON, seed=seed)
    found = []
    for t in range(len(times)):
        found.append([])
        for i, feeds in enumerate(net.feeds_by_reader):
            begin, own = 0, []
            for feed in feeds:
                ends = slice(begin // 2, (begin + feed.samples + 1) // 2)
                halves = [np.split(leaf[0, t, i], 2, axis=-1) for leaf in data]
                rows = [np.stack([h[..., ends] for h in half], -1) for half in halves]
                rows = [part.reshape(*part.shape[:-2], -1) for part in rows]
                own.append(Sample(*(part[..., rows[2] > 0] for part in rows)))
                begin += feed.samples + feed.samples % 2
            found[-1].append(own)
    return found


def agrees(data, within):
    return np.abs(np.asarray(data.y) - np.asarray(data.x).T @ C) <= within * (1 + 1e-5)


def single(keep, samples=400, model=LINEAR, **options):
    """The sample of the only feed of a model that reads its own output."""
    net = build_network(1, [Feed("0", "0", samples, keep=keep)], 90)
    return samples_of(net, model, **options)[0][0][0]


@pytest.mark.system
def test_accepted_rows_are_as_many_as_asked_for():
    feeds = [Feed("0", "0", 61, 2.0, keep=NARROW), Feed("real", "0", 40, keep=WIDE)]
    for fits in samples_of(build_network(1, feeds, 90), times=(1, 2)):
        own, real = fits[0]
        assert (len(own.y), len(real.y)) == (61, 40)
        assert agrees(own, 0.4).all()
        assert agrees(real, 1.5).all()
        assert not agrees(real, 0.4).all()
        assert (own.weight == 1.0).all()
        assert (real.weight == 0.5).all()
        assert len(np.unique(own.x)) == own.x.size


@pytest.mark.system
def test_rows_looked_at_are_fewer_when_kept():
    found, whole = single(Verifier(C, 0.4, count="raw")), single(None)
    kept = agrees(whole, 0.4)
    assert 0 < kept.sum() < 300
    np.testing.assert_array_equal(found.x, whole.x[:, kept])
    np.testing.assert_array_equal(found.y, whole.y[kept])


@pytest.mark.system
@pytest.mark.parametrize(("keep", "model"), [(WIDE, LINEAR), (Checker(C), logistic())])
def test_a_row_that_is_accepted_at_once_is_that_of_the_whole_sample(keep, model):
    ours, theirs = (single(own, model=model) for own in (keep, None))
    same = (ours.x == theirs.x).all(0)
    assert 100 < same.sum() < 400
    np.testing.assert_array_equal(ours.y[same], theirs.y[same])
    if keep is WIDE:
        np.testing.assert_array_equal(same, agrees(theirs, 1.5))
    assert not np.isin(ours.x[:, ~same], theirs.x).any()


@pytest.mark.system
def test_swapped_labels_belong_to_the_same_covariates():
    ours, theirs, never, always = (
        single(keep, model=logistic()) for keep in (Flip(0.25), None, Flip(0.0), Flip(1.0))
    )
    np.testing.assert_array_equal(ours.x, theirs.x)
    assert 50 < (ours.y != theirs.y).sum() < 150
    np.testing.assert_array_equal(never.y, theirs.y)
    np.testing.assert_array_equal(always.y, 1 - theirs.y)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_no_label_or_every_label_is_swapped(flip):
    """The largest words of single precision give a uniform of exactly 1."""
    words = np.array([0, 2**31, 2**32 - 128, 2**32 - 1], np.uint32)
    y = np.array([0, 1, 0, 1], np.float32)
    swapped = Flip(flip).changed(jax.numpy.asarray(y), (words, words))
    np.testing.assert_array_equal(swapped, 1 - y if flip else y)


@pytest.mark.system
@pytest.mark.parametrize("model", [logistic(), LINEAR])
def test_temperature_1_changes_nothing(model):
    ours, theirs = (single(keep, model=model) for keep in (Temperature(1.0), None))
    np.testing.assert_array_equal(ours.x, theirs.x)
    np.testing.assert_allclose(ours.y, theirs.y, rtol=1e-12)


# ------------------------------------------------------------------------ which data are the same


def disjoint(a, b):
    return not np.isin(a.x, b.x).any()


def equal(a, b):
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y)


@pytest.mark.system
@pytest.mark.parametrize("draws", ["private", "shared"])
def test_a_selection_leaves_the_rows_of_other_feeds(draws):
    feeds = [Feed("0", "0", 50), Feed("real", "0", 40), Feed("0", "1", 50), Feed("1", "1", 40)]
    chosen = [*feeds[:3], replace(feeds[3], keep=NARROW)]
    [[ours, (first, second)]], [[theirs, (other, last)]] = (
        samples_of(build_network(2, own, 90, draws=draws)) for own in (chosen, feeds)
    )
    for own, its in zip((*ours, first), (*theirs, other), strict=True):
        assert equal(own, its)
    assert not equal(second, last)


@pytest.mark.system
@pytest.mark.parametrize("draws", ["private", "shared"])
@pytest.mark.parametrize("other", [NARROW, WIDE, None])
def test_readers_share_what_they_select_in_the_same_way(draws, other):
    feeds = [Feed("0", "0", 50, keep=NARROW), Feed("0", "1", 50, keep=other)]
    [[[one], [two]]] = samples_of(build_network(2, feeds, 90, draws=draws))
    if draws == "shared" and other == NARROW:
        assert equal(one, two)
    else:
        assert disjoint(one, two)


@pytest.mark.system
@pytest.mark.parametrize("real", ["fresh", "reused"])
def test_samples_of_one_edge_are_independent(real):
    """They differ in what is kept, so that none is part of another."""
    keeps = (None, NARROW, WIDE, Verifier(C, 1.5, count="raw"))
    feeds = [Feed(origin, "0", 90, keep=keep) for origin in ("0", "real") for keep in keeps]
    for [found] in samples_of(build_network(1, feeds, 90, real=real), times=(1, 2)):
        rows = np.concatenate([data.x for data in found], axis=1)
        assert 630 < rows.shape[1] < 720
        assert len(np.unique(rows)) == rows.size
        assert agrees(found[1], 0.4).all()
        assert agrees(found[5], 0.4).all()


@pytest.mark.system
def test_what_is_reused_is_selected_once():
    feeds = [Feed("real", "0", 60, keep=NARROW), Feed("0", "0", 40)]
    net = build_network(1, feeds, 90, real="reused")
    [[(first, own)]], [[(second, other)]] = (samples_of(net, times=(t,)) for t in (1, 2))
    assert equal(first, second)
    assert disjoint(own, other)
    assert agrees(first, 0.4).all()


@pytest.mark.system
def test_rows_do_not_depend_on_who_else_is_drawn():
    """Chains whose rows are accepted early wait for others, and keep what they have."""
    net = build_network(1, [Feed("0", "0", 50, keep=NARROW)], 90)
    together = data_of(net, LINEAR, THETA, [1, 2], 5, shape=COMMON)
    alone = data_of(net, LINEAR, THETA, [2], 1, shape=COMMON)
    for many, one in zip(together, alone, strict=True):
        np.testing.assert_allclose(many[0, 1], one[0, 0], rtol=1e-12, atol=1e-15)
