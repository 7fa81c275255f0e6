"""Least squares on fixed designs: the law against simulation, and its long run."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import assemble
from mcjax.laws.first_order.spectral_growth import spectral_growth
from mcjax.laws.law import Inapplicable
from mcjax.laws.least_squares.fixed_design import design_batches
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.network import build_network
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

ALPHA = 1e-6
COVARIANCE = np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.4], [0.0, -0.4, 1.5]])
NOISY = linear(sigma=0.7, real_noise={"name": "laplace"})

PAIR = [("0", "0", 8, 0.3), ("1", "0", 6), ("real", "0", 9, 2.0), ("0", "1", 8), ("2", "1", 5)]
SHARED = [("0", "0", 8), ("0", "1", 8, 3.0), ("1", "0", 7, 0.5), ("1", "1", 7), ("real", "1", 10)]
NETWORKS = {
    "weights": build_network(3, PAIR, 9),
    "shared": build_network(2, SHARED, 10, draws="shared"),
    "reused": build_network(3, PAIR, 9, real="reused"),
    "shared, reused": build_network(2, SHARED, 10, draws="shared", real="reused"),
    "unanchored": build_network(2, [("0", "0", 6), ("0", "1", 9), ("1", "1", 4)], 7),
    "few real rows": build_network(1, [("0", "0", 6), ("real", "0", 2, 5.0)], 7),
}


def conditions(seed=0):
    return tuple(
        condition(net, NOISY, np.ones(3), COVARIANCE, label=name, seed=seed, design="fixed")
        for name, net in NETWORKS.items()
    )


@cache
def simulated():
    study = Study(conditions(), generations=4, chains=16_384)
    return study, [tally.outcome for tally in api.simulate(study)]


def scores(study):
    """Standard errors between the law of ``study`` and what was simulated, by network."""
    result = {}
    for one, outcome in zip(study.conditions, simulated()[1], strict=True):
        product = outcome.moments.product
        law = predict_condition(one, study.generations).laws["fixed_design"]
        lower = np.tril_indices(product.mean.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.abs(product.mean - law.covariance) / product.standard_error()
        result[one.label] = off[:, *lower][np.isfinite(off[:, *lower])].max()
    return result


def bound():
    _, outcomes = simulated()
    cells = sum(outcome.moments.product.mean.size for outcome in outcomes)
    return norm.isf(ALPHA / 2 / cells)


def test_every_second_moment():
    """Weights, shared samples, reused data, real noise of another law, fewer real rows than p."""
    found = scores(simulated()[0])
    assert max(found.values()) < bound(), found


@pytest.mark.parametrize("name", ["weights", "shared, reused"])
def test_designs_are_those_that_chains_draw(name):
    """Up to the single precision of chains, in the curvatures of all feeds of a generation."""
    study, _ = simulated()
    one = next(c for c in study.conditions if c.label == name)
    chain = api.replay(study, name, 5)
    read = [*api.replay_data(study, name, 5, chain)][2]
    found = assemble(one.network, design_batches(one), one.sources.offsets).transition
    p = len(one.theta)
    for i, batches in enumerate(read):
        grams = {origin: (rows.x * rows.weight) @ rows.x.T for origin, rows in batches.items()}
        total = sum(grams.values()) if grams else np.eye(p)
        for j, origin in enumerate(one.network.models):
            told = np.linalg.solve(total, grams.get(origin, np.zeros((p, p))))
            kept = found[i * p : (i + 1) * p, j * p : (j + 1) * p]
            np.testing.assert_allclose(kept, told if grams else np.eye(p) * (i == j), atol=3e-6)


PLANTED = {
    "other designs": lambda one: replace(one, seed=1),
    "weights ignored": lambda one: replace(
        one,
        network=one.network.with_feeds(replace(f, weight=1.0) for f in one.network.feeds),
    ),
    "private for shared": lambda one: replace(one, network=replace(one.network, draws="private")),
    "fresh for reused": lambda one: replace(one, network=replace(one.network, real="fresh")),
    "noise of models in real labels": lambda one: replace(one, model=linear(sigma=0.7)),
}


@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_refuted(error):
    study, _ = simulated()
    changed = tuple(PLANTED[error](one) for one in study.conditions)
    assert max(scores(replace(study, conditions=changed)).values()) > 2 * bound()


def test_the_law_for_random_designs_is_refuted():
    random = tuple(replace(one, design="random") for one in conditions())
    found = predict_condition(random[-2], 4).laws["finite_sample"]
    product = simulated()[1][-2].moments.product
    assert np.abs(product.mean - found.covariance).max() > 0.1 * found.covariance.max()


def test_verdicts_use_it():
    study, outcomes = simulated()
    study = replace(study, tolerance=0.15)
    cells = api.judge(study, api.predict(study), outcomes).cells
    assert {c.verdict for c in cells if c.law == "fixed_design"} == {"verified"}
    assert {c.law for c in cells} == {"first_order", "fixed_design"}


# ------------------------------------------------------------------------------------- the long run


def slopes(one, late=12_000):
    """Slope of every model's MSE over a period that the cycles of these networks divide."""
    system = assemble(one.network, design_batches(one), one.sources.offsets)
    size, p = one.network.size, system.p
    mse = np.einsum("tiaia->ti", covariances(system, late + 12).reshape(-1, size, p, size, p))
    return (mse[-1] - mse[late]) / 12, mse[-1]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", range(3))
