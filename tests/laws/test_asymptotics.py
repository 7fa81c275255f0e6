"""Limits and rates of collapse against long recursions of block systems."""

from __future__ import annotations

import dataclasses
import itertools

import networkx as nx
import numpy as np
import pytest

from mcjax.laws.collapse.adjacency import Adjacency
from mcjax.laws.collapse.origins import collapse_origins
from mcjax.laws.first_order.limits import growth, limit
from mcjax.laws.first_order.linear_system import LinearSystem
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT, BatchInformation, Information
from mcjax.network import REAL, Network, build_network
from mcjax.network.markov import stationary_distribution

MODES = list(itertools.product(["private", "shared"], ["fresh", "reused"]))


def different_information() -> Information:
    """p = 2, and real data with another H and V than synthetic ones, not even commuting."""
    real = BatchInformation(np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.5, -0.2], [-0.2, 2]]))
    synthetic = BatchInformation(
        np.array([[1.0, -0.3], [-0.3, 0.8]]), np.array([[1, 0.4], [0.4, 3]])
    )
    return Information(real, synthetic)


def two_sources(draws: str, real: str) -> Network:
    """A ring of 4 and a self-loop; readers of several classes, one with real data, one behind it
    that also reads a frozen model; and a stable pair beside them."""
    n = dict(zip("abcdsuvwxyf", (30, 12, 20, 17, 25, 9, 14, 22, 18, 26, 19), strict=True))
    edges = ["ab", "bc", "cd", "da", "ss", "au", "bu", "su", "bv", "uv", "vu", "dw", "vw", "fw"]
    edges += ["xy", "yx", "fx"]
    feeds = [(j, i, n[j], 1.0 + 0.5 * (i == "u")) for j, i in edges]
    feeds += [(REAL, "u", 40, 2.0), (REAL, "y", 33)]
    initial = {**n, "u": 40, "y": 33}
    return build_network(tuple("abcdsuvwxyf"), feeds, initial, draws=draws, real=real)


COLLAPSED = [True] * 8 + [False] * 3


def blocks(matrix: np.ndarray, size: int, p: int) -> np.ndarray:
    """Diagonal blocks, (M, p, p)."""
    return np.array([matrix.reshape(size, p, size, p)[i, :, i] for i in range(size)])


def after(system: LinearSystem, doublings: int) -> tuple[np.ndarray, np.ndarray]:
    """``A^t`` and ``Cov(e_t)`` at t = 2^doublings, by squaring the map of one generation."""
    power, noise, reuse = system.transition, system.noise, system.reuse
    for _ in range(doublings):
        noise = noise + power @ noise @ power.T
        reuse = reuse + power @ reuse
        power = power @ power
    carried = power + reuse
    return power, noise + carried @ system.initial @ carried.T


@pytest.mark.parametrize("information", [UNIT, different_information()], ids=["unit", "different"])
@pytest.mark.parametrize(("draws", "real"), MODES)
def test_growth_is_the_average_increase_over_a_period(draws, real, information):
    net = two_sources(draws, real)
    system = linear_system(net, information)
    sources = collapse_origins(net)
    assert [(s.members, s.period) for s in sources] == [(tuple("abcd"), 4), (("s",), 1)]
    found = growth(system, sources)
    power = after(system, 14)[0]
    total = np.zeros_like(power)
    for _ in range(4):
        total += blocked(power @ system.noise @ power.T, system.p)
        power = power @ system.transition
    expected = blocks(total / 4, net.size, system.p)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    assert not found[8:].any()


def blocked(matrix: np.ndarray, p: int) -> np.ndarray:
    """Only the blocks of a model with itself."""
    size = len(matrix) // p
    return matrix * np.kron(np.eye(size), np.ones((p, p)))


def test_growth_needs_phases_and_matching_coefficients():
    """Wrong rates: averaging over classes as if aperiodic, and the real share in place of the
    block coefficient where real data have another H."""
    net = two_sources("private", "fresh")
    system = linear_system(net, different_information())
    found = growth(system, collapse_origins(net))
    aperiodic = [
        dataclasses.replace(s, period=1, phases=(0,) * len(s.members))
        for s in collapse_origins(net)
    ]
    wrong = growth(system, aperiodic)
    assert np.abs(wrong[0] / found[0] - 1 / 4).max() < 1e-9
    assert np.abs(wrong[5] / found[5] - 1).max() > 0.05
    scalar = growth(linear_system(net, UNIT), collapse_origins(net))
    h = np.linalg.inv(different_information().synthetic.hessian)
    sandwich = h @ different_information().synthetic.score_covariance @ h
    np.testing.assert_allclose(found[0], scalar[0] * sandwich, rtol=1e-9)
    assert np.abs(found[5] / (scalar[5] * sandwich) - 1).max() > 0.05


