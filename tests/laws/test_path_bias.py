"""The bias of small samples around the population path: closed forms, brute force and limits."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from population_models import MODELS
from scipy.special import expit
from scipy.stats import chi2, norm
from second_order_cases import CASES, case

from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.path_bias import KEPT, POOLED, path_bias
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.second_order.m_estimators import expansion
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.network import Feed, Source, build_network
from mcjax.selections.flip import Flip
from mcjax.selections.temperature import Temperature
from mcjax.selections.verifier import Verifier
from mcjax.study.study import condition

# ------------------------------------------------------------------------ where it is known exactly


@pytest.mark.parametrize("name", sorted(set(CASES) - {"log2r", "poi1r", "user2"}))
def test_where_all_centres_are_the_truth_it_is_the_mean_of_second_order(name):
    """X is of the size of the largest sum of second-order terms in one direction."""
    one = case(name)
    found, law = path_bias(path_of(one, 5)), expansion(one, 5)
    np.testing.assert_allclose(found.mean, law.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.leverage, law.validity.leverage, rtol=1e-9)
    ratio = found.indicator / law.validity.directed
    assert 0.85 < ratio.min() < ratio.max() < 2


def shrinking(n, ridge=0.5):
    return condition(build_network(1, [("0", "0", n)], n), penalised(linear(), ridge=ridge), [1.0])


def test_a_ridge_in_a_closed_loop_of_least_squares():
    """The mean is that of S / (S + ridge) to the power t + 1, for mean squares S of covariates."""
    gaps = []
    for n in (100, 400):
        law = FirstOrder().predict(shrinking(n), 3)
        kept = chi2(n).expect(lambda square, n=n: square / (square + 0.5 * n))
        exact = kept ** np.arange(1, 5) - 1
        gaps.append(np.abs(exact - law.mean[:, 0, 0]))
    powers = np.arange(4)
    expected = (powers + 1) * (2 / 3) ** powers * -2 * 0.5 / 1.5**3 / 400
    np.testing.assert_allclose(law.small_samples.mean[:, 0, 0], expected, rtol=1e-10)
    np.testing.assert_allclose((gaps[0] / gaps[1])[1:], 16, rtol=0.1)  # of order 1/n^2


def test_weighted_least_squares_between_sources_by_hand():
    """The mean of a ratio of mean squares of covariates, whatever the noise."""
    far = Source("far", theta=(-1.0,), covariance=((0.4,),), noise=2.0, real="fresh")
    net = build_network(1, [("real", "0", 60), ("far", "0", 90, 3.0)], 50, sources=[far])
    law = FirstOrder().predict(condition(net, linear(), [1.0], [[1.5]]), 1)
    truths, rows, squares = np.array([1.0, -1.0]), np.array([60, 90]), np.array([1.5, 0.4])
    share = np.array([60, 270]) / 330
    slope = share @ squares
    centre = share * squares @ truths / slope
    expected = -(share**2 * (truths - centre) / slope**2 * 2 * squares**2 / rows).sum()
    np.testing.assert_allclose(law.small_samples.mean[1, 0, 0], expected, rtol=1e-10)
    assert abs(expected) > 1e-3


def between(model, truth, far, rows=4000):
    feeds = [("real", "0", rows // 4), ("far", "0", rows // 4), ("0", "0", rows // 2)]
    net = build_network(1, feeds, rows, sources=[Source("far", theta=(far,), real="fresh")])
    return condition(net, model, [truth])


VALUES = {
    "logistic": (between(logistic(), 1.0, -1.0), [2.95205, 1.39792, 0.75683, 0.39424, 0.20026]),
    "poisson": (between(poisson(), 0.5, -0.5), [-0.4589, -1.24242, -0.90234, -0.54232, -0.31086]),
    "ridge": (
        condition(
            build_network(1, [("0", "0", 4000)], 4000), penalised(logistic(), ridge=0.05), [1.0]
        ),
        [0.7313, 0.79674, 0.66232, 0.46189, 0.24949],
    ),
}
"""N times the bias at generations 0 to 4, by an independent program on a dense rule."""


@pytest.mark.parametrize("name", VALUES)
def test_values_of_an_independent_program(name):
    one, expected = VALUES[name]
    np.testing.assert_allclose(4000 * path_bias(path_of(one, 4)).mean[:, 0, 0], expected, atol=6e-6)


# ------------------------------------------------------------------------------------- brute force

NODES, MASS = np.polynomial.hermite_e.hermegauss(32)
X = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), -1).reshape(-1, 2)
W = np.outer(MASS, MASS).ravel() / MASS.sum() ** 2
COVARIANCE = np.array([[1.0, 0.4], [0.4, 1.5]])


@dataclass
class Dense:
    """Moments of one row's score on a dense rule, as functions of reader and origin."""

    family: str
    temperature: float = 1.0
    flip: float = 0.0

    def __post_init__(self):
        self.x = np.asarray(X @ np.linalg.cholesky(COVARIANCE).T)

    def score(self, m, v):
        if self.family == "huber":
            slope = -clipped(self.x @ (v - m))
        else:
            slope = self.mean(self.x @ m) - self.label(v)[0]
        return self.x.T @ (W * slope)

    def square(self, m, v):
        if self.family == "huber":
            square = clipped_square(self.x @ (v - m))
        else:
            label, variance = self.label(v)
            square = (self.mean(self.x @ m) - label) ** 2 + variance
        return np.einsum("na,n,nb->ab", self.x, W * square, self.x)

    def by_reader(self, m, v):
        return slopes(partial(self.score, v=v), m)

    def by_parent(self, m, v):
        return slopes(partial(self.score, m), v)

    def mixed(self, m, v):
        return slopes(partial(self.by_reader, m), v)

    def twice_by_parent(self, m, v):
        return slopes(partial(self.by_parent, m), v)

    def mean(self, eta):
        return np.exp(eta) if self.family == "poisson" else expit(eta)

    def label(self, v):
        """Mean and variance of a label."""
        mean = self.mean(self.x @ v / self.temperature)
        mean = self.flip + (1 - 2 * self.flip) * mean
        return mean, mean if self.family == "poisson" else mean * (1 - mean)


