"""Mean scores of a reader away from the truth: derivatives, closed forms and brute force."""

from dataclasses import replace

import numpy as np
import pytest
from population_models import COVARIANCE, MODELS
from scipy.special import expit
from scipy.stats import norm

from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.predictor_population import PredictorPopulation
from mcjax.models.location import huber
from mcjax.models.quantile import quantile

each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
ROOT = np.linalg.cholesky(COVARIANCE)
A, B, V = np.array([[0.5, -0.2, 0.3], [0.1, 0.4, 0.0], [-0.3, 0.5, 0.2]])


def at(model, parent=V, root=ROOT, real=False):
    return PredictorPopulation(Origin(parent, root, model.params, real), model.scores)


@each_model
def test_slopes_are_derivatives_of_the_mean(model):
    score, by_parent = at(model).score(A), at(model).by_parent(A)
    h = 1e-5
    off = 1e-5 if "laplace" in model.variant else 1e-8  # its density has a kink
    for k, step in enumerate(h * np.eye(3)):
        ends = [at(model).score(A + s * step).mean for s in (1, -1)]
        np.testing.assert_allclose(score.by_reader[:, k], (ends[0] - ends[1]) / (2 * h), atol=off)
        ends = [at(model, V + s * step).score(A).mean for s in (1, -1)]
        np.testing.assert_allclose(by_parent[:, k], (ends[0] - ends[1]) / (2 * h), atol=off)


@each_model
def test_a_reader_at_the_truth_has_the_models_information(model):
    batch = model.information(model.params, V, COVARIANCE)
    for kind, real in ((batch.synthetic, False), (batch.real, True)):
        data = at(model, real=real)
        score = data.score(V)
        np.testing.assert_allclose(score.mean, 0, atol=1e-12)
        np.testing.assert_allclose(score.by_reader, kind.hessian, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(data.by_parent(V), -kind.hessian, rtol=1e-9, atol=1e-12)
        found = data.covariance(V, V)
        np.testing.assert_allclose(found, kind.score_covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [1e-9, 0.5, 5.0, 15.0, 40.0])
def test_predictors_of_any_length(length):
    """The logistic function becomes a step, and a rule of fixed steps would miss it."""
    direction = np.array([0.6, 0.0, 0.8])
    one, theta = MODELS["logistic"], length * direction
    expected = one.information(one.params, theta, np.eye(3)).real.hessian
    data = at(one, theta, np.eye(3))
    np.testing.assert_allclose(data.score(theta).by_reader, expected, rtol=1e-7, atol=1e-15)
    if length < 10:
        near = theta + np.array([0.0, 1e-3, 0.0])  # two dimensions, the same to second order
        found = data.score(near).by_reader
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_integrals_that_populations_share_are_those_of_each():
    """Parents at several parameters, and readers in any order, against integrals over all three
    predictors at once."""
    for model in (MODELS["linear"], MODELS["logistic"], MODELS["poisson"]):
        whole = replace(model, scores=replace(model.scores, canonical=False))
        first = at(model)
        for parent in (A, B, 0.5 * V):
            shared, alone = first.generated_at(parent), at(whole, parent)
            for readers in ((A, B), (B, A), (V, A), (A, A)):
                found, expected = shared.covariance(*readers), alone.covariance(*readers)
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
                moments = ((*data.score(A), data.by_parent(A)) for data in (shared, alone))
                for part, expected in zip(*moments, strict=True):
                    np.testing.assert_allclose(part, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.02, 0.2])
def test_noise_of_any_scale(sigma):
    """With little noise, the scores of medians and of Huber's loss jump between rows."""
    d = np.array([0.8, -0.4, 0.0])
    spread = np.sqrt(sigma**2 + d @ d)
    data = at(quantile(0.5, sigma=sigma), d, np.eye(3))
    found = data.score(np.zeros(3)).mean
    np.testing.assert_allclose(found, -d / np.sqrt(2 * np.pi * spread**2), rtol=1e-7, atol=1e-12)
    model = huber(0.3, sigma=sigma)
    found = at(model, d, np.eye(3)).score(np.zeros(3)).mean
    inside = 2 * norm.cdf(0.3 / spread) - 1
    np.testing.assert_allclose(found, -d * inside, rtol=1e-7, atol=1e-12)


