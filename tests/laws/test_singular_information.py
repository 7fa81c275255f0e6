"""A simulated Hessian that may be singular has no law, and one that is well determined has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.laws.predict import predict_condition
from mcjax.models.user import user_model

pytestmark = pytest.mark.statistical

NETWORK = mcjax.topologies.self_loop(samples=300, initial=300)


def told(model, truth):
    return predict_condition(mcjax.condition(NETWORK, model, truth), 2)


def mixture(means):
    truth = {"weights": [0.5, 0.5], "means": means, "covariances": [1.0, 1.0]}
    return told(mcjax.gaussian_mixture(), truth)


@pytest.mark.parametrize("means", [[2.0, 2.0], [1.99, 2.01], [1.5, 2.5]])
def test_components_that_coincide_or_nearly_do_have_no_first_order_law(means):
    """At a distance of 1 the least eigenvalue is 0.0003 ± 0.0004."""
    predicted = mixture(means)
    assert "singular or indefinite" in predicted.inapplicable["first_order"]
    assert "first_order" not in predicted.laws
    # the exact law of overall moments stays
    assert (predicted.functionals["generative"].values["variance"] > 0).all()


def test_components_that_are_apart_have_one():
    """At a distance of 2, where the least eigenvalue is 0.0089 ± 0.0002."""
    law = mixture([1.0, 3.0]).laws["first_order"]
    assert (law.standard_error < 0.1 * law.mse).all()


def mean(theta, x):
    return jnp.tanh(theta[0] * x[0]) + jnp.tanh(theta[1] * x[0])


def squared(theta, x, y):
    return 0.5 * (y - mean(theta, x)) ** 2


def sample(key, theta, x):
    return mean(theta, x) + jax.random.normal(key)


def test_a_model_of_ones_own_whose_parameters_nearly_coincide_is_told():
    model = user_model(squared, sample)
    close, apart = (told(model, np.array([0.2, other])) for other in (0.2001, 3.0))
    assert "singular or indefinite" in close.inapplicable["first_order"]
    assert "first_order" in apart.laws


def test_a_ridge_determines_what_the_loss_does_not():
    model = mcjax.penalised(user_model(squared, sample), ridge=0.1)
    problem = told(model, np.array([0.2, 0.2001])).inapplicable.get("first_order", "")
    assert "singular" not in problem
