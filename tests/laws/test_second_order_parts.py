"""Parts of the second-order law by brute force: moments of rows, and derivatives of fits."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import root
from second_order_cases import T3, case, log_cosh, log_cosh_moments, log_cosh_scores

from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.predictor_population import PredictorPopulation
from mcjax.laws.law import Inapplicable
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.checks import check_expansion
from mcjax.laws.second_order.moments import axis_of, expansions, generations_of, tensors_of
from mcjax.laws.second_order.polynomials import Polynomial, inverse, linear, product, taylor
from mcjax.laws.second_order.row_tensors import grid_for, noise_axes
from mcjax.laws.second_order.step import Layout, step_of
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber
from mcjax.models.location import linear as least_squares
from mcjax.models.negative_binomial import negative_binomial
from mcjax.models.noise import NOISES
from mcjax.models.probit import probit

MODELS = {
    "logistic": logistic(),
    "poisson": poisson(),
    "probit": probit(),
    "negative_binomial": negative_binomial(0.7, real_dispersion=1.4),
    "linear": least_squares(0.7, noise={"name": "student_t", "df": 5}, real_noise="laplace"),
    "huber": huber(1.345, 0.8, noise="contaminated_normal", real_noise=T3),
    "sharp huber": huber(0.5, 2.0, noise="laplace"),
    "log_cosh": log_cosh(),
}
by_model = pytest.mark.parametrize("name", MODELS)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_tensors_by_quadrature_in_all_directions(p, order):
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    z = np.stack(np.meshgrid(*[nodes] * p, indexing="ij"), -1).reshape(-1, p)
    mass = np.prod(np.stack(np.meshgrid(*[weights] * p), -1).reshape(-1, p), 1)
    mass /= mass.sum()

    def g(eta):
        return np.exp(0.3 * eta) * np.cos(eta)

    total = mass * g(0.8 * z[:, 0])
    for _ in range(order):
        total = total[..., None] * z.reshape(len(z), *[1] * (total.ndim - 1), p)
    grid = grid_for(0.8)
    found = grid.tensor(g(0.8 * grid.z), p, order)
    np.testing.assert_allclose(found, total.sum(0), rtol=0, atol=1e-11)


@by_model
def test_expansions_are_those_of_the_moments(name):
    model, eta = MODELS[name], np.array([-0.9, 0.2])
    for real in (False, True):
        expansion = model.scores.expansion(model.params, eta, real)

        def mean(reader, parent, real=real):
            return model.scores.mean(model.params, reader, parent, real).mean

        def both(first, second, parent, real=real):
            return model.scores.product(model.params, (first, second), parent, real)

        for a in range(4):
            for c in range(4 - a):
                if a + c:
                    found = np.broadcast_to(expansion.mean_term(a, c), eta.shape)
                    np.testing.assert_allclose(
                        found, differences(mean, eta, (a, c)), rtol=2e-4, atol=2e-4
                    )
        for a in range(3):
            for b in range(3 - a):
                for c in range(3 - a - b):
                    found = np.broadcast_to(expansion.product_term(a, b, c), eta.shape)
                    np.testing.assert_allclose(
                        found, differences(both, eta, (a, b, c), 5e-4), rtol=2e-4, atol=2e-4
                    )


WEIGHTS = {0: {0: 1.0}, 1: {1: 0.5, -1: -0.5}, 2: {1: 1, 0: -2, -1: 1}}
WEIGHTS[3] = {2: 0.5, 1: -1, -1: 1, -2: -0.5}


def differences(function, eta, orders, step=4e-3):
    """Return a mixed derivative by central differences, extrapolated in the step.

    Products of Huber's slopes have a jump in the third derivative, so their step is small.
    """

    def at(h):
        total = 0.0
        for places in np.ndindex(*[5] * len(orders)):
            weight = np.prod(
                [WEIGHTS[o].get(q - 2, 0) for o, q in zip(orders, places, strict=True)]
            )
            if weight:
                total = total + weight * function(*(eta + (q - 2) * h for q in places))
        return total / h ** sum(orders)

    return (4 * at(step) - at(2 * step)) / 3


@by_model
def test_third_moments_by_brute_force(name):
    """Moments of the score and the curvature over labels; Huber's curvature is that of its loss."""
    model = MODELS[name]
    if name in ("logistic", "poisson"):
        eta = 0.4
        y = np.arange(2 if name == "logistic" else 60)
        mean = 1 / (1 + np.exp(-eta)) if name == "logistic" else np.exp(eta)
        mass = np.array([1 - mean, mean]) if name == "logistic" else np.exp(-mean) * mean**y
        if name == "poisson":
            mass = mass / np.cumprod(np.maximum(y, 1.0))
        slope, curvature = mean - y, mean * (1 - mean) if name == "logistic" else mean
        sums = (mass @ slope**3, mass @ (slope**2 * curvature), curvature**3)
        found = model.scores.expansion(model.params, np.array([eta]), False)
        np.testing.assert_allclose(
            np.concatenate([found.cubed_slope, found.curved_square, found.cubed_curvature]), sums
        )
        return
    if name in ("log_cosh", "probit", "negative_binomial"):
        return  # those are sums already
    kind = {"linear": "student_t", "huber": "contaminated_normal", "sharp huber": "laplace"}[name]
    sigma = float(model.params["sigma"])
    e = np.arange(-999.9995, 1000, 1e-3)
    mass = NOISES[kind].density(model.params["noise"], e / sigma) / sigma * (e[1] - e[0])
    k = float(model.params.get("threshold", np.inf))
    within, psi = np.abs(e) < k, np.clip(e, -k, k)
    found = model.scores.expansion(model.params, np.zeros(1), False)
    assert found.cubed_slope == 0
    np.testing.assert_allclose(found.curved_square, mass @ (psi**2 * within), rtol=2e-3)
    np.testing.assert_allclose(found.cubed_curvature, mass @ within, rtol=2e-3)


