"""Mixtures fitted by EM: the textbook, moments of the rows, and fits that have no maximum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

import mcjax
from mcjax.errors import InputError
from mcjax.estimators.normal_components import Shape
from mcjax.models.mixture import overall_moments
from mcjax.solvers.status import Status

SHAPE = Shape(2, 2)
START = mcjax.mixture_parameters([0.6, 0.4], [[-1.0, 0.0], [1.5, 0.5]], [np.eye(2)] * 2)


def rows_of(count=200, seed=0, apart=2.5):
    rng = np.random.default_rng(seed)
    second = rng.random(count) < 0.4
    y = rng.standard_normal((count, 2)) @ [[1.0, 0.4], [0.0, 0.8]]
    return y + np.where(second, apart / 2, -apart / 2)[:, None], rng.uniform(0.5, 2, count)


def textbook(y, weight, steps, theta=START):
    """EM as in the textbook, row by row; returns the parameters and the likelihoods."""
    parts = jax.tree.map(np.asarray, SHAPE.unpacked(jnp.asarray(theta)))
    share, means = np.exp(parts.log_weights), parts.means
    spreads = [factor @ factor.T for factor in parts.factors]
    path = []
    for _ in range(steps):
        density = np.array(
            [
                w * multivariate_normal(m, s).pdf(y)
                for w, m, s in zip(share, means, spreads, strict=True)
            ]
        )
        path.append(weight @ np.log(density.sum(0)) / weight.sum())
        belongs = density / density.sum(0) * weight
        mass = belongs.sum(1)
        share, means = mass / mass.sum(), belongs @ y / mass[:, None]
        spreads = [
            np.einsum("n,ni,nj->ij", b, y - m, y - m) / b.sum()
            for b, m in zip(belongs, means, strict=True)
        ]
    return mcjax.mixture_parameters(share, means, spreads), np.array(path)


@jax.jit
def _fit(estimator_start, y, weight):
    return mcjax.EM(2, 2).fit(
        mcjax.gaussian_mixture(2, 2),
        mcjax.Dataset(jnp.zeros((0, y.shape[1])), y, weight),
        estimator_start,
        jax.random.key(0),
    )


def fit(y, weight, estimator=None, start=START):
    if estimator is None:
        return _fit(jnp.asarray(start), jnp.asarray(y.T), jnp.asarray(weight))
    data = mcjax.Dataset(jnp.zeros((0, len(y))), jnp.asarray(y.T), jnp.asarray(weight))
    return estimator.fit(None, data, jnp.asarray(start), jax.random.key(0))


def test_where_the_textbook_ends():
    """With weights, and with rows that are padding; in fewer steps than the textbook takes."""
    y, weight = rows_of()
    weight[:20] = 0
    expected, likelihoods = textbook(y[20:], weight[20:], 600)
    assert (np.diff(likelihoods) > -1e-12).all()
    found = fit(y, weight)
    assert found.status == Status.CONVERGED
    np.testing.assert_allclose(found.theta, expected, atol=1e-6)
    assert found.steps < 150


def test_overall_moments_are_those_of_the_rows():
    """At any overlap, exactly: also where the components say nothing."""
    for apart in (2.5, 0.0):
        y, weight = rows_of(apart=apart, seed=3)
        found = fit(y, weight)
        assert found.status == Status.CONVERGED
        mean, covariance = overall_moments(SHAPE, np.asarray(found.theta))
        np.testing.assert_allclose(mean, np.average(y, axis=0, weights=weight), atol=1e-12)
        np.testing.assert_allclose(covariance, np.cov(y.T, aweights=weight, bias=True), rtol=1e-12)


@pytest.mark.system
def test_components_that_shrink():
    """On rows that are all alike; with a floor they are kept, and overall moments with them."""
    y, weight = rows_of(60)
    y[:12] = [6.0, -6.0]
    start = mcjax.mixture_parameters([0.8, 0.2], [[0.0, 0.0], [6.0, -6.0]], [np.eye(2)] * 2)
    assert fit(y, weight, start=start).status == Status.RANK_DEFICIENT
    assert np.isnan(fit(y, weight, start=start).theta).all()
    kept = fit(y, weight, mcjax.EM(2, 2, floor=1e-3), start)
    assert kept.status == Status.CONVERGED
    mean, covariance = overall_moments(SHAPE, np.asarray(kept.theta))
    np.testing.assert_allclose(mean, np.average(y, axis=0, weights=weight), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(y.T, aweights=weight, bias=True), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda y, w: (y, 0 * w), Status.NOT_FITTED),
        (lambda y, w: (np.where(y > 2, np.inf, y), w), Status.OVERFLOW),
        (lambda y, w: (y, np.where(np.arange(len(w)) < 2, w, 0)), Status.RANK_DEFICIENT),
        (lambda y, w: (np.ones_like(y), w), Status.RANK_DEFICIENT),
    ],
    ids=["no rows", "infinite", "two rows", "one point"],
)
def test_fits_without_an_estimate(change, status):
    found = fit(*change(*rows_of()))
    assert found.status == status
    assert np.isnan(found.theta).all()


@pytest.mark.system
def test_too_few_steps_are_told():
    found = fit(*rows_of(), mcjax.EM(2, 2, limit=6))
    assert found.status == Status.STEP_LIMIT
    assert found.steps == 6


def test_settings_out_of_range():
    for wrong in ({"floor": 0.5}, {"floor": -1.0}, {"limit": 1}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            mcjax.EM(2, 2, **wrong)
