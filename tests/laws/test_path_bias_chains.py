"""The bias of small samples around the population path against chains, and laws without it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.laws.first_order import m_estimators
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.network import Feed, Source, build_network
from mcjax.selections.flip import Flip
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical
ALPHA = 1e-6  # see tests/conftest.py
GENERATIONS, CHAINS = 2, 16_384


def between(model, truth, far, rows, draws="private"):
    """Two models: one between the truth and a source with another, the other on output alone."""
    feeds = [("real", "0", rows // 4), ("far", "0", rows // 4), ("0", "0", rows // 2)]
    feeds += [("0", "1", rows // 2), ("1", "1", rows // 2)]
    source = Source("far", theta=tuple(far), real="fresh")
    return condition(build_network(2, feeds, rows, sources=[source], draws=draws), model, truth)


def alone(model, truth, rows, keep=None):
    feeds = [Feed("0", "0", rows // 2, keep=keep), Feed("real", "0", rows // 2)]
    return condition(build_network(1, feeds, rows), model, truth)


CASES = {
    "logistic": lambda: between(logistic(), [1.0, 0.5], [-0.5, 1.0], 200, "shared"),
    "poisson": lambda: between(poisson(), [0.5, 0.25], [-0.25, 0.5], 200),
    "huber": lambda: between(huber(1.0), [0.0, 0.0], [2.0, -1.0], 100),
    "ridge": lambda: alone(penalised(linear(), ridge=0.5), [1.0, 0.5], 50),
    "flip": lambda: alone(logistic(), [1.0, 0.5], 200, Flip(0.2)),
}


@cache
def simulated(name):
    one = CASES[name]()
    [tally] = api.simulate(Study((one,), generations=GENERATIONS, chains=CHAINS))
    return predict_condition(one, GENERATIONS).laws["first_order"], tally.outcome.moments


def bound(count):
    return norm.isf(ALPHA / 2 / count)


@pytest.mark.parametrize("name", CASES)
def test_chains_have_the_mean_of_the_law(name):
    law, seen = simulated(name)
    deviation = np.sqrt(np.einsum("tiaa->tia", law.own_covariances))
    allowed = law.small_samples.allowance[..., None] * deviation
    away = np.abs(seen.error.mean - law.mean) - allowed
    assert (away < bound(away.size) * seen.error.standard_error()).all()


@pytest.mark.parametrize("name", CASES)
def test_chains_have_the_mean_squares_of_the_law(name):
    law, seen = simulated(name)
    away = np.abs(seen.squared.mean - law.mse) - law.small_samples.of_squares * law.mse
    assert (away < bound(away.size) * seen.squared.standard_error()).all()


@pytest.mark.parametrize("name", CASES)
def test_means_are_not_the_centres(name):
    """By many standard errors, after generation 0 as well."""
    law, seen = simulated(name)
    away = np.abs(seen.error.mean - law.centre_errors) / seen.error.standard_error()
    assert away[1:].max() > bound(away.size)


@pytest.mark.parametrize("flawed", [False, True])
def test_verdicts_on_means_at_one_small_sample_size(flawed, monkeypatch):
    """Fifty rows a fit tell the law from one without the bias, and from one of half of it."""
    if flawed:
        known = m_estimators.path_bias
        monkeypatch.setattr(
            m_estimators, "path_bias", lambda path: (b := known(path))._replace(mean=b.mean / 2)
        )
    one = replace(alone(penalised(linear(), ridge=0.5), [1.0, 0.5], 50))
    study = Study(
        (one,), generations=1, chains=131_072, quantities=("bias", "mse"), tolerance=0.012
    )
    found = {
        quantity: {cell.verdict for cell in api.verify(study).cells if cell.quantity == quantity}
        for quantity in study.quantities
    }
    if flawed:
        assert found["bias"] == {"refuted"}
    else:
        assert found == {"bias": {"verified"}, "mse": {"verified"}}
