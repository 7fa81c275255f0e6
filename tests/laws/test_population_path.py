"""Errors around the path of the centres: closed forms, brute force, exact laws and simulation."""

from functools import cache

import numpy as np
import pytest
from population_models import COVARIANCE, MODELS
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
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.law import Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.quantile import quantile
from mcjax.network import Source, build_network
from mcjax.network.generation import Generation
from mcjax.network.timeline import Series, cycle
from mcjax.study.study import Study, condition


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


@pytest.mark.system
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

    kind = Series if rng.random() < 0.5 else cycle
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


@pytest.mark.by_default("logistic")
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
