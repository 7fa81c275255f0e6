"""NB2 regression: sums over whole numbers, fits that have no estimate, and the law of chains."""

import math
from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.first_order.population_path import Populations
from mcjax.laws.first_order.rule_of_thumb import allowance, effective_rows
from mcjax.models.dispersion_scores import ParentCounts
from mcjax.models.rising import log_rising, rises
from mcjax.solvers.status import Status

LOOP = mcjax.topologies.self_loop(samples=600, real=600, initial=1200)
TRUTH = [0.6, -0.4, math.log(0.7)]


@pytest.mark.parametrize("k", [1e-3, 0.4, 7.0, 1e3, 1e6])
def test_rising_factorials_are_products(k):
    y = np.array([0, 1, 2, 5, 40, 300])
    steps = [np.arange(count) / k for count in y]
    found = log_rising(jnp.asarray(k), jnp.asarray(y, float), jnp.log1p)
    np.testing.assert_allclose(found, [np.log1p(s).sum() for s in steps], rtol=1e-10, atol=1e-12)
    first, second = rises(k, y.astype(float), np.log1p)
    np.testing.assert_allclose(first, [(1 / (1 + s)).sum() for s in steps], rtol=1e-12)
    np.testing.assert_allclose(second, [(1 / (1 + s) ** 2).sum() for s in steps], rtol=1e-12)


@pytest.mark.parametrize("number", [-3.0, 0.5])
def test_moments_of_large_counts_are_sums_over_all_of_them(number):
    """Also where most counts are beyond those that are added up one by one."""
    stats = pytest.importorskip("scipy.stats")
    eta, k = np.array([-1.3, 4.1, 6.2]), math.exp(-number)
    counts = ParentCounts(eta, number)
    y = np.arange(60_000.0)
    mass = stats.nbinom.pmf(y[:, None], k, k / (k + np.exp(eta)))
    first = np.concatenate([[0], np.cumsum(k / (k + y[:-1]))])[:, None]
    mean = (mass * first).sum(0)
    np.testing.assert_allclose(counts.first(number), mean, rtol=1e-8)
    together = (mass * first**2).sum(0) - mean**2
    np.testing.assert_allclose(counts.together(number, number), together, rtol=1e-7)
    beside = (mass * (first - mean) * y[:, None]).sum(0)
    np.testing.assert_allclose(counts.with_counts(number), beside, rtol=1e-7)


def test_moments_of_huge_counts_are_those_of_gamma_variates():
    """Counts are then y = mu G for a gamma variate G of mean 1, and P is k log(y / k) + const."""
    special = pytest.importorskip("scipy.special")
    for k in (0.8, 3.0, 40.0):
        number = -math.log(k)
        counts, mean = ParentCounts(np.array([18.0, 24.0]), number), np.exp([18.0, 24.0])
        limit = k**2 * special.polygamma(1, k)
        np.testing.assert_allclose(counts.second(number), limit, rtol=1e-5)
        np.testing.assert_allclose(counts.together(number, number), limit, rtol=1e-5)
        np.testing.assert_allclose(counts.with_counts(number), mean, rtol=1e-5)


@pytest.mark.parametrize("number", [-12.0, -9.0])
def test_small_dispersions_have_the_information_of_variances(number):
    """For small a that on log a is ``(a mu u)^2 / 2``, as for a normal of as large a variance."""
    eta, a = np.array([-3.0, 0.0, 3.0, 9.0, 15.0, 22.0]), math.exp(number)
    counts, damped = ParentCounts(eta, number), 1 / (1 + a * np.exp(eta))
    limit = (1 - damped) ** 2 / 2
    np.testing.assert_allclose(counts.second(number) - counts.mean * damped, limit, rtol=1e-3)
    np.testing.assert_allclose(-counts.by_number(number), limit, rtol=1e-3)
    spread = counts.together(number, number) - 2 * counts.with_counts(number) * damped
    np.testing.assert_allclose(spread + counts.variance * damped**2, limit, rtol=1e-3)


