"""Predictors found in losses of theta as a whole: which they are, and derivatives in them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.estimators import found_predictors
from mcjax.estimators.found_predictors import predictors_found
from mcjax.estimators.newton import solve_newton
from mcjax.estimators.objective import gradient_and_hessian
from mcjax.solvers.cholesky import singular_share

N = 40


def normal_with_scale(theta, x, y):
    return ((y - x @ theta[1:]) * jnp.exp(-theta[0])) ** 2 / 2 + theta[0]


def blocks(theta, x, y):
    """Softmax of matrices; an intercept is part of its predictor, and a product of both."""
    eta = x @ theta["weights"] + theta["intercept"]
    return jax.nn.logsumexp(eta) - y * eta[0] + eta[1] ** 4


def sums_of_products(theta, x, y):
    return jax.nn.softplus(jnp.sum(2 * x * theta)) - y * jnp.exp(theta[1])


def branches(theta, x, y):
    eta = x @ theta
    return jax.lax.cond(y > 0.5, lambda e: e**2, jnp.exp, eta) + jax.lax.stop_gradient(eta) * eta


def ridge(theta, x, y):
    return (y - x @ theta) ** 2 + jnp.sum(theta**2)


def gathered(theta, x, y):
    return (y - x @ theta[jnp.array([0, 0, 1, 2, 3])]) ** 2


def rounded(theta, x, y):
    return ((x.astype("float32") @ theta.astype("float32")) ** 2).astype(theta.dtype)


def inner(theta, x, y):
    return jax.jit(lambda a, b: jnp.dot(b, a) ** 2)(theta[::-1], jnp.where(y > 0.5, x, 2 * x))


def layers(theta, x, y):
    """Numbers that depend on theta are no coefficients."""
    return (y - jnp.tanh(x @ theta["weights"]) @ theta["out"]) ** 2


def scaled(theta, x, y):
    return (y - (x * jax.jit(jnp.exp)(theta[0])) @ theta[1:]) ** 2


def watched(theta, x, y):
    eta = x @ theta
    jax.debug.callback(lambda value: None, eta)
    return (y - eta) ** 2


FOUND = {
    normal_with_scale: (6, ((1, 2, 3, 4, 5), (0,))),
    blocks: ({"intercept": 2, "weights": (5, 2)}, ((2, 4, 6, 8, 10, 0), (3, 5, 7, 9, 11, 1))),
    sums_of_products: (5, ((0, 1, 2, 3, 4), (1,))),
    branches: (5, ((0, 1, 2, 3, 4),)),
    inner: (5, ((4, 3, 2, 1, 0),)),
    layers: ({"out": 2, "weights": (5, 2)}, ((2, 4, 6, 8, 10), (3, 5, 7, 9, 11), (0,), (1,))),
    watched: (5, ((0, 1, 2, 3, 4),)),
    gathered: (5, ((0, 1, 2, 3),)),
}
REFUSED = {ridge: 5, rounded: 5, scaled: 6, lambda theta, x, y: y**2: 5}


def problem(loss, shapes, dtype="float64"):
    """Return a model, 40 rows of which some do not count, and theta."""
    rng = np.random.default_rng(0)
    is_shape = {"is_leaf": lambda leaf: isinstance(leaf, tuple)}
    theta = jax.tree.map(lambda s: jnp.asarray(rng.normal(size=s) / 2, dtype), shapes, **is_shape)
    x, y, weight = rng.normal(size=(5, N)), rng.integers(0, 2, N), rng.uniform(size=N)
    data = mcjax.Dataset(*(jnp.asarray(a, dtype) for a in (x, y, weight * (weight > 0.2))))
    return mcjax.user_model(loss, lambda key, theta, x: 0.0), data, theta


@pytest.mark.parametrize("loss", FOUND, ids=lambda loss: loss.__name__)
def test_derivatives_in_predictors_are_those_of_the_loss(loss):
    """Both where all sums are one loop, up to eight parameters, and by products of matrices."""
    shapes, parameters = FOUND[loss]
    model, data, theta = problem(loss, shapes)
    found = predictors_found(model, theta, data.x[:, 0], data.y[0])
    assert {tuple(sorted(k)) for k in found.parameters} == {tuple(sorted(k)) for k in parameters}

    penalised = mcjax.penalised(model, ridge=0.3)
    both = [found_predictors._derivatives, gradient_and_hessian]
    results = jax.jit(lambda data, theta: [f(penalised, data, theta) for f in both])(data, theta)
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("loss", REFUSED, ids=lambda loss: loss.__name__)
def test_losses_in_which_no_few_predictors_are_found(loss):
    model, data, theta = problem(loss, REFUSED[loss])
    assert predictors_found(model, theta, data.x[:, 0], data.y[0]) is None


def test_one_parameter_has_no_fewer_predictors():
    model, data, theta = problem(lambda theta, x, y: (y - x[0] * theta[0]) ** 2, 1)
    assert predictors_found(model, theta, data.x[:, 0], data.y[0]) is None


@pytest.mark.parametrize("p", [3, 12])
def test_steps_are_those_of_lapack(p):
    """For matrices that are definite, singular, and neither."""
    rng = np.random.default_rng(p)
    root, gradient = jnp.asarray(rng.normal(size=(p, p))), jnp.asarray(rng.normal(size=p))
    singular = root[:, 1:] @ root[:, 1:].T
    both = jax.jit(lambda *system: [f(*system) for f in (found_predictors._solve, solve_newton)])
    for matrix in (root @ root.T, root + root.T, -root @ root.T):
        ours, theirs = both(matrix, gradient)
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8, atol=1e-12)
    least = both(singular, gradient)[0][1]
    assert 0 < least < singular_share(singular)
