"""Measured maps of steps: against closed forms, likelihood ratios, and chains beside wrong laws."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import t as student

import mcjax
from mcjax.draws.streams import chain_keys, measurement_keys
from mcjax.laws.first_order import fine_tuning, measured_steps
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.measured_steps import Fed
from mcjax.laws.jackknife import jackknife_error

Z = 4.892
ONE = np.eye(1)


def fitted(transformation, steps, feeds=(("a", "a", 20),), theta=(0.5,), **settings):
    """Return a condition of least squares whose curvature is 1."""
    estimator = mcjax.Optax(transformation, steps, name="steps", start="own", **settings)
    rows = sum(feed[2] for feed in feeds if feed[1] == "a")
    names = dict.fromkeys(feed[1] for feed in feeds)
    network = mcjax.build_network(names, feeds, initial=rows)
    return mcjax.condition(network, mcjax.linear(), theta, estimator=estimator)


def measured(condition, rows=20):
    """Return the maps of a fit of rows of one model, and their standard errors."""
    fed = Fed(
        np.array([rows]), np.ones(1), real=np.zeros(1, bool), curvature=ONE[None], hessian=ONE,
        score=ONE,
    )  # fmt: skip
    found = measured_steps.measured_steps(condition, condition.estimator, fed)
    versions = [found.maps(fed, batch) for batch in range(measured_steps.BATCHES)]
    return found.maps(fed), [jackknife_error(np.array(part)) for part in zip(*versions)]  # noqa: B905


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(measured_steps, "REPLICATES", 1 << 12)


def test_linear_steps_at_any_sample_size(few):
    """Two steps of gradient descent on n rows of variance 1, by the moments of chi-squared."""
    rate, n = 0.4, 20
    found, error = measured(fitted(optax.sgd(rate), 2))
    square = 1 + 2 / n
    cube = square * (1 + 4 / n)
    kept = 1 - 2 * rate + rate**2 * square
    noise = rate**2 / n * (4 - 4 * rate * square + rate**2 * cube)
    assert abs(found.kept[0, 0] - kept) < Z * error[0]
    assert abs(found.response[0, 0, 0] - (1 - kept)) < Z * error[1]
    assert abs(found.bias[0]) < Z * error[2]
    assert abs(found.noise[0, 0] - noise) < Z * error[3]
    assert (np.ravel(np.concatenate([e.ravel() for e in error])) < 0.01).all()


def test_a_step_by_the_sign_of_the_gradient(few):
    """It is that of the distance to a refit, which has Student's law; autodiff finds A = 1."""
    rate, n, half = 0.02, 20, 0.5 / np.sqrt(20)
    found, error = measured(fitted(optax.sign_sgd(rate), 1))
    moved = rate * (2 * student.cdf(half * np.sqrt(n), n) - 1) / half
    assert moved > 20 * error[0]
    assert abs(found.kept[0, 0] - (1 - moved)) < Z * error[0]
    assert abs(found.response[0, 0, 0] - moved) < Z * error[1]
    assert abs(found.noise[0, 0] - rate**2) < Z * error[3]


def test_rounds_are_told(few, heard):
    measured(fitted(optax.sgd(0.4), 2))
    assert heard == [(8, "rounds that measure steps"), *[1] * 8]


def test_draws_of_measurements_are_their_own():
    keys = measurement_keys(np.arange(100))
    assert len(np.unique(np.concatenate([keys, chain_keys(0, 0, np.arange(100))]), axis=0)) == 200
    np.testing.assert_array_equal(measurement_keys(np.array([7])), keys[7:8])


FEEDS = [("a", "a", 14), ("real", "a", 6), ("a", "b", 12), ("b", "b", 8), ("c", "c", 20)]


@pytest.mark.system
def test_systems_have_the_measured_maps(few):
    """Each reader has the response to each model it reads; versions carry the error.

    The radius of the loop is not told from 1, and so it collapses; real data hold the others.
    """
    condition = fitted(optax.adam(0.002), 2, FEEDS)
    steps = fine_tuning.StepsOfModels(condition)
    a = next(fine_tuning.systems_of(condition, steps))[0].transition
    kept = steps.last.kept[:, 0, 0]
    assert (kept < 0.99).all()
    expected = np.diag(kept)
    expected += (1 - kept)[:, None] * [[0.7, 0, 0], [0.6, 0.4, 0], [0, 0, 1]]
    np.testing.assert_allclose(a, expected, atol=0.05 * (1 - kept).max())
    law = FirstOrder().predict(condition, 3)
    assert len(law.versions) == measured_steps.BATCHES
    assert (law.standard_error[1:] > 1e-4 * law.mse[1:]).all()
    np.testing.assert_allclose(law.standard_error[0], 0, atol=1e-12)
    assert np.isnan(law.growth).all()
    assert np.isfinite(law.limit).tolist() == [True, True, False]
    diagnosis = mcjax.diagnose(condition)
    found = [diagnosis.models[name] for name in "abc"]
    assert [model.noise for model in found] == [False, False, True]
    assert not any(model.explodes or model.forgets for model in found)
    assert found[2].radius == pytest.approx(1)
    assert found[2].growth > 0
    assert "measured by simulation" in diagnosis.note