def planted(**changes):
    """Log-cosh regression whose user states other moments."""
    return log_cosh(log_cosh_scores(lambda: log_cosh_moments()._replace(**changes)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bent": 0.0}, "E r3 r1"),  # what differentiating the loss gives at a kink
        ({"third_slope": 0.0}, "third derivative"),
        ({"squared_slope": 1.0}, "E r2"),
    ],
)
def test_what_a_user_states_is_checked(changes, problem):
    one = case("user2")
    assert built_in("second_order").predict(one, 0) is not None
    with pytest.raises(Inapplicable, match=problem):
        built_in("second_order").predict(replace(one, model=planted(**changes)), 0)


def test_derivatives_lost_in_a_sampler_of_labels_are_noticed():
    model = logistic()
    eta = np.array([0.3, 1.0])
    right = model.scores.expansion(model.params, eta, False)
    check_expansion(model, right, 1.0)
    lost = right._replace(mean={k: v for k, v in right.mean.items() if k[1] == 0})
    with pytest.raises(Inapplicable, match="order 1"):
        check_expansion(model, lost, 1.0)


def test_polynomials():
    rng = np.random.default_rng(1)
    matrix = Polynomial({k: rng.standard_normal((2, 2, *[3] * k)) for k in range(3)})
    again = product("ab,bc->ac", matrix, inverse(matrix, 2), 2)
    np.testing.assert_allclose(again.parts[0], np.eye(2), atol=1e-12)
    for k in (1, 2):
        np.testing.assert_allclose(again.derivative(k, (2, 2), 3), 0, atol=1e-9)
    x = linear(np.eye(3))
    cubic = taylor({(3,): np.arange(27.0).reshape(1, 3, 3, 3)}, (x,), 3)
    symmetric = cubic.derivative(3, (1,), 3)
    for axes in ((0, 2, 1, 3), (0, 3, 2, 1)):
        np.testing.assert_allclose(symmetric, symmetric.transpose(axes))
    wide = matrix.among(np.array([4, 0, 2]), 5)
    at = rng.standard_normal(5)
    for k in range(3):
        inside, outside = matrix.parts[k], wide.parts[k]
        for _ in range(k):
            inside, outside = inside @ at[[4, 0, 2]], outside @ at
        np.testing.assert_allclose(inside, outside)


# ------------------------------------------------- one generation, against integrals over all of x


