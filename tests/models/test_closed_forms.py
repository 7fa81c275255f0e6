"""Closed forms against autodiff, quadrature against Monte Carlo, and published values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.laws.estimated import estimate_information, jackknife_error
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.noise import NOISES

T3 = {"name": "student_t", "df": 3}
FAMILIES = {
    "linear": linear(sigma=1.5),
    "linear, laplace": linear(noise="laplace"),
    "logistic": logistic(),
    "poisson": poisson(),
    "huber": huber(),
    "huber, real t": huber(threshold=1.0, sigma=0.7, real_noise=T3),
    "huber, contaminated": huber(noise="contaminated_normal"),
}
SIGMA = np.array([[1.0, 0.4], [0.4, 0.8]])
THETA = np.array([0.6, -0.3])


@pytest.mark.parametrize("name", FAMILIES)
def test_slopes_are_derivatives_of_the_loss(name):
    model = FAMILIES[name]
    x = jnp.asarray([0.7, -1.1])
    for y in (0.0, 1.0, 3.0):
        theta = jnp.asarray(THETA)
        at = (model.params, theta, x, jnp.asarray(y))
        slope, curvature = model.predictor.derivatives(model.params, x @ theta, jnp.asarray(y))
        np.testing.assert_allclose(slope * x, jax.grad(model.loss, 1)(*at), rtol=1e-12)
        hessian = jax.hessian(model.loss, 1)(*at)
        if hessian.any():
            np.testing.assert_allclose(curvature * jnp.outer(x, x), hessian, rtol=1e-12)
        else:  # Huber's loss beyond its threshold
            assert 0 < curvature <= 0.02


@pytest.mark.parametrize("name", FAMILIES)
def test_information_against_autodiff_and_monte_carlo(name, z_limit):
    model = FAMILIES[name]
    exact = model.information(model.params, THETA, SIGMA)
    root = np.linalg.cholesky(SIGMA)
    found, without = estimate_information(model, THETA, root)
    for kind in ("real", "synthetic"):
        for matrix in ("hessian", "score_covariance"):
            value = getattr(getattr(found, kind), matrix)
            spread = np.array([getattr(getattr(w, kind), matrix) for w in without])
            truth = getattr(getattr(exact, kind), matrix)
            # 32 batches: a t quantile, not a normal one
            assert (np.abs(value - truth) < 1.5 * z_limit * jackknife_error(spread)).all()
            assert not (
                np.abs(value - 1.05 * truth) < 1.5 * z_limit * jackknife_error(spread)
            ).all()


def trace(model, theta):
    theta = np.asarray(theta, float)
    hessian = model.information(model.params, theta, np.eye(len(theta))).real.hessian
    return np.trace(np.linalg.inv(hessian))


@pytest.mark.parametrize(
    ("model", "theta", "value", "digits"),
    [
        (logistic(), [1, 1], 15.46502, 5),
        (logistic(), [1] * 4, 36.33301, 5),
        (logistic(), [1] * 5, 48.38856, 5),
        (poisson(), [1, 1], 0.490506, 6),
        (poisson(), [1] * 4, 0.433073, 6),
    ],
)
def test_trace_of_inverse_information(model, theta, value, digits):
    assert abs(trace(model, theta) - value) < 0.5001 * 10**-digits
    assert abs(trace(model, 1.01 * np.array(theta)) - value) > 10**-digits


@pytest.mark.parametrize(
    ("noise", "threshold", "factor"),
    [
        ("normal", 1.0, 1.10727),
        ("normal", 1.345, 1.05263),
        ("normal", 1.5, 1.03709),
        ("normal", 2.0, 1.01039),
        (T3, 1.345, 1.55643),
        ({"name": "student_t", "df": 5}, 1.345, 1.34222),
        ({"name": "contaminated_normal", "share": 0.1, "scale": 3.0}, 1.345, 1.29878),
    ],
)
def test_huber_variance_factor(noise, threshold, factor):
    model = huber(threshold=threshold, noise=noise)
    batch = model.information(model.params, np.ones(1), np.eye(1)).real
    found = (batch.score_covariance / batch.hessian**2).item()
    assert abs(found - factor) < 5e-5
    inverse_information = (1 / batch.hessian).item()  # the wrong law: not a sandwich
    assert abs(inverse_information - factor) > 1e-3


def test_huber_factor_tends_to_the_medians():
    slope, spread = NOISES["normal"].clipped({}, 1e-5)
    assert abs(spread / slope**2 - np.pi / 2) < 1e-5


def test_logistic_information_far_from_zero():
    """gamma = 30: almost all curvature sits in a thin slab; a fixed rule would miss it."""
    theta = np.array([30.0, 0.0])
    hessian = logistic().information({}, theta, np.eye(2)).real.hessian
    limit = 1 / (30 * np.sqrt(2 * np.pi))  # E s(1 - s) -> density of z at 0, over gamma
    assert abs(hessian[1, 1] / limit - 1) < 0.01
    assert np.linalg.eigvalsh(hessian)[0] > 0
    huge = logistic().information({}, 1e6 * np.ones(2), np.eye(2)).real.hessian
    assert abs(huge[0, 0] - huge[0, 1] - 1 / (np.sqrt(2) * 1e6 * np.sqrt(2 * np.pi))) < 1e-12


def test_families_of_one_law_are_one_static_structure():
    """What a sweep changes is data: the structure, which is compiled for, stays equal."""
    structures = [jax.tree.structure(huber(threshold=k)) for k in (1.0, 2.0)]
    assert structures[0] == structures[1]
    assert structures[0] != jax.tree.structure(huber(noise="laplace"))
