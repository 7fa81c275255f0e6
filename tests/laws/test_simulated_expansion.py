"""Simulated expansions of the scores of users' models: closed forms, chains, and refusals."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from second_order_cases import case, log_cosh

import mcjax
from mcjax.laws.jackknife import jackknife_error
from mcjax.laws.law import Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.row_tensors import grid_for
from mcjax.laws.second_order.simulated_expansion import with_simulated_expansion
from mcjax.models.glm import logistic, poisson
from mcjax.models.user import user_model
from mcjax.verdicts.comparison import Comparison

LAW = built_in("second_order")
UNLIKELY = 6.0
"""Student's quantile for 1e-5 and the 15 degrees of freedom of 16 batches."""


def user(loss, sample, name="own", **options):
    return user_model(loss, sample, name=name, predictor="linear", **options)


def bernoulli(mean):
    def sample(key, eta):
        u = jax.random.uniform(key, dtype="float32").astype(eta.dtype)
        return (u < mean(eta)).astype(eta.dtype)

    return sample


def count(key, eta):
    """Return a Poisson number by inversion; 200 terms suffice for the predictors below."""
    rate = jnp.exp(eta)
    u = jax.random.uniform(key, dtype="float32").astype(eta.dtype)

    def add(k, state):
        mass, below, y = state
        mass = mass * rate / k
        return mass, below + mass, y + (u > below).astype(y.dtype)

    mass = jnp.exp(-rate)
    return jax.lax.fori_loop(1, 200, add, (mass, mass, 0 * eta))[2]


def normal(key, eta):
    return eta + jax.random.normal(key, dtype=eta.dtype)


@cache
@cache  # one model, so that tests share its programs
def own_logistic():
    return user(lambda eta, y: jnp.logaddexp(0, eta) - y * eta, bernoulli(jax.nn.sigmoid))


@cache
def own_poisson():
    return user(lambda eta, y: jnp.exp(eta) - y * eta, count)


@cache
@cache
def probit():
    return user(lambda eta, y: -norm.logcdf((2 * y - 1) * eta), bernoulli(norm.cdf), "probit")


def integrals(model, gamma, real=False):
    """Return all that the law asks of an expansion: integrals of its terms times powers of z."""
    grid = grid_for(gamma)
    found = model.scores.expansion(model.params, gamma * grid.z, real)
    means = [(a, c) for a in range(4) for c in range(4 - a) if a + c]
    products = [
        (a, b, c) for a in range(3) for b in range(a + 1) for c in range(3) if a + b + c < 3
    ]
    terms = [
        *(found.mean_term(*orders) for orders in means),
        *(found.product_term(*orders) for orders in products),
        found.cubed_slope,
        found.curved_square,
        found.cubed_curvature,
    ]
    return np.array([grid.moments(term, 4) for term in terms])


@pytest.mark.system
@pytest.mark.parametrize(
    ("own", "known", "gamma"),
    [
        (own_logistic, logistic, 1.0),
        pytest.param(own_logistic, logistic, 0.1, marks=pytest.mark.statistical),
        pytest.param(own_logistic, logistic, 3.0, marks=pytest.mark.statistical),
        pytest.param(own_poisson, poisson, 0.5, marks=pytest.mark.statistical),
    ],
)
def test_expansions_are_those_in_closed_form(own, known, gamma):
    """Of discrete labels, whose sampler has no derivative."""
    exact = integrals(known(), gamma)
    found, *versions = (integrals(model, gamma) for model in with_simulated_expansion(own(), gamma))
    error = jackknife_error(np.array(versions))
    size = np.abs(exact).max()
    assert (np.abs(found - exact) <= UNLIKELY * error + 5e-4 * size).all()
    assert (error < 0.02 * size).all()


@pytest.mark.system
@pytest.mark.parametrize("name", ["log3", "ring2s", "log2r"])
def test_a_logistic_model_of_ones_own_has_the_law_of_the_built_in_one(name):
    one = case(name)
    exact, found = (LAW.predict(replace(one, model=m), 4) for m in (one.model, own_logistic()))
    numbers = (
        lambda law: law.mse,
        lambda law: law.leading.mse,
        lambda law: law.mse / law.leading.mse - 1,
        lambda law: law.bias,
        lambda law: law.covariance,
        lambda law: law.validity.indicator,
    )
    for number in numbers:
        apart, error = np.abs(number(found) - number(exact)), found.error_of(number)
        assert (apart <= UNLIKELY * error + 1e-6 * np.abs(number(exact)).max()).all()
        assert error.max() < 0.006 * np.abs(number(exact)).max()


@pytest.mark.system
def test_known_values_of_log_cosh_regression():
    found = LAW.predict(replace(case("user2", 100), model=replace(log_cosh(), scores=None)), 6)
    known = np.array([[2.35031, 25.5130], [3.13374, 48.4720]])  # at generations 0 and 6

    def terms(law):
        leading = law.leading.mse[[0, 6], 0]
        return np.stack([100 * leading, 100**2 * (law.mse[[0, 6], 0] - leading)], 1)

    error = found.error_of(terms)
    assert (np.abs(terms(found) - known) <= UNLIKELY * error).all()
    assert (error < [0.005, 0.01] * known).all()


