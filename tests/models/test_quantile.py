"""Quantile regression: the solver against linear programming, the law against simulation."""

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
def one_fit(model, data, active=True):
    start = jnp.zeros(data.x.shape[0], data.x.dtype)
    own = jax.tree.map(lambda a: jnp.asarray(a, start.dtype), model)
    data = data._replace(weight=jnp.where(active, data.weight, 0))
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
@pytest.mark.parametrize(("p", "rows"), [(3, 200), (10, 120)])
def test_objective_against_linear_programming(p, rows, level):
    model, data = quantile(level), data_sets(p, rows, seed=p)
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


def test_lanes_of_a_batch_are_single_fits():
    data = data_sets(3, 200)
    together = batch_fit(quantile(0.3), data)
    for i in range(LANES):
        single = one_fit(quantile(0.3), lane(data, i))
        assert single.steps == together.steps[i]
        np.testing.assert_allclose(single.theta, together.theta[i], rtol=1e-9)


def test_padding_does_not_matter():
    data = data_sets(3, 200)
    noisy = jnp.where(data.weight > 0, data.y, 1e3)
    np.testing.assert_allclose(
        batch_fit(quantile(), data._replace(y=noisy)).theta, batch_fit(quantile(), data).theta
    )


def test_ends():
    whole = lane(data_sets(3, 200), 0)
    flat = whole._replace(x=whole.x.at[2].set(whole.x[0] - 2 * whole.x[1]))
    huge = whole._replace(y=whole.y.at[3].set(jnp.inf).at[4].set(-jnp.inf))
    huge = huge._replace(weight=jnp.ones_like(whole.weight))
    exact = whole._replace(y=whole.x.sum(0))
    for data, status in (
        (whole, Status.CONVERGED),
        (exact, Status.CONVERGED),
        (flat, Status.RANK_DEFICIENT),
        (huge, Status.OVERFLOW),
    ):
        found = one_fit(quantile(), data)
        assert found.status == status
        assert jnp.isfinite(found.theta).all() == (status == Status.CONVERGED)
    np.testing.assert_allclose(one_fit(quantile(), exact).theta, [1, 1, 1], atol=1e-9)
    idle = one_fit(quantile(), whole, active=False)
    assert (idle.status, idle.steps) == (Status.NOT_FITTED, 0)


@pytest.mark.parametrize("noise", ["normal", "laplace", "contaminated_normal", T3])
@pytest.mark.parametrize("level", [0.5, 0.2, 0.9])
def test_theta_is_the_quantile_and_the_information_that_of_the_density(noise, level, z_limit):
    """Draws lie below the centre with probability tau; the density there by a difference."""
    model = quantile(level, sigma=1.5, noise=noise)
    words = np.random.default_rng(0).integers(0, 2**32, (2, 400_000), np.uint32)
    draw = jax.vmap(lambda a, b: model.sample(model.params, jnp.ones(1), jnp.ones(1), (a, b)))
    residual = np.asarray(draw(*jnp.asarray(words))) - 1
    error = np.sqrt(level * (1 - level) / residual.size)
    assert abs(np.mean(residual < 0) - level) < z_limit * error
    assert abs(np.mean(residual < 0.05) - level) > z_limit * error
    kind, params = read_noise(noise, "noise")
    law = NOISES[kind]
    centre = model.params["noise"]["centre"]
    assert abs(law.quantile(params, level + 1e-6) - centre - 1e-6 / law.density(params, centre)) < (
        1e-10
    )
    batch = model.information(model.params, np.ones(1), np.eye(1)).synthetic
    assert abs(batch.hessian.item() - law.density(params, centre) / 1.5) < 1e-12
    near = np.mean(np.abs(residual) < 0.05) / 0.1  # bias of order 0.05^2, or 0.05 at a kink
    assert abs(near / batch.hessian.item() - 1) < 0.05
    assert abs(batch.score_covariance.item() - level * (1 - level)) < 1e-12


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
        allowance(condition(net, quantile(noise=noise), [1.0]), 1)[:, 0]
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
