"""The second-order law: known values, closed forms, and agreement with exact laws."""

import math

import numpy as np
import pytest
from scipy import integrate
from scipy.special import expit
from second_order_cases import CASES, case, log_cosh_moments, loop, moments, traces

from mcjax.laws.least_squares.finite_sample import FiniteSample
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.moments import axis_of, components_of, expansions, generations_of
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.step import Layout
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.network import build_network
from mcjax.network.topologies import complete
from mcjax.study.study import condition

N = 100
# case, generation, n MSE1, n^2 MSE2 and n mean of each model (None: of no bias, or not recorded)
KNOWN = [
    ("log3", 0, [15.50269], [251.0632], [[2.49490] * 3]),
    ("log3", 8, [139.52424], [12908.2119], [[22.45408] * 3]),
    ("log1", 0, [6.93364], [76.3877], [[2.95205]]),
    ("log1", 5, [41.60181], [1976.0019], [[17.71231]]),
    ("log2a", 1, [19.33128], [367.8344], [[5.27180] * 2]),
    ("log2a", 8, [20.61995], [397.5281], [[5.62323] * 2]),
    ("log2w", 6, [14.55211], [271.4459], [[5.33197, -2.66599]]),
    ("poi2", 0, [1.29800], [14.1152], [[-0.43267, 0.43267]]),
    ("poi2", 6, [9.08601], [97.7054], [[-3.02867, 3.02867]]),
    ("poi2a", 6, [1.73056], [25.4282], [[-0.57685, 0.57685]]),
    ("hub2", 6, [14.73684], [41.3005], [[0.0, 0.0]]),
    ("hub2t", 0, [3.04148], [16.5038], [[0.0, 0.0]]),
    ("hub2t", 1, [3.77646], [25.6851], [[0.0, 0.0]]),
    ("hub2t", 6, [3.83519], [27.2827], [[0.0, 0.0]]),
    (
        "ring2p",
        6,
        [14.40781, 32.57001, 27.34202],
        [174.1716, 778.0227, 606.1155],
        [[4.59456, 2.29728], [10.38637, 5.19318], [8.71920, 4.35960]],
    ),
    (
        "ring2s",
        6,
        [17.98315, 40.71701, 35.14576],
        [236.9996, 1217.1889, 954.6756],
        [[5.73471, 2.86736], [12.98440, 6.49220], [11.20776, 5.60388]],
    ),
    ("hring", 6, [3.60080, 7.44237, 6.48906], [16.0401, 30.9440, 26.7964], [[0.0, 0.0]] * 3),
    ("log2r", 0, [12.69349], [186.8530], [[4.04787, 2.02394]]),
    ("log2r", 1, [15.86686], [255.5679], [[5.05984, 2.52992]]),
    ("log2r", 6, [16.92362], [280.1196], [[5.39683, 2.69842]]),
    ("poi1r", 6, [0.94127], [7.6447], [[-0.61183]]),
    ("user2", 0, [2.35031], [25.5130], [[0.0, 0.0]]),
    ("user2", 6, [3.13374], [48.4720], [[0.0, 0.0]]),
    ("lin2a", 1, [2.62500], [8.9062], [[0.0, 0.0]]),
    ("lin2a", 6, [2.66667], [9.6000], [[0.0, 0.0]]),
]


@pytest.mark.parametrize(("name", "t", "first", "second", "mean"), KNOWN)
def test_known_values(name, t, first, second, mean):
    found = moments(case(name, N), t)
    leading, following = traces(found, found.mean.shape[-1])
    np.testing.assert_allclose(N * leading[t], first, rtol=1e-6, atol=6e-6)
    np.testing.assert_allclose(N**2 * following[t], second, rtol=1e-6, atol=6e-5)
    np.testing.assert_allclose(N * found.mean[t], mean, rtol=0, atol=6e-6)