def slopes(function, at, h=5e-3):
    """Return derivatives along a new last axis, by differences of fourth order."""
    columns = []
    for step in h * np.eye(len(at)):
        near, far = (function(at + k * step) - function(at - k * step) for k in (1, 2))
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, -1)


def clipped(d, k=1.0):
    """``E psi(d + e)`` for standard normal e."""
    upper, lower = d + k, d - k
    integrals = (z * norm.cdf(z) + norm.pdf(z) for z in (upper, lower))
    return next(integrals) - next(integrals) - k


def clipped_square(d, k=1.0):
    """``E psi(d + e)^2`` for standard normal e."""
    a, b = -k - d, k - d
    inside = norm.cdf(b) - norm.cdf(a)
    return (
        (1 + d**2) * inside
        - (b * norm.pdf(b) - a * norm.pdf(a))
        - 2 * d * (norm.pdf(b) - norm.pdf(a))
        + k**2 * (1 - inside)
    )


def brute_force(family, feeds, initial, truth, far, ridge, generations):
    """Return m of two models, by differences of mean scores, with private draws."""
    real = np.asarray(truth)
    centre = {i: real for i in (0, 1)}
    spread, small = np.zeros((4, 4)), np.zeros((2, 2))
    found = []
    for t in range(generations + 1):
        read = feeds if t else [("real", i, initial, 1.0, {}) for i in (0, 1)]
        transition, noise, added = np.zeros((4, 4)), np.zeros((4, 4)), []
        following = {}
        for i in (0, 1):
            own = slice(2 * i, 2 * i + 2)
            data = []
            for origin, reader, rows, weight, keep in read:
                if reader == i:
                    v = {"real": real, "far": np.asarray(far)}.get(origin)
                    v = centre[origin] if v is None else v
                    data.append((origin, v, rows, weight * rows, Dense(family, **keep)))
            total = sum(mass for *_, mass, _ in data)
            data = [(j, v, n, mass / total, law) for j, v, n, mass, law in data]

            def equation(m, data=data):
                return sum(pi * law.score(m, v) for _, v, _, pi, law in data) + ridge * m

            m = centre[i]
            for _ in range(12):
                m = m - np.linalg.solve(slopes(equation, m), equation(m))
            slope, bend = slopes(equation, m), slopes(lambda m: slopes(equation, m), m)
            gain, score_noise, beside = np.linalg.inv(slope), 0.0, 0.0
            for j, v, n, pi, law in data:
                mean, by_reader = law.score(m, v), law.by_reader(m, v)
                score_noise += pi**2 / n * (law.square(m, v) - np.outer(mean, mean))
                product = slopes(partial(law.square, v=v), m) / 2 - np.einsum(
                    "ab,c->abc", by_reader, mean
                )
                beside += pi**2 / n * np.einsum("abc,bc->a", product, gain)
                if j in (0, 1):
                    block = -gain @ (pi * law.by_parent(m, v))
                    transition[own, 2 * j : 2 * j + 2] += block
            own_noise = gain @ score_noise @ gain.T
            noise[own, own] = own_noise
            following[i] = m
            added.append((i, data, m, gain, bend, own_noise, beside))
        carried, after = transition @ spread, transition @ spread @ transition.T
        biases = []
        for i, data, m, gain, bend, own_noise, beside in added:
            own = slice(2 * i, 2 * i + 2)
            pull = np.tensordot(bend, own_noise + after[own, own], 2) / 2 - beside
            for j, v, _, pi, law in data:
                if j in (0, 1):
                    at = slice(2 * j, 2 * j + 2)
                    mixed = law.mixed(m, v)
                    twice = law.twice_by_parent(m, v)
                    pull += pi * np.tensordot(mixed, carried[own, at], 2)
                    pull += pi / 2 * np.tensordot(twice, spread[at, at], 2)
            biases.append(transition[own] @ small.ravel() - gain @ pull)
        small, spread, centre = np.array(biases), after + noise, following
        found.append(small)
    return np.array(found)


