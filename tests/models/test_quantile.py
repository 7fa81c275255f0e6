"""Quantile regression: many covariates, centred noise, and the law against simulation."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from mcjax import api
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.objective import mean_loss
from mcjax.estimators.quantile_lp import QuantileLP
from mcjax.laws.first_order.m_estimators import allowance
from mcjax.models.noise import NOISES, read_noise
from mcjax.models.quantile import quantile
from mcjax.network import topologies
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

LANES = 8
T3 = {"name": "student_t", "df": 3}


def data_sets(p, rows, seed=0, dtype=jnp.float64):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(LANES, p, rows))
    y = x.sum(1) + rng.standard_t(2, size=(LANES, rows))
    weight = np.where(rng.random(y.shape) < 0.1, 0.0, rng.uniform(0.5, 2, y.shape))
    return Dataset(*(jnp.asarray(value, dtype) for value in (x, y, weight)))


@jax.jit
def one_fit(model, data):
    start = jnp.zeros(data.x.shape[0], data.x.dtype)
    own = jax.tree.map(lambda a: jnp.asarray(a, start.dtype), model)
    return QuantileLP().fit(own, data, start, jax.random.key(0))


batch_fit = jax.jit(jax.vmap(one_fit, (None, 0)))


def lane(data, i):
    return jax.tree.map(lambda a: a[i], data)


def by_linear_programming(level, data):
    """The smallest weighted mean loss: ``y = x'theta + up - down``, up and down not negative."""
    x, y, w = (np.asarray(value, float) for value in data)
    p, rows = x.shape
    cost = np.concatenate([np.zeros(p), level * w, (1 - level) * w])
    equal = np.hstack([x.T, np.eye(rows), -np.eye(rows)])
    bounds = [(None, None)] * p + [(0, None)] * (2 * rows)
    return linprog(cost, A_eq=equal, b_eq=y, bounds=bounds, method="highs").fun / w.sum()


@pytest.mark.parametrize("level", [0.5, 0.1, 0.95])
def test_objective_against_linear_programming(level):
    model, data = quantile(level), data_sets(10, 120, seed=10)
    found = batch_fit(model, data)
    assert (found.status == Status.CONVERGED).all()
    assert found.steps.max() < 30
    single = batch_fit(model, jax.tree.map(lambda a: a.astype(jnp.float32), data))
    assert (single.status == Status.CONVERGED).all()
    for i in range(LANES):
        least = by_linear_programming(level, lane(data, i))
        assert abs(mean_loss(model, lane(data, i), found.theta[i]) / least - 1) < 1e-9
        rough = mean_loss(model, lane(data, i), single.theta[i].astype(jnp.float64))
        assert rough / least - 1 < 1e-5
        off = mean_loss(model, lane(data, i), found.theta[i] + 1e-2)
        assert off / least - 1 > 1e-6


def test_labels_that_a_plane_fits_exactly():
    whole = lane(data_sets(10, 120), 0)
    found = one_fit(quantile(), whole._replace(y=whole.x.sum(0)))
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.theta, np.ones(10), atol=1e-9)


@pytest.mark.parametrize("noise", ["normal", "laplace", "contaminated_normal", T3])
@pytest.mark.parametrize("level", [0.5, 0.2, 0.9])
def test_noise_is_centred_on_its_quantile_whose_slope_is_one_over_the_density(noise, level):
    model = quantile(level, sigma=1.5, noise=noise)
    kind, params = read_noise(noise, "noise")
    law, centre = NOISES[kind], model.params["noise"]["centre"]
    assert centre == law.quantile(params, level)
    density = law.density(params, centre)
    assert abs(law.quantile(params, level + 1e-6) - centre - 1e-6 / density) < 1e-10
    batch = model.information(model.params, np.ones(1), np.eye(1)).synthetic
    assert abs(batch.hessian.item() - density / 1.5) < 1e-12


def test_variance_of_the_normal_median():
    batch = quantile().information(quantile().params, np.ones(1), np.eye(1)).real
    assert abs((batch.score_covariance / batch.hessian**2).item() - np.pi / 2) < 1e-12


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, "half", True])
def test_levels_out_of_range(level):
    with pytest.raises(InputError, match=r"family\.level"):
        quantile(level)


def test_a_kink_in_the_density_is_allowed_for():
    assert quantile(real_noise="laplace").allowance.kink
    assert not quantile().allowance.kink
    assert not quantile(0.4, noise="laplace").allowance.kink
    net = topologies.self_loop(samples=100, initial=100)
    smooth, kink = (
        allowance(condition(net, quantile(noise=noise), [1.0]), 1, 100)[:, 0]
        for noise in ("normal", "laplace")
    )
    np.testing.assert_allclose(kink - smooth, 2 * 2 / 10)


STUDY = Study(
    (
        condition(
            topologies.self_loop(samples=200, real=200, initial=400),
            quantile(0.3, noise="contaminated_normal", real_noise=T3),
            (0.4, -0.3),
            ((1.0, 0.3), (0.3, 1.0)),
            label="anchored",
        ),
        condition(
            topologies.ring(2, samples=400, initial=400), quantile(), (0.4, -0.3), label="ring"
        ),
    ),
    generations=2,
    chains=2048,
    tolerance=0.15,
)


def test_first_order_law_and_a_wrong_one():
    """The wrong one puts H = Sigma, as if the loss had the curvature of least squares."""
    outcomes = [tally.outcome for tally in api.simulate(STUDY)]
    assert all(not outcome.fits[:, :, 3:].any() for outcome in outcomes)
    predictions = [
        replace(p, laws={"first_order": replace(p.laws["first_order"], allowance=0.0)})
        for p in api.predict(STUDY)
    ]
    cells = api.judge(STUDY, predictions, outcomes).cells
    assert {cell.verdict for cell in cells} == {VERIFIED}

    def flat(condition_):
        model = condition_.model

        def information(params, theta, cov):
            found = model.information(params, theta, cov)
            return replace(
                found,
                real=replace(found.real, hessian=cov),
                synthetic=replace(found.synthetic, hessian=cov),
            )

        return replace(condition_, model=replace(model, information=information))

    wrong = api.predict(replace(STUDY, conditions=tuple(map(flat, STUDY.conditions))))
    assert {cell.verdict for cell in api.judge(STUDY, wrong, outcomes).cells} == {REFUTED}
