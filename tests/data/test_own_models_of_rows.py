"""Users' own losses on rows of data: their law is that of the same built-in model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rows import FRAME, data_for, loop

import mcjax
from mcjax.laws.first_order import path_system
from mcjax.laws.first_order.file_population import rows_of
from mcjax.laws.first_order.population import OriginOfRows
from mcjax.laws.first_order.population_path import flatness
from mcjax.laws.first_order.simulated_population import simulated
from mcjax.laws.law import Inapplicable


def loss(theta, x, y):
    eta = x @ theta
    return jnp.logaddexp(0, eta) - y * eta


def sample(key, theta, x):
    return jax.random.bernoulli(key, jax.nn.sigmoid(x @ theta)).astype(x.dtype)


def steps(theta, x, y, level):
    residual = y - x @ theta
    return jnp.maximum(level * residual, (level - 1) * residual)


def shifted(key, theta, x, level):
    return x @ theta + jax.random.laplace(key, dtype=x.dtype)


def squares(theta, x, y, sigma):
    return (y - x @ theta) ** 2 / 2


def normal(key, theta, x, sigma):
    return x @ theta + sigma * jax.random.normal(key, dtype=x.dtype)


NETWORK = loop(4000)
SQUARES = mcjax.user_model(squares, normal, name="squares", sigma=1.0)
OWN = mcjax.user_model(loss, sample, name="own")


def law(condition, generations=1):
    [found] = mcjax.predict(mcjax.Study((condition,), generations=generations))
    return found


def test_on_rows_alone_the_law_is_that_of_the_built_in_model(monkeypatch):
    flat = []
    monkeypatch.setattr(path_system, "flatness", lambda *of: flat.append(flatness(*of)) or flat[-1])
    late = mcjax.Source("late", data=data_for("logistic", FRAME[FRAME["a"] > -0.4]))
    feeds = [("real", "0", 600), ("late", "0", 500)]
    network = mcjax.build_network(["0"], feeds, initial=1200, sources=[late])
    conditions = [
        mcjax.condition(network, model, data=data_for("logistic"))
        for model in (OWN, mcjax.logistic())
    ]
    ours, theirs = (law(condition).laws["first_order"] for condition in conditions)
    np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-11)
    # of all batches together, of two generations, and not of each batch
    assert len(flat) == 4
    np.testing.assert_allclose(flat[:2], flat[2:], rtol=1e-9)


def test_moments_of_slopes_are_those_of_the_built_in_model():
    data, metric = data_for("logistic"), np.diag([1.0, 2.0, 3.0])
    at = np.array([0.2, -0.1, 0.4])
    ours, theirs = (
        rows_of(OriginOfRows(at, data.x, model.params, real=True), data, model)
        for model in (simulated(OWN)[0], mcjax.logistic())
    )
    for mine, known in zip(*(one.slope_moments(at, metric) for one in (ours, theirs)), strict=True):
        np.testing.assert_allclose(mine, known, rtol=1e-12)
    np.testing.assert_allclose(ours.covariance(at, -at), theirs.covariance(at, -at), rtol=1e-12)
    kept = len(vars(ours)["_scores"])
    np.testing.assert_allclose(ours.slope(-at), theirs.slope(-at), rtol=1e-12)
    assert len(vars(ours)["_scores"]) == kept  # the path of the centres has many such nodes


def test_a_score_that_is_a_step_function_has_no_law():
    """The model check refuses it first; whoever passes the check by is told as well."""
    estimator = mcjax.quantile().estimator
    model = mcjax.user_model(steps, shifted, name="median", estimator=estimator, level=0.5)
    data = data_for("linear")
    with pytest.raises(mcjax.InputError, match="use the family `quantile`"):
        law(mcjax.condition(loop(400), model, data=data))
    origin = OriginOfRows(np.zeros(3), data.x, model.params, real=True)
    with pytest.raises(Inapplicable, match="median over rows of data is a step function"):
        rows_of(origin, data, simulated(model)[0])


@pytest.mark.statistical
@pytest.mark.parametrize("covariates", ["rows", "normal"])
def test_the_law_of_rows_is_verified_and_that_of_the_model_refuted(covariates):
    """Least squares, whose noise grows with a covariate."""
    data = data_for("linear", synthetic_covariates=covariates)
    spread = float(np.std(data.y - data.x @ mcjax.condition(NETWORK, SQUARES, data=data).theta))
    own = mcjax.user_model(squares, normal, name="squares", sigma=spread)
    condition = mcjax.condition(NETWORK, own, data=data)
    trusted = mcjax.condition(
        NETWORK, mcjax.linear(sigma=spread), condition.theta, covariance=data.second_moments
    )
    of_model = law(trusted, 2).laws["first_order"].covariance
    trusting = mcjax.user_law(lambda _, generations: (None, of_model), name="of the model")
    study = mcjax.Study((condition,), generations=2, chains=2048, tolerance=0.25)
    result = mcjax.verify(study, laws=[trusting])
    by_law = {
        name: {cell.verdict for cell in result.cells if cell.law == name}
        for name in ("first_order", "of the model")
    }
    assert by_law == {"first_order": {"verified"}, "of the model": {"refuted"}}
