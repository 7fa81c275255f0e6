"""What laws ask of rows of data, against sums over rows and against quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rows import FRAME, MODELS, N, data_for, loop
from scipy.special import expit

import mcjax
from mcjax.laws.first_order.population import OriginAround, OriginOfRows
from mcjax.laws.first_order.population_path import Populations
from mcjax.laws.first_order.row_span import RowSpan, ShiftedSpan

READERS = np.array([0.3, 0.5, -0.8]), np.array([-0.2, 0.1, 0.4])


def condition_for(name, **choices):
    return mcjax.condition(loop(200), MODELS[name], data=data_for(name, **choices))


@pytest.mark.by_default("logistic")
@pytest.mark.parametrize("name", MODELS)
def test_moments_of_the_score_over_rows(name):
    """They are those of automatic differentiation of the loss, row by row."""
    made, model = condition_for(name), MODELS[name]
    rows = Populations(made).of(1, made.theta[None])

    def loss(theta, x, y):
        return model.loss(model.params, theta, x, y)

    x, y = jnp.asarray(made.data.x), jnp.asarray(made.data.y)

    def of_rows(derivative, reader):
        return np.asarray(jax.vmap(derivative(loss), (None, 0, 0))(jnp.asarray(reader), x, y))

    scores = [of_rows(jax.grad, reader) for reader in READERS]
    found = rows.score(READERS[0])
    np.testing.assert_allclose(found.mean, scores[0].mean(0), rtol=1e-12)
    hessians = of_rows(jax.hessian, READERS[0])
    np.testing.assert_allclose(found.by_reader, hessians.mean(0), rtol=1e-12)
    expected = scores[0].T @ scores[1] / N - np.outer(scores[0].mean(0), scores[1].mean(0))
    np.testing.assert_allclose(rows.covariance(*READERS), expected, rtol=1e-10, atol=1e-12)
    metric = np.diag([1.0, 2.0, 0.5])
    moments = rows.slope_moments(READERS[0], metric)
    inside = hessians @ metric
    np.testing.assert_allclose(moments.square, (inside @ hessians).mean(0), rtol=1e-10)
    assert moments.cube == pytest.approx(np.trace(inside @ inside @ inside, 0, 1, 2).mean())
    if name == "huber":
        with pytest.raises(mcjax.Inapplicable, match="curvature of the mean score"):
            rows.curvature(READERS[0])
        return
    bend = rows.curvature(READERS[0])
    third = of_rows(lambda f: jax.jacfwd(jax.hessian(f)), READERS[0]).mean(0)
    np.testing.assert_allclose(bend.by_reader, third, rtol=1e-10, atol=1e-12)
    product = np.einsum("nab,nc->abc", hessians, scores[0]) / N
    np.testing.assert_allclose(bend.product, product, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_the_truth_solves_the_score_equation_of_all_rows(name):
    made = condition_for(name)
    scores = Populations(made).of(1, made.theta[None])
    size = np.sqrt(np.diagonal(scores.covariance(made.theta, made.theta)))
    assert np.abs(scores.score(made.theta).mean / size).max() < 1e-9


def test_a_penalised_truth_solves_the_penalised_equation():
    model = mcjax.penalised(mcjax.logistic(), ridge=0.3)
    made = mcjax.condition(loop(200), model, data=data_for("logistic"))
    rows = Populations(made).of(1, made.theta[None])
    np.testing.assert_allclose(rows.score(made.theta).mean, -0.3 * made.theta, atol=1e-9)


def test_rows_that_models_generate_have_the_covariates_of_the_file():
    """The label is averaged over in closed form, which here is done row by row."""
    made = condition_for("logistic")
    rows = Populations(made).of(0, READERS[1][None])
    assert isinstance(rows.origin, OriginOfRows)
    x = made.data.x
    mean = expit(x @ READERS[1])
    off = expit(x @ READERS[0]) - mean
    np.testing.assert_allclose(rows.score(READERS[0]).mean, x.T @ off / N, rtol=1e-12)
    slope = (x.T * mean * (1 - mean)) @ x / N
    np.testing.assert_allclose(rows.by_parent(READERS[0]), -slope, rtol=1e-12)
    second = (x.T * (off**2 + mean * (1 - mean))) @ x / N
    expected = second - np.outer(x.T @ off, x.T @ off) / N**2
    np.testing.assert_allclose(rows.covariance(READERS[0], READERS[0]), expected, rtol=1e-10)


def test_normal_covariates_have_the_mean_and_covariance_of_the_file():
    made = condition_for("logistic", synthetic_covariates="normal")
    origin = Populations(made).of(0, READERS[1][None]).origin
    assert isinstance(origin, OriginAround)
    np.testing.assert_allclose(origin.centre, made.data.x.mean(0))
    found = origin.deviation @ origin.deviation.T
    np.testing.assert_allclose(found[1:, 1:], np.cov(FRAME[["a", "b"]].T, ddof=0))
    assert not found[0].any()


def quadrature(centre, root):
    """Return nodes and weights of a product rule for normal covariates, as rows."""
    line, weight = np.polynomial.hermite_e.hermegauss(60)
    z = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    return centre + z @ root.T, np.outer(weight, weight).ravel() / (2 * np.pi)


@pytest.mark.parametrize("span", ["rows", "normal"])
def test_integrals_over_rows_and_around_a_mean(span):
    """All are sums over nodes of products of covariates."""
    centre, root = np.array([0.7, -0.4]), np.array([[0.8, 0.0], [0.3, 0.6]])
    a, b, metric = np.array([0.5, -0.2]), np.array([0.1, 0.6]), np.array([[1.0, 0.3], [0.3, 2.0]])
    if span == "rows":
        x, weight = np.asarray(FRAME[["a", "b"]]), np.full(N, 1 / N)
        found = RowSpan(x, [a, b])
    else:
        x, weight = quadrature(centre, root)
        found = ShiftedSpan(centre, root, [a, b])

    def f(eta, other):
        return expit(eta) * np.exp(other / 3)

    values, mass = f(*found.predictors), weight * f(x @ a, x @ b)
    lengths = np.einsum("na,ab,nb->n", x, metric, x)
    for got, expected in (
        (found.number(values), mass.sum()),
        (found.vector(values), mass @ x),
        (found.matrix(values), np.einsum("n,na,nb->ab", mass, x, x)),
        (found.cube(values), np.einsum("n,na,nb,nc->abc", mass, x, x, x)),
        (found.matrix_beside(values, metric), np.einsum("n,na,nb->ab", mass * lengths, x, x)),
        (found.cube_of_square(values, metric), mass @ lengths**3),
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-7)


def test_the_sandwich_of_one_fit():
    """Generation 0 has the covariance of Huber's sandwich, which is not that of the model."""
    made = condition_for("linear")
    [prediction] = mcjax.predict(mcjax.Study((made,), generations=1))
    x, residual = made.data.x, made.data.y - made.data.x @ made.theta
    inverse = np.linalg.inv(x.T @ x / N)
    sandwich = inverse @ (x.T * residual**2) @ x / N @ inverse / 400
    law = prediction.laws["first_order"]
    np.testing.assert_allclose(law.covariance[0], sandwich, rtol=1e-9)
    model = np.mean(residual**2) * inverse / 400
    assert np.trace(law.covariance[0]) > 1.5 * np.trace(model)
    # half real rows, half those of a model at sigma = 1 that has the error of generation 0
    synthetic = inverse / 200
    expected = sandwich / 4 + (sandwich * 2 + synthetic) / 4
    np.testing.assert_allclose(law.covariance[1], expected, rtol=1e-9)
    np.testing.assert_allclose(law.mean, np.broadcast_to(law.mean[0], law.mean.shape), atol=0.1)


def test_without_third_moments_the_mean_square_is_known_at_the_truth(monkeypatch):
    monkeypatch.setattr("mcjax.laws.first_order.row_span.MOST_PRODUCTS", N)
    [prediction] = mcjax.predict(mcjax.Study((condition_for("logistic"),), generations=1))
    law = prediction.laws["first_order"]
    assert law.mse_complete
    assert "300 rows of 3 covariates are too many" in law.small_samples


def test_no_law_applies_where_scores_over_rows_jump():
    made = mcjax.condition(loop(200), mcjax.quantile(level=0.5), data=data_for("linear"))
    [prediction] = mcjax.predict(mcjax.Study((made,), generations=1))
    assert not prediction.laws
    assert "is a step function" in prediction.inapplicable["first_order"]
