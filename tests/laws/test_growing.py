"""Sample counts that grow from generation to generation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import zeta

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.information import UNIT
from mcjax.models.location import linear
from mcjax.network import Growing, build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED


def loop(growth, n=40, **options):
    return topologies.self_loop(samples=n, initial=n, growth=growth, **options)


def test_bounded_if_and_only_if_the_sum_of_variances_is():
    """V sum 1/n_t (Xu, He & Cheng 2025)."""
    law = 40 * covariances(linear_system(loop(1.5), UNIT), 50)[:, 0, 0]
    np.testing.assert_allclose(law, 1 + np.cumsum([0, *(np.arange(1, 51) ** -1.5)]))
    for a, collapses in ((0.5, True), (1.0, True), (1.01, False), (2.0, False)):
        found = diagnose(loop(a))
        assert found.collapses == collapses
        model = found.models["0"]
        if collapses:
            assert (model.growth, model.limit) == (0.0, None)
            assert found.repairs == (("real", "0"),)
        else:
            assert 40 * model.limit == pytest.approx(1 + zeta(a))
            assert found.repairs == found.flips == ()


def test_limits_on_a_network():
    """Of models that read a ring, a frozen model and real data, against the recursion."""
    feeds = [("a", "b", 30), ("b", "a", 30), ("b", "c", 20), ("real", "c", 20), ("d", "e", 25)]
    net = build_network("abcde", [*feeds, ("real", "e", 25)], 50, growth=2.0)
    system = linear_system(net, UNIT)
    law = np.diagonal(covariances(system, 4000), axis1=1, axis2=2)
    found = diagnose(net)
    limits = [found.models[name].limit for name in net.models]
    np.testing.assert_allclose(limits, law[-1], rtol=1e-3)
    assert limits[3] == pytest.approx(1 / 50)
    assert limits[4] == pytest.approx(1 / 200)
    slow = diagnose(replace(net, later=Growing(net.later.generations[0], 0.5)))
    assert [slow.models[name].collapses for name in net.models] == [True] * 3 + [False] * 2
    assert slow.models["e"].limit == pytest.approx(1 / 200)


@pytest.mark.statistical
@pytest.mark.parametrize("sampling", ["auto", "rows"])
def test_chains_follow_the_exact_law(sampling):
    net = build_network("ab", [("a", "a", 30), ("a", "b", 17), ("real", "b", 12)], 30, growth=0.7)
    one = Study(
        (condition(net, linear(), [1.0, -1.0]),),
        generations=6,
        chains=8192 if sampling == "auto" else 4096,
        tolerance=0.12,
        sampling=sampling,
    )
    exact = [c for c in api.verify(one).cells if c.law == "finite_sample"]
    assert {c.verdict for c in exact} == {VERIFIED}
    steady = replace(one, conditions=(condition(net.with_feeds(net.feeds), linear(), [1.0, -1.0]),))
    wrong = api.verify(one, theory=steady).cells
    assert REFUTED in {c.verdict for c in wrong if c.law == "finite_sample"}


@pytest.mark.system
def test_the_counts_of_a_generation():
    net = loop(0.5, n=10)
    assert [net.at(t).feeds[0].samples for t in range(5)] == [10, 10, 14, 17, 20]
    assert net.staying_at(3).later.exponent == 0
    rows = [fed[0]["0"] for fed in list(_rows(net))[1:]]
    assert [len(data.y) for data in rows] == [10, 14, 17]


def _rows(net):
    one = Study((condition(net, linear(), [1.0]),), generations=3, chains=2, sampling="rows")
    return api.replay_data(one, "", 0, api.replay(one, "", 0))
