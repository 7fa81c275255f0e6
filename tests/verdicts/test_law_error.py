"""The error of a law that simulates is part of every number that is computed from it."""

from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, outcomes, paths, pooled_beside
from scipy import stats

from mcjax import api
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.jackknife import jackknife_deviations, jackknife_error, tail_index, without_each
from mcjax.laws.least_squares import simulated_designs
from mcjax.laws.predict import predict_condition
from mcjax.models.location import linear
from mcjax.network import Source, build_network
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import settle
from mcjax.verdicts.claims import DOUBTFUL, LAW_ERROR, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.further_chains import more_for_power
from mcjax.verdicts.judge import judge
from mcjax.verdicts.quantities import bias, covariance

BATCHES, DRAWS, RUNS = 32, 10, 150
POOLED = 0.3
NAME = "finite_sample_monte_carlo"


def test_the_error_of_a_mean_is_the_usual_one():
    batches = np.random.default_rng(0).standard_normal((BATCHES, 3))
    expected = batches.std(0, ddof=1) / np.sqrt(BATCHES)
    np.testing.assert_allclose(jackknife_error(without_each(batches)), expected)
    d = jackknife_deviations(without_each(batches))
    np.testing.assert_allclose(d.T @ d, np.cov(batches.T) / BATCHES)


@pytest.mark.parametrize(("index", "scale"), [(0.2, 1.0), (0.5, 7.0), (1.0, 1e-9)])
def test_the_tail_index_is_that_of_a_pareto_law(index, scale):
    values = scale * np.random.default_rng(1).uniform(size=(4096, 50)) ** -index
    found = tail_index(values)
    assert found.shape == (50,)
    # Hill's estimate from 192 values has a relative standard deviation of 1 / sqrt(192)
    assert abs(found.mean() / index - 1) < 5 / np.sqrt(192 * 50)


def estimated(rng):
    """A law that estimates means and covariances from few draws of each generation."""
    drawn = paths(rng, BATCHES, DRAWS, 2)  # (K, draws, T + 1, M, p)
    flat = drawn.reshape(BATCHES, DRAWS, 3, -1)
    first, second = flat.mean(1), np.einsum("kdta,kdtb->ktab", flat, flat) / DRAWS

    def at(first, second):
        covariance = second - first[:, :, None] * first[:, None, :]
        mse = np.diagonal(second, axis1=1, axis2=2).reshape(3, 2, 2).sum(-1)
        mean = first.reshape(3, 2, 2)
        known = law(SPREAD, mse=mse, mean=mean, pooled=POOLED, asymptotic=False)
        return replace(known, covariance=covariance)

    versions = map(at, without_each(first), without_each(second))
    return replace(at(first.mean(0), second.mean(0)), versions=tuple(versions))


@pytest.fixture(scope="module")
def chains():
    """So many that their error is far below that of the law."""
    errors = paths(np.random.default_rng(2), 1, 8192, 2)
    [outcome] = outcomes(errors, pooled_beside(errors, POOLED))
    return outcome


CLAIMS = {
    "mse": 6,
    "bias": 6,
    "covariance": 2,
    "cross_covariance": 2,
    "collapse": 2,
    "growth": 2,
    "efficiency": 6,
    "homogenisation": 4,
}


@pytest.mark.parametrize("quantity", CLAIMS)
@pytest.mark.statistical
def test_a_true_law_with_an_error_is_refuted_no_oftener_than_its_level(quantity, chains):
    """At the margin 0 a law is refuted at the level 5% in at most 5% of runs, and without its error
    nearly always."""
    rng = np.random.default_rng(3)
    level, wrong, stripped = 0.05, np.zeros(CLAIMS[quantity]), 0
    for _ in range(RUNS):
        told = estimated(rng)
        found = claims(quantity, told, chains, 1e-9)
        wrong += [claim.beyond < level for claim in found]
        alone = claims(quantity, replace(told, versions=()), chains, 1e-9)
        stripped += sum(claim.beyond < level for claim in alone)
    # 32 batches: Student's quantile in place of the normal one; and the error of the chains
    most = 2 * stats.t.sf(stats.norm.isf(level / 2), BATCHES - 1)
    assert wrong.max() <= stats.binom.isf(1e-4, RUNS, most), wrong / RUNS
    assert stripped > 0.5 * RUNS * len(wrong)