FEEDS = [
    ("real", 0, 100, 1.0, {}),
    ("far", 0, 50, 2.0, {}),
    (0, 0, 80, 1.0, {}),
    (1, 0, 60, 0.5, {}),
    (0, 1, 120, 1.0, {}),
    (1, 1, 70, 1.5, {}),
]
KEEPS = {"none": {}, "temperature": {"temperature": 0.8}, "flip": {"flip": 0.1}}
FAMILIES = {"logistic": logistic(), "poisson": poisson(), "huber": huber(1.0)}
BRUTE = [
    ("logistic", "none", 0.0),
    ("logistic", "temperature", 0.0),
    ("logistic", "flip", 0.03),
    ("poisson", "none", 0.1),
    ("huber", "none", 0.0),
    ("huber", "none", 0.2),
]


@pytest.mark.parametrize(("family", "keep", "ridge"), BRUTE)
def test_two_models_against_brute_force(family, keep, ridge):
    feeds = [(*feed[:4], KEEPS[keep] if feed[0] == 0 else {}) for feed in FEEDS]
    truth, far = [0.6, -0.3], [-0.4, 0.5]
    kept = {"none": None, "temperature": Temperature(0.8), "flip": Flip(0.1)}[keep]
    given = [Feed(str(j), str(i), n, w, keep=kept if j == 0 else None) for j, i, n, w, _ in FEEDS]
    net = build_network(2, given, 150, sources=[Source("far", theta=tuple(far), real="fresh")])
    model = FAMILIES[family]
    model = penalised(model, ridge=ridge) if ridge else model
    one = condition(net, model, truth, COVARIANCE)
    expected = brute_force(family, feeds, 150, truth, far, ridge, 2)
    found = path_bias(path_of(one, 2)).mean
    # a rule of 32 nodes is right to six digits for a logistic function
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize(
    "name", [name for name, model in MODELS.items() if model.scores.curvature is not None]
)
def test_curvatures_are_derivatives_of_the_moments_that_models_state(name):
    """Differences of means and products; thresholds of a loss are no kinks of its expectation."""
    model, h = MODELS[name], 1e-4
    scores, rng = model.scores, np.random.default_rng(3)
    m, v = rng.normal(0, 1.5, (2, 40))
    for real in (False, True):

        def mean(m, v, real=real):
            return scores.mean(model.params, m, v, real)

        def square(m, v, real=real):
            return scores.product(model.params, (m, m), v, real)

        found = scores.curvature(model.params, m, v, real)
        expected = {
            "by_reader": (mean(m + h, v).by_reader - mean(m - h, v).by_reader) / (2 * h),
            "mixed": (mean(m, v + h).by_reader - mean(m, v - h).by_reader) / (2 * h),
            "by_parent": (mean(m, v + h).by_parent - mean(m, v - h).by_parent) / (2 * h),
            "sloped": (square(m + h, v) - square(m - h, v)) / (4 * h),
        }
        for part, value in expected.items():
            np.testing.assert_allclose(
                getattr(found, part), value, rtol=1e-5, atol=2e-5, err_msg=part
            )


