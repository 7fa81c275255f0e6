"""Early errors where feeds change or data accumulate, against recursions by hand."""

import math

import numpy as np
import pytest

from mcjax.diagnosis import diagnose, early
from mcjax.network import REAL, build_network
from mcjax.network.feed import Feed


def relative(net, model="a"):
    return diagnose(net).models[model].relative


def test_a_loop_that_accumulates():
    """1 + 1/4 + 1/9 + ..., which comes to pi^2 / 6 and never to 2."""
    net = build_network("a", [("a", "a", 100)], 100, memory="accumulate")
    sums = np.cumsum(1 / np.arange(1, 22) ** 2)
    assert relative(net) == pytest.approx([*sums[[1, 5, 20]], math.pi**2 / 6], rel=1e-6)
    found = diagnose(net).models["a"]
    assert (found.doubles, found.tenfold) == (None, None)
    small = build_network("a", [("a", "a", 10)], 100, memory="accumulate")
    assert relative(small)[0] == pytest.approx(1 + 10 / 110**2 * 100)


def test_many_rows_that_accumulate_may_double():
    """Of two, one begins with a tenth of the rows of the other that it then reads."""
    feeds = [("a", "a", 20), ("b", "b", 1000), ("a", "b", 1000)]
    net = build_network("ab", feeds, {"a": 20, "b": 2000}, memory="accumulate")
    found = diagnose(net).models["b"]
    read = 3000**2 / 2000 + 1000**2 / 20 + 2000  # its own rows, those of a, and their noise
    assert found.relative[0] == pytest.approx(read / 4000**2 * 2000)
    assert found.doubles == 1
    assert found.relative[1] > 10
    assert 1 < found.tenfold <= 5


def test_real_data_every_third_generation():
    """c <- c + 1 without, and c <- c / 4 + 1 / 2 with as many real rows as own ones."""
    feeds = [Feed("a", "a", 100), Feed(REAL, "a", 100, every=3)]
    net = build_network("a", feeds, 100)
    by_hand = [1.0]
    for t in range(1, 21):
        by_hand.append(by_hand[-1] / 4 + 1 / 2 if t % 3 == 1 else by_hand[-1] + 1)
    found = diagnose(net).models["a"]
    assert found.relative == pytest.approx([by_hand[1], by_hand[5], by_hand[20], 10 / 3])
    doubles = next(t for t, c in enumerate(by_hand) if c >= 2)
    assert (found.doubles, found.tenfold) == (doubles, None)


def test_two_that_wait_for_each_other():
    """Each is sound when the other rests, and both collapse when they take turns."""
    feeds = [Feed("b", "a", 100, every=2), Feed("a", "b", 100, every=2, first=2)]
    found = diagnose(build_network("ab", feeds, 100))
    assert found.models["a"].relative == pytest.approx([2, 6, 20, math.inf])
    assert found.models["b"].relative == pytest.approx([1, 5, 21, math.inf])
    assert (found.models["a"].doubles, found.models["b"].doubles) == (1, 2)
    assert (found.models["a"].tenfold, found.models["b"].tenfold) == (9, 10)


def test_real_data_with_a_probability():
    """The mean square: half of the generations with, half without real rows."""
    feeds = [Feed("a", "a", 100), Feed(REAL, "a", 100, probability=0.5)]
    by_hand = [1.0]
    for _ in range(20):
        by_hand.append((by_hand[-1] / 4 + 1 / 2 + by_hand[-1] + 1) / 2)
    found = diagnose(build_network("a", feeds, 100)).models["a"]
    assert found.relative == pytest.approx([by_hand[1], by_hand[5], by_hand[20], 2])
    assert found.tenfold is None


def test_large_networks_are_not_followed(monkeypatch):
    monkeypatch.setattr(early, "WORK", 19)
    net = build_network("a", [("a", "a", 100)], 100, memory="accumulate")
    assert np.isnan(relative(net)[:3]).all()
    assert relative(net)[3] == pytest.approx(math.pi**2 / 6, rel=1e-6)
    plain = diagnose(net).to_json()["models"]["a"]
    assert plain["relative"]["1"] is plain["relative"]["20"] is plain["doubles"] is None