def test_growth_and_limit_are_where_the_mse_goes(name, seed):
    one = next(c for c in conditions(seed) if c.label == name)
    found = predict_condition(one, 0).laws["fixed_design"]
    slope, last = slopes(one)
    grows = ~np.isnan(found.growth)
    np.testing.assert_allclose(found.growth[grows], slope[grows], rtol=1e-6)
    np.testing.assert_allclose(found.limit[~grows], last[~grows], rtol=1e-6)
    assert np.isnan(found.limit[grows]).all()
    assert grows.all() == (name in ("unanchored", "few real rows"))


def test_fewer_real_rows_than_parameters_do_not_anchor():
    """The collapse law, which counts on fresh designs, holds such a model for anchored."""
    one = conditions()[-1]
    assert not diagnose(one.network).collapses
    growth = predict_condition(one, 0).laws["fixed_design"].growth
    assert growth > 0
    assert np.isfinite(growth)


def test_a_period_of_two_grows_at_its_mean_slope():
    net = build_network(2, [("0", "1", 9), ("1", "0", 9)], 9)
    one = condition(net, NOISY, np.ones(3), design="fixed")
    slope, _ = slopes(one)
    np.testing.assert_allclose(predict_condition(one, 0).laws["fixed_design"].growth, slope)


def test_matrix_shares_can_explode_where_scalar_ones_cannot():
    """Two models that read each other, and real data: some designs have a radius above 1."""
    feeds = [("0", "1", 4), ("1", "0", 4), ("0", "0", 4), ("1", "1", 4), ("real", "0", 1)]
    net = build_network(2, feeds, 30)
    radii = []
    for seed in range(60):
        one = condition(net, linear(), np.ones(4), seed=seed, design="fixed")
        system = assemble(one.network, design_batches(one), one.sources.offsets)
        radii.append(np.abs(np.linalg.eigvals(system.transition)).max())
        slope, settled = spectral_growth(system, one.network)
        assert np.isposinf(slope).all() == (radii[-1] > 1 + 1e-9)
        assert not settled.any()
    assert max(radii) > 1.01
    assert min(radii) < 1 + 1e-9


@pytest.mark.parametrize("draws", ["private", "shared"])
@pytest.mark.parametrize("seed", range(3))
def test_constants_push_in_no_unseen_direction(draws, seed):
    """Two frozen models, seen through a row or two each: growth stays linear."""
    feeds = [("0", "1", 9), ("1", "0", 9), ("0", "0", 9), ("1", "1", 9), ("2", "0", 1)]
    feeds += [("2", "1", 1), ("3", "1", 2)]
    net = build_network(4, feeds, 9, draws=draws)
    one = condition(net, linear(), np.ones(5), design="fixed", seed=seed)
    slope, _ = slopes(one)
    found = predict_condition(one, 0).laws["fixed_design"].growth
    np.testing.assert_allclose(found[:2], slope[:2], rtol=1e-5)


# ----------------------------------------------------------------------------------- where it holds


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": logistic()}, "logistic is not"),
        ({"model": huber()}, "huber is not"),
        ({"covariance": np.diag([1.0, 1.0, 0.0])}, "low rank"),
    ],
)
def test_says_why_it_does_not_apply(change, reason):
    one = replace(conditions()[0], **change)
    assert reason in predict_condition(one, 2).inapplicable["fixed_design"]


def test_designs_choose_the_law():
    one = conditions()[0]
    fixed, random = (predict_condition(each, 2) for each in (one, replace(one, design="random")))
    assert set(fixed.laws) == {"first_order", "fixed_design"}
    assert set(random.laws) == {"first_order", "finite_sample_monte_carlo"}
    assert fixed.inapplicable == {
        "finite_sample": "designs are fixed, and the law averages over random ones"
    }
    assert set(random.inapplicable) == {"finite_sample"}


def test_weights_that_leave_a_fit_undetermined():
    feeds = [("0", "0", 2), ("real", "0", 9, 1e-20)]
    one = condition(build_network(1, feeds, 9), linear(), np.ones(3), design="fixed")
    with pytest.raises(Inapplicable, match="do not determine"):
        assemble(one.network, design_batches(one), one.sources.offsets)
