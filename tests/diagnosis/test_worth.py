"""What one sample more is worth, against networks with that sample."""

import numpy as np
import pytest

from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.limits import limit
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.first_order.sensitivity import sensitivity
from mcjax.models.information import UNIT
from mcjax.network import REAL, build_network

CHAIN = [
    *[("1", "1", 50), (REAL, "1", 50), ("1", "2", 100), (REAL, "2", 20)],
    *[("2", "3", 100), (REAL, "3", 20)],
]


def test_a_loop_and_its_readers():
    """Kept numbers of the error of the last model."""
    net = build_network(["1", "2", "3"], CHAIN, 100)
    rows, every = np.array([100.0, 120.0, 120.0]), np.ones(3, bool)
    found = sensitivity(linear_system(net, UNIT), rows, every, np.array([0, 0, 1.0]))
    assert found.real * 1e6 == pytest.approx([-107.16735, -155.39266, -273.06241], abs=1e-5)
    last, loop = found.feeds[2] * 1e6, found.feeds[:2, 0] * 1e6
    assert last == pytest.approx([-195.90192, -28.72085, -219.47874], abs=1e-5)
    assert loop == pytest.approx([-21.43347, -26.79184], abs=1e-5)


def test_derivatives_are_differences():
    """With a frozen model, a model that collapses, and its reader, which say nothing."""
    rng, scale, step = np.random.default_rng(2), 10**6, 300
    for _ in range(5):
        feeds = [("5", "5", 40), ("5", "6", 40)]
        for i in range(4):
            feeds += [(str(j), str(i), int(rng.integers(20, 99))) for j in rng.permutation(5)[:2]]
            feeds += [(REAL, str(i), int(rng.integers(20, 99)))]
        large = [(j, i, count * scale) for j, i, count in feeds]
        stable = np.arange(7) < 5
        weights = np.where(stable, rng.random(7), 0)

        def mean(extra, large=large, stable=stable, weights=weights):
            system = linear_system(build_network(7, [*large, *extra], 80 * scale), UNIT)
            return weights @ np.diagonal(limit(system, stable))

        net = build_network(7, large, 80 * scale)
        rows = np.maximum(net.columns.rows(7), 1)
        found = sensitivity(linear_system(net, UNIT), rows, stable, weights)
        assert np.isnan(found.real[5:]).all()
        reader, origin = int(rng.integers(4)), int(rng.integers(5))
        added = [(str(origin), str(reader), step)], [(REAL, str(reader), step)]
        slopes = [(mean(extra) - mean([])) / step for extra in added]
        expected = [found.feeds[reader, origin], found.real[reader]]
        assert slopes == pytest.approx(expected, rel=1e-4, abs=0)


def test_a_diagnosis_says_where_a_row_is_worth_most():
    feeds = [("a", "a", 90), (REAL, "a", 10), ("a", "b", 100), (REAL, "b", 100)]
    net = build_network("ab", feeds, 100)
    worth = diagnose(net).worth
    assert max(worth.real, key=worth.real.get) == "a"
    before = np.mean([verdict.limit for verdict in diagnose(net).models.values()])
    after = diagnose(net.without_feed(REAL, "a").with_feed(REAL, "a", 11)).models.values()
    fall = 1 - np.mean([verdict.limit for verdict in after]) / before
    assert fall == pytest.approx(worth.real["a"], rel=0.1)
    assert worth.harmful == ("a", "b")
    assert worth.harm > 0
    plain = diagnose(net, only=["b"]).to_json()["worth"]
    assert list(plain["real"]) == ["b"]
    assert plain["harmful"] == {"from": "a", "to": "b", "harm": worth.harm}


@pytest.mark.parametrize(
    ("feeds", "options"),
    [
        ([("a", "a", 90)], {}),
        ([(REAL, "a", 90, 0.5)], {}),
        ([(REAL, "a", 90)], {"memory": "accumulate"}),
        ([(REAL, "a", 100)], {"real": "reused"}),
        ([(REAL, "a", 100)], {"draws": "shared"}),
    ],
    ids=["collapse", "weights", "memory", "reused", "shared"],
)
def test_nothing_is_said_where_it_is_not_known(feeds, options):
    found = diagnose(build_network("a", feeds, 100, **options))
    assert found.worth is None
    assert found.to_json()["worth"] is None


def test_a_loop_that_double_precision_does_not_resolve():
    """One real row beside so many of its own that their share is 1 to the last digit."""
    feeds = [("a", "a", 10**17), (REAL, "a", 1), (REAL, "b", 1)]
    plain = diagnose(build_network("ab", feeds, 100)).to_json()
    assert plain["models"]["a"]["limit"] is None
    assert plain["worth"]["real"]["a"] is None
