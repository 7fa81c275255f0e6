"""Which rows are the same: of readers, generations, chains, and of networks that are alike."""

import numpy as np
import pytest
from drawn_rows import FEEDS, INITIAL, Rows, draw, feed_rows, in_order, network

from mcjax.chains.layout import PaddedSizes
from mcjax.network import build_network


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
