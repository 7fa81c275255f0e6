"""The law of fits with Firth's penalty against chains, and laws that chains refute."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import norm
from second_order_cases import case, firth, moments, traces

from mcjax import api
from mcjax.laws.registry import built_in
from mcjax.study.study import Study

pytestmark = pytest.mark.statistical
ALPHA = 1e-6  # see tests/conftest.py
RUNS = {"log1": (100, 1, 65_536), "log2w": (100, 3, 32_768)}
"""Rows, generations and chains; in the second, weights differ and parents have errors."""


@cache
def simulated(name):
    rows, generations, chains = RUNS[name]
    one = firth(case(name, rows))
    [tally] = api.simulate(Study((one,), generations=generations, chains=chains))
    return one, tally.outcome.moments


@cache
def predicted(name):
    return built_in("second_order").predict(simulated(name)[0], RUNS[name][1])


def departures(name, mse):
    """Return by how many standard errors simulated MSEs leave a law and its allowance."""
    law, seen = predicted(name), simulated(name)[1].squared
    beyond = np.abs(seen.mean - mse) - law.allowance * mse
    return beyond / seen.standard_error()


def away(name, mean):
    """Return by how many standard errors simulated means leave those of a law."""
    law, seen = predicted(name), simulated(name)[1].error.mean
    spread = np.trace(law.own_covariances, axis1=-2, axis2=-1)
    neglected = law.validity.indicator**1.5 * np.sqrt(spread)
    beyond = np.linalg.norm(seen - mean, axis=-1) - neglected
    return beyond / np.sqrt(spread / RUNS[name][2])


def bound(count):
    return norm.isf(ALPHA / 2 / count)


@pytest.mark.parametrize("name", RUNS)
def test_chains_agree(name):
    law = predicted(name)
    assert law.validity.judged.all()
    assert departures(name, law.mse).max() < bound(law.mse.size)
    assert away(name, law.mean).max() < bound(law.mse.size)


@pytest.mark.parametrize("name", RUNS)
def test_the_law_without_the_penalty_is_refuted(name):
    rows, generations, _ = RUNS[name]
    plain = case(name, rows)
    mse = sum(traces(moments(plain, generations), len(plain.theta)))
    assert departures(name, mse).max() > bound(mse.size)


def test_a_law_that_forgets_the_covariance_of_the_correction_is_refuted():
    """Without the bias alone, generation 0 keeps the second-order noise of plain fits."""
    plain = moments(case("log1", RUNS["log1"][0]), RUNS["log1"][1])
    first, second = traces(plain, 1)
    mse = first + second - (plain.mean**2).sum(-1)
    assert departures("log1", mse)[0].max() > bound(1)


def test_a_law_without_any_bias_is_refuted():
    """Fits to a mixture of parents are biased all the same."""
    assert away("log2w", 0 * predicted("log2w").mean)[-1].max() > bound(1)