# ------------------------------------------------------------------------------- mean square errors


def test_mean_squares_hold_the_product_of_centre_and_bias():
    one = between(logistic(), 1.0, -1.0, rows=400)
    law = FirstOrder().predict(one, 300)
    centre, small = law.centre_errors, law.small_samples.mean
    spread = np.trace(law.own_covariances, axis1=-2, axis2=-1)
    np.testing.assert_allclose(law.mse, (centre**2 + 2 * centre * small).sum(-1) + spread)
    np.testing.assert_allclose(law.mean, centre + small)
    assert law.mse_complete
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-9)


def test_limits_hold_the_bias():
    """A centre that stays away from the truth, and a frozen model that it reads."""
    far = Source("far", theta=(-1.0, 0.4), real="fresh")
    feeds = [("far", "0", 60), ("0", "0", 100), ("1", "0", 40)]
    one = condition(
        build_network(2, feeds, 150, sources=[far]), penalised(logistic(), ridge=0.01), [1.0, 0.5]
    )
    law = FirstOrder().predict(one, 200)
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-9)
    assert np.abs(law.small_samples.mean[-1]).min() > 1e-4


def test_allowances_fall_with_the_number_of_rows():
    """What is left out of means is of order n^-3/2 in standard deviations, and of order 1/n^2 in
    mean squares; variances are known to first order."""
    allowances = []
    for rows in (400, 1600, 6400):
        known = FirstOrder().predict(between(logistic(), 1.0, -1.0, rows), 2).small_samples
        allowances.append((known.allowance[2, 0], known.of_squares[2, 0]))
    for before, after in pairwise(np.array(allowances)):
        assert before[0] / after[0] == pytest.approx(8, rel=0.1)
        assert before[1] / after[1] == pytest.approx(16, rel=0.1)


# -------------------------------------------------------------------------------- what is not known


def test_why_the_bias_is_not_known():
    far = Source("far", samples=100, theta=(-1.0,), real="reused")
    feeds = [("far", "0", None), ("0", "0", 100)]
    kept = build_network(1, feeds, 200, sources=[far], first=[("far", "0", None)])
    fresh = replace(far, real="fresh")
    pooled = build_network(
        1, feeds, 200, sources=[fresh], first=[("far", "0", None)], memory="accumulate"
    )
    verified = build_network(1, [Feed("0", "0", 100, keep=Verifier((1.0,), 1.0))], 200)
    median = build_network(1, feeds, 200, sources=[fresh])
    cases = [
        (kept, logistic(), KEPT),
        (pooled, logistic(), POOLED),
        (verified, linear(), "the curvature of the mean score is not known for such data"),
        (median, MODELS["median"], "the model does not state how its score bends"),
    ]
    for net, model, words in cases:
        law = FirstOrder().predict(condition(net, model, [0.5]), 2)
        assert words in law.small_samples
        assert not law.mse_complete
        np.testing.assert_array_equal(law.centre_errors, law.mean)


def test_where_the_expansion_is_not_trusted_the_bias_is_allowed_for():
    """Few rows of a fit close to a large truth."""
    far = Source("far", theta=(-2.4, 0.0, 0.0), real="fresh")
    net = build_network(1, [("far", "0", 30), ("0", "0", 30)], 400, sources=[far])
    law = FirstOrder().predict(condition(net, logistic(), [-2.3, 0.0, 0.0]), 4)
    assert law.small_samples.allowance.max() > np.abs(law.small_samples.mean).max()
