"""What becomes of loops that keep a selection of their own output, in closed form."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.first_order.population import Origin
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import categorical
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.network import Feed, Source, build_network
from mcjax.selections.best_of import BestOf
from mcjax.selections.checker import Checker
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.top_p import TopP
from mcjax.selections.verifier import Verifier
from mcjax.study.study import condition

ROWS = 100_000


def loop(model, theta, keep, real=0.0, first=None, covariance=None):
    """A model that reads its own output, with a share of real data; N rows a generation."""
    feeds = [Feed("0", "0", round((1 - real) * ROWS), keep=keep)]
    if real:
        feeds.append(Feed("real", "0", round(real * ROWS)))
    begin = {}
    if first is not None:  # generation 0 begins elsewhere
        begin["sources"] = [Source("elsewhere", theta=tuple(first))]
        begin["first"] = [("elsewhere", "0", ROWS)]
    net = build_network(1, feeds, None if begin else ROWS, **begin)
    return condition(net, model, theta, covariance)


def centres(one, generations):
    return path_of(one, generations).centres[:, 0]


def spread(path):
    """N times the variances of the limit, by its own matrices."""
    late, size = path.late, len(path.late.noise)
    kernel = np.eye(size**2) - np.kron(late.transition, late.transition)
    return ROWS * np.linalg.solve(kernel, late.noise.ravel()).reshape(size, size)


def slope(g):
    """``a(g) = E f'(g z)`` of the logistic function f."""

    def density(z):
        return expit(g * z) * expit(-g * z) * norm.pdf(z)

    return quad(density, -12, 12, epsabs=1e-14, epsrel=1e-13, limit=200)[0]


# --------------------------------------------------------------------------------- temperature


@pytest.mark.parametrize("temperature", [0.9, 1.25, 2.0])
def test_a_loop_at_a_temperature_divides_by_it(temperature):
    theta = np.array([0.6, -0.3])
    path = path_of(loop(logistic(), theta, Temperature(temperature)), 6)
    expected = theta / temperature ** np.arange(7)[:, None]
    np.testing.assert_allclose(path.centres[:, 0], expected, atol=1e-9)
    if temperature > 1:  # it forgets the truth, and labels are a fair coin in the end
        np.testing.assert_allclose(path.limit, 0, atol=1e-9)
        expected = 4 / (1 - temperature**-2) * np.eye(2)
        np.testing.assert_allclose(spread(path), expected, rtol=1e-9, atol=1e-9)
    else:
        assert np.isnan(path.limit).all()


def test_a_share_of_real_data_anchors_a_cold_loop():
    """The multiplier along the centre, and that across it."""
    share, temperature, truth = 0.3, 0.6, 1.1
    path = path_of(loop(logistic(), [truth, 0.0], Temperature(temperature), share), 1)
    g, h = path.limit[0, 0], 1e-5

    def f(s):
        return s * slope(s)

    def rise(s):
        return (f(s + h) - f(s - h)) / (2 * h)

    np.testing.assert_allclose(f(g), (1 - share) * f(g / temperature) + share * f(truth), rtol=1e-9)
    along = (1 - share) * rise(g / temperature) / (temperature * rise(g))
    across = 1 - share * f(truth) / f(g)
    np.testing.assert_allclose(path.late.transition, np.diag([along, across]), atol=1e-7)


def test_cold_and_without_truth_the_limit_is_a_sphere():
    """At the truth 0 a loop colder than its share of synthetic data ends at a distance from it, in
    a direction that is where it began, and that wanders."""
    one = loop(logistic(), [0.0, 0.0], Temperature(0.5), 0.3, first=[0.6, 0.8])
    path = path_of(one, 80)
    np.testing.assert_allclose(path.centres[-1, 0], [0.6 * 1.08946, 0.8 * 1.08946], atol=1e-5)
    values, vectors = np.linalg.eigh(path.system.transition)
    np.testing.assert_allclose(values, [0.54719, 1.0], atol=1e-5)
    np.testing.assert_allclose(np.abs(vectors[:, 1]), [0.8, 0.6], atol=1e-6)
    across = vectors[:, 1]
    growth = np.diff([across @ c @ across for c in path.covariance[-3:]]) * ROWS
    np.testing.assert_allclose(growth, 4.925, atol=1e-3)


def test_temperatures_of_least_squares_change_its_noise_alone():
    """Centres stay, and every generation adds T times the noise."""
    path = path_of(loop(linear(sigma=0.5), [1.0, -2.0], Temperature(0.3)), 4)
    np.testing.assert_allclose(path.centres[:, 0], [[1.0, -2.0]] * 5, atol=1e-12)
    expected = 0.25 * (1 + 0.3 * np.arange(5)) / ROWS
    np.testing.assert_allclose(path.covariance[:, 0, 0], expected, rtol=1e-9)


# ------------------------------------------------------------------------------ labels swapped