def test_covariances_have_the_freedom_of_the_batches():
    """Where the error of the law is all there is."""
    place, count = Place("", "a", 2, "covariance", "law"), ChainCount(10**8, 0)
    error = 0.01
    numbers = np.array([[1.0], [1.0], [error], [0.0], [0.0], [error], [0.0]])
    options = {"tolerance": 0.1, "count": count}
    for batches, freedom in ((BATCHES, BATCHES - 1), (0, 10**8 // 2 - 1)):
        claim = covariance._claim(place, numbers, batches=batches, **options)
        for level in (0.1, 1e-3, 1e-6):
            reach = stats.t.isf(level / 2, freedom) * error
            assert claim.interval(level) == pytest.approx((-reach, reach))


@pytest.mark.parametrize("p", [1, 3])
def test_means_have_the_freedom_of_the_batches(p):
    """Where the error of the law is nearly all there is, and the margin is nothing."""
    place, chains, error = Place("", "a", 2, "bias", "law"), 10**8, 0.05
    departure = np.full(p, 0.2 / np.sqrt(p))
    claim = bias._claim(
        place,
        departure=departure,
        mean=departure,
        second=np.eye(p) + np.outer(departure, departure),
        tolerance=1e-9,
        count=ChainCount(chains, 0),
        allowance=0.0,
        law_error=error,
        batches=BATCHES,
    )
    freedom = BATCHES - 1
    statistic = (0.2 / error) ** 2 * (freedom + 1 - p) / (p * freedom)
    assert claim.beyond == pytest.approx(2 * stats.f.sf(statistic, p, freedom + 1 - p), rel=1e-3)


def test_functionals_carry_the_error():
    values = {"mean": np.full((2, 1), 3.0)}
    versions = tuple({"mean": values["mean"] * factor} for factor in (0.9, 1.1))
    assert (FunctionalPrediction("", "", values).standard_error("mean") == 0).all()
    error = FunctionalPrediction("", "", values, versions).standard_error("mean")
    np.testing.assert_allclose(error, 0.3)


# ------------------------------------------------------------------------------------ built-in laws


def far(generations, chains=2, **options):
    """Six rows of a source that is far off, and so a law of designs that is known badly."""
    source = Source("far", samples=6, theta=(20.0, 0.0))
    net = build_network(["a"], [("a", "a", 6), ("far", "a", 6, 1.5)], 12, sources=[source])
    one = condition(net, linear(), np.zeros(2))
    return Study((one,), generations=generations, chains=chains, **options)


@pytest.mark.statistical
def test_a_true_law_of_simulated_designs_is_not_refuted(monkeypatch):
    """Few designs, so that the error of the law is larger than that of the chains."""
    monkeypatch.setattr(simulated_designs, "PATHS", 256)
    study = far(3, 16_384, tolerance=0.01, quantities=("mse", "bias", "covariance"))
    predictions = [replace(found, laws={NAME: found.laws[NAME]}) for found in api.predict(study)]
    outcomes = [tally.outcome for tally in api.simulate(study)]
    cells = judge(study, predictions, outcomes).cells
    assert REFUTED not in {cell.verdict for cell in cells}
    bare = [
        replace(found, laws={NAME: replace(found.laws[NAME], versions=())}) for found in predictions
    ]
    found = {c.quantity for c in judge(study, bare, outcomes).cells if c.verdict == REFUTED}
    assert found == {"mse", "bias", "covariance"}


def test_errors_told_are_the_spread_over_seeds(monkeypatch):
    """Of means, of covariances between parameters, and of differences between generations."""
    numbers = {
        "mean": lambda law: law.bias[2, 0],
        "covariance": lambda law: law.covariance[2, 0, 1],
        "difference": lambda law: law.mse[3] - law.mse[2],
    }
    monkeypatch.setattr(simulated_designs, "PATHS", 1024)
    one = far(3).conditions[0]
    laws = []
    for seed in range(40):
        monkeypatch.setattr(simulated_designs, "SEED", seed)
        laws.append(predict_condition(one, 3).laws[NAME])
    for name, number in numbers.items():
        spread = np.std([number(law) for law in laws], axis=0, ddof=1)
        told = np.sqrt(np.mean([law.error_of(number) ** 2 for law in laws], axis=0))
        assert (told > 0.6 * spread).all(), name
        assert (told < 1.8 * spread).all(), name


@pytest.mark.system
def test_an_error_that_is_not_credible_is_not_relied_on(monkeypatch):
    """Ten parameters on 14 rows: near an explosion the mean is made by a few rare designs."""
    monkeypatch.setattr(simulated_designs, "PATHS", 1024)
    source = Source("far", samples=6, theta=(1.0,) + 9 * (0.0,))
    net = build_network(["a"], [("a", "a", 8), ("far", "a", 6, 1.5)], 14, sources=[source])
    one = condition(net, linear(), np.zeros(10))
    study = Study((one,), generations=13, chains=64, quantities=("mse", "bias", "covariance"))
    predictions = [replace(found, laws={NAME: found.laws[NAME]}) for found in api.predict(study)]
    credible = predictions[0].laws[NAME].credible[:, 0]
    assert credible[:6].all()
    assert not credible[12:].any()
    cells = judge(study, predictions, [t.outcome for t in api.simulate(study)]).cells
    late = [cell for cell in cells if not credible[cell.generation]]
    assert {cell.verdict for cell in late} == {INCONCLUSIVE}
    assert DOUBTFUL in {cell.note for cell in late}
    assert {cell.quantity for cell in late} == {"mse", "bias", "covariance"}
    assert DOUBTFUL not in {cell.note for cell in cells if credible[cell.generation]}


def settled(chain_error, law_error, chains, *, batches=32, cells=400):
    """The first of many cells whose ratio is 1, at a tolerance of 5%."""
    claim = ratio_claim(
        Place("", "a", 0, "mse", "law"),
        observed=Estimate(1.0, chain_error),
        predicted=Estimate(1.0, law_error, batches=batches),
        tolerance=0.05,
        count=ChainCount(chains, 0, ""),
    )
    return settle([claim] * cells, 0.99)[0]


def test_more_chains_do_not_reduce_the_error_of_a_law():
    hopeless = settled(0.001, 0.03, 10_000)
    assert (hopeless.verdict, hopeless.chains_needed) == (INCONCLUSIVE, None)
    assert hopeless.note == LAW_ERROR
    some = settled(0.05, 0.007, 10_000, batches=1000)
    assert (some.verdict, some.note) == (INCONCLUSIVE, "")
    told = some.chains_needed / more_for_power(0.01 / 400)  # in half of all runs
    for more, verdict in ((1.02, VERIFIED), (0.98, INCONCLUSIVE)):
        chains = int(more * told)
        error = 0.05 * (10_000 / chains) ** 0.5
        assert settled(error, 0.007, chains, batches=1000).verdict == verdict


def test_the_error_of_few_batches_has_the_tails_of_student():
    """Where the law's error is all there is, its freedom is that of the batches less one."""
    level = 0.01 / 400
    reach = stats.t.isf(level / 2, 31) * 0.005
    cell = settled(1e-9, 0.005, 10_000)
    assert cell.interval[1] - 1 == pytest.approx(reach, rel=1e-6)
    both = Estimate(1.0, 0.003).plus(0.0, 0.004, 32)
    assert both.freedom(101) == pytest.approx(1 / (0.36**2 / 100 + 0.64**2 / 31))
    assert Estimate(1.0, 0.003).freedom(101) == 100