def test_known_covariances_between_models():
    found = moments(case("ring2s", N), 6)
    np.testing.assert_allclose(N**2 * found.following[6, 0, [1, 5]], [20.96848, 30.18302], 1e-6)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("log2a", [20.62003], [397.5288]),
        ("ring2s", [20.04396, 46.81675, 40.29678], [242.35575, 1451.99459, 1116.77083]),
    ],
)
def test_known_limits(name, first, second):
    law = built_in("second_order").predict(case(name, N), 2)
    exact = np.array(first) / N + np.array(second) / N**2
    np.testing.assert_allclose(law.limit, exact, rtol=1e-6)


def test_limits_are_those_of_many_generations():
    one = case("hring", N)
    law = built_in("second_order").predict(one, 200)
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-12)


def test_known_noise_of_a_fit_and_its_growth():
    """S2 and Gamma of logistic regression that reads its own output."""
    found = moments(case("log3", N), 1)
    parts = N**2 * found.sources[:, :, 0]
    assert parts[0].sum() == pytest.approx(232.38970, abs=6e-6)
    assert parts[1].sum() - 2 * parts[0].sum() == pytest.approx(258.44856, abs=6e-6)
    assert N**2 * (found.mean[0] ** 2).sum() == pytest.approx(18.67354, abs=6e-6)


def expected(function):
    """Return the mean of a function of a standard normal number, by adaptive quadrature."""

    def integrand(z):
        return function(z) * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return integrate.quad(integrand, -12, 12, epsabs=1e-13, epsrel=1e-12, limit=200)[0]


def logistic_slopes(eta):
    mean = expit(eta)
    v = mean * (1 - mean)
    return v, v * (1 - 2 * mean), v * (1 - 6 * v)


def exponential_slopes(eta):
    return (math.exp(eta),) * 3


@pytest.mark.parametrize("t", [0, 1, 7])
@pytest.mark.parametrize(
    ("model", "slopes", "theta"),
    [(logistic, logistic_slopes, 1.3), (poisson, exponential_slopes, -0.4)],
)
def test_closed_form_of_one_parameter(model, slopes, theta, t):
    """A canonical model that reads its own output, for every generation."""
    j, k, ell = (expected(lambda z, a=a: slopes(theta * z)[a] * z ** (a + 2)) for a in range(3))
    square = expected(lambda z: slopes(theta * z)[0] ** 2 * z**4)
    noise = (square - j**2) / j**3 + 5 * k**2 / (2 * j**4) - ell / j**3
    growth = 7 * k**2 / (2 * j**4) - 3 * ell / (2 * j**3)
    second = (t + 1) * noise + t * (t + 1) / 2 * growth + (t + 1) ** 2 * k**2 / (4 * j**4)
    one = condition(build_network("a", loop(N), N), model(), [theta])
    found = moments(one, t)
    leading, following = traces(found, 1)
    assert N * leading[t, 0] == pytest.approx((t + 1) / j, rel=1e-10)
    assert N**2 * following[t, 0] == pytest.approx(second, rel=1e-9)
    assert N * found.mean[t, 0, 0] == pytest.approx(-(t + 1) * k / (2 * j**2), rel=1e-10)


@pytest.mark.parametrize("p", [1, 2, 5])
def test_closed_form_of_location_models(p):
    """The correction is the same share of the error in every generation."""
    for model, m in (
        (linear(2.0), (1.0, 0.0, 4.0, 1.0, 1.0, 0.0, 4.0)),
        (CASES["user2"][0](), tuple(log_cosh_moments())),
    ):
        slope, third, square, squared, _, bent, sloped = m
        share = (p + 2) * (
            3 * squared / slope**2
            - 2 * sloped / (square * slope)
            + 3 * bent / slope**2
            - third * square / slope**3
        ) - 1
        found = moments(condition(build_network("a", loop(N), N), model, np.ones(p)), 4)
        leading, following = traces(found, p)
        np.testing.assert_allclose(N * following / leading, share, rtol=1e-9)