@pytest.mark.parametrize(("flip", "share"), [(0.1, 0.3), (0.25, 0.5), (0.6, 0.4), (0.2, 0.0)])
def test_swapped_labels_shrink_the_mean_score(flip, share):
    """``E x (y - 1/2)`` is ``a(g) g``, and a generation multiplies it by ``1 - 2 q``."""
    one = loop(logistic(), [1.0], Flip(flip), share)
    expected = [slope(1.0)]
    for _ in range(5):
        expected.append((1 - share) * (1 - 2 * flip) * expected[-1] + share * slope(1.0))
    found = [g * slope(g) for g in centres(one, 5)[:, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    limit = path_of(one, 1).limit[0, 0]
    settled = share * slope(1.0) / (1 - (1 - share) * (1 - 2 * flip))
    np.testing.assert_allclose(limit * slope(limit), settled, atol=1e-9)


# ------------------------------------------------------------------------------------ verifiers

KAPPA = {
    0.5: (0.08059, 0.08112),
    1.0: (0.29113, 0.31808),
    1.5: (0.55152, 0.79262),
    2.0: (0.77374, 1.92797),
    3.0: (0.97334, 18.49915),
}
"""By r / sigma: kappa, and kappa / (1 - kappa^2)."""
COVARIANCE = np.array([[1.0, 0.4], [0.4, 1.5]])
C = np.array([0.5, -1.0])


@pytest.mark.parametrize("ratio", KAPPA)
def test_a_verified_loop_ends_at_the_verifier(ratio):
    sigma = 0.6
    keep = Verifier(tuple(C), ratio * sigma)
    path = path_of(loop(linear(sigma), [1.0, 2.0], keep, covariance=COVARIANCE), 1)
    kappa, variance = KAPPA[ratio]
    np.testing.assert_allclose(path.limit[0], C, atol=1e-9)
    np.testing.assert_allclose(path.late.transition, kappa * np.eye(2), atol=5e-6)
    expected = variance * sigma**2 * np.linalg.inv(COVARIANCE)
    np.testing.assert_allclose(spread(path), expected, rtol=1e-4)


def test_a_verified_loop_moves_straight_to_the_verifier():
    """``v - c`` is multiplied by ``k w^2 / (k w^2 + (1 - k) sigma^2)``."""
    sigma, within, truth = 0.6, 0.9, np.array([1.0, 2.0])
    keep = Verifier(tuple(C), within)
    found = centres(loop(linear(sigma), truth, keep, covariance=COVARIANCE), 8)
    expected = [truth]
    for _ in range(8):
        delta = expected[-1] - C
        square = sigma**2 + delta @ COVARIANCE @ delta
        a = within / np.sqrt(square)
        k = 1 - 2 * a * norm.pdf(a) / (2 * norm.cdf(a) - 1)
        rho = k * square / (k * square + (1 - k) * sigma**2)
        assert within**2 / (within**2 + 3 * sigma**2) < rho < 1
        expected.append(C + rho * delta)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("verified", "centre", "slope", "variance"),
    [
        (0.9, 0.86308, 0.27624, 0.57867),
        (0.5, 0.35730, 0.25943, 1.17309),
        (0.1, 0.04646, 0.05260, 1.03818),
    ],
)
def test_real_data_hold_a_verified_loop_between(verified, centre, slope, variance):
    path = path_of(loop(linear(), [0.0], Verifier((1.0,), 1.0), 1 - verified), 1)
    np.testing.assert_allclose(path.limit, centre, atol=5.1e-6)
    np.testing.assert_allclose(path.late.transition, slope, atol=5.1e-6)
    np.testing.assert_allclose(spread(path), variance, atol=5.1e-6)


def test_rows_looked_at_weigh_by_the_share_that_is_kept():
    """A mixture of real rows and of raw ones: the centre solves its equation by their shares."""
    one = loop(linear(), [0.0], Verifier((1.0,), 1.0, count="raw"), 0.5)
    found = centres(one, 1)[1, 0]
    square = 2.0
    a = 1 / np.sqrt(square)
    kept = 2 * norm.cdf(a) - 1
    k = 1 - 2 * a * norm.pdf(a) / kept
    curvature = 1 - (1 - k) / square  # E[x^2 | kept]
    rho = k * square / (k * square + (1 - k))
    expected = kept * curvature * (1 - rho) / (1 + kept * curvature)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


# ------------------------------------------------------------------------------------ checkers


def test_a_checked_loop_adds_the_checkers_log_odds():
    """For ever: it neither settles nor forgets, and noise accumulates."""
    theta, c = np.array([0.4, -0.2]), np.array([0.1, -0.05])
    path = path_of(loop(logistic(), theta, Checker(tuple(c))), 5)
    expected = theta + np.arange(6)[:, None] * c
    np.testing.assert_allclose(path.centres[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(path.system.transition, np.eye(2), atol=1e-9)
    assert np.isnan(path.limit).all()


def test_log_odds_of_other_directions_add_as_well():
    v, c, model = np.array([0.4, -0.2]), np.array([0.1, 0.7]), logistic()
    for count in ("accepted", "raw"):
        data = Checker(tuple(c), count).population(Origin(v, COVARIANCE, {}, False), model)
        np.testing.assert_allclose(data.score(v + c).mean, 0, atol=1e-12)


# ---------------------------------------------------------------------------------- best of K

LARGEST = {
    2: (0.56419, 0.68169, 3.23587, 0.36069),
    3: (0.84628, 0.55947, 3.35794, 0.49881),
    4: (1.02938, 0.49172, 3.44531, 0.57289),
    8: (1.42360, 0.37290, 3.65638, 0.69568),
}
"""By K: mean and variance of the largest of K normals, drift of a loop, and share of runaway."""


@pytest.mark.parametrize("count", LARGEST)
def test_a_loop_of_the_best_label_drifts_and_loses_its_spread(count):
    e, v, drift, _ = LARGEST[count]
    mean, deviation = 0.3, 1.3
    found = centres(loop(gaussian(), [mean, deviation**2], BestOf(count)), 60)
    np.testing.assert_allclose(found[1, 0], mean + e * deviation, atol=1e-5)
    np.testing.assert_allclose(found[1:20, 1] / found[:19, 1], v, atol=5.1e-6)
    assert found[-1, 0] == pytest.approx(mean + drift * deviation, rel=1e-5)


@pytest.mark.parametrize("count", LARGEST)
def test_few_real_data_let_the_spread_run_away(count):
    """The map of the spread is linear in its square: below a share it has no fixed point."""
    e, v, _, share = LARGEST[count]
    above, below = round(share + 0.02, 3), round(share - 0.02, 3)
    path = path_of(loop(gaussian(), [0.0, 1.0], BestOf(count), above), 1)
    variance = above / (1 - (1 - above) * v - (1 - above) / above * e**2)
    np.testing.assert_allclose(path.limit[0, 1], variance, rtol=2e-3)  # e, v: five digits
    mean = (1 - above) / above * e * np.sqrt(variance)
    np.testing.assert_allclose(path.limit[0, 0], mean, rtol=2e-3)
    found = path_of(loop(gaussian(), [0.0, 1.0], BestOf(count), below), 100)
    assert np.isnan(found.limit).all()
    growth = found.centres[1:, 0, 1] / found.centres[:-1, 0, 1]
    assert (growth[5:] > 1).all()


@pytest.mark.parametrize(("share", "variance"), [(0.37, 12.96), (0.5, 1.46694)])
def test_best_of_two_with_real_data(share, variance):
    found = path_of(loop(gaussian(), [0.0, 1.0], BestOf(2), share), 1).limit[0, 1]
    assert found == pytest.approx(variance, rel=5e-4 if variance > 10 else 1e-5)


def test_the_closest_of_many_is_at_the_target():
    """A loop that keeps labels close to a target ends there, without spread."""
    found = centres(loop(gaussian(), [0.0, 1.0], BestOf(8, "closest", 1.5)), 6)
    distance = np.abs(found[:, 0] - 1.5)
    assert (np.diff(distance) < 0).all()
    assert (np.diff(found[:, 1]) < 0).all()
    assert found[-1, 1] < 1e-6
    at_target = centres(loop(gaussian(), [1.5, 1.0], BestOf(8, "closest", 1.5)), 3)
    np.testing.assert_allclose(at_target[:, 0], 1.5, atol=1e-12)


# -------------------------------------------------------------------------------------- tails

SIX = np.array([0.35, 0.25, 0.15, 0.12, 0.08, 0.05])


def test_a_loop_without_tails_loses_class_after_class():
    """Until every class that is left has more than 1 - p."""
    found = centres(loop(categorical(), SIX, TopP(0.8)), 6)
    assert [int((theta > 1e-12).sum()) for theta in found] == [6, 4, 3, 2, 2, 2, 2]
    np.testing.assert_allclose(found[-1], [0.35 / 0.6, 0.25 / 0.6, 0, 0, 0, 0], atol=1e-12)


def test_tails_are_cut_to_the_share_of_real_data():
    share, p = 0.25, 0.8
    found = centres(loop(categorical(), SIX, TopP(p), share), 40)
    kept = np.array([1.0, 1, 1, 0, 0, 0])
    mass = kept @ SIX
    expected = np.where(kept, SIX * (1 - share + share * mass) / mass, share * SIX)
    np.testing.assert_allclose(found[-1], expected, atol=1e-9)


def test_the_past_decides_which_tails_are_kept():
    """With p = .9 and a tenth of real data, 1 to 4 classes that are kept stay kept, and no more."""
    share, model = 0.1, categorical()

    def after(theta):
        cut = TopP(0.9).population(Origin(theta, np.eye(6), model.params, False), model)
        return share * SIX + (1 - share) * -cut.score(np.zeros(6)).mean

    stays = []
    for count in range(1, 6):
        kept = np.arange(6) < count
        mass = SIX[kept].sum()
        theta = np.where(kept, SIX * (1 - share + share * mass) / mass, share * SIX)
        if np.allclose(after(theta), theta, atol=1e-12):
            stays.append(count)
    assert stays == [1, 2, 3, 4]
