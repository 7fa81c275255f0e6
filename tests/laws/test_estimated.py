"""A user's family: its information, its errors, and the law built on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax import api
from mcjax.laws.predict import predict_condition
from mcjax.models.location import huber, linear
from mcjax.models.user import model_from_object, user_model
from mcjax.network import topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import VERIFIED

pytestmark = pytest.mark.statistical

THETA = np.array([0.5, -0.5])


def squared(theta, x, y):
    return 0.5 * (y - x @ theta) ** 2


def gaussian(key, theta, x):
    return x @ theta + jax.random.normal(key)


def test_law_of_a_user_model_is_that_of_the_same_built_in_one():
    net = topologies.ring(3, samples=100, real=100, initial=200)
    laws = {}
    for name, model in {"own": user_model(squared, gaussian), "built in": linear()}.items():
        study = Study((condition(net, model, THETA),), generations=4)
        laws[name] = api.predict(study)[0].laws["first_order"]
    error = laws["own"].standard_error
    assert (error > 0).all()
    assert (error < 0.01 * laws["own"].mse).all()
    assert (np.abs(laws["own"].mse - laws["built in"].mse) < 5 * error).all()
    assert (laws["built in"].standard_error == 0).all()


def test_probit_end_to_end():
    """A family that is not built in: probit regression, simulated and judged."""

    class Probit:
        name = "probit"

        @staticmethod
        def loss(theta, x, y):
            return -jax.scipy.stats.norm.logcdf((2 * y - 1) * (x @ theta))

        @staticmethod
        def sample(key, theta, x):
            return (x @ theta + jax.random.normal(key, dtype=x.dtype) > 0).astype(theta.dtype)

    model = model_from_object(Probit)
    net = topologies.self_loop(samples=500, real=500, initial=1000)
    study = Study((condition(net, model, THETA),), generations=3, chains=2048, tolerance=0.15)
    result = api.verify(study)
    assert model.name == "probit"
    assert result.verdict == VERIFIED


def reason(loss, sample, **params):
    net = topologies.self_loop(samples=50, initial=50)
    study = Study((condition(net, user_model(loss, sample, **params), THETA),))
    predictions = predict_condition(study.conditions[0], study.generations)
    assert not predictions.laws
    return predictions.inapplicable["first_order"]


def test_a_loss_that_aims_elsewhere_is_told():
    def biased(key, theta, x):
        return x @ theta + 0.1 * x[0] + jax.random.normal(key)

    assert "not minimised at theta" in reason(squared, biased)


def test_a_loss_without_curvature_is_told():
    def absolute(theta, x, y):
        return jnp.abs(y - x @ theta)

    assert "singular" in reason(absolute, gaussian)


@pytest.mark.parametrize(
    ("loss", "sample", "expected"),
    [
        (
            lambda theta, x, y: jnp.exp((y - x @ theta) ** 2),
            gaussian,
            "under `sample` the score has no finite variance",
        ),
        (
            squared,
            lambda key, theta, x: x @ theta + jax.random.cauchy(key),
            "under `sample` the score has no finite variance",
        ),
    ],
)
def test_information_that_is_infinite_is_told(loss, sample, expected):
    assert expected in reason(loss, sample)


def test_information_of_noise_with_a_fourth_moment_is_estimated():
    net = topologies.self_loop(samples=50, initial=50)

    def sample(key, theta, x):
        return x @ theta + jax.random.t(key, 4.5)

    study = Study((condition(net, user_model(squared, sample), THETA),))
    law = api.predict(study)[0].laws["first_order"]
    # at generation 0, tr I^-1 / n = 2 Var(eps) / 50
    off = law.mse[0, 0] - 2 * 4.5 / 2.5 / 50
    assert abs(off) < 5 * law.standard_error[0, 0]


def test_derivatives_that_are_not_finite_are_told():
    def broken(theta, x, y):
        return squared(theta, x, y) + jnp.sqrt(jnp.abs(theta[0] - 0.5))

    assert "not finite" in reason(broken, gaussian)


@pytest.mark.parametrize(
    ("model", "covariance", "expected"),
    [
        (linear(noise={"name": "student_t", "df": 2}), None, "heavy-tailed"),
        (huber(), [[1.0, 1.0], [1.0, 1.0]], "singular"),
    ],
)
def test_built_in_families_say_when_the_law_does_not_apply(model, covariance, expected):
    net = topologies.self_loop(samples=50, initial=50)
    predictions = api.predict(Study((condition(net, model, THETA, covariance),)))[0]
    assert expected in predictions.inapplicable["first_order"]
