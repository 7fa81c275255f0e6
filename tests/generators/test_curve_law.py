"""The curve law: ages of rows three ways, and drifts of kernel densities, for which it is exact."""

import dataclasses

import numpy as np
import pytest
from generators_of_tests import KDE, N, network, shares, study

import mcjax
from mcjax.generators import curve
from mcjax.generators.chains import readings
from mcjax.generators.curve import ages
from mcjax.generators.judge import judge_generators
from mcjax.generators.simulate import Measured

LOOP = mcjax.topologies.self_loop(samples=N, initial=N)


def condition(net, **options):
    return mcjax.GeneratorCondition(net, KDE, **options)


def test_ages_of_an_anchored_loop_are_halved_at_every_generation():
    found = ages(condition(network("zoo")), 6, N)
    for t in range(7):
        halves = [0.5 ** (k + 1) for k in range(t)] + [0.5**t]
        assert found[t, 2, : t + 1] == pytest.approx(halves)
        assert found[t, 0].tolist() == [0.0] * t + [1.0] + [0.0] * (6 - t)


@pytest.mark.parametrize("name", ["zoo", "stable", "flip", "ring"])
def test_ages_are_those_of_rows_followed_back_one_by_one(name):
    """Their means follow E K = W (E K + 1), where frozen models keep theirs."""
    net, last = network(name), 7
    found = ages(condition(net), last, N)
    reads = readings(net, last)
    draws = np.random.default_rng(0)

    def age(t, model):
        incoming = reads[t][model]
        if not incoming:
            return age(t - 1, model)
        read = incoming[draws.choice(len(incoming), p=[r.rows / N for r in incoming])]
        return 0 if read.origin >= net.size else 1 + age(t - 1, read.origin)

    drawn = np.array([[age(last, i) for _ in range(2000)] for i in range(4)])
    share = (drawn[..., None] == np.arange(last + 1)).mean(1)
    assert np.abs(share - found[last]).max() < 4.892 * np.sqrt(0.25 / 2000)
    w, _, frozen = shares(name)
    mean = np.zeros(4)
    for t in range(1, last + 1):
        mean = np.where(frozen, mean, w @ (mean + 1))
        assert found[t] @ np.arange(last + 1) == pytest.approx(mean)
    np.testing.assert_allclose(found.sum(-1), 1)


@pytest.fixture(scope="module")
def judged():
    made = study("zoo", "flip", "ring", generations=5, chains=256)
    return mcjax.verify_generators(made)


def standard_scores(judged, position):
    """Departures of second moments from the curve, in standard errors of both."""
    gap = judged.mean(position) - judged.curve(position)
    loop = judged.standard_error(0)[-1, 0]
    error = np.sqrt(judged.standard_error(position) ** 2 + loop**2)
    return (gap / error)[1:, :, 0]


def test_second_moments_of_kernel_densities_follow_the_curve(judged, z_limit, monkeypatch):
    """As they do not if a frozen model or a real row were a fit older."""
    for position in range(3):
        scores = standard_scores(judged, position)
        assert np.nanmax(np.abs(scores)) < z_limit
        assert np.isfinite(scores).any()

    def older(*arguments):
        found = ages(*arguments)
        return np.concatenate([found[..., :1] * 0, found[..., :-1]], -1)

    monkeypatch.setattr(curve, "ages", older)
    assert np.nanmax(np.abs(standard_scores(judged, 1))) > 2 * z_limit


def test_where_the_curve_says_nothing(judged):
    """Of the loop itself, of other numbers of rows, weights and starts, and without a loop."""
    assert np.isnan(judged.curve(0)[:, 0]).all()
    assert np.isfinite(judged.curve(0)[:, 1:]).all()
    few = [mcjax.Feed("0", "1", N // 2), mcjax.Feed("1", "2", N)]
    found = ages(condition(mcjax.build_network(3, few, initial=N)), 2, N)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all(-1).tolist() == [False, True, False]
    assert np.isnan(found[2]).all(-1).tolist() == [False, True, True]
    values = judged.values[1]
    stable = condition(network("flip"), name="flip")
    for others in ((), (condition(LOOP, name="own", start="own"),)):
        made = mcjax.GeneratorStudy((stable, *others), 5, 256)
        given = Measured((values, *(judged.values[0][:, :, :1] for _ in others)))
        assert np.isnan(judge_generators(made, given).curve(0)).all()
    begun = dataclasses.replace(stable, start="base")
    made = mcjax.GeneratorStudy((begun, condition(LOOP)), 5, 256)
    given = Measured((values, judged.values[0][:, :, :1]))
    assert np.isnan(judge_generators(made, given).curve(0)).all()
    again = dataclasses.replace(made, conditions=(stable, made.conditions[1]))
    assert np.isfinite(judge_generators(again, given).curve(0)).all()
