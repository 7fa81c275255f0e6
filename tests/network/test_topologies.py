"""Named networks have the edges their names say, and random ones the density."""

import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.network import REAL, topologies
from mcjax.network.topologies import TOPOLOGIES

COUNTS = {"samples": 30, "initial": 60}

EDGES = {
    "self_loop": ((), {(0, 0)}, {0}),
    "chain": ((4,), {(0, 0), (0, 1), (1, 2), (2, 3)}, {0}),
    "ring": ((4,), {(3, 0), (0, 1), (1, 2), (2, 3)}, {0, 1, 2, 3}),
    "star": ((4,), {(1, 0), (2, 0), (3, 0), (0, 1), (0, 2), (0, 3)}, {0}),
    "complete": ((3,), {(j, i) for i in range(3) for j in range(3)}, {0, 1, 2}),
}

RANDOM = {
    "random_directed": lambda seed, **more: topologies.random_directed(
        12, probability=0.4, seed=seed, **COUNTS, **more
    ),
    "stochastic_block": lambda seed, **more: topologies.stochastic_block(
        [4, 8], probabilities=[[0.7, 0.2], [0.1, 0.5]], seed=seed, **COUNTS, **more
    ),
}


def model_edges(net):
    return {(int(f.origin), int(f.reader)) for f in net.feeds if f.origin != REAL}


def table(net):
    """Which model feeds which."""
    found = np.zeros((net.size, net.size), bool)
    for j, i in model_edges(net):
        found[j, i] = True
    return found


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    sizes, edges, _ = EDGES[name]
    net = TOPOLOGIES[name](*sizes, **COUNTS)
    assert net.models == tuple(str(i) for i in range(*sizes or (1,)))
    assert len(net.feeds) == len(edges)
    assert model_edges(net) == edges
    assert {f.samples for f in net.feeds} == {30}
    assert {f.weight for f in net.feeds} == {1.0}
    assert net.initial == (60,) * net.size


@pytest.mark.parametrize("name", EDGES)
def test_real_feeds(name):
    """``real`` adds one real feed to each anchored model, and changes nothing else."""
    sizes, edges, anchored = EDGES[name]
    net = TOPOLOGIES[name](*sizes, **COUNTS, real=7)
    real = [f for f in net.feeds if f.origin == REAL]
    assert sorted(int(f.reader) for f in real) == sorted(anchored)
    assert {f.samples for f in real} == {7}
    assert model_edges(net) == edges


@pytest.mark.parametrize("name", RANDOM)
def test_real_feeds_of_random_networks_go_to_all(name):
    bare, anchored = RANDOM[name](0), RANDOM[name](0, real=7)
    real = [f for f in anchored.feeds if f.origin == REAL]
    assert [f.reader for f in real] == list(anchored.models)
    assert model_edges(anchored) == model_edges(bare)


def test_ring_of_one_is_a_self_loop():
    assert topologies.ring(1, **COUNTS) == topologies.self_loop(**COUNTS)


@pytest.mark.parametrize("name", [*EDGES, *RANDOM])
def test_options_reach_the_network(name):
    options = {"draws": "shared", "real": 60, "real_data": "reused"}
    if name in RANDOM:
        net = RANDOM[name](0, **options)
    else:
        net = TOPOLOGIES[name](*EDGES[name][0], **COUNTS, **options)
    assert (net.draws, net.real) == ("shared", "reused")


@pytest.mark.parametrize("name", EDGES)
def test_options_are_checked(name):
    with pytest.raises(InputError, match=r"network\.draws"):
        TOPOLOGIES[name](*EDGES[name][0], **COUNTS, draws="public")


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    nets = [RANDOM[name](seed) for seed in range(6)]
    assert nets[3] == RANDOM[name](3)
    assert len({net.feeds for net in nets}) == 6


@pytest.mark.parametrize("probability", [0.02, 0.3, 0.9])
def test_random_density(probability, z_limit):
    """Over all feeds, and over the self-loops alone."""
    size = 120
    net = topologies.random_directed(size, probability=probability, seed=1, **COUNTS)
    found = table(net)
    for hits in (found.ravel(), np.diag(found)):
        error = np.sqrt(probability * (1 - probability) / len(hits))
        assert abs(hits.mean() - probability) < z_limit * error


@pytest.mark.parametrize(("probability", "feeds"), [(0.0, 0), (1.0, 25)])
def test_random_extremes(probability, feeds):
    net = topologies.random_directed(5, probability=probability, seed=0, **COUNTS)
    assert len(net.feeds) == feeds


def test_blocks(z_limit):
    """The density from block a to block b is ``probabilities[a][b]``, not the transpose."""
    sizes, chance = [60, 90], np.array([[0.6, 0.1], [0.3, 0.05]])
    net = topologies.stochastic_block(sizes, probabilities=chance.tolist(), seed=2, **COUNTS)
    assert net.size == 150
    found = table(net)
    parts = [slice(0, 60), slice(60, 150)]
    for a in range(2):
        for b in range(2):
            hits = found[parts[a], parts[b]]
            error = np.sqrt(chance[a, b] * (1 - chance[a, b]) / hits.size)
            assert abs(hits.mean() - chance[a, b]) < z_limit * error


def test_blocks_of_certain_feeds():
    chance = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    net = topologies.stochastic_block([1, 2, 1], probabilities=chance, seed=0, **COUNTS)
    assert model_edges(net) == {(0, 0), (1, 3), (2, 3)}


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_probability_refused(probability):
    with pytest.raises(InputError, match=r"network\.probability.*between 0 and 1"):
        topologies.random_directed(3, probability=probability, seed=0, **COUNTS)


@pytest.mark.parametrize(
    "chance",
    [
        pytest.param([[0.5, 0.5]], id="a row too few"),
        pytest.param([[0.5], [0.5]], id="a column too few"),
        pytest.param([[0.5, 0.5], [0.5]], id="ragged"),
        pytest.param([], id="none"),
    ],
)
def test_probabilities_refused(chance):
    with pytest.raises(InputError, match=r"network\.probabilities.*2 rows of 2"):
        topologies.stochastic_block([2, 3], probabilities=chance, seed=0, **COUNTS)


def test_no_blocks():
    with pytest.raises(InputError, match=r"network\."):
        topologies.stochastic_block([], probabilities=[], seed=0, **COUNTS)


@pytest.mark.parametrize("name", ["chain", "ring", "star", "complete"])
def test_size_refused(name):
    with pytest.raises(InputError, match=r"network\.models"):
        TOPOLOGIES[name](0, **COUNTS)


def test_all_have_names():
    assert set(TOPOLOGIES) == {*EDGES, *RANDOM}
