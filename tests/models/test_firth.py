"""Firth's penalty: which models take it, its estimates, and that none is missing."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit

import mcjax
from mcjax import api
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.penalty import Firth, Ridge
from mcjax.models.registry import FAMILIES, make_model
from mcjax.solvers.status import Status

GLMS = {
    "logistic": (expit, lambda mean: mean * (1 - mean), lambda mean: 1 - 2 * mean),
    "poisson": (np.exp, lambda mean: mean, np.ones_like),
}
"""The mean of a label, its derivative, and the derivative of the logarithm of that."""
OTHERS = sorted(set(FAMILIES) - set(GLMS) - {"linear", "multinomial"})


def firth(name):
    return mcjax.penalised(FAMILIES[name](), firth=True)


@pytest.mark.parametrize("name", GLMS)
def test_a_study_file_and_python_make_the_same_model(name):
    made = make_model({"name": name, "penalty": "firth"}, Path())
    assert made == firth(name)
    assert made.penalty == Firth()


def test_it_takes_the_place_of_a_ridge():
    ridged = mcjax.penalised(mcjax.logistic(), ridge=0.1)
    assert mcjax.penalised(ridged, firth=True) == firth("logistic")
    assert mcjax.penalised(firth("logistic"), ridge=0.1).penalty == Ridge(0.1)
    assert mcjax.penalised(firth("logistic"), ridge=0).penalty is None


def test_it_is_constant_for_linear_regression():
    model = mcjax.linear()
    assert mcjax.penalised(model, firth=True) is model


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_are_refused(name):
    with pytest.raises(InputError, match=r"^family\.penalty: .*; leave it out$"):
        firth(name)
    with pytest.raises(InputError, match=r"^family\.penalty: .*; leave it out$"):
        make_model({"name": name, "penalty": "firth"}, Path())


def test_a_model_of_ones_own_is_refused(tmp_path):
    text = "def loss(eta, y):\n    return (y - eta) ** 4\n\ndef sample(key, eta):\n    return eta\n"
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match="poisson and linear regression, and not for mine"):
        make_model({"file": "mine.py", "predictor": "linear", "penalty": "firth"}, tmp_path)


@pytest.mark.system
def test_a_model_of_ones_own_states_its_curvature():
    def loss(eta, y):
        return jnp.logaddexp(0.0, eta) - y * eta

    def sample(key, eta):
        return (jax.random.uniform(key) < jax.nn.sigmoid(eta)).astype(float)

    def log_curvature(params, eta):
        return -jnp.logaddexp(0.0, eta) - jnp.logaddexp(0.0, -eta)

    own = mcjax.user_model(loss, sample, predictor="linear")
    own = replace(own, predictor=replace(own.predictor, log_curvature=log_curvature))
    x, y, _ = data_set("logistic", 0)
    found, known = (
        fits(model, x[None], y[None]).theta
        for model in (mcjax.penalised(own, firth=True), firth("logistic"))
    )
    np.testing.assert_allclose(found, known, rtol=1e-6)


@pytest.mark.parametrize("given", [{}, {"firth": False}, {"firth": True, "ridge": 0.1}])
def test_exactly_one_penalty_is_given(given):
    with pytest.raises(InputError, match=r"^family\.penalty: takes one penalty; give ridge=0\.1"):
        mcjax.penalised(mcjax.logistic(), **given)


def data_set(name, seed, rows=40, p=2):
    """Rows with two different weights."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((p, rows))
    mean = GLMS[name][0](0.6 * x[0])
    y = (rng.random(rows) < mean) if name == "logistic" else rng.poisson(mean)
    return x, y.astype(float), np.where(np.arange(rows) < rows // 3, 2.0, 0.5)


def objective(name, x, y, weight, theta):
    """Minus the penalised logarithm of the likelihood, for weights of mean square over mean 1."""
    mean, variance, _ = GLMS[name]
    eta = x.T @ theta
    scaled = weight * weight.sum() / (weight**2).sum()
    loss = np.logaddexp(0, eta) if name == "logistic" else np.exp(eta)
    information = (x * scaled * variance(mean(eta))) @ x.T
    return scaled @ (loss - y * eta) - np.linalg.slogdet(information)[1] / 2


def score(name, x, y, weight, theta):
    """The estimating equation of Firth (1993), with hat values."""
    mean, variance, relative = GLMS[name]
    mu = mean(x.T @ theta)
    scaled = weight * weight.sum() / (weight**2).sum()
    root = x * np.sqrt(scaled * variance(mu))
    hat = np.einsum("pr,pq,qr->r", root, np.linalg.inv(root @ root.T), root)
    return x @ (scaled * (y - mu) + hat * relative(mu) / 2)


@pytest.mark.by_default("logistic-estimator0")
@pytest.mark.parametrize(
    ("name", "estimator"),
    [("logistic", mcjax.Newton()), ("poisson", mcjax.Newton()), ("logistic", mcjax.LBFGS())],
)
def test_estimates_solve_the_modified_score_equation(name, estimator):
    model = firth(name)
    fit = jax.jit(lambda data: estimator.fit(model, data, jnp.zeros(2), jax.random.key(0)))
    for seed in range(3):
        x, y, weight = data_set(name, seed)
        found = fit(Dataset(*map(jnp.asarray, (x, y, weight))))
        assert found.status == Status.CONVERGED
        theta = np.asarray(found.theta)
        np.testing.assert_allclose(score(name, x, y, weight, theta), 0, atol=2e-5)
        least = minimize(lambda at, of=(x, y, weight): objective(name, *of, at), np.zeros(2))
        np.testing.assert_allclose(theta, least.x, atol=1e-4)


def fits(model, x, y):
    """Fit data sets (F, p, N), (F, N) by Newton's method."""

    @jax.jit
    def all_of_them(x, y):
        def one(x, y):
            data = Dataset(x, y, jnp.ones_like(y))
            return mcjax.Newton().fit(model, data, jnp.zeros(len(x)), jax.random.key(0))

        return jax.vmap(one)(x, y)

    return all_of_them(jnp.asarray(x), jnp.asarray(y))


@pytest.mark.system
@pytest.mark.parametrize("name", GLMS)
def test_no_labels_separate(name):
    """All labels on their own side of a plane, or all 0 where means fall for ever."""
    rng = np.random.default_rng(3)
    for rows in (4, 15):
        x = rng.standard_normal((400, 3, rows))
        y = (x[:, 0] + 0.3 * x[:, 1] > 0).astype(float)
        if name == "poisson":
            x[:, 0], y = np.abs(x[:, 0]), np.zeros_like(y)
        plain, corrected = (fits(m, x, y).status for m in (FAMILIES[name](), firth(name)))
        np.testing.assert_array_equal(plain, Status.SEPARATED)
        np.testing.assert_array_equal(corrected, Status.CONVERGED)


def test_a_separated_estimate_by_hand():
    """One covariate, and all labels on its own side: the root of one equation."""
    x = np.linspace(-2, 2, 10)
    y = (x > 0).astype(float)
    found = fits(firth("logistic"), x[None, None], y[None])
    root = brentq(lambda at: score("logistic", x[None], y, np.ones(10), [at])[0], 0, 50, xtol=1e-13)
    np.testing.assert_allclose(found.theta[0, 0], root, rtol=1e-9)


def test_rows_that_do_not_determine_theta_are_told():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 3, 12))
    x[:, 2] = x[:, 0] - 2 * x[:, 1]
    found = fits(firth("logistic"), x, (rng.random((1, 12)) < 0.5).astype(float))
    assert found.status[0] == Status.RANK_DEFICIENT


