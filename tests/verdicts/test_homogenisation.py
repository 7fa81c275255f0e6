"""Homogenisation and relative efficiency: claims on errors whose law is known, and on studies."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from known_errors import SPREAD, claims, law, outcomes, paths, pooled_beside

from mcjax import api
from mcjax.laws.predict import predict_condition
from mcjax.models.location import linear
from mcjax.network import data_mediated
from mcjax.study.study import Study, condition
from mcjax.verdicts.cells import settle
from mcjax.verdicts.equivalence import REFUTED, VERIFIED
from mcjax.verdicts.quantities.homogenisation import (
    KINDS,
    chain_contributions,
    cosine_of,
    second_moments,
    spread_of,
)

VIEWS = np.diag([2.0, 0.5]), np.array([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.5], [0.5, 1.0]]])
TOLD = law(SPREAD, views=VIEWS, pooled=0.3)


def judged(name, told, errors, tolerance=0.1, seed=0):
    [outcome] = outcomes(errors, pooled_beside(errors, 0.3, seed))
    return settle(claims(name, told, outcome, tolerance), 0.99)


def errors_of(chains, spread=SPREAD, seed=0):
    return paths(np.random.default_rng(seed), 1, chains, 2, spread)


def test_numbers_by_hand():
    second = second_moments(TOLD)
    m = 3 * SPREAD  # generation 2
    cross = m[0, 2] + m[1, 3]
    sizes = np.trace(m[:2, :2]), np.trace(m[2:, 2:])
    assert cosine_of(second, np.eye(2), 0) == pytest.approx(cross / np.sqrt(sizes[0] * sizes[1]))
    assert cosine_of(second, VIEWS[1][0], 1) == pytest.approx(m[0, 2] / np.sqrt(m[0, 0] * m[2, 2]))
    assert spread_of(second) == pytest.approx([(sum(sizes) - 2 * cross) / 4] * 2)


@pytest.mark.parametrize("name", ["efficiency", *KINDS])
def test_a_true_law_is_verified_and_a_wrong_one_refuted(name):
    errors = errors_of(16_384)
    cells = judged(name, TOLD, errors)
    assert len(cells) == (6 if name == "efficiency" else 2)
    assert {cell.verdict for cell in cells} == {VERIFIED}
    if name in ("efficiency", "spread"):
        wrong = replace(TOLD, covariance=1.3 * TOLD.covariance, mse=1.3 * TOLD.mse)
    else:
        flipped = np.kron([[1, -1], [-1, 1]], np.ones((2, 2)))
        wrong = replace(TOLD, covariance=TOLD.covariance * flipped)
    assert {cell.verdict for cell in judged(name, wrong, errors)} == {REFUTED}


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["efficiency", "spread", "cosine", "private_cosine"])
def test_standard_errors_are_those_of_repeated_runs(name):
    found = []
    for seed in range(200):
        cell, *_ = judged(name, TOLD, errors_of(256, seed=seed), seed=seed)
        found.append((cell.empirical, cell.standard_error))
    seen, told = np.array(found).T
    # the standard deviation of 200 numbers is known to 5%, told errors to less
    assert seen.std(ddof=1) == pytest.approx(told.mean(), rel=0.2)


def test_spreads_that_a_plan_counts_on_are_those_of_normal_chains():
    """Standard errors and skewness of one run, for errors with a mean."""
    told = replace(TOLD, mean=np.tile([[[1.0, 0.5], [0.0, -1.0]]], (3, 1, 1)))
    errors = errors_of(40_000) + told.mean
    [outcome] = outcomes(errors)
    found = claims("homogenisation", told, outcome, 0.1)
    seen = [c.observed.error * 200 / (c.predicted if c.ratio == c.ratio else 1) for c in found]
    one = chain_contributions(told)
    np.testing.assert_allclose(seen, one.spread.ravel(), rtol=0.05)
    spread = found[0]  # of one model; that of the other is the same, as there are two
    assert spread.observed.skewness * 200 == pytest.approx(one.skewness[0, 0], rel=0.1)


def test_a_plan_of_many_models_takes_little_memory():
    """A quadratic form of the errors of all models has 100^2 numbers, and there are 100 of them."""
    many = law(np.eye(100), models=50)
    tracemalloc.start()
    try:
        one = chain_contributions(many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one.spread.shape == (50, 2)
    assert peak < 30 * 100**2 * 8


def test_a_law_without_the_pooled_estimator_or_one_model_has_no_claim():
    assert judged("efficiency", replace(TOLD, pooled=None), errors_of(64)) == ()
    one = law(SPREAD[:2, :2], models=1)
    alone = errors_of(64)[:, :, :, :1]
    assert claims("homogenisation", one, outcomes(alone)[0], 0.1) == []


@pytest.mark.statistical
def test_a_study_of_entities():
    """Everything that can be judged, by the exact law; alpha off by 5% in the law is refuted."""
    made = []
    for alpha in (0.6, 0.63):
        net = data_mediated(
            3, alpha, 0.5, 12, 15, 10, theta=[[1.0, 0], [0, 1], [0, 0]],
            covariance=[[[1, 0], [0, 0]], [[1, 0], [0, 1]], [[0, 0], [0, 2]]],
        )  # fmt: skip
        made.append(condition(net, linear(), [0.0, 0.0], design="fixed"))
    quantities = ("mse", "bias", "covariance", "efficiency", "homogenisation")
    study = Study((made[0],), generations=3, chains=16_384, tolerance=0.15, quantities=quantities)
    outcome = [tally.outcome for tally in api.simulate(study)]
    exact = predict_condition(made[0], 3)
    exact.laws.pop("first_order", None)
    found = api.judge(study, [exact], outcome)
    assert {cell.verdict for cell in found.cells} == {VERIFIED}
    names = {cell.quantity for cell in found.cells}
    assert names == {*quantities, *KINDS, "cross_covariance"} - {"homogenisation"}
    wrong = predict_condition(made[1], 3)
    wrong.laws.pop("first_order", None)
    tight = replace(study, tolerance=0.01)
    cells = api.judge(tight, [wrong], outcome).cells
    assert any(cell.verdict == REFUTED for cell in cells if cell.quantity == "spread")
    assert not any(cell.verdict == REFUTED for cell in api.judge(tight, [exact], outcome).cells)


@pytest.mark.statistical
def test_the_pooled_estimator_is_that_of_one_fit():
    """A condition with one model that reads all there is, against the law's own number."""
    net = data_mediated(1, 0.0, 0.4, 20, 30, 10)
    one = condition(net, linear(), [0.0, 0.0], design="fixed")
    law_of = predict_condition(one, 2).laws
    for each in law_of.values():
        assert each.pooled == pytest.approx(each.mse[0, 0], rel=1e-9)
