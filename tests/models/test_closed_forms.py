"""Closed forms against published values and at their limits."""

import numpy as np
import pytest

from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber
from mcjax.models.noise import NOISES

T3 = {"name": "student_t", "df": 3}


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