class Whole:
    """Targets and spreads of a two-reader generation, without expansion."""

    def __init__(self, one):
        self.condition, self.net = one, one.network
        self.samples = generations_of(one, 1).samples[1]

    def population(self, sample, state):
        real = sample.origin >= self.net.size
        theta = self.condition.theta + (0 if real else state[sample.origin])
        root_of = np.linalg.cholesky(self.condition.covariance)
        origin = Origin(theta, root_of, self.condition.model.params, real)
        return PredictorPopulation(origin, self.condition.model.scores)

    def target(self, i, state):
        read = [(s, self.population(s, state)) for s in self.samples if i in s.shares]

        def score(theta):
            return sum(s.shares[i] * p.score(theta).mean for s, p in read)

        found = root(score, self.condition.theta, tol=1e-13)
        return found.x, sum(s.shares[i] * p.score(found.x).by_reader for s, p in read)

    def spread(self, i, k, state):
        (first, slope), (second, other) = self.target(i, state), self.target(k, state)
        total = sum(
            s.shares[i] * s.shares[k] / s.rows * self.population(s, state).covariance(first, second)
            for s in self.samples
            if i in s.shares and k in s.shares
        )
        return np.linalg.inv(slope) @ total @ np.linalg.inv(other).T


@pytest.mark.parametrize("name", ["ring2s", "mixed", "poi2a"])
def test_derivatives_of_a_generation_by_brute_force(name):
    """Targets to third order and spreads to second order, along random directions."""
    one = case(name)
    size, p = one.network.size, len(one.theta)
    axis = axis_of(one)
    grid = grid_for(axis.gamma)
    tensors = tensors_of(expansions(one, grid, axis.gamma), grid, p)
    layout = Layout(size, p, noise_axes(p), 0)
    step = step_of(generations_of(one, 1).samples[1], tensors, layout)
    whole, rng = Whole(one), np.random.default_rng(2)
    turn = np.array([one.theta, [-one.theta[1], one.theta[0]]]).T / axis.gamma  # to u and across
    inner = np.kron(np.eye(size), turn)
    direction = rng.standard_normal((size, p))
    small = inner.T @ direction.ravel()
    for fit, i in zip(step.moved, [int(fit.own[0]) // p for fit in step.moved], strict=True):
        at = small[fit.variables]
        ours = [step.first[fit.own] @ small, fit.second @ at @ at, fit.third @ at @ at @ at]
        theirs = line(lambda h, i=i: whole.target(i, h * direction)[0], 3)
        for k, derivative in enumerate(ours):
            np.testing.assert_allclose(turn @ derivative, theirs[k + 1], rtol=2e-3, atol=2e-3)
    for pair in step.spreads:
        i, k, at = int(pair.first[0]) // p, int(pair.second[0]) // p, small[pair.variables]
        ours = [
            step.spread[np.ix_(pair.first, pair.second)],
            pair.slope @ at,
            pair.curvature @ at @ at,
        ]
        theirs = line(lambda h, i=i, k=k: whole.spread(i, k, h * direction), 2)
        scale = np.abs(theirs[0]).max()
        for order, derivative in enumerate(ours):
            turned = turn @ derivative @ turn.T
            np.testing.assert_allclose(turned / scale, theirs[order] / scale, rtol=0, atol=5e-3)


def line(function, order, reach=0.12):
    """Return a function and its derivatives at 0, from a polynomial through Chebyshev nodes."""
    nodes = reach * np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    values = np.array([function(h) for h in nodes])
    shape = values.shape[1:]
    fitted = np.polynomial.polynomial.polyfit(nodes, values.reshape(9, -1), 8)
    factors = np.cumprod([1.0, *range(1, order + 1)])
    return [f * fitted[k].reshape(shape) for k, f in enumerate(factors)]


def test_derivatives_are_symmetric_in_the_state():
    one = case("ring2s")
    axis = axis_of(one)
    grid = grid_for(axis.gamma)
    tensors = tensors_of(expansions(one, grid, axis.gamma), grid, 2)
    step = step_of(generations_of(one, 1).samples[1], tensors, Layout(3, 2, noise_axes(2), 0))
    for fit in step.moved:
        np.testing.assert_allclose(fit.second, fit.second.transpose(0, 2, 1), atol=1e-14)
        for axes in ((0, 2, 1, 3), (0, 1, 3, 2)):
            np.testing.assert_allclose(fit.third, fit.third.transpose(axes), atol=1e-13)
    for pair in step.spreads:
        swapped = pair.curvature.transpose(0, 1, 3, 2)
        np.testing.assert_allclose(pair.curvature, swapped, atol=1e-13)
    assert step.bends
