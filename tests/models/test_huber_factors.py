"""``P(|eps| < k)`` and ``E min(eps^2, k^2)``, on which Huber's laws rest, at every scale of k."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from mcjax.errors import InputError
from mcjax.models.location import huber
from mcjax.models.noise import NOISES

RATIOS = [10.0**power for power in (-6, -3, -1, 0, 1, 3, 6)]
STUDENT = [0.1, 0.5, 1.0, 1.5, 2.0, 2 + 1e-9, 2.5, 3.0, 30.0, 1e4, 1e12]
LAWS = [
    ("normal", {}),
    ("laplace", {}),
    ("contaminated_normal", {"share": 0.1, "scale": 3.0}),
    ("contaminated_normal", {"share": 1e-3, "scale": 1e4}),
    ("contaminated_normal", {"share": 0.5, "scale": 1e-5}),
    *(("student_t", {"df": df}) for df in STUDENT),
]


def by_integration(frozen, k):
    """The same from a survival function: ``E min(eps^2, k^2) = integral of 2 x P(|eps| > x)``, on
    pieces of the logarithm of x; below k exp(-40) there is nothing that shows."""
    edges = math.log(k) + np.arange(-40, 0.5, 0.5)
    pieces = (
        quad(lambda s: 4 * math.exp(2 * s) * frozen.sf(math.exp(s)), a, b, epsabs=0, epsrel=1e-10)
        for a, b in pairwise(edges)
    )
    inside = quad(frozen.pdf, 0, k, epsabs=0, epsrel=1e-10)[0] if k < 0.1 else 0.5 - frozen.sf(k)
    return 2 * inside, sum(piece for piece, _ in pieces)


@pytest.mark.system
@pytest.mark.parametrize("k", RATIOS)
@pytest.mark.parametrize("df", STUDENT)
def test_student_t_against_integration(df, k):
    found = NOISES["student_t"].clipped({"df": df}, k)
    # scipy's distribution function of one degree of freedom has ten digits
    np.testing.assert_allclose(found, by_integration(stats.t(df), k), rtol=1e-9)


@pytest.mark.parametrize("k", RATIOS)
def test_normal_and_laplace_against_closed_forms(k):
    """By parts, where the terms do not cancel; elsewhere the first terms of the series in k."""
    beyond = math.erfc(k / math.sqrt(2))
    density = math.exp(-k * k / 2) / math.sqrt(2 * math.pi)
    if k > 1e-2:
        normal = 1 - beyond, 1 - beyond - 2 * k * density + k * k * beyond
        laplace = 1 - math.exp(-k), 2 - 2 * (1 + k) * math.exp(-k)
    else:
        bump = math.sqrt(2 / math.pi) * k
        normal = bump * (1 - k**2 / 6 + k**4 / 40), k**2 * (1 - bump * (2 / 3 - k**2 / 15))
        laplace = (
            k - k**2 / 2 + k**3 / 6 - k**4 / 24 + k**5 / 120,
            k**2 * (1 - 2 * k / 3 + k**2 / 4 - k**3 / 15 + k**4 / 72),
        )
    np.testing.assert_allclose(NOISES["normal"].clipped({}, k), normal, rtol=1e-11)
    np.testing.assert_allclose(NOISES["laplace"].clipped({}, k), laplace, rtol=1e-11)


@pytest.mark.parametrize(("name", "params"), LAWS)
def test_from_the_medians_factor_to_the_variance(name, params):
    """Both grow with k, stay within their bounds, and end where least squares and the median are:
    a negative variance, or one beyond the noise's own, has no place between."""
    law = NOISES[name]
    grid = np.geomspace(1e-6, 1e6, 241)
    inside, square = np.array([law.clipped(params, k) for k in grid]).T
    rounding = 1 + 1e-12
    assert (inside > 0).all()
    assert (inside <= 1).all()
    assert (np.diff(inside) >= -1e-14).all()
    assert (square[1:] * rounding >= square[:-1]).all()
    assert (square <= np.minimum(grid**2, law.variance(params)) * rounding).all()
    assert (square >= grid**2 * (1 - inside) / rounding - 1e-30).all()
    low, high = 1e-12, 1e12
    density = float(law.density(params, np.array(0.0)))
    np.testing.assert_allclose(law.clipped(params, low), (2 * density * low, low**2), rtol=1e-6)
    if name != "student_t" or params["df"] > 3:
        np.testing.assert_allclose(law.clipped(params, high), (1, law.variance(params)), rtol=1e-12)


