"""The second-order law of users' models of theta as a whole: closed forms, chains, refusals."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm
from second_order_cases import case

import mcjax
from mcjax.laws.jackknife import jackknife_error
from mcjax.laws.law import Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.m_estimators import MOST_PARAMETERS
from mcjax.laws.second_order.row_tensors import noise_axes
from mcjax.laws.second_order.simulated_tensors import simulated_tensors
from mcjax.models.user import model_from_file, user_model

LAW = built_in("second_order")
EXTENDING = Path(__file__).parents[1] / "extending"
UNLIKELY = 7.0
"""Student's quantile for 2e-6 and the 15 degrees of freedom of 16 batches."""


def bernoulli(key, theta, x):
    u = jax.random.uniform(key, dtype="float32").astype(x.dtype)
    return (u < jax.nn.sigmoid(x @ theta)).astype(x.dtype)


@cache
@cache  # one model, so that tests share its programs
def own_logistic():
    def loss(theta, x, y):
        return jnp.logaddexp(0, x @ theta) - y * (x @ theta)

    return user_model(loss, bernoulli, name="own")


def normal_loss(theta, x, y):
    return ((y - theta[0]) ** 2 / theta[1] + jnp.log(theta[1])) / 2


@cache
def own_normal():
    """Mean and variance of a normal number, by maximum likelihood."""

    def sample(key, theta, x):
        return theta[0] + jnp.sqrt(theta[1]) * jax.random.normal(key, dtype=theta.dtype)

    return user_model(normal_loss, sample, name="normal", covariates=0)


def regression(loss, noise=lambda key, x: jax.random.normal(key, dtype=x.dtype)):
    return user_model(loss, lambda key, theta, x: x @ theta + noise(key, x), name="own")


# ----------------------------------------------------------------------------- moments of one row

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(8)
TRUTH = np.array([0.4, 1.5])


def expected(*orders):
    """Return a function ``(m, k, v)``: the mean product of derivatives of the normal loss.

    The first factor is read at m, the second at k, and the rows are those of v, by a rule that is
    exact for their polynomials.
    """

    def derivative(order, at, y):
        function = normal_loss
        for _ in range(order):
            function = jax.jacfwd(function)
        return function(at, None, y)

    def mean(m, k, v):
        def at_node(z):
            product = jnp.ones(())
            for order, at in zip(orders, (m, k, k), strict=False):
                term = derivative(order, at, v[0] + jnp.sqrt(v[1]) * z)
                product = jnp.tensordot(product, term, 0)
            return product

        return jnp.tensordot(WEIGHTS / WEIGHTS.sum(), jax.vmap(at_node)(NODES), 1)

    return mean


def derived(function, a, b, c):
    """Return derivatives at the truth: a in the first reader, b in the second, c in the parent."""
    for place, count in ((0, a), (1, b), (2, c)):
        for _ in range(count):
            function = jax.jacfwd(function, place)
    return np.asarray(jax.jit(function)(TRUTH, TRUTH, TRUTH))


@pytest.mark.statistical  # closed forms are differentiated up to six times
def test_moments_are_those_of_quadrature():
    """Tensors have no symmetry that would hide axes which are interchanged."""
    found, *without = simulated_tensors(own_normal(), TRUTH, np.eye(2))[0]
    known = {("mean", o): derived(expected(1), o[0], 0, o[1]) for o in found.mean}
    known |= {("product", o): derived(expected(1, 1), *o) for o in found.product}
    score, hessian, third = (derived(expected(k), 0, 0, 0) for k in (1, 2, 3))
    assert np.abs(score).max() < 1e-12
    mixed = expected(2, 1)

    def of_one_reader(m, v):
        return mixed(m, m, v)

    known["mixed", (0, 0)] = np.asarray(of_one_reader(TRUTH, TRUTH))
    known["mixed", (1, 0)] = np.asarray(jax.jacfwd(of_one_reader, 0)(TRUTH, TRUTH))
    known["mixed", (0, 1)] = np.asarray(jax.jacfwd(of_one_reader, 1)(TRUTH, TRUTH))
    size = {
        name: max(np.abs(v).max() for (k, _), v in known.items() if k == name) for name, _ in known
    }
    for (name, orders), value in known.items():
        error = jackknife_error(np.array([getattr(one, name)[orders] for one in without]))
        apart = np.abs(getattr(found, name)[orders] - value)
        assert (apart <= UNLIKELY * error + 2e-3 * size[name]).all(), (name, orders)
    axes, spread = noise_axes(2), derived(expected(1, 1), 0, 0, 0)
    noise = axes.covariance(
        score=spread,
        mixed=known["mixed", (0, 0)],
        hessian=derived(expected(2, 2), 0, 0, 0) - np.multiply.outer(hessian, hessian),
        third=derived(expected(3, 1), 0, 0, 0),
    )
    cumulants = axes.third_cumulants(
        score=derived(expected(1, 1, 1), 0, 0, 0),
        mixed=derived(expected(1, 1, 2), 0, 0, 0) - np.multiply.outer(spread, hessian),
    )
    for name, value in (("noise", noise), ("noise_third", cumulants)):
        error = jackknife_error(np.array([getattr(one, name) for one in without]))
        assert (np.abs(getattr(found, name) - value) <= UNLIKELY * error + 1e-9).all(), name
    assert third.shape == (2, 2, 2)


# ----------------------------------------------------------------------------------------- the law

NUMBERS = (
    lambda law: law.mse,
    lambda law: law.leading.mse,
    lambda law: law.mse / law.leading.mse - 1,
    lambda law: law.bias,
    lambda law: law.covariance,
    lambda law: law.limit,
    lambda law: law.validity.indicator,
    lambda law: law.validity.directed,
    lambda law: law.validity.leverage,
    lambda law: law.validity.third.of(np.tile(np.eye(2), (law.mse.shape[1], 1, 1))),
    lambda law: np.array(law.validity.radii()),
)


