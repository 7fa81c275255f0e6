"""Simulated moments of the scores of users' models against closed forms and against chains."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

import mcjax
from mcjax import api
from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.populations import population_of
from mcjax.laws.first_order.tabulated_scores import BATCHES, ROUGHEST, tabulated
from mcjax.laws.jackknife import jackknife_error
from mcjax.laws.law import Inapplicable
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber
from mcjax.models.user import user_model
from mcjax.verdicts.judge import judge

ROOT = np.linalg.cholesky([[1.2, 0.3], [0.3, 0.9]])
READER, OTHER, PARENT = (np.array(v) for v in ([0.5, 0.3], [0.1, 0.4], [-0.3, 0.6]))


def bernoulli(mean):
    def sample(key, eta):
        u = jax.random.uniform(key, dtype="float32").astype(eta.dtype)
        return (u < mean(eta)).astype(eta.dtype)

    return sample


@cache  # one model, so that tests share its programs
def probit():
    def loss(eta, y):
        return -norm.logcdf((2 * y - 1) * eta)

    return user_model(loss, bernoulli(norm.cdf), name="probit", predictor="linear")


@cache
def own_logistic():
    def loss(eta, y):
        return jnp.logaddexp(0, eta) - y * eta

    return user_model(loss, bernoulli(jax.nn.sigmoid), name="own", predictor="linear")


def moments(model):
    """Everything that laws ask of the rows of a parent."""
    rows = population_of(Origin(PARENT, ROOT, model.params, real=False), model)
    mean, slope = rows.score(READER)
    return {
        "mean": mean,
        "by_reader": slope,
        "by_parent": rows.by_parent(READER),
        "covariance": rows.covariance(READER, OTHER),
        "variance": rows.covariance(READER, READER),
    }


@pytest.mark.system
@pytest.mark.parametrize(
    "model", [logistic(), poisson(), huber(1.5, sigma=1.0)], ids=lambda m: m.name
)
def test_moments_are_those_in_closed_form(model):
    """Discrete labels, exponential functions, and a loss with kinks, without a word about them."""
    expected = moments(model)
    everything, versions = tabulated(replace(model, scores=None))
    found, without = moments(everything), [moments(version) for version in versions]
    assert len(without) == BATCHES
    size = np.abs(expected["variance"]).max()
    for name, value in expected.items():
        error = jackknife_error(np.array([each[name] for each in without]))
        # Student's quantile for 1e-5 and 15 degrees of freedom is 6
        assert (np.abs(found[name] - value) < 6 * error + ROUGHEST * size).all(), name
        assert error.max() < 0.02 * size, name


def far(model, rows=400, shift=(1.0, 0.0), **options):
    """A closed loop that a source with another truth feeds too, and a model fed by it."""
    feeds = [("a", "a"), ("far", "a"), ("a", "b"), ("real", "b")]
    net = mcjax.build_network(
        ["a", "b"],
        [(*feed, rows) for feed in feeds],
        2 * rows,
        sources=[mcjax.Source("far", rows, theta=shift)],
    )
    return mcjax.condition(net, model, [0.5, -0.5], **options)


MANY = 40_000
"""Rows at which the bias of small samples does not count. It is known of built-in models alone."""


@cache
def predicted(name):
    model = {"built in": logistic, "own": own_logistic, "penalised": own_logistic}[name]()
    if name == "penalised":
        model = mcjax.penalised(model, ridge=0.05)
    found = api.predict(mcjax.Study((far(model, MANY),), generations=3))[0]
    return found.laws["first_order"]


@pytest.mark.statistical  # a path for every batch
def test_the_law_is_that_of_the_same_model_built_in():
    expected, found = predicted("built in"), predicted("own")
    for number in (
        lambda law: law.covariance,
        lambda law: law.bias,
        lambda law: law.limit,
        lambda law: law.pooled,
    ):
        error = found.error_of(number)
        apart = np.abs(number(found) - number(expected))
        assert (apart <= 6 * error + 1e-3 * np.abs(number(expected)).max()).all()
    told = found.standard_error / found.mse
    assert (told > 0).all()
    assert (told < 0.01).all()


@pytest.mark.statistical
def test_penalised_fits_too():
    away = predicted("penalised").bias[3] - predicted("own").bias[3]
    assert (np.abs(away).max(-1) > 0.01).all()


@pytest.mark.system
def test_diagnoses_follow_the_path_too():
    models = mcjax.penalised(own_logistic(), ridge=0.05), mcjax.penalised(logistic(), ridge=0.05)
    own, built_in = (mcjax.diagnose(far(model)) for model in models)
    assert own.collapses == built_in.collapses
    assert own.inapplicable == built_in.inapplicable == ""


@pytest.mark.system
def test_what_changes_too_quickly_is_refused():
    def steep(eta, y):
        return jnp.logaddexp(0, 30 * (eta - y)) / 30 - eta / 2

    def sample(key, eta):
        return eta + 0.01 * jax.random.normal(key, dtype=eta.dtype)

    model, _ = tabulated(user_model(steep, sample, predictor="linear"))
    with pytest.raises(Inapplicable, match="changes too quickly"):
        moments(model)


def test_what_is_not_finite_is_refused():
    def loss(eta, y):
        return (y - eta) ** 2 / 2 + jnp.where(eta > 3, jnp.sqrt(3 - eta), 0)

    def sample(key, eta):
        return eta + jax.random.normal(key, dtype=eta.dtype)

    model, _ = tabulated(user_model(loss, sample, predictor="linear"))
    with pytest.raises(Inapplicable, match="not finite"):
        moments(model)


@pytest.mark.statistical
def test_chains_verify_the_law_and_refute_a_wrong_truth():
    right, wrong = (
        mcjax.Study(
            (far(probit(), 400, shift),), 1, 8192, quantities=("bias", "covariance"), tolerance=0.2
        )
        for shift in ((1.0, 0.0), (0.7, 0.0))
    )
    outcomes = [tally.outcome for tally in api.simulate(right)]
    assert judge(right, api.predict(right), outcomes).verdict == "verified"
    assert judge(right, api.predict(wrong), outcomes).verdict == "refuted"