@pytest.mark.system
def test_batches_have_the_penalty_of_all_rows():
    """The step of a batch with it, less that without, is the slope of the penalty of all rows."""
    x, y, weight = data_set("logistic", 0)
    data = Dataset(*map(jnp.asarray, (x, y, weight)))
    estimator, start, rate = mcjax.Optax(optax.sgd(1e-6), 1, 7), jnp.array([3.0, -2.0]), 1e-6

    def moved(model):
        keys = jax.random.split(jax.random.key(0), 4)
        fit = jax.jit(jax.vmap(lambda key: estimator.fit(model, data, start, key).theta))
        return (np.asarray(fit(keys)) - np.asarray(start)) / rate

    slope, _ = Firth().derivatives(start, firth("logistic"), data)
    found = moved(firth("logistic")) - moved(mcjax.logistic())
    np.testing.assert_allclose(found, -np.repeat(slope[None], 4, 0), rtol=1e-6)


@pytest.mark.statistical
def test_chains_of_small_fits_do_not_separate():
    net = mcjax.topologies.self_loop(samples=12, initial=12)

    def separated(model):
        one = mcjax.condition(net, model, [1.5, -1.0])
        [tally] = api.simulate(mcjax.Study((one,), generations=2, chains=256))
        fits = tally.outcome.fits
        return fits.sum() - fits[..., Status.CONVERGED].sum()

    assert separated(mcjax.logistic()) > 100
    assert separated(firth("logistic")) == 0


def test_it_is_part_of_a_study_on_disk():
    from mcjax.study.identity import describe, identity

    net = mcjax.topologies.self_loop(samples=20, initial=20)
    models = [mcjax.logistic(), firth("logistic"), mcjax.penalised(mcjax.logistic(), ridge=0.1)]
    studies = [mcjax.Study((mcjax.condition(net, model, [1.0]),)) for model in models]
    assert len(set(map(identity, studies))) == 3
    assert describe(studies[1])["conditions"][0]["family"]["penalty"] == "firth"


def test_a_model_that_cannot_have_it_is_refused_by_conditions():
    net = mcjax.topologies.self_loop(samples=20, initial=20)
    with pytest.raises(InputError, match=r"and not for huber; leave it out"):
        mcjax.condition(net, replace(mcjax.huber(), penalty=Firth()), [1.0])