@pytest.mark.statistical  # 17 predictions with tensors of real data that are used again
@pytest.mark.parametrize("name", ["log2w", "ring2s", "log2r"])
def test_a_logistic_model_of_ones_own_has_the_law_of_the_built_in_one(name):
    """With correlated covariates and weights; shared draws; real data that are used again."""
    one = case(name)
    exact, found = (LAW.predict(replace(one, model=m), 4) for m in (one.model, own_logistic()))
    for number in NUMBERS:
        apart, error = np.abs(number(found) - number(exact)), found.error_of(number)
        assert (apart <= UNLIKELY * error + 2e-3 * np.abs(number(exact)).max()).all()
        assert np.max(error) < 0.1 * np.abs(number(exact)).max()


@pytest.mark.system
def test_a_normal_model_has_the_exact_errors_of_its_loop(heard):
    """``E s_t = s (1 - 1/n)^(t+1)``, and s_t^2 is multiplied by ``1 - 1/n^2`` on average."""
    n, s, times = 200, 1.5, np.arange(1, 5)
    new = own_normal.__wrapped__()  # of which no sample is kept yet, so that all are heard
    one = mcjax.condition(mcjax.topologies.self_loop(samples=n, initial=n), new, [0.4, s])
    law = LAW.predict(one, 3)
    assert heard == [(13, "samples of simulated scores"), *[1] * 13]  # of two parameters
    shrunk = (1 - 1 / n) ** np.arange(5)
    exact = np.stack(
        [
            s * np.cumsum(shrunk[:-1]) / n,
            s**2 * ((1 - 1 / n**2) ** times - 2 * shrunk[1:] + 1),
        ],
        axis=1,
    )

    def squares(law):
        return np.einsum("tiaa->ta", law.own_covariances) + law.bias[:, 0] ** 2

    def bias(law):
        return law.bias[:, 0]

    error = law.error_of(squares)
    third_order = 20 * times[:, None] ** 3 / n**3
    assert (np.abs(squares(law) - exact) <= UNLIKELY * error + third_order).all()
    assert (error < 0.02 * exact).all()
    away = np.stack([0 * shrunk[1:], s * (shrunk[1:] - 1)], axis=1)
    assert (np.abs(bias(law) - away) <= UNLIKELY * law.error_of(bias) + 20 / n**2).all()
    np.testing.assert_allclose(bias(law)[:, 1], away[:, 1], rtol=0.05)


@pytest.mark.statistical
def test_chains_have_the_second_order_errors_of_a_model_of_two_blocks():
    model = model_from_file(EXTENDING / "heteroskedastic.py", covariates=2)
    net = mcjax.build_network("a", [("a", "a", 75), ("real", "a", 75)], 150)
    one = mcjax.condition(net, model, {"mean": [1.0, 0.5], "log_scale": [0.2, -0.1]})
    [tally] = mcjax.simulate(mcjax.Study((one,), generations=2, chains=16_384))
    seen, law = tally.outcome.moments.squared, LAW.predict(one, 2)
    assert law.validity.judged.all()
    error = np.hypot(seen.standard_error(), law.standard_error)
    beyond = (np.abs(seen.mean - law.mse) - law.allowance * law.mse) / error
    assert (beyond < norm.isf(1e-6)).all()
    assert ((seen.mean - law.leading.mse) / error > norm.isf(1e-6)).all()


@pytest.mark.system
def test_it_says_how_far_the_first_order_law_is_off():
    one = replace(case("log2w", 400), model=own_logistic())
    laws = predict_condition(one, 2, ["second_order"]).laws
    finer = laws["first_order"].finer
    assert finer.validity is laws["second_order"].validity
    assert (finer.validity.error > 0).all()


# --------------------------------------------------------------------------------- what it refuses


def huber_loss(theta, x, y):
    e = jnp.abs(y - x @ theta)
    return jnp.where(e < 1, e**2 / 2, e - 0.5)


def heavy(key, x):
    u = jax.random.uniform(key, (2,), dtype=x.dtype, minval=1e-6)
    return jnp.sign(u[0] - 0.5) * (u[1] ** (-1 / 2.5) - 1)  # tail of index 2.5


def squared(theta, x, y):
    return (y - x @ theta) ** 2 / 2


def right_at_one(theta, x, y):
    return squared(theta, x, y) + ((theta**2 - 1) ** 2).sum() / 8


REFUSED = {
    "huber": (regression(huber_loss), "has kinks"),
    "heavy": (regression(squared, heavy), "no finite variance"),
    "one truth alone": (regression(right_at_one), "not minimised on average"),
    "not finite": (
        regression(lambda t, x, y: squared(t, x, y) + jnp.where(y > 3, jnp.sqrt(1 - t[0]), 0)),
        "not finite",
    ),
}


@pytest.mark.statistical  # a compilation each
@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_with_a_reason(name):
    model, reason = REFUSED[name]
    with pytest.raises(Inapplicable, match=reason):
        simulated_tensors(model, np.array([1.0]), np.eye(1))


def test_too_many_parameters_are_refused_with_the_remedy():
    net = mcjax.build_network("a", [("a", "a", 100)], 100)
    one = mcjax.condition(net, regression(squared), np.ones(MOST_PARAMETERS + 1))
    reason = LAW.applies(one)
    assert f"at most {MOST_PARAMETERS} are feasible" in reason.sentence
    assert "write its loss as loss(eta, y)" in reason.sentence
