"""The second-order law against chains, and wrong laws that chains refute."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import norm
from second_order_cases import case, moments, traces

from mcjax import api
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.recursion import SOURCES
from mcjax.study.study import Study

pytestmark = pytest.mark.statistical
ALPHA = 1e-6  # see tests/conftest.py
RUNS = {"log3": (400, 3, 16_384), "hring": (50, 2, 131_072), "log2r": (200, 2, 16_384)}
"""Rows, generations and chains."""


@cache
def simulated(name):
    rows, generations, chains = RUNS[name]
    one = case(name, rows)
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


def bound(count):
    return norm.isf(ALPHA / 2 / count)


@pytest.mark.parametrize("name", RUNS)
def test_chains_agree(name):
    law = predicted(name)
    assert law.validity.judged.all()
    found = departures(name, law.mse)
    assert found.max() < bound(found.size)


@pytest.mark.parametrize("name", RUNS)
def test_means_agree(name):
    law, seen = predicted(name), simulated(name)[1].error
    away = np.linalg.norm(seen.mean - law.mean, axis=-1)
    # of a mean of independent chains, and of what the law neglects of it
    spread = np.trace(law.own_covariances, axis1=-2, axis2=-1)
    chains = RUNS[name][2]
    neglected = law.validity.indicator * np.sqrt(spread) * np.sqrt(law.validity.indicator)
    assert (away < bound(away.size) * np.sqrt(spread / chains) + neglected).all()


@pytest.mark.parametrize("name", RUNS)
def test_the_first_order_law_is_refuted(name):
    first = traces(moments(simulated(name)[0], RUNS[name][1]), len(simulated(name)[0].theta))[0]
    found = departures(name, first)
    assert found.max() > bound(found.size)


def test_a_law_without_bias_is_refuted():
    """Its means are 0, which chains show at once."""
    law, seen = predicted("log3"), simulated("log3")[1].error
    away = np.linalg.norm(seen.mean, axis=-1)[-1, 0]
    spread = np.trace(law.own_covariances[-1, 0])
    indicator = law.validity.indicator[-1, 0]
    allowed = indicator**1.5 * np.sqrt(spread)
    assert away > bound(1) * np.sqrt(spread / RUNS["log3"][2]) + allowed


@pytest.mark.parametrize("source", ["noise", "curvature"])
def test_a_law_without_one_of_its_sources_is_refuted(source):
    one = simulated("hring")[0]
    found = moments(one, RUNS["hring"][1])
    wrong = predicted("hring").mse - found.sources[:, SOURCES.index(source)]
    off = departures("hring", wrong)
    assert off.max() > bound(off.size)
