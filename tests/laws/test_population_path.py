"""Errors around the path of the centres: closed forms, brute force, exact laws and simulation."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from mcjax import api
from mcjax.errors import InputError
from mcjax.laws.first_order.information import information_of
from mcjax.laws.first_order.limits import limit
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.first_order.population import Origin
from mcjax.laws.first_order.predictor_population import PredictorPopulation
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.law import Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.quantile import quantile
from mcjax.network import Source, build_network
from mcjax.network.timeline import Cycle, Generation, Series
from mcjax.study.study import Study, condition

MIXED = {"name": "contaminated_normal", "share": 0.2, "scale": 3.0}
MODELS = {
    "linear": linear(sigma=0.7),
    "linear, t": linear(sigma=0.7, real_noise={"name": "student_t", "df": 6}),
    "logistic": logistic(),
    "poisson": poisson(),
    "huber": huber(1.0, sigma=0.7),
    "huber, mixed": huber(1.0, sigma=0.7, noise=MIXED),
    "huber, t": huber(1.0, sigma=0.7, noise={"name": "student_t", "df": 3}),
    "huber, laplace": huber(1.0, sigma=0.2, real_noise="laplace"),
    "median": quantile(0.5, sigma=0.7),
    "quantile, t": quantile(0.3, sigma=0.7, noise={"name": "student_t", "df": 4}),
    "quantile, laplace": quantile(0.8, sigma=0.7, noise="laplace"),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
COVARIANCE = np.array([[1.2, 0.3, 0.0], [0.3, 0.9, -0.2], [0.0, -0.2, 0.7]])
ROOT = np.linalg.cholesky(COVARIANCE)
A, B, V = np.array([[0.5, -0.2, 0.3], [0.1, 0.4, 0.0], [-0.3, 0.5, 0.2]])


def at(model, parent=V, root=ROOT, real=False):
    return PredictorPopulation(Origin(parent, root, model.params, real), model.scores)


# --------------------------------------------------------------------------------- mean scores


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


# ------------------------------------------------------------------------------------ the path


def between(rows, real="fresh"):
    """Return the network of a model that reads its own output, the truth, and a source with another
    truth, in shares of a half and two quarters, as a function of the latter."""
    feeds = [("real", "0", rows // 4), ("far", "0", rows // 4), ("0", "0", rows // 2)]
    initial = rows if real == "fresh" else rows // 4
    return lambda far: build_network(
        1, feeds, initial, sources=[Source("far", theta=tuple(far), real="fresh")], real=real
    )


def scalar_logistic(generations, truth=1.0, far=-1.0):
    """Centres and N times variances of one logistic model, by adaptive quadrature and bisection."""

    def mean(f):
        return quad(lambda z: f(z) * norm.pdf(z), -12, 12, epsabs=1e-13, limit=200)[0]

    def score(m, v):
        return mean(lambda z: z * (expit(z * m) - expit(z * v)))

    def curvature(m):
        return mean(lambda z: z**2 * expit(z * m) * expit(-z * m))

    def noise(m, v):
        square = mean(lambda z: z**2 * (expit(z * m) - expit(z * v)) ** 2) + curvature(v)
        return square - score(m, v) ** 2

    centres, spread = [truth], [1 / curvature(truth)]
    for _ in range(generations):
        data = [(0.25, truth), (0.25, far), (0.5, centres[-1])]
        m = brentq(lambda m: sum(w * score(m, v) for w, v in data), -3, 3, xtol=1e-13)  # noqa: B023
        pull = 0.5 * curvature(centres[-1]) / curvature(m)
        fresh = sum(w * noise(m, v) for w, v in data) / curvature(m) ** 2
        spread.append(pull**2 * spread[-1] + fresh)
        centres.append(m)
    return np.array(centres), np.array(spread)


def test_one_logistic_model_between_two_sources():
    rows = 4000
    one = condition(between(rows)([-1.0]), logistic(), [1.0])
    path = path_of(one, 4)
    centres, spread = scalar_logistic(4)
    np.testing.assert_allclose(path.centres[:, 0, 0], centres, atol=1e-9)
    np.testing.assert_allclose(rows * covariances(path.system, 4)[:, 0, 0], spread, rtol=1e-7)
    assert centres[3] < 0.11  # far from the truth, which is 1
    np.testing.assert_allclose(path.limit, 0, atol=1e-9)


VALUES = {
    "logistic": (logistic(), 1.0, -1.0, [1, 0.43169, 0.20885, 0.10359],
                 [6.93364, 4.72607, 4.69871, 4.79406], 4.87795),
    "poisson": (poisson(), 0.5, -0.5, [0.5, 0.27293, 0.14026, 0.07065],
                [0.70600, 2.06134, 2.36458, 2.39097], 2.37333),
    "huber": (huber(1.0), 0.0, 2.0, [0, 0.33228, 0.54510, 0.68706],
              [1.10727, 2.59501, 3.24793, 3.62363], 4.18629),
    "median": (quantile(0.5), 0.0, 2.0, [0, 0.29996, 0.49731, 0.63421],
               [1.57080, 3.39973, 4.33181, 4.96231], 6.34917),
}  # fmt: skip
"""Truths of the two sources, centres and N times variances at generations 0 to 3, and the limit of
the latter, computed by an independent program on a dense rule."""


@pytest.mark.parametrize("name", VALUES)
def test_values_of_an_independent_program(name):
    model, truth, far, centres, spread, late = VALUES[name]
    path = path_of(condition(between(4000)([far]), model, [truth]), 3)
    np.testing.assert_allclose(path.centres[:, 0, 0], centres, atol=6e-6)
    np.testing.assert_allclose(4000 * covariances(path.system, 3)[:, 0, 0], spread, atol=6e-6)
    found = 4000 * limit(path.late, np.array([True]))
    np.testing.assert_allclose(found, late, atol=6e-6)


def test_a_kept_sample_is_read_at_the_centre_of_its_reader():
    """The score of generation 0's sample changes with the centre; frozen at the truth, it is too
    small in the end (7.09 of 4.88 for fresh data)."""
    net = between(4000, "reused")([-1.0])
    path = path_of(condition(net, logistic(), [1.0]), 60)
    found = 4000 * covariances(path.system, 60)[[0, 1, 2, 3, 60], 0, 0]
    np.testing.assert_allclose(found, [27.73454, 9.95709, 7.70692, 7.18270, 7.08923], rtol=2e-6)
    assert 4000 * limit(path.late, np.array([True]))[0, 0] == pytest.approx(found[-1], rel=1e-9)


def random_network(rng):
    models = int(rng.integers(1, 4))
    shared, kept = rng.random(2) < 0.5
    names, size = [str(i) for i in range(models)], int(rng.integers(100, 300))
    fixed = {"real": size if kept else None, "web": 100}

    def rows(origin):
        return fixed.get(origin) or (77 if shared else int(rng.integers(50, 400)))

    feeds = [
        (j, i, rows(j), float(rng.choice([0.5, 1, 2])))
        for i in names
        for j in (*names, "real", "web")
        if rng.random() < 0.5
    ]
    own = ((1.5, 0.2), (0.2, 0.8)) if rng.random() < 0.5 else None
    web = Source("web", samples=100, public=bool(rng.random() < 0.5), covariance=own)
    draws, real = "shared" if shared else "private", "reused" if kept else "fresh"
    return build_network(models, feeds, size, sources=[web], draws=draws, real=real)


def test_where_all_truths_agree_it_is_the_law_around_the_truth():
    rng, models = np.random.default_rng(0), list(MODELS.values())
    for k in range(45):
        net = random_network(rng)
        one = condition(net, models[k % len(models)], [0.6, -0.4], COVARIANCE[:2, :2])
        path = path_of(one, 5)
        np.testing.assert_allclose(path.centres, np.broadcast_to(one.theta, path.centres.shape))
        expected = covariances(linear_system(net, information_of(one)[0]), 5)
        found = covariances(path.system, 5)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * expected.max())


def random_timeline(rng):
    """A series or a cycle of feeds, with first feeds, public and kept samples."""
    models = int(rng.integers(1, 4))
    shared, kept, public = rng.random(3) < 0.5
    names = [str(i) for i in range(models)]
    fixed = {"real": 150 if kept or shared else None, "web": 100}

    def generation():
        return Generation(
            [
                (j, i, fixed.get(j) or (77 if shared else int(rng.integers(50, 400))),
                 float(rng.choice([0.5, 1, 2])))
                for i in names
                for j in (*names, "real", "web")
                if rng.random() < 0.5
            ]
        )  # fmt: skip

    kind = Series if rng.random() < 0.5 else Cycle
    feeds = kind(*[generation() for _ in range(int(rng.integers(1, 4)))])
    kept_web = "reused" if rng.random() < 0.5 else "fresh"
    web = Source("web", samples=100, public=bool(public), real=kept_web, noise=1.5)
    first = [("web", i, 100) for i in names if rng.random() < 0.3]
    initial = {i: 150 for i in names if i not in [reader for _, reader, _ in first]}
    draws, real = "shared" if shared else "private", "reused" if kept else "fresh"
    return build_network(names, feeds, initial, first=first, sources=[web], draws=draws, real=real)


def test_feeds_that_change_with_time():
    rng, tried = np.random.default_rng(5), 0
    while tried < 40:
        try:
            one = condition(random_timeline(rng), linear(sigma=0.7), [0.6, -0.4])
        except InputError:  # samples that must be equal, or too few rows
            continue
        if FirstOrder().applies(one) is not None:
            continue
        tried += 1
        expected = linear_system(one.network, information_of(one)[0])
        for generations in (0, 1, 7):
            found = path_of(one, generations).covariance
            wanted = covariances(expected, generations)
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * wanted.max())


def test_least_squares_approaches_its_exact_law_like_one_over_n():
    """Two models, own covariance and noise of the sources: the exact law holds at any size."""
    far = Source("far", samples=8, theta=(1.5, 1.0, 0.5), noise=2.0)
    feeds = [("0", "0", 8), ("1", "0", 6), ("real", "0", 9), ("far", "0", None)]
    net = build_network(2, [*feeds, ("0", "1", 8), ("real", "1", 7)], 12, sources=[far])
    gaps = []
    for scale in (10, 100, 1000):
        one = condition(net.scaled(scale), linear(sigma=0.7), np.ones(3), COVARIANCE)
        laws = predict_condition(one, 4).laws
        first, exact = laws["first_order"], laws["finite_sample"]
        np.testing.assert_allclose(first.mean, exact.mean, atol=1e-12)
        gap = np.abs(first.covariance - exact.covariance).max((1, 2))
        gaps.append((gap / np.abs(exact.covariance).max((1, 2))).max())
        np.testing.assert_allclose(first.limit, exact.limit, rtol=0.2 / scale)
    np.testing.assert_allclose(np.divide(gaps[:-1], gaps[1:]), 10, rtol=0.2)
    assert gaps[-1] < 1e-3  # where it tends to: no difference at all


# ---------------------------------------------------------------------------------- simulation

SIMULATED = {
    "logistic": (logistic(), [1.0, -0.5], [-1.0, 0.5]),
    "poisson": (poisson(), [0.4, -0.3], [-0.4, 0.3]),
    "huber": (huber(1.0), [0.0, 0.0], [2.0, -1.0]),
    "median": (quantile(0.5), [0.0, 0.0], [2.0, -1.0]),
}
ROWS, CHAINS = 1200, 1024


@cache
def simulated(name):
    model, truth, far = SIMULATED[name]
    one = condition(between(ROWS)(far), model, truth, label=name)
    [tally] = api.simulate(Study((one,), generations=3, chains=CHAINS))
    return one, tally.outcome


def whitened(outcome, covariance):
    """Eigenvalues of the empirical covariance about its own mean, in coordinates in which the
    predicted one is 1."""
    mean, product = outcome.moments.error.mean, outcome.moments.product.mean
    flat = mean.reshape(len(mean), -1)
    empirical = product - flat[:, :, None] * flat[:, None, :]
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    return np.linalg.eigvalsh(root @ empirical @ np.swapaxes(root, 1, 2))


@pytest.mark.statistical
@pytest.mark.parametrize("name", SIMULATED)
def test_chains_spread_around_the_path(name, z_limit):
    """Extreme eigenvalues of a whitened 2 x 2 covariance depart by at most a standard error of a
    variance more than its entries do; terms of order 1/n are allowed 8 / rows a generation."""
    one, outcome = simulated(name)
    law = predict_condition(one, 3).laws["first_order"]
    error, fourth = outcome.moments.error, np.sqrt(2 / CHAINS)
    spread = np.sqrt(np.diagonal(law.covariance, axis1=1, axis2=2))[:, None]
    # the mean departs from the centre by a term of order 1 / n: a tenth of the spread here
    assert (np.abs(error.mean - law.mean) < z_limit * error.standard_error() + 0.1 * spread).all()
    found = whitened(outcome, law.covariance)
    assert (np.abs(found - 1) < (z_limit + 1) * fourth + 32 / ROWS).all()


@pytest.mark.statistical
@pytest.mark.parametrize("name", SIMULATED)
def test_noise_at_the_truth_is_refuted(name, z_limit):
    """The law around the truth, which ignores that the reader fits neither source."""
    one, outcome = simulated(name)
    around_truth = covariances(linear_system(one.network, information_of(one)[0]), 3)
    found = whitened(outcome, around_truth)
    assert (np.abs(found[-1] - 1) > (z_limit + 1) * np.sqrt(2 / CHAINS) + 32 / ROWS).any()


FAR = {"logistic": [-0.8], "huber": [3.0]}


@pytest.mark.parametrize("name", FAR)
def test_the_limit_is_where_the_path_ends(name):
    """Closed loops keep what they have; others forget it, slow ones in thousands of generations."""
    rng = np.random.default_rng(5)
    for _ in range(2):
        models = int(rng.integers(1, 4))
        names = [str(i) for i in range(models)]
        feeds = [
            (j, i, int(rng.integers(30, 300)))
            for i in names
            for j in (*names, "real", "far")
            if rng.random() < 0.5
        ]
        far = Source("far", theta=FAR[name])
        one = condition(build_network(models, feeds, 200, sources=[far]), MODELS[name], [0.6])
        path = path_of(one, 600)
        np.testing.assert_allclose(path.limit, path.centres[-1], atol=1e-7)
    slow = build_network(1, [("0", "0", 9990), ("far", "0", 10)], 200, sources=[far])
    limit = path_of(condition(slow, MODELS[name], [0.6]), 1).limit
    np.testing.assert_allclose(limit, [FAR[name]], atol=1e-8)


def test_a_direction_that_no_source_shows_is_kept_on_a_curved_way():
    """A leap along the tangent would miss the end, because the curvature couples the directions."""
    far = Source("far", samples=100, theta=(-2.0, 0.0), covariance=((1.0, 0.0), (0.0, 0.0)))
    net = build_network(1, [("0", "0", 300), ("far", "0", None)], 400, sources=[far])
    pair = build_network(
        2,
        [("0", "0", 100), ("1", "0", 100), ("0", "1", 300), ("1", "1", 100)],
        {"1": 400},
        first=[("far", "0", 400)],
        sources=[Source("far", theta=(-2.0, 0.0))],
    )
    for one in (condition(each, logistic(), [1.0, 1.0]) for each in (net, pair)):
        found, expected = path_of(one, 0).limit, path_of(one, 200).centres[-1]
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_why_the_law_does_not_apply():
    far = between(400)([-1.0])
    cases = {
        "moments of the score of logistic are not known": condition(
            far, replace(logistic(), scores=None, predictor=None), [1.0]
        ),
        "each design has centres of its own": condition(far, linear(), [1.0], design="fixed"),
    }
    feeds = [("real", "0", 200), ("far", "0", 200)]
    torn = build_network(1, feeds, 400, sources=[Source("far", theta=(3.0,))])
    narrow = condition(torn, quantile(0.5, sigma=0.3), [0.0])
    with pytest.raises(Inapplicable, match="curvature of the loss"):
        FirstOrder().predict(narrow, 2)
    heavy = linear(noise={"name": "student_t", "df": 2})
    with pytest.raises(Inapplicable, match="no finite covariance"):
        FirstOrder().predict(condition(far, heavy, [1.0]), 2)
    huge = condition(between(400)([-40.0]), poisson(), [40.0])
    with pytest.raises(Inapplicable, match="not finite"):
        FirstOrder().predict(huge, 2)
    assert FirstOrder().predict(condition(between(400)([2e3]), linear(), [0.0]), 2).mse_complete
    for reason, one in cases.items():
        assert reason in str(FirstOrder().applies(one))
