"""Probit and negative binomial regression: moments over all labels, and fits of other packages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

import mcjax
from mcjax.solvers.status import Status

MODELS = {
    "probit": mcjax.probit(),
    "negative_binomial": mcjax.negative_binomial(dispersion=0.7, real_dispersion=1.4),
}
by_model = pytest.mark.parametrize("name", MODELS)
READERS, PARENT = np.array([-0.8, 0.3]), np.array([0.5, -0.4])


def masses(name, parent, real):
    """Labels and their probabilities, from SciPy's distributions, (y, n)."""
    if name == "probit":
        return np.array([0.0, 1.0]), np.stack([ndtr(-parent), ndtr(parent)])
    size = 1 / MODELS[name].params["real_dispersion" if real else "dispersion"]
    y = np.arange(400.0)
    chance = size / (size + np.exp(parent))
    return y, stats.nbinom.pmf(y[:, None], size, chance[None])


def slopes(name, eta, y):
    """The first four derivatives of the loss by automatic differentiation, each (y, n)."""
    model = MODELS[name]

    def loss(eta, y):
        return model.predictor.loss(model.params, eta, y)

    first = jax.grad(loss)
    second = jax.grad(first)
    grid = np.broadcast_arrays(eta[None], y[:, None])
    third = jax.grad(second)
    each = (jax.vmap(jax.vmap(f)) for f in (first, second, third, jax.grad(third)))
    return [np.asarray(derivative(*map(jnp.asarray, grid))) for derivative in each]


@by_model
@pytest.mark.parametrize("real", [False, True])
def test_moments_are_sums_over_labels(name, real):
    model, scores = MODELS[name], MODELS[name].scores
    y, mass = masses(name, PARENT, real)
    some = slice(None) if name == "probit" else slice(60)
    y, mass = y[some], mass[some]
    first, second, third, _ = slopes(name, READERS, y)
    other = slopes(name, PARENT, y)[0]
    close = {"rtol": 1e-5, "atol": 1e-6}
    found = scores.mean(model.params, READERS, PARENT, real)
    np.testing.assert_allclose(found.mean, (mass * first).sum(0), **close)
    np.testing.assert_allclose(found.by_reader, (mass * second).sum(0), **close)
    product = scores.product(model.params, (READERS, PARENT), PARENT, real)
    np.testing.assert_allclose(product, (mass * first * other).sum(0), **close)
    bend = scores.curvature(model.params, READERS, PARENT, real)
    for part, terms in (
        ("by_reader", third),
        ("sloped", first * second),
        ("squared_slope", second**2),
        ("cubed_slope", second**3),
    ):
        np.testing.assert_allclose(getattr(bend, part), (mass * terms).sum(0), **close)
    at = scores.expansion(model.params, PARENT, real)
    orders = slopes(name, PARENT, y)
    own, curved, *_ = orders
    for part, terms in (
        ("cubed_slope", own**3),
        ("curved_square", own**2 * curved),
        ("cubed_curvature", curved**3),
    ):
        np.testing.assert_allclose(getattr(at, part), (mass * terms).sum(0), **close)
    ends = (masses(name, PARENT + h, real)[1][some] for h in (1e-4, -1e-4))
    mass_and_slope = mass, np.subtract(*ends) / 2e-4
    for (a, c), value in at.mean.items():
        if c < 2:
            expected = (mass_and_slope[c] * orders[a]).sum(0)
            np.testing.assert_allclose(value, expected, err_msg=f"mean {a, c}", **close)
    for (a, b, c), value in at.product.items():
        if c < 2:
            expected = (mass_and_slope[c] * orders[a] * orders[b]).sum(0)
            np.testing.assert_allclose(value, expected, err_msg=f"product {a, b, c}", **close)


def test_counts_have_the_probabilities_of_the_distribution(z_limit):
    model, n, eta = MODELS["negative_binomial"], 1 << 18, 0.8
    words = np.random.default_rng(0).integers(0, 2**32, (2, n), np.uint32)
    for real in (False, True):
        drawn = model.predictor.labels(model.params, jnp.full(n, eta), jnp.asarray(real), (*words,))
        y, mass = masses("negative_binomial", np.array([eta]), real)
        found = np.bincount(np.asarray(drawn, int), minlength=len(y))[:12] / n
        error = np.sqrt(mass[:12, 0] * (1 - mass[:12, 0]) / n)
        assert (np.abs(found - mass[:12, 0]) / error).max() < z_limit


@by_model
def test_fits_agree_with_statsmodels(name):
    sm = pytest.importorskip("statsmodels.api")
    rng, model = np.random.default_rng(5), MODELS[name]
    x = np.column_stack([np.ones(300), rng.standard_normal((300, 2))])
    eta = x @ [0.2, 0.7, -0.5]
    if name == "probit":
        y = (rng.random(300) < ndtr(eta)).astype(float)
        other = sm.Probit(y, x).fit(disp=0, tol=1e-14, method="newton").params
    else:
        y = rng.poisson(np.exp(eta) * rng.gamma(2, 0.5, 300)).astype(float)
        family = sm.families.NegativeBinomial(alpha=0.7)
        other = sm.GLM(y, x, family=family).fit(tol=1e-14, maxiter=200).params
    rows = mcjax.Dataset(jnp.asarray(x.T), jnp.asarray(y), jnp.ones(300))
    fit = jax.jit(mcjax.Newton().fit)(model, rows, jnp.zeros(3), jax.random.key(0))
    assert fit.status == Status.CONVERGED
    np.testing.assert_allclose(fit.theta, other, rtol=1e-8, atol=1e-9)


@pytest.mark.statistical
def test_the_law_knows_the_dispersion_of_real_data():
    """A law that takes real counts to be dispersed as the model says is refuted."""
    network = mcjax.topologies.self_loop(samples=600, real=600, initial=1200)
    theta = [0.6, -0.4]
    one = mcjax.condition(network, mcjax.negative_binomial(0.3, real_dispersion=1.5), theta)
    trusted = mcjax.condition(network, mcjax.negative_binomial(0.3), theta)

    def of_model(_, generations):
        study = mcjax.Study((trusted,), generations=generations)
        return None, mcjax.predict(study)[0].laws["first_order"].covariance

    law = mcjax.user_law(of_model, name="of the model")
    study = mcjax.Study((one,), generations=2, chains=4096, tolerance=0.15)
    cells = mcjax.verify(study, laws=[law]).cells
    assert {(c.law, c.verdict) for c in cells} == {
        ("first_order", "verified"),
        ("of the model", "refuted"),
    }


@pytest.mark.statistical
def test_the_law_of_probit_chains():
    network = mcjax.topologies.self_loop(samples=600, real=600, initial=1200)
    far = mcjax.Source("far", theta=(0.0, 1.0))
    feeds = [("far", "b", 500), ("0", "b", 500)]
    moved = mcjax.build_network(
        ["0", "b"], [("0", "0", 500), ("real", "0", 500), *feeds], initial=1000, sources=[far]
    )
    conditions = tuple(
        mcjax.condition(net, mcjax.probit(), [0.6, -0.4], label=name)
        for name, net in (("loop", network), ("moved", moved))
    )
    study = mcjax.Study(conditions, generations=2, chains=4096, tolerance=0.15)
    assert {cell.verdict for cell in mcjax.verify(study).cells} == {"verified"}