def test_moments_at_the_truth_are_those_of_the_information():
    """Of the score's slope and covariance, by integrals that have nothing else in common."""
    made = mcjax.condition(LOOP, mcjax.nb2(), TRUTH, covariance=[[1.0, 0.3], [0.3, 0.5]])
    rows = Populations(made).of(0, made.theta[None])
    known = made.model.information({}, made.theta, made.covariance).real
    score = rows.score(made.theta)
    np.testing.assert_allclose(score.mean, 0, atol=1e-14)
    np.testing.assert_allclose(score.by_reader, known.hessian, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(rows.by_parent(made.theta), -known.hessian, rtol=1e-7, atol=1e-9)
    spread = rows.covariance(made.theta, made.theta)
    np.testing.assert_allclose(spread, known.score_covariance, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_counts_that_are_no_more_spread_than_their_means_have_no_estimate(spread):
    rng = np.random.default_rng(0)
    x = np.stack([np.ones(200), rng.standard_normal(200)])
    y = np.round(np.exp(1 + 0.3 * x[1]) * rng.gamma(1, 1, 200) ** spread)
    rows = mcjax.Dataset(jnp.asarray(x), jnp.asarray(y), jnp.ones(200))
    fit = jax.jit(mcjax.Newton().fit)(mcjax.nb2(), rows, jnp.zeros(3), jax.random.key(0))
    assert fit.status == (Status.CONVERGED if spread else Status.SEPARATED)
    assert np.isfinite(fit.theta).all() == bool(spread)
    assert fit.steps < 40


@pytest.mark.statistical
def test_the_law_of_chains_and_one_that_knows_the_dispersion():
    """A law of fits that are given the dispersion is refuted; so is one of Poisson counts."""
    one = mcjax.condition(LOOP, mcjax.nb2(), TRUTH)
    [prediction] = mcjax.predict(mcjax.Study((one,), generations=1))
    known = prediction.laws["first_order"].covariance

    def given(_, generations):
        covariance = known.copy()
        covariance[..., -1, :] = covariance[..., :, -1] = 0
        return None, covariance

    def of_poisson(_, generations):
        plain = mcjax.condition(LOOP, mcjax.poisson(), TRUTH[:-1])
        [other] = mcjax.predict(mcjax.Study((plain,), generations=generations))
        covariance = known.copy()
        covariance[..., :-1, :-1] = other.laws["first_order"].covariance
        return None, covariance

    laws = [mcjax.user_law(given, name="given"), mcjax.user_law(of_poisson, name="poisson")]
    study = mcjax.Study(
        (one,), generations=1, chains=2048, tolerance=0.25, quantities=("mse", "covariance")
    )
    found = defaultdict(set)
    for cell in mcjax.verify(study, laws=laws).cells:
        found[cell.law, cell.quantity].add(cell.verdict)
    assert found["first_order", "mse"] == found["first_order", "covariance"] == {"verified"}
    assert found["given", "mse"] == found["poisson", "covariance"] == {"refuted"}


@pytest.mark.parametrize(("number", "samples"), [(-12.0, 600), (-3.0, 60)])
def test_counts_that_tell_nothing_of_the_dispersion_have_no_law(number, samples):
    loop = mcjax.topologies.self_loop(samples=samples, real=samples, initial=samples)
    made = mcjax.condition(loop, mcjax.nb2(), [0.3, number])
    [prediction] = mcjax.predict(mcjax.Study((made,), generations=1))
    assert "first_order" not in prediction.laws
    reason = prediction.inapplicable["first_order"]
    assert reason.startswith("the curvature of the loss at the truth changes by")


def test_a_law_allows_for_the_flatness_that_the_path_of_centres_has():
    made = mcjax.condition(LOOP, mcjax.nb2(), [0.3, -0.4, -1.9])
    [prediction] = mcjax.predict(mcjax.Study((made,), generations=1))
    rule = allowance(made, 1, effective_rows(made))
    flat = (prediction.laws["first_order"].allowance - rule) / 2
    np.testing.assert_allclose(flat, path_of(made, 1).flatness, rtol=0.02)
    assert flat.min() > 0.05
