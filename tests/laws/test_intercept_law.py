"""Generated covariates with an intercept: laws, chains, and what diagnoses say."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import mcjax
from mcjax.laws.predict import predict_condition
from mcjax.network import Source, build_network

SIGMA = np.array([[1.0, 0.3], [0.3, 0.5]])
THETA = np.array([0.8, 1.0, -1.0])
LOOP = mcjax.topologies.self_loop(samples=300, real=100, initial=400)
COEFFICIENTS = 400 * np.cumsum([1 / 400, *(0.75 ** (2 * t) / 400 for t in range(1, 4))])


def made(model, network=LOOP, theta=THETA, **choices):
    """Return a condition with an intercept."""
    choices = {"intercept": True, "covariance": SIGMA} | choices
    return mcjax.condition(network, model, theta, **choices)


def law_of(condition, generations=3):
    return predict_condition(condition, generations).laws["first_order"]


def quadrature(weight):
    """Return ``E[w(x'theta) x x']`` by a rule of 80 x 80 nodes."""
    nodes, mass = np.polynomial.hermite_e.hermegauss(80)
    z = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
    mass = np.outer(mass, mass).ravel() / (2 * np.pi)
    x = np.column_stack([np.ones(len(z)), z @ np.linalg.cholesky(SIGMA).T])
    return (x.T * (mass * weight(x @ THETA))) @ x


def poisson_information():
    """Return ``E[mu x x']`` in closed form: x is normal around another mean, with weight mu."""
    mean = np.array([1.0, *SIGMA @ THETA[1:]])
    spread = np.zeros((3, 3))
    spread[1:, 1:] = SIGMA
    level = np.exp(THETA[0] + THETA[1:] @ SIGMA @ THETA[1:] / 2)
    return level * (np.outer(mean, mean) + spread)


INFORMATION = {
    "linear": (mcjax.linear(), quadrature(np.ones_like)),
    "poisson": (mcjax.poisson(), poisson_information()),
    "logistic": (mcjax.logistic(), quadrature(lambda eta: 1 / (2 + 2 * np.cosh(eta)))),
    "two classes": (mcjax.multinomial(2), quadrature(lambda eta: 1 / (2 + 2 * np.cosh(eta)))),
}


@pytest.mark.parametrize("name", INFORMATION)
def test_the_law_is_that_of_the_information(name):
    """Of a loop: the covariance is that of a fit of generation 0, times the sum of shares."""
    model, information = INFORMATION[name]
    found = law_of(made(model))
    expected = COEFFICIENTS[:, None, None] * np.linalg.inv(information) / 400
    tolerance = 3e-3 if name == "two classes" else 1e-6
    assert_allclose(found.covariance, expected, rtol=tolerance, atol=1e-15)
    assert_allclose(found.bias[0], 0, atol=5 * found.mse[0, 0] ** 0.5)


def test_covariances_of_ones_own_are_those_beside_the_intercept():
    """Two models and a source, for least squares: block by block."""
    own = np.array([[2.0, 0.0], [0.0, 0.2]])
    net = build_network(
        ["a"],
        [("a", "a", 300), ("s", "a", 100)],
        400,
        sources=[Source("s", covariance=((0.5, 0.0), (0.0, 2.0)))],
    )
    found = law_of(made(mcjax.linear(), net, own_covariances={"a": own}), 1)
    parts = [np.eye(3) for _ in range(3)]
    parts[0][1:, 1:], parts[1][1:, 1:], parts[2][1:, 1:] = SIGMA, own, np.diag([0.5, 2.0])
    first = np.linalg.inv(parts[0]) / 400
    slope = 0.75 * parts[1] + 0.25 * parts[2]
    back = np.linalg.solve(slope, 0.75 * parts[1])
    expected = back @ first @ back.T + np.linalg.inv(slope) / 400
    assert_allclose(found.covariance[1], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("model", [mcjax.linear(), mcjax.logistic()])
def test_laws_without_an_intercept_do_not_apply(model):
    known = predict_condition(made(model), 2)
    assert set(known.laws) == {"first_order"}
    fixed = predict_condition(made(model, design="fixed"), 2)
    assert "designs are fixed" in fixed.inapplicable["first_order"]


def test_a_diagnosis_knows_directions_beside_the_intercept():
    """The loop keeps 3/4 of an error of the intercept, and more of one that it sees better."""
    alone = mcjax.diagnose(made(mcjax.linear()))
    assert alone.models["0"].radius == pytest.approx(0.75)
    own = {"0": 9 * SIGMA}
    wide = mcjax.diagnose(made(mcjax.linear(), own_covariances=own))
    assert wide.models["0"].radius == pytest.approx(0.75 * 9 / (0.75 * 9 + 0.25))
    source = Source("s", covariance=tuple(map(tuple, SIGMA / 9)))
    net = build_network(["0"], [("0", "0", 300), ("s", "0", 100)], 400, sources=[source])
    narrow = mcjax.diagnose(made(mcjax.linear(), net))
    assert narrow.models["0"].radius == pytest.approx(0.75 / (0.75 + 0.25 / 9))


@pytest.mark.parametrize(
    "choices",
    [
        {"own_covariances": {"a": 4 * SIGMA}},
        pytest.param({}, marks=pytest.mark.system),
        pytest.param({"design": "fixed"}, marks=pytest.mark.system),
    ],
    ids=["own", "one", "fixed"],
)
def test_rows_have_the_intercept_in_every_sample(choices):
    net = build_network(
        ["a", "b"],
        [("a", "b", 30), ("s", "a", 30), ("real", "b", 31)],
        30,
        sources=[Source("s", covariance=((0.01, 0.0), (0.0, 100.0)))],
    )
    study = mcjax.Study((made(mcjax.linear(), net, **choices),), generations=1, chains=2)
    chain = mcjax.replay(study, "", 1)
    assert (chain.status == 0).all()
    for generation in mcjax.replay_data(study, "", 1, chain):
        for fit in generation:
            for origin, rows in fit.items():
                assert (rows.x[0] == 1).all()
                spread = rows.x[1:].std(1)
                assert (spread > 0).all()
                assert (spread[1] > 20 * spread[0]) == (origin == "s")


@pytest.mark.statistical
@pytest.mark.parametrize("memory", ["replace", "accumulate", "subsample"])
def test_chains_agree_with_the_law(memory):
    """And a law that knows no intercept is refuted."""
    net = mcjax.topologies.self_loop(samples=700, real=300, initial=1000, memory=memory)
    model = mcjax.poisson() if memory == "replace" else mcjax.linear()
    theta = [1.0, 0.4, -0.4]
    study = mcjax.Study(
        (made(model, net, theta),),
        generations=2,
        chains=2048,
        tolerance=0.25,
        quantities=("mse", "covariance"),
    )
    moments = np.eye(3)  # for least squares those of the intercept would do
    moments[1:, 1:] = np.eye(2) if model.least_squares else SIGMA
    wrong = made(model, net, theta, intercept=False, covariance=moments)
    other = replace(study, conditions=(wrong,))
    if memory == "subsample":
        [tally] = mcjax.simulate(study)
        errors = tally.outcome.moments.squared.mean[0, 0]
        inverse = np.trace(np.linalg.inv(SIGMA)) + 1
        assert errors == pytest.approx(inverse / 1000, rel=0.15)
        assert not tally.outcome.fits[..., 1:].any()
        return
    assert mcjax.verify(study).verdict == "verified"
    assert mcjax.verify(study, theory=other).verdict == "refuted"