SENTENCES = {
    "parameters": (
        {"theta": [0.0] * 17, "feeds": [("a", "a", 30)]},
        {},
        "for up to 16 parameters, while there are 17",
    ),
    "rows": ({"feeds": [("a", "a", 10**6)]}, {}, "1,000,000 rows in 1 step are too many"),
    "shared": ({}, {"draws": "shared"}, "data that one model reads once"),
    "reused": ({}, {"real": "reused"}, "data that one model reads once"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_what_is_not_measured(case):
    settings, network, sentence = SENTENCES[case]
    feeds = [("a", "a", 10), ("a", "b", 10), ("real", "b", 20)]
    condition = fitted(optax.lion(0.01), 1, **({"feeds": feeds} | settings))
    if network:
        net = condition.network
        net = mcjax.build_network(net.models, feeds, initial=20, **network)
        condition = replace(condition, network=net)
    study = mcjax.Study((condition,), generations=1, chains=2)
    [found] = mcjax.predict(study)
    assert sentence in found.inapplicable["first_order"]


def test_steps_that_scatter_estimates_far_have_no_law(few):
    """Five steps of Adam that are as long as 9 standard deviations of a refit."""
    condition = fitted(optax.adam(2.0), 5, [("a", "a", 20), ("real", "a", 20)], batch_size=5)
    [found] = mcjax.predict(mcjax.Study((condition,), generations=1, chains=2))
    assert "they scatter estimates" in found.inapplicable["first_order"]


ROWS = 400
COVARIANCE = np.diag([1.0, 0.16])


def tuned(feeds, transformation=None, models=("a",)):
    transformation = optax.adam(0.01) if transformation is None else transformation
    estimator = mcjax.Optax(transformation, 20, batch_size=20, name="steps", start="own")
    network = mcjax.build_network(models, feeds, initial=ROWS)
    return mcjax.condition(
        network, mcjax.logistic(), [1.0, 0.8], covariance=COVARIANCE, estimator=estimator
    )


@pytest.mark.statistical
def test_the_likelihood_ratio_gives_the_same_response():
    """The response is the covariance of the estimate with the summed score of the rows."""
    condition = tuned([("a", "a", ROWS)])
    steps = fine_tuning.StepsOfModels(condition)
    system, _ = next(fine_tuning.systems_of(condition, steps))
    response = system.transition - steps.last.kept[0]
    model, theta = condition.model, jnp.array(condition.theta)

    def one(key):
        rows, labels, order = jax.random.split(key, 3)
        x = jnp.sqrt(jnp.diagonal(COVARIANCE))[:, None] * jax.random.normal(rows, (2, ROWS))
        chance = jax.nn.sigmoid(theta @ x)
        y = (jax.random.uniform(labels, (ROWS,)) < chance).astype(float)
        data = mcjax.Dataset(x, y, jnp.ones(ROWS))
        end = condition.estimator.fit(model, data, theta, order).theta
        return end - theta, x @ (y - chance)

    keys = jax.random.split(jax.random.key(3), 1 << 14)
    ends, scores = map(np.asarray, jax.jit(lambda k: jax.lax.map(one, k, batch_size=512))(keys))
    products = ends[:, :, None] * scores[:, None]
    error = products.std(0) / np.sqrt(len(keys))
    assert (error < 0.01).all()
    assert (np.abs(products.mean(0) - response) < Z * error + 0.01 * np.abs(response)).all()


class Refit:
    """The law of refits, whatever the estimator."""

    name, reference, exact = "refit", "none", False

    def applies(self, condition):
        return None

    def predict(self, condition, generations):
        return FirstOrder().predict(replace(condition, estimator=None), generations)


@pytest.mark.statistical
def test_chains_of_adam_agree_and_refute_the_law_of_refits(monkeypatch):
    """Other wrong laws are refuted by more chains, in benchmarks/tuned_networks.py."""
    monkeypatch.setattr(measured_steps, "REPLICATES", 1 << 13)
    condition = tuned([("a", "a", ROWS // 2), ("real", "a", ROWS // 2)])
    study = mcjax.Study((condition,), generations=4, chains=4096, tolerance=0.15)
    found = mcjax.verify(study, laws=["first_order", Refit()])
    verdicts = {
        name: {cell.verdict for cell in found.cells if cell.law == name}
        for name in ("first_order", "refit")
    }
    assert verdicts["first_order"] == {"verified"}
    assert "refuted" in verdicts["refit"]
