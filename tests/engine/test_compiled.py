"""Which estimator and which path the conditions of a study get."""

import os
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mcjax
from mcjax.engine.compiled import compile_study
from mcjax.engine.routes import estimator_of
from mcjax.errors import InputError
from mcjax.estimators.sufficient_statistics import SufficientStatistics

SGD = mcjax.Optax(optax.sgd(0.1), 3, name="sgd")
LOOP = mcjax.topologies.self_loop(samples=20, initial=40)


def condition(memory="replace", model=None, estimator=None):
    model = model or replace(mcjax.linear(), estimator=SGD)
    return mcjax.condition(replace(LOOP, memory=memory), model, [1.0, 1.0], estimator=estimator)


@pytest.mark.parametrize("memory", ["replace", "accumulate"])
@pytest.mark.parametrize("of_model", [True, False], ids=["model", "condition"])
def test_an_estimator_that_is_given_is_used(memory, of_model):
    one = condition(memory) if of_model else condition(memory, mcjax.linear(), SGD)
    assert estimator_of(one) == SGD
    [program] = compile_study(mcjax.Study((one,), generations=1)).programs
    assert program.program.estimator == SGD
    assert program.route.path == "reference"


def test_sums_are_the_choice_of_models_that_accumulate():
    assert isinstance(estimator_of(condition("accumulate", mcjax.linear())), SufficientStatistics)


def found(theta, x, y):
    return (y - x @ theta) ** 2


def curved(theta, x, y):
    return (y - x @ jnp.sinh(theta)) ** 2


@pytest.mark.parametrize(
    ("model", "most"),
    [
        (mcjax.user_model(curved, lambda key, theta, x: x @ theta), 64),
        (mcjax.user_model(found, lambda key, theta, x: x @ theta), 100),
    ],
    ids=["no predictors", "predictors found"],
)
def test_many_parameters_are_fitted_by_lbfgs(model, most):
    net = mcjax.topologies.self_loop(samples=4 * most, initial=4 * most)
    for p, expected in ((most, mcjax.Newton()), (most + 1, mcjax.LBFGS())):
        assert estimator_of(mcjax.condition(net, model, np.full(p, 0.1))) == expected


@pytest.mark.parametrize("told", [True, False])
def test_fits_of_too_many_rows_are_refused_on_every_system(monkeypatch, told):
    """Windows does not say how much memory it has; the numbers of rows are checked nevertheless."""
    if not told:
        monkeypatch.delattr(os, "sysconf")
    compile_study(mcjax.Study((condition(),), generations=1))
    many = mcjax.topologies.self_loop(samples=2**40, initial=40)
    one = mcjax.condition(many, replace(mcjax.linear(), estimator=SGD), [1.0, 1.0])
    with pytest.raises(InputError, match="memory of this machine") as caught:
        compile_study(mcjax.Study((one,), generations=1))
    assert ("GiB" in str(caught.value)) == told