@pytest.mark.parametrize(("k", "noise", "share"), [(1.345, "normal", 2.80253)])
def test_known_shares_of_huber_regression(k, noise, share):
    one = condition(build_network("a", loop(N), N), huber(k, noise=noise), [0.5, -0.5])
    leading, following = traces(moments(one, 3), 2)
    np.testing.assert_allclose(N * following / leading, share, atol=6e-6)


@pytest.mark.parametrize(("name", "share"), [("hub2t", 5.42626), ("user2", 10.85521)])
def test_known_shares_at_generation_0(name, share):
    leading, following = traces(moments(case(name, N), 0), 2)
    np.testing.assert_allclose(N * following / leading, share, atol=6e-6)


@pytest.mark.parametrize("p", [2, 5])
def test_it_is_the_expansion_of_the_exact_law_of_least_squares(p):
    """What the law neglects falls like the square of the sample counts."""
    off = []
    for n in (200, 400, 800, 1600, 3200):
        net = complete(2, samples=n // 2, initial=n)
        one = condition(net.with_feed("real", net.models[0], n // 2), linear(), np.ones(p))
        exact = FiniteSample().predict(one, 6).mse[6]
        law = built_in("second_order").predict(one, 6).mse[6]
        off.append(np.abs(law / exact - 1))
    exponents = -np.log2(np.array(off[1:]) / off[:-1])
    np.testing.assert_allclose(exponents[-1], 2.0, atol=0.02)
    assert np.abs(exponents - 2).max() < 0.1
    assert np.max(off[0]) < 0.01


@pytest.mark.parametrize("model", [logistic, poisson])
def test_bias_of_firth(model):
    """The bias of one fit is ``-J^-1 grad log det J / (2 n)``."""
    theta, cov = np.array([0.6, -0.3, 0.4]), np.diag([1.0, 0.5, 2.0])
    one = condition(build_network("a", loop(N), N), model(), theta, cov)

    def information(at):
        return one.model.information(one.model.params, at, cov).real.hessian

    step = 1e-4
    slope = [
        (
            np.linalg.slogdet(information(theta + e))[1]
            - np.linalg.slogdet(information(theta - e))[1]
        )
        / (2 * step)
        for e in step * np.eye(3)
    ]
    firth = -np.linalg.solve(information(theta), slope) / (2 * N)
    np.testing.assert_allclose(moments(one, 0).mean[0, 0], firth, rtol=1e-6)


def test_first_order_terms_are_those_of_the_first_order_law():
    for name in CASES:
        one = case(name, N)
        if one.model.information is None:
            continue
        law = built_in("first_order").predict(one, 3)
        np.testing.assert_allclose(
            moments(one, 3).leading, law.covariance, rtol=1e-9, atol=1e-12 * law.covariance.max()
        )


@pytest.mark.parametrize("name", ["log2r", "poi1r"])
def test_a_kept_sample_is_a_sample(name):
    """Generation 0 is the same, whether its noise is part of the state or not."""
    kept = case(name, N)
    make, theta, feeds, _ = CASES[name]
    fresh = condition(build_network("a", feeds(N), N), make(), theta)
    assert generations_of(kept, 0).kept
    assert not generations_of(fresh, 0).kept
    for ours, theirs in zip(_all(moments(kept, 0)), _all(moments(fresh, 0)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14 * np.abs(theirs).max())


def _all(found):
    return found.mean, found.leading, found.following


@pytest.mark.parametrize("name", ["log2w", "ring2s", "hring", "poi2a", "log2r"])
def test_moments_are_affine_in_the_number_of_parameters(name):
    one = case(name, N)
    axis, read = axis_of(one), generations_of(one, 4)
    grid = grid_for(axis.gamma)
    rows = expansions(one, grid, axis.gamma)
    two, three, four = (
        components_of(
            read, rows, grid, Layout(one.network.size, p, noise_axes(p), len(read.kept)), None
        )
        for p in (2, 3, 4)
    )
    for a, b, c in zip(two, three, four, strict=True):
        np.testing.assert_allclose(2 * b - a, c, rtol=0, atol=1e-13 * np.abs(c).max())
