"""The cheapest cures, robust ones too, against every set of feeds that may be added."""

import itertools
import math
from functools import partial

import numpy as np
import pytest

import mcjax
from mcjax.design.offers import Offer, cheapest_cure
from mcjax.design.robust import ROBUST
from mcjax.errors import InputError

SOURCES = ("real", "archive")


def collapses(size, edges):
    """Whether some model is reached from no model that reads real data or is frozen."""
    safe = {i for i in range(size) if not any(reader == i for _, reader in edges)}
    safe |= {reader for origin, reader in edges if origin in SOURCES}
    while more := {i for j, i in edges if j in safe} - safe:
        safe |= more
    return len(safe) < size


def fails(name, size, edges):
    """Whether something collapses after one change of a kind, or without any."""
    between = set(itertools.product(range(size), repeat=2)) - edges
    changed = {
        "added": [edges | {edge} for edge in between],
        "real": [edges - {edge} for edge in edges if edge[0] in SOURCES],
        "any": [edges - {edge} for edge in edges],
    }
    return any(collapses(size, each) for each in (edges, *changed[name]))


def random_case(rng, between):
    """Return a network, its edges, and offers with prices."""
    size = int(rng.integers(1, 5))
    pairs = [*itertools.product(range(size), repeat=2)]
    edges = {pair for pair in pairs if rng.random() < rng.choice([0.2, 0.45])}
    edges |= {(source, i) for source in SOURCES for i in range(size) if rng.random() < 0.12}
    free = [(s, i) for s in SOURCES for i in range(size)] + (pairs if between else [])
    free = [edge for edge in free if edge not in edges]
    if between:
        free = [free[k] for k in rng.permutation(len(free))[:9]]
    feeds = [(str(j), str(i), 10) for j, i in sorted(edges, key=str)]
    sources = [mcjax.Source("archive")]
    net = mcjax.build_network(size, feeds, initial=10, sources=sources)
    return net, edges, {edge: int(rng.integers(1, 9)) for edge in free}


def cheapest(size, edges, prices, bad):
    """Return the least price of offers after which something is not bad; infinite if none do."""
    sets = itertools.chain.from_iterable(
        itertools.combinations(prices, k) for k in range(len(prices) + 1)
    )
    costs = (sum(prices[e] for e in some) for some in sets if not bad(size, edges | {*some}))
    return min(costs, default=math.inf)


def bought_by(cure, net, prices, given):
    """Return the price of what a cure buys, and the edges that it adds."""
    offers = [Offer(str(j), str(i), float(price)) for (j, i), price in prices.items()]
    try:
        bought = cure(net, offers, given)
    except InputError:
        return math.inf, set()
    edges = {(o.origin if o.origin in SOURCES else int(o.origin), int(o.reader)) for o in bought}
    return sum(offer.price for offer in bought), edges


def test_no_cheaper_feeds_are_a_cure():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(60):
        net, edges, prices = random_case(rng, between=True)
        anchored = [i for i, own in enumerate(net.feeds_by_reader) if not own]
        anchored += [int(i) for j, i in edges if j in SOURCES]
        price, added = bought_by(cheapest_cure, net, prices, anchored)
        assert price == cheapest(net.size, edges, prices, collapses)
        assert math.isinf(price) or not collapses(net.size, edges | added)
        found.append(price)
    assert sum(0 < price < math.inf for price in found) > 10


@pytest.mark.parametrize("name", ROBUST)
def test_no_cheaper_feeds_are_as_robust(name):
    rng, kind, bad = np.random.default_rng(3), ROBUST[name], partial(fails, name)
    found = []
    for _ in range(60):
        net, edges, prices = random_case(rng, between=name == "added")
        assert bool(kind.lacks(net, frozenset())) == bad(net.size, edges)
        price, added = bought_by(kind.bought, net, prices, frozenset())
        assert price == cheapest(net.size, edges, prices, bad)
        assert math.isinf(price) or not bad(net.size, edges | added)
        found.append(price)
    assert sum(0 < price < math.inf for price in found) > 10


def test_many_added_feeds_are_no_worse_than_one():
    rng = np.random.default_rng(5)
    for _ in range(100):
        net, edges, _ = random_case(rng, between=False)
        between = [*itertools.product(range(net.size), repeat=2)]
        many = [
            edges | {pair for pair in between if rng.random() < share} for share in (0.3, 0.6, 1)
        ]
        if not ROBUST["added"].lacks(net, frozenset()):
            assert not any(collapses(net.size, each) for each in many)


def test_a_sealed_model_counts_as_real_data():
    net = mcjax.build_network(["teacher", "student"], [("teacher", "student", 10)], initial=10)
    assert ROBUST["added"].lacks(net, frozenset())
    assert not ROBUST["added"].lacks(net, frozenset({0}))
