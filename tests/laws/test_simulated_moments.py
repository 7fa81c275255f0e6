"""Second moments over simulated designs: against the closed form, and against chains."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.laws.least_squares import simulated_moments
from mcjax.laws.least_squares.conditions import REUSED, SHARED, WEIGHTED
from mcjax.laws.least_squares.second_moments import second_moment_map
from mcjax.laws.least_squares.simulated_moments import design_batches
from mcjax.laws.predict import predict_condition
from mcjax.models.location import huber, linear
from mcjax.network import build_network
from mcjax.network.topologies import complete, ring
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

NAME = "finite_sample_monte_carlo"

ALPHA = 1e-6
COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.4], [0.0, -0.4, 1.5]])
NOISY = linear(sigma=0.7, real_noise={"name": "laplace"})
WEIGHTS = [("0", "0", 9, 2.0), ("1", "0", 5), ("0", "1", 12), ("2", "1", 2), ("real", "1", 4, 0.3)]
MIXED = [("0", "0", 9), ("1", "0", 5), ("0", "1", 9, 3.0), ("real", "1", 8), ("1", "2", 5)]
NETWORKS = {
    "weights": build_network(3, WEIGHTS, 15),
    "shared": complete(3, samples=9, initial=20, draws="shared"),
    "both": build_network(3, [*MIXED, ("0", "2", 9)], 15, draws="shared"),
}


@pytest.mark.parametrize("p", [1, 4, 10])
def test_coefficients_are_the_closed_form_where_there_is_one(p):
    feeds = [("0", "0", 8), ("1", "0", 7), ("0", "1", 3), ("real", "1", 14), ("2", "1", 1)]
    net = build_network(3, feeds, 40)
    coefficients, spread = design_batches(net, p, 1.5, 0.7)
    one = second_moment_map(net, p, 1.5, 0.7)
    root = np.random.default_rng(p).standard_normal((3, 3))
    m = root @ root.T
    cells = [(np.einsum("bijkl,jl->bik", coefficients, m), one.isotropic(m)), (spread, one.added)]
    for found, expected in cells:
        error = found.std(0, ddof=1) / np.sqrt(len(found))
        off = np.abs(found.mean(0) - expected)
        assert (off <= 7 * error + 1e-12).all()  # 7: Student's, 31 degrees of freedom, 18 entries
        assert (error <= 0.01 * np.abs(expected).max()).all()


@cache
def simulated():
    conditions = tuple(
        condition(net, NOISY, np.ones(3), COVARIANCE, label=name) for name, net in NETWORKS.items()
    )
    study = Study(conditions, generations=5, chains=16_384)
    return study, [tally.outcome for tally in api.simulate(study)]


def scores(study):
    """Standard errors between the law's MSE and the chains', by network; and how many cells."""
    result, cells = {}, 0
    for one, outcome in zip(study.conditions, simulated()[1], strict=True):
        squared = outcome.moments.squared
        law = predict_condition(one, study.generations).laws[NAME]
        error = np.hypot(squared.standard_error(), law.standard_error)
        result[one.label] = np.abs((squared.mean - law.mse) / error).max()
        cells += law.mse.size
    return result, norm.isf(ALPHA / 2 / cells)


def test_the_mse_of_every_model():
    found, limit = scores(simulated()[0])
    assert max(found.values()) < limit, found


def test_second_moments_between_models():
    study, outcomes = simulated()
    for one, outcome in zip(study.conditions, outcomes, strict=True):
        product = outcome.moments.product
        law = predict_condition(one, study.generations).laws[NAME]
        off = np.abs(product.mean - law.covariance)
        near = 0.01 * np.abs(law.covariance).max((1, 2), keepdims=True)  # the law's own error
        assert (off < 7 * product.standard_error() + near).all(), one.label


def changed_weight(net):
    feeds = tuple(replace(f, weight=1.3 * f.weight) if f.origin == "0" else f for f in net.feeds)
    return net.with_feeds(feeds)


PLANTED = {
    "weights": changed_weight,
    "private for shared": lambda net: replace(net, draws="private"),
    "a row more": lambda net: net.with_feeds(replace(f, samples=f.samples + 1) for f in net.feeds),
}


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_refuted(error):
    study, _ = simulated()
    conditions = [replace(one, network=PLANTED[error](one.network)) for one in study.conditions]
    conditions = [one for one in conditions if NAME in predict_condition(one, 0).laws]
    labels = {one.label for one in conditions}
    outcomes = simulated()[1]
    kept = [o for c, o in zip(study.conditions, outcomes, strict=True) if c.label in labels]
    worst = 0.0
    for one, outcome in zip(conditions, kept, strict=True):
        squared = outcome.moments.squared
        law = predict_condition(one, study.generations).laws[NAME]
        error_of = np.hypot(squared.standard_error(), law.standard_error)
        worst = max(worst, np.abs((squared.mean - law.mse) / error_of).max())
    assert worst > 10


def test_its_standard_error_is_its_spread(monkeypatch):
    """Over 40 seeds of its own draws, few of them so that the spread is seen."""
    monkeypatch.setattr(simulated_moments, "DRAWS", 32)
    one = simulated()[0].conditions[0]
    found = []
    for seed in range(40):
        monkeypatch.setattr(simulated_moments, "SEED", seed)
        found.append(predict_condition(one, 5).laws[NAME])
    spread = np.std([law.mse[1:, :2] for law in found], axis=0, ddof=1)
    told = np.sqrt(np.mean([law.standard_error[1:, :2] ** 2 for law in found], axis=0))
    assert (told > 0.6 * spread).all()
    assert (told < 1.8 * spread).all()


def test_growth_and_limit_are_where_the_mse_goes():
    for one in simulated()[0].conditions:
        found = predict_condition(one, 600).laws[NAME]
        assert not found.exact
        slope = found.mse[-1] - found.mse[-2]
        if one.label == "shared":
            np.testing.assert_allclose(found.growth, slope, rtol=1e-6)
        else:
            np.testing.assert_allclose(found.limit, found.mse[-1], rtol=1e-6)


def test_an_explosion_is_told():
    net = complete(2, samples=12, initial=40, draws="shared")
    net = net.with_feed("real", "0", 1)
    found = predict_condition(condition(net, linear(), np.ones(15)), 300).laws[NAME]
    assert np.isposinf(found.growth).all()
    assert not np.isnan(found.mse).any()
    assert not np.isnan(found.covariance).any()


REASONS = {
    "few rows": (
        build_network(1, [("0", "0", 5), ("real", "0", 1, 2.0)], 9),
        {},
        "more than p + 3 = 6",
    ),
    "reused": (
        build_network(1, [("0", "0", 9), ("real", "0", 9, 2.0)], 9, real="reused"),
        {},
        REUSED,
    ),
    "many models": (
        complete(30, samples=9, initial=9, draws="shared"),
        {},
        "models times parameters exceed 64",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_says_why_it_does_not_apply(case):
    net, options, reason = REASONS[case]
    one = replace(condition(net, NOISY, np.ones(3), COVARIANCE), **options)
    assert reason in predict_condition(one, 2).inapplicable[NAME]


def test_it_stands_in_only_where_the_closed_form_is_silent():
    reasons = [
        predict_condition(one, 0).inapplicable["finite_sample"] for one in simulated()[0].conditions
    ]
    assert reasons == [WEIGHTED, SHARED, WEIGHTED]
    one = simulated()[0].conditions[0]
    for other in (
        replace(one, network=ring(2, samples=20, initial=20)),
        replace(one, model=huber()),
        replace(one, design="fixed"),
    ):
        found = predict_condition(other, 0)
        assert NAME not in found.laws
        assert NAME not in found.inapplicable
