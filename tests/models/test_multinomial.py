"""Multinomial logistic regression: derivatives, fits that exist and fits that do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.estimators.objective import gradient_and_hessian, mean_loss
from mcjax.laws.first_order.span import Span
from mcjax.models.class_scores import bends, chances, curvatures
from mcjax.solvers.status import Status

CLASSES, Q, N = 4, 3, 200
MODEL = mcjax.multinomial(classes=CLASSES)
THETA = np.array([0.6, -0.4, 0.2, -0.5, 0.3, 0.9, 0.1, 0.8, -0.7])


def rows(seed=0, size=N):
    """Rows of unequal weights, some of them 0."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, Q))
    x[:, 0] = 1
    own = chances(x, THETA, CLASSES - 1)
    ends = np.column_stack([1 - own.sum(1), own]).cumsum(1)
    y = (rng.uniform(size=size)[:, None] > ends).sum(1)
    weight = rng.uniform(0.5, 2, size) * (rng.random(size) > 0.1)
    return mcjax.Dataset(*map(jnp.asarray, (x.T, y.astype(float), weight)))


@jax.jit
def fitted(model, data):
    return mcjax.Newton().fit(model, data, jnp.zeros(data.x.shape[0] * (CLASSES - 1)), None)


@jax.jit
def derivatives(model, data, theta):
    """In closed form, and by automatic differentiation of the objective."""

    def objective(at):
        return mean_loss(model, data, at)

    found = gradient_and_hessian(model, data, theta)
    return found, (jax.grad(objective)(theta), jax.hessian(objective)(theta))


@pytest.mark.parametrize("penalty", [{"ridge": 0.3}, {"firth": True}])
def test_derivatives_are_those_of_the_objective(penalty):
    for model in (MODEL, mcjax.penalised(MODEL, **penalty)):
        found, expected = derivatives(model, rows(), jnp.asarray(THETA))
        for part, whole in zip(found, expected, strict=True):
            np.testing.assert_allclose(part, whole, rtol=1e-9, atol=1e-12)


def test_two_classes_are_logistic_regression():
    """With each of the penalties too."""
    data = rows()._replace(y=(rows().y > 1).astype(float))
    for penalty in ({"ridge": 0.1}, {"firth": True}):
        models = mcjax.multinomial(classes=2), mcjax.logistic()
        ends = [
            mcjax.Newton().fit(mcjax.penalised(m, **penalty), data, jnp.zeros(Q), None).theta
            for m in models
        ]
        np.testing.assert_allclose(*ends, rtol=1e-8)


def test_fits_agree_with_statsmodels_and_scikit_learn():
    sm = pytest.importorskip("statsmodels.api")
    linear_model = pytest.importorskip("sklearn.linear_model")
    data = rows()
    plain = data._replace(weight=jnp.ones(N))
    fit = fitted(MODEL, plain)
    assert fit.status == Status.CONVERGED
    other = sm.MNLogit(np.asarray(data.y), data.x.T).fit(disp=0, tol=1e-14, method="newton")
    np.testing.assert_allclose(fit.theta, other.params.T.ravel(), rtol=1e-8)
    # scikit-learn has a vector for each class, and its ridge a minimum among all that are alike
    weight = np.asarray(data.weight)
    ours = fitted(MODEL, data).theta
    sklearn = linear_model.LogisticRegression(
        C=np.inf, fit_intercept=False, tol=1e-12, max_iter=10_000, solver="newton-cg"
    ).fit(data.x.T[weight > 0], data.y[weight > 0], weight[weight > 0])
    np.testing.assert_allclose(ours, (sklearn.coef_[1:] - sklearn.coef_[0]).ravel(), rtol=1e-6)


def apart(data):
    """Labels that some theta separates."""
    towards = np.array([[-0.5, 1.0, 0.0], [-0.5, -1.0, 1.0], [-0.5, -0.5, -1.0]])
    eta = np.concatenate([np.zeros((1, N)), towards @ data.x])
    return data._replace(y=jnp.asarray(eta.argmax(0), float))


def test_fits_without_an_estimate_say_so_and_have_one_with_a_penalty():
    data = rows()
    absent = data._replace(y=jnp.where(data.y == 2, 1.0, data.y))
    for hopeless in (apart(data), absent):
        fit = fitted(MODEL, hopeless)
        assert fit.status == Status.SEPARATED
        assert np.isnan(fit.theta).all()
        assert fit.steps < 20  # long before the gradient vanishes
        for penalty in ({"ridge": 0.01}, {"firth": True}):
            saved = fitted(mcjax.penalised(MODEL, **penalty), hopeless)
            assert saved.status == Status.CONVERGED
            assert np.abs(saved.theta).max() < 50
    # a row of weight 0 is none
    stray = apart(data)._replace(weight=data.weight.at[0].set(0.0))
    wrong = stray._replace(y=stray.y.at[0].set((stray.y[0] + 1) % CLASSES))
    assert fitted(MODEL, wrong).status == Status.SEPARATED
    assert fitted(MODEL, wrong._replace(weight=jnp.ones(N))).status == Status.CONVERGED


def test_bends_are_the_derivatives_of_curvatures():
    """By central differences in the predictor of each class, at one row."""
    eta, step = np.array([0.7, -0.4, 0.2]), 1e-5

    def curvature(move):
        return curvatures(chances(np.ones((1, 1)), eta + move, 3))[0]

    moves = step * np.eye(3)
    slopes = [(curvature(move) - curvature(-move)) / (2 * step) for move in moves]
    found = bends(chances(np.ones((1, 1)), eta, 3))[0]
    np.testing.assert_allclose(found, np.moveaxis(slopes, 0, -1), rtol=1e-7, atol=1e-10)


def test_the_information_of_normal_covariates():
    """Against quadrature in the plane of the predictors of three classes."""
    theta, root = np.array([1.0, -0.5, 0.3, -0.2, 0.9, 0.1]), np.diag([1.0, 0.6, 1.3])
    root[1, 0] = 0.5
    model = mcjax.multinomial(classes=3)
    found = model.information(model.params, theta, root @ root.T).real.hessian
    span = Span(root, [theta[:3], theta[3:]])
    mass = np.exp(span.predictors)
    first, second = mass / (1 + mass.sum(0))
    across = span.matrix(-first * second)
    exact = np.block(
        [
            [span.matrix(first * (1 - first)), across],
            [across, span.matrix(second * (1 - second))],
        ]
    )
    off = np.linalg.solve(exact, found) - np.eye(6)
    assert np.abs(off).max() < 1e-3


@pytest.mark.parametrize("classes", [1, 2.5, 10**6])
def test_numbers_of_classes_that_are_refused(classes):
    with pytest.raises(mcjax.InputError, match=r"classes"):
        mcjax.multinomial(classes=classes)


def test_classes_that_are_partly_separated_are_told_from_rows_that_span_too_little():
    """Class 0 is left of the others, which overlap; and all overlap, on a line."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 60))
    y = rng.integers(0, 3, (3, 60)).astype(float)
    y[0] = np.where(x[0, 0] < 0, 0, rng.integers(1, 3, 60))
    x[1, 1] = 2 * x[1, 0]

    @jax.jit
    @jax.vmap
    def fit(x, y):
        data = mcjax.Dataset(x, y, jnp.ones_like(y))
        return mcjax.Newton().fit(mcjax.multinomial(3), data, jnp.zeros(4), jax.random.key(0))

    found = [Status(int(status)) for status in fit(x, y).status]
    assert found == [Status.SEPARATED, Status.RANK_DEFICIENT, Status.CONVERGED]
