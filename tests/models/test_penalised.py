"""Penalties: which models take one, and that a penalised fit always has an estimate."""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq

import mcjax
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.penalty import Ridge
from mcjax.models.registry import FAMILIES, make_model
from mcjax.solvers.status import Status

LOSSES = (
    *("linear", "logistic", "poisson", "huber", "quantile"),
    *("probit", "negative_binomial", "nb2", "multinomial"),
)
LOOP = mcjax.topologies.self_loop(samples=20, initial=20)


@pytest.mark.parametrize("name", LOSSES)
def test_a_study_file_and_python_make_the_same_model(name):
    made = make_model({"name": name, "penalty": {"ridge": 0.25}}, Path())
    assert made == mcjax.penalised(FAMILIES[name](), ridge=0.25)
    assert made.penalty == Ridge(0.25)
    assert (made.name, made.params) == (name, FAMILIES[name]().params)
    assert made.least_squares is None is made.statistics


def test_a_file_of_the_users_own_takes_a_penalty(tmp_path):
    text = "def loss(eta, y):\n    return (y - eta) ** 4\n\ndef sample(key, eta):\n    return eta\n"
    (tmp_path / "mine.py").write_text(text)
    spec = {"file": "mine.py", "predictor": "linear", "penalty": {"ridge": 2}}
    assert make_model(spec, tmp_path).penalty == Ridge(2.0)


def test_no_penalty_is_the_plain_model():
    model = mcjax.linear()
    assert mcjax.penalised(model, ridge=0) is model
    removed = mcjax.penalised(mcjax.penalised(model, ridge=0.1), ridge=0)
    assert removed.penalty is None


@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_a_number_of_numpy_is_a_number(kind):
    assert mcjax.penalised(mcjax.linear(), ridge=kind(2)).penalty == Ridge(2.0)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        ("frith", r"^family\.penalty: is 'frith'; give 'firth' or .*did you mean 'firth'"),
        ("ridge", r"^family\.penalty: is 'ridge'; give 'firth' or a table"),
        (["firth"], r"^family\.penalty: is \['firth'\]; give 'firth' or a table"),
        ({"firth": True}, r"^family\.penalty\.firth: is no penalty; give 'firth' or a table"),
        (0.1, r"^family\.penalty: is 0\.1; give 'firth' or a table"),
        ({}, r"^family\.penalty: is empty; give 'firth' or a table"),
        ({"rigde": 1.0}, r"^family\.penalty\.rigde: .*did you mean 'ridge'"),
        ({"ridge": -1.0}, r"^family\.penalty\.ridge: is -1\.0; give a finite number"),
        ({"ridge": float("inf")}, r"^family\.penalty\.ridge: is inf; give a finite number"),
        ({"ridge": 10**400}, r"^family\.penalty\.ridge: is 10+; give a finite number"),
        ({"ridge": float("nan")}, r"^family\.penalty\.ridge: is nan; give a finite number"),
        ({"ridge": True}, r"^family\.penalty\.ridge: is True; give a finite number"),
        ({"ridge": "0.1"}, r"^family\.penalty\.ridge: is '0\.1'; give a finite number"),
        ({"ridge": 0.1, "lasso": 0.1}, r"^family\.penalty\.lasso: is no penalty"),
    ],
)
def test_what_is_no_penalty_is_refused(penalty, message):
    with pytest.raises(InputError, match=message):
        make_model({"name": "logistic", "penalty": penalty}, Path())


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - set(LOSSES)))
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_models_that_minimise_no_loss_are_refused(name, ridge):
    with pytest.raises(InputError, match=r"^family\.penalty: .* is fitted by \w+, which adds no"):
        mcjax.penalised(FAMILIES[name](), ridge=ridge)


@dataclass(frozen=True)
class Own:
    minimises = True

    def fit(self, model, data, start, key):
        raise AssertionError("is not run")


@pytest.mark.parametrize("estimator", [mcjax.MinimumNorm(), mcjax.SufficientStatistics(), Own()])
def test_estimators_that_do_not_add_it_are_refused(estimator):
    model = mcjax.penalised(mcjax.linear(), ridge=0.1)
    with pytest.raises(InputError, match=r"^family\.penalty: .* which adds no penalty; leave it"):
        mcjax.condition(LOOP, model, [1.0], estimator=estimator)
    for fine in (None, mcjax.Newton(), mcjax.LBFGS(), mcjax.Optax(optax.sgd(0.1), 3)):
        assert mcjax.condition(LOOP, model, [1.0], estimator=fine).model == model


def test_sums_without_the_penalty_are_refused():
    with pytest.raises(InputError, match=r"^family\.penalty: .* set it with mcjax\.penalised"):
        mcjax.condition(LOOP, replace(mcjax.linear(), penalty=Ridge(0.1)), [1.0])


@pytest.mark.by_default("estimator0")
@pytest.mark.parametrize("estimator", [mcjax.Newton(), mcjax.LBFGS()])
def test_separated_labels_have_a_penalised_estimate(estimator):
    """One covariate, and all labels on its own side: the root of one equation."""
    x = np.linspace(-2, 2, 10)
    data = Dataset(jnp.asarray(x[None]), jnp.asarray(x > 0, float), jnp.ones(10))
    model = mcjax.penalised(mcjax.logistic(), ridge=0.01)
    found = jax.jit(lambda: estimator.fit(model, data, jnp.zeros(1), jax.random.key(0)))()
    assert found.status == Status.CONVERGED

    def slope(theta):
        return np.mean(x * (1 / (1 + np.exp(-x * theta)) - (x > 0))) + 0.01 * theta

    np.testing.assert_allclose(found.theta, brentq(slope, 0, 100, xtol=1e-14), rtol=1e-9)
    plain = jax.jit(lambda: estimator.fit(mcjax.logistic(), data, jnp.zeros(1), jax.random.key(0)))
    assert plain().status == Status.SEPARATED


def test_the_strength_of_a_penalty_is_part_of_a_study_on_disk(tmp_path):
    from mcjax.study.identity import describe, identity

    def study(model):
        return mcjax.Study((mcjax.condition(LOOP, model, [1.0]),))

    plain, weak, strong = (
        study(mcjax.penalised(mcjax.linear(), ridge=ridge)) for ridge in (0, 0.1, 0.2)
    )
    assert len({identity(one) for one in (plain, weak, strong)}) == 3
    [shown] = describe(strong)["conditions"]
    assert shown["family"]["penalty"] == {"ridge": 0.2}
    assert "penalty" not in describe(plain)["conditions"][0]["family"]
