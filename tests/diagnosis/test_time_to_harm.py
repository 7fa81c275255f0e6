"""How soon errors become twice and ten times the first ones, against generation by generation."""

import math

import numpy as np
import pytest

import mcjax
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order import time_to_harm as law
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.network import REAL, build_network

COMPLETE = [(str(j), str(i), 25) for i in range(4) for j in range(4)]
LOOP = ("l", "l", 100)


def times(net):
    return [(v.doubles, v.tenfold) for v in diagnose(net).models.values()]


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (build_network(["l"], [LOOP], 100), [(1, 9)]),
        (build_network(["l"], [("l", "l", 1000)], 10), [(100, 900)]),
        (build_network(["l"], [("l", "l", 10**9)], 1), [(10**9, 9 * 10**9)]),
        (build_network(4, COMPLETE, 100), [(4, 36)] * 4),
        (mcjax.topologies.ring(5, samples=100, initial=100), [(1, 9)] * 5),
        (build_network("lr", [LOOP, ("l", "r", 50), (REAL, "r", 50)], 100), [(1, 9), (4, 36)]),
        (build_network(["a"], [("a", "a", 90), (REAL, "a", 10)], 100), [(2, None)]),
        (build_network(["a"], [(REAL, "a", 100)], 100), [(None, None)]),
    ],
    ids=["loop", "small start", "late", "complete", "ring", "reader", "settles", "real"],
)
def test_times_in_closed_form(net, expected):
    """A loop of n rows after n_0 comes to L times its first error after (L - 1) n / n_0."""
    assert times(net) == expected


def test_errors_relative_to_the_first():
    verdict = diagnose(build_network(["a"], [("a", "a", 50), (REAL, "a", 50)], 200)).models["a"]
    # c_t = 1/100 + c_{t-1} / 4, from 1/200
    expected = [8 / 3 + (1 - 8 / 3) / 4**t for t in (1, 5, 20)] + [8 / 3]
    assert verdict.relative == pytest.approx(expected, rel=1e-12)
    assert verdict.doubles == next(t for t in range(9) if 8 / 3 - 5 / 3 / 4**t >= 2)
    loop = diagnose(build_network(["l"], [LOOP], 100)).models["l"]
    assert loop.relative == pytest.approx((2, 6, 21, math.inf))


def random_network(rng, reused):
    size = int(rng.integers(1, 6))
    hit = rng.random((size + 1, size)) < 0.4
    feeds = [
        (REAL if j == size else str(j), str(i), int(rng.integers(1, 300)))
        for j, i in np.argwhere(hit).tolist()
    ]
    if reused:
        feeds = [(j, i, 50 if j == REAL else count) for j, i, count in feeds]
        return build_network(size, feeds, 50, real="reused")
    return build_network(size, feeds, int(rng.integers(5, 400)))


@pytest.mark.parametrize(
    ("work", "straight"),
    [(law.WORK, law.STRAIGHT), (0, law.STRAIGHT), (0, -1.0)],
    ids=["one by one", "along lines", "by bisection"],
)
def test_times_are_those_of_the_recursion(monkeypatch, work, straight):
    monkeypatch.setattr(law, "WORK", work)
    monkeypatch.setattr(law, "STRAIGHT", straight)
    rng, late = np.random.default_rng(1), 0
    for k in range(25):
        net = random_network(rng, reused=k % 3 == 0)
        found = diagnose(net)
        errors = np.diagonal(covariances(linear_system(net, UNIT), 400), axis1=1, axis2=2)
        for i, verdict in enumerate(found.models.values()):
            for factor, time in ((2, verdict.doubles), (10, verdict.tenfold)):
                comes = np.flatnonzero(errors[1:, i] >= factor * errors[0, i] * (1 - law.SLACK))
                expected = int(comes[0]) + 1 if len(comes) else None
                late += expected is not None and expected > 20
                assert (None if time is None or time > 400 else time) == expected
            relative = errors[[1, 5, 20], i] / errors[0, i]
            assert verdict.relative[:3] == pytest.approx(relative, rel=1e-9)
    assert late > 5