@pytest.mark.parametrize("information", [UNIT, different_information()], ids=["unit", "different"])
@pytest.mark.parametrize(("draws", "real"), MODES)
def test_limit_is_where_the_recursion_settles(draws, real, information):
    system = linear_system(two_sources(draws, real), information)
    stable = ~np.array(COLLAPSED)
    rows = np.repeat(stable, system.p)
    found = limit(system, stable)
    expected = after(system, 14)[1]
    np.testing.assert_allclose(
        found[np.ix_(rows, rows)], expected[np.ix_(rows, rows)], rtol=1e-9, atol=1e-14
    )
    assert not found[~rows].any()
    assert not found[:, ~rows].any()
    for field in ("reuse", "initial"):  # both real-data terms matter where they are present
        changed = dataclasses.replace(system, **{field: 0 * getattr(system, field)})
        same = np.allclose(limit(changed, stable), found, rtol=1e-3)
        assert same == (field == "reuse" and real == "fresh")


def test_limit_of_pooling_is_known():
    """k synthetic and k fresh real: ``c = (2/3) / k``; anchored by a frozen model: by hand."""
    pooled = build_network(1, [("0", "0", 10), (REAL, "0", 10)], 10)
    assert limit(linear_system(pooled, UNIT), [True])[0, 0] == pytest.approx(2 / 3 / 10)
    beside = build_network(2, [("0", "0", 10), ("1", "0", 10)], {"0": 10, "1": 7})
    found = limit(linear_system(beside, UNIT), [True, True])
    # e_0 -> e_1 plus a sum of noise of variance 1/20 with decay 1/2
    assert found == pytest.approx(np.array([[1 / 7 + 4 / 3 / 20, 1 / 7], [1 / 7, 1 / 7]]))


def test_slow_decay_is_resolved_or_nan():
    def system(real_weight: float) -> LinearSystem:
        feeds = [("0", "0", 10), (REAL, "0", 10, real_weight), ("0", "1", 5), (REAL, "1", 5)]
        return linear_system(build_network(3, [*feeds, (REAL, "2", 5)], 10), UNIT)

    slow = 1e-7
    share = 1 / (1 + slow)
    exact = (share**2 + (1 - share) ** 2) / 10 / ((1 - share) * (1 + share))
    assert limit(system(slow), [True] * 3)[0, 0] == pytest.approx(exact, rel=1e-7)
    lost = limit(system(1e-25), [True] * 3)
    assert np.isnan(lost[:2]).all()
    assert np.isnan(lost[:, :2]).all()
    assert lost[2, 2] == pytest.approx(1 / 5)


def test_reader_far_behind_a_source():
    """Absorption is found however long the path to the source and however little arrives."""
    length = 300
    feeds = [("0", "0", 4)]
    for i in range(1, length):
        feeds += [(str(i - 1), str(i), 9), (REAL, str(i), 1)]
    net = build_network(length, feeds, 5)
    found = growth(linear_system(net, UNIT), collapse_origins(net))[:, 0, 0]
    assert found == pytest.approx(0.9 ** (2 * np.arange(length)) / 4, rel=1e-10)


def test_unresolved_absorption_is_nan():
    """A reader that reads itself but for 1e-25 approaches the source too slowly to say."""
    feeds = [("0", "0", 4), ("1", "1", 5), ("0", "1", 5, 1e-25), ("0", "2", 3)]
    net = build_network(3, feeds, 5)
    found = growth(linear_system(net, UNIT), collapse_origins(net))[:, 0, 0]
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx(1 / 4)


def test_stationary_distribution_of_weakly_coupled_parts():
    """Two pairs that exchange 1e-13 and 3e-13: the masses are 3 to 1, to rounding."""
    w = np.array(
        [
            [0.5, 0.5 - 1e-13, 1e-13, 0],
            [0.5, 0.5, 0, 0],
            [0, 0, 0.5, 0.5],
            [3e-13, 0, 0.5, 0.5 - 3e-13],
        ]
    )
    pi = stationary_distribution(w)
    assert pi == pytest.approx([3 / 8, 3 / 8, 1 / 8, 1 / 8], rel=1e-10)
    random = np.random.default_rng(0).random((30, 30))
    random /= random.sum(1, keepdims=True)
    found = stationary_distribution(random)
    assert found @ random == pytest.approx(found, rel=1e-12)


def test_nothing_to_sum():
    net = build_network(1, [], 5)
    system = linear_system(net, UNIT)
    assert limit(system, [True]) == pytest.approx(np.array([[1 / 5]]))
    assert growth(system, collapse_origins(net)).tolist() == [[[0.0]]]


def test_components_come_before_what_they_feed():

    rng = np.random.default_rng(1)
    for _ in range(300):
        size = int(rng.integers(1, 12))
        hit = rng.random((size, size)) < rng.uniform(0, 0.4)
        readers = [np.flatnonzero(row).tolist() for row in hit]
        found = Adjacency.of(readers).components
        graph = nx.from_numpy_array(hit, create_using=nx.DiGraph)
        expected = {frozenset(c) for c in nx.strongly_connected_components(graph)}
        assert {frozenset(c) for c in found} == expected
        place = {i: k for k, c in enumerate(found) for i in c}
        assert all(place[j] <= place[i] for j in range(size) for i in readers[j])
    deep = [[i + 1] for i in range(20_000)] + [[0]]
    assert len(Adjacency.of(deep).components) == 1