def test_least_squares_in_closed_form():
    """Scores of least squares are quadratic in normal variables."""
    model = MODELS["linear"]
    a, b = A - V, B - V
    found = at(model).covariance(A, B)
    s = COVARIANCE
    np.testing.assert_allclose(
        found, 0.49 * s + np.outer(s @ b, s @ a) + (a @ s @ b) * s, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(at(model).score(A).mean, s @ a, atol=1e-13)


def test_poisson_in_closed_form():
    """``E[exp(x'c) x x'] = exp(c'Sc / 2) (S + S c c' S)``."""
    model, s = MODELS["poisson"], COVARIANCE

    def second(c):
        return np.exp(c @ s @ c / 2) * (s + np.outer(s @ c, s @ c))

    def first(c):
        return np.exp(c @ s @ c / 2) * (s @ c)

    found = at(model).covariance(A, B)
    product = second(A + B) - second(A + V) - second(V + B) + second(2 * V) + second(V)
    means = np.outer(first(A) - first(V), first(B) - first(V))
    np.testing.assert_allclose(found, product - means, rtol=1e-10)


def test_huber_and_median_in_closed_form():
    """With normal noise the residual is normal given its own direction: one-dimensional moments."""
    d, k, p = V - A, 1.0, 3
    spread = np.sqrt(0.49 + d @ d)
    along = np.outer(d, d) / spread**2
    a = k / spread
    inside = 2 * norm.cdf(a) - 1
    m2 = spread**2 * (inside - 2 * a * norm.pdf(a))
    m4 = spread**4 * (3 * inside - (2 * a**3 + 6 * a) * norm.pdf(a))
    q, r = m2 + k**2 * (1 - inside), m4 / spread**2 + k**2 * (1 - inside + 2 * a * norm.pdf(a))
    model = MODELS["huber"]
    data = at(model, root=np.eye(p))
    score = data.score(A)
    np.testing.assert_allclose(score.mean, -d * inside, rtol=1e-10)
    slope = inside * (np.eye(p) - along) + m2 / spread**2 * along
    np.testing.assert_allclose(score.by_reader, slope, rtol=1e-9, atol=1e-12)
    expected = q * (np.eye(p) - along) + r * along - np.outer(score.mean, score.mean)
    found = data.covariance(A, A)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    model = MODELS["median"]
    data = at(model, root=np.eye(p))
    density = 1 / np.sqrt(2 * np.pi * spread**2)
    score = data.score(A)
    np.testing.assert_allclose(score.mean, -d * density, rtol=1e-9)
    found = data.covariance(A, A)
    np.testing.assert_allclose(
        found, np.eye(p) / 4 - np.outer(score.mean, score.mean), rtol=1e-9, atol=1e-12
    )


LABELS = {
    "logistic": lambda rng, eta: (rng.random(len(eta)) < expit(eta)).astype(float),
    "poisson": lambda rng, eta: rng.poisson(np.exp(eta)).astype(float),
    "huber": lambda rng, eta: eta + 0.7 * rng.normal(size=len(eta)),
    "huber, mixed": lambda rng, eta: (
        eta + 0.7 * rng.normal(size=len(eta)) * np.where(rng.random(len(eta)) < 0.2, 3.0, 1.0)
    ),
    "quantile, laplace": lambda rng, eta: eta + 0.7 * (rng.laplace(size=len(eta)) - np.log(2.5)),
}
SCORES = {
    "logistic": lambda eta, y: expit(eta) - y,
    "poisson": lambda eta, y: np.exp(eta) - y,
    "huber": lambda eta, y: np.clip(eta - y, -1, 1),
    "huber, mixed": lambda eta, y: np.clip(eta - y, -1, 1),
    "quantile, laplace": lambda eta, y: (y < eta) - 0.8,
}


@pytest.mark.parametrize("name", LABELS)
def test_two_readers_against_brute_force(name, z_limit):
    """Means and the covariance of two readers' scores of the same rows, drawn by NumPy."""
    rng, rows = np.random.default_rng(3), 400_000
    x = rng.normal(size=(rows, 3)) @ ROOT.T
    y = LABELS[name](rng, x @ V)
    a, b = (x * SCORES[name](x @ reader, y)[:, None] for reader in (A, B))
    model = MODELS[name]
    mean = at(model).score(A).mean
    assert (np.abs(a.mean(0) - mean) < z_limit * a.std(0) / np.sqrt(rows)).all()
    products = (a - a.mean(0))[:, :, None] * (b - b.mean(0))[:, None, :]
    found = at(model).covariance(A, B)
    error = products.std(0) / np.sqrt(rows)
    assert (np.abs(products.mean(0) - found) < z_limit * error).all()