@pytest.mark.parametrize("noise", ["normal", "laplace", {"name": "student_t", "df": 5}])
@pytest.mark.parametrize(("threshold", "sigma"), [(5e4, 1.0), (1.345, 3e-5), (1e3, 1e-3)])
def test_far_threshold_is_least_squares(threshold, sigma, noise):
    family = huber(threshold, sigma, noise)
    batch = family.information(family.params, np.ones(1), np.eye(1)).real
    name, params = (noise, {}) if isinstance(noise, str) else ("student_t", {"df": 5})
    variance = NOISES[name].variance(params)
    assert batch.hessian.item() == pytest.approx(1, rel=1e-12)
    assert batch.score_covariance.item() == pytest.approx(sigma**2 * variance, rel=1e-12)


@pytest.mark.system
@pytest.mark.parametrize(("name", "params"), LAWS)
def test_scores_of_readers_at_the_truth_have_the_same_factors(name, params):
    """What laws around shifted truths integrate, at every scale of k."""
    if 2 < params.get("df", 0) < 2.1:
        return  # a variance of a billion, of which no decade up to 1e30 has a noticeable part
    zero = np.zeros(1)
    for k in np.geomspace(1e-10, 1e10, 41):
        model = huber(threshold=3 * k, sigma=3.0, noise={"name": name, **params})
        inside, square = NOISES[name].clipped(params, k)
        mean = model.scores.mean(model.params, zero, zero, False)
        product = model.scores.product(model.params, (zero, zero), zero, False)
        np.testing.assert_allclose(mean.by_reader, inside, rtol=1e-5)
        np.testing.assert_allclose(mean.mean, 0, atol=1e-9 * k)
        digits = 1e-8 if params.get("df") == 1 else 1e-9  # scipy's F has ten digits there
        np.testing.assert_allclose(product, 9 * square, rtol=digits)


@pytest.mark.parametrize(("name", "params"), LAWS)
@pytest.mark.parametrize("k", [1e-6, 1.0, 1e6])
def test_scores_far_from_the_truth_are_clipped_nearly_always(name, params, k):
    """At an offset of 1e12 thresholds and scales, for noise whose tails do not reach so far."""
    if params.get("df", 9) < 2 or params.get("scale", 1) > 10:
        return
    model = huber(threshold=k, noise={"name": name, **params})
    far = np.array([1e12 * max(k, 1.0)])
    mean = model.scores.mean(model.params, far, np.zeros(1), False)
    product = model.scores.product(model.params, (far, -far), np.zeros(1), False)
    np.testing.assert_allclose(mean.mean, k, rtol=1e-9)
    np.testing.assert_allclose(product, -(k**2), rtol=1e-9)


def test_student_t_of_many_degrees_of_freedom_is_normal():
    x = np.linspace(0, 8, 33)
    for df in (1e10, 1e20, 1e30):
        density = NOISES["student_t"].density({"df": df}, x)
        np.testing.assert_allclose(density, NOISES["normal"].density({}, x), rtol=1e-6)


@pytest.mark.parametrize("value", [1e-31, 1e31, 1e200, 1e-200])
@pytest.mark.parametrize("field", ["threshold", "sigma"])
def test_scales_whose_squares_are_no_numbers(field, value):
    """1e200 squared overflows, 1e-200 vanishes."""
    with pytest.raises(InputError, match=rf"family\.{field}: is .* from 1e-30 to 1e\+30"):
        huber(**{field: value})
    assert math.isfinite(huber(**{field: min(max(value, 1e-30), 1e30)}).params[field])
