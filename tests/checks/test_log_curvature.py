"""The curvature that a user's model states is compared with its loss."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import pytest

import mcjax
from mcjax.checks.case import Case
from mcjax.checks.registry import results_of


def logistic(eta, y):
    return jnp.logaddexp(0.0, eta) - y * eta


def coin(key, eta):
    return (jax.random.uniform(key) < jax.nn.sigmoid(eta)).astype(float)


def of_logistic(params, eta):
    return -jnp.logaddexp(0.0, eta) - jnp.logaddexp(0.0, -eta)


def results(loss, stated, sample=coin):
    model = mcjax.user_model(loss, sample, predictor="linear")
    model = replace(model, predictor=replace(model.predictor, log_curvature=stated))
    one = mcjax.condition(
        mcjax.topologies.self_loop(samples=50, real=50, initial=100), model, [1.0, -1.0]
    )
    study = mcjax.Study((one,), generations=1, chains=64)
    return {result.name: result for result in results_of(Case(study.conditions[0], study))}


@pytest.mark.system
def test_the_right_curvature_passes():
    assert results(logistic, of_logistic)["log_curvature"].passed


@pytest.mark.parametrize(
    ("loss", "stated", "told"),
    [
        (
            logistic,
            lambda params, eta: of_logistic(params, eta) + 0.02,
            "is -2.234 at x'theta = -2",
        ),
        (logistic, lambda params, eta: jnp.exp(of_logistic(params, eta)), "is 0.105 at"),
        (logistic, lambda params, eta: jnp.full_like(eta, jnp.nan), "is nan at"),
        (lambda eta, y: logistic(eta, y) + y * eta**2, of_logistic, "for y = 1"),
        (logistic, lambda params, eta: params["none"], "failed with KeyError"),
    ],
)
def test_a_wrong_curvature_is_told(loss, stated, told):
    found = results(loss, stated)["log_curvature"]
    assert not found.passed
    assert "family.log_curvature: " in found.message
    assert told in found.message


@pytest.mark.system
def test_built_in_models_and_models_without_one_are_not_asked():
    assert "log_curvature" not in results(logistic, None)
    one = mcjax.condition(
        mcjax.topologies.self_loop(samples=50, initial=50), mcjax.poisson(), [1.0]
    )
    study = mcjax.Study((one,), generations=1)
    assert "log_curvature" not in {result.name for result in results_of(Case(one, study))}