@pytest.mark.statistical
def test_chains_have_the_second_order_errors_of_a_probit_model():
    net = mcjax.build_network("a", [("a", "a", 200)], 200)
    one = mcjax.condition(net, probit(), [0.6, -0.3])
    study = mcjax.Study((one,), generations=3, chains=32_768)
    [tally] = mcjax.simulate(study)
    seen, law = tally.outcome.moments.squared, LAW.predict(one, 3)
    error = np.hypot(seen.standard_error(), law.standard_error)
    beyond = (np.abs(seen.mean - law.mse) - law.allowance * law.mse) / error
    assert (beyond < 4).all()
    assert ((seen.mean - law.leading.mse) / error > 8).all()


# ------------------------------------------------------------------------------ the error it tells


@pytest.mark.system
def test_its_error_is_allowed_for():
    one = replace(case("log2w", 400), model=own_logistic())
    laws = predict_condition(one, 2, ["second_order"]).laws
    law, validity = laws["second_order"], laws["second_order"].validity
    told = law.error_of(lambda each: each.validity.indicator)
    assert (told > 0).all()
    neglected = 2 * validity.indicator**2 + validity.leverage / 10
    np.testing.assert_allclose(validity.remainder, neglected + 3 * told)
    np.testing.assert_allclose(law.allowance, validity.remainder * law.leading.mse / law.mse)
    first = Comparison(one, laws["first_order"], 0.1)
    moved = law.mse / law.leading.mse - 1
    np.testing.assert_allclose(first.allowance, np.abs(moved) + validity.remainder)


# ------------------------------------------------------------------------------- what it refuses


def huber_loss(eta, y):
    e = y - eta
    return jnp.where(jnp.abs(e) < 1, e**2 / 2, jnp.abs(e) - 0.5)


def heavy(key, eta):
    u = jax.random.uniform(key, (2,), dtype=eta.dtype, minval=1e-6)
    return eta + jnp.sign(u[0] - 0.5) * (u[1] ** (-1 / 2.5) - 1)  # tail of index 2.5


REFUSED = {
    "median": (lambda eta, y: jnp.abs(y - eta), normal, "has kinks"),
    "expectile": (
        lambda eta, y: jnp.where(y > eta, 1.0, 2.0) * (y - eta) ** 2,
        lambda key, eta: normal(key, eta) + 0.2760298,
        "has kinks",
    ),
    "hinge": (
        lambda eta, y: jnp.maximum(0, 1 - (2 * y - 1) * eta) ** 2,
        bernoulli(lambda eta: jnp.clip((1 + eta) / 2, 0, 1)),
        "has kinks",
    ),
    "another aim": (
        lambda eta, y: jnp.logaddexp(0, eta) - y * eta,
        bernoulli(lambda eta: jax.nn.sigmoid(1.1 * eta)),
        "not minimised",
    ),
    "heavy": (lambda eta, y: (y - eta) ** 2, heavy, "no finite variance"),
    "not finite": (
        lambda eta, y: (y - eta) ** 2 / 2 + jnp.where(eta > 3, jnp.sqrt(3 - eta), 0),
        normal,
        "not finite",
    ),
}


@pytest.mark.statistical  # a compilation each
@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_with_a_reason(name):
    loss, sample, reason = REFUSED[name]
    with pytest.raises(Inapplicable, match=reason):
        with_simulated_expansion(user(loss, sample), 1.0)


@pytest.mark.statistical
def test_functions_too_quick_for_predictors_that_hardly_vary_are_refused():
    sharp = user(
        lambda eta, y: jnp.logaddexp(0, 12 * eta) - 12 * y * eta,
        bernoulli(lambda eta: jax.nn.sigmoid(12 * eta)),
    )
    with_simulated_expansion(sharp, 1.0)
    with pytest.raises(Inapplicable, match="too quickly"):
        with_simulated_expansion(sharp, 0.1)


@pytest.mark.statistical
def test_real_labels_are_tested_too():
    biased = user(
        lambda eta, y: (y - eta) ** 2 / 2, normal, sample_real=lambda k, eta: normal(k, eta) + 0.1
    )
    with pytest.raises(Inapplicable, match="under `sample_real` the loss is not minimised"):
        with_simulated_expansion(biased, 1.0)
    noisy = user(
        lambda eta, y: (y - eta) ** 2 / 2,
        normal,
        sample_real=lambda k, eta: 2 * normal(k, eta) - eta,
    )
    known = with_simulated_expansion(noisy, 1.0)[0]
    square = integrals(known, 1.0, real=True)[9, 0], integrals(known, 1.0)[9, 0]
    np.testing.assert_allclose(square, [4, 1], rtol=0.01)


@pytest.mark.system
def test_a_loss_with_kinks_is_refused():
    net = mcjax.build_network("a", [("a", "a", 100)], 100)
    one = mcjax.condition(net, user(huber_loss, normal, "robust"), [1.0, 0.5])
    assert (
        "which has kinks"
        in predict_condition(one, 1, ["second_order"]).inapplicable["second_order"]
    )
