"""The law of penalised fits: closed forms, an independent program, brute force and simulation."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.optimize import root
from scipy.special import expit

import mcjax
from mcjax import api
from mcjax.laws.first_order import path_system, population_path
from mcjax.laws.first_order.path_system import path_of
from mcjax.laws.first_order.pooled_path import pooled_mse_on_path
from mcjax.models.glm import logistic, poisson
from mcjax.models.location import huber, linear
from mcjax.models.penalised import penalised
from mcjax.models.quantile import quantile
from mcjax.network import Source, build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED


def test_the_noise_of_a_closed_loop_stays():
    """The centre forgets the truth by a factor below 1 in a generation, and so do errors."""
    net = topologies.self_loop(samples=100, initial=100)
    path = path_of(condition(net, penalised(logistic(), ridge=0.05), [1.0]), 60)
    np.testing.assert_allclose(path.system.at(60).transition, [[0.83333]], atol=5.1e-6)
    np.testing.assert_allclose(path.centres[60], 0, atol=2e-5)
    np.testing.assert_allclose(path.late.transition, [[0.25 / 0.30]], rtol=1e-9)


def test_least_squares_by_hand():
    """With x of variance s and labels of noise 0.7, the mean score at m of data at v is s (m - v),
    and its variance 0.49 s + 2 s^2 (m - v)^2."""
    s, ridge, rows, theta = 1.3, 0.4, 500, 0.8
    net = topologies.self_loop(samples=rows, initial=rows)
    one = condition(net, penalised(linear(sigma=0.7), ridge=ridge), [theta], [[s]])
    path = path_of(one, 5)
    kept, centre, spread = s / (s + ridge), theta, 0.0
    for t in range(6):
        before, centre = centre, kept * centre
        noise = 0.49 * s + 2 * s**2 * (centre - before) ** 2
        spread = (kept**2 * spread if t else 0.0) + noise / (s + ridge) ** 2 / rows
        np.testing.assert_allclose(path.centres[t, 0, 0], centre, rtol=1e-12)
        np.testing.assert_allclose(path.covariance[t, 0, 0], spread, rtol=1e-10)
    assert path.limit == pytest.approx(0, abs=1e-9)


def test_the_pooled_estimator_is_penalised_too():
    s, ridge, theta = 1.3, 0.4, 0.8
    net = build_network(2, [("real", "0", 200), ("0", "1", 100), ("real", "1", 300)], 50)
    one = condition(net, penalised(linear(sigma=0.7), ridge=ridge), [theta], [[s]])
    centre, plain = theta * s / (s + ridge), replace(one, model=linear(sigma=0.7))
    rows = 0.49 / s / pooled_mse_on_path(plain)  # of all real samples
    noise = 0.49 * s + 2 * s**2 * (centre - theta) ** 2
    expected = noise / (s + ridge) ** 2 / rows + (centre - theta) ** 2
    # the mean of theta S / (S + ridge), for the mean square S of the covariates
    bias = -2 * theta * ridge * s**2 / (s + ridge) ** 3 / rows
    expected += 2 * (centre - theta) * bias
    assert pooled_mse_on_path(one) == pytest.approx(expected, rel=1e-10)


# ----------------------------------------------------------------------------------- brute force

MEANS = {"logistic": expit, "poisson": np.exp}
VARIANCES = {"logistic": lambda eta: expit(eta) * expit(-eta), "poisson": np.exp}
NODE, WEIGHT = np.polynomial.hermite_e.hermegauss(60)
X = np.stack(np.meshgrid(NODE, NODE, indexing="ij"), -1).reshape(-1, 2)
MASS = np.outer(WEIGHT, WEIGHT).ravel() / (2 * np.pi)
RIDGE, TRUTH, FAR = 0.15, np.array([0.6, -0.3]), np.array([-0.2, 0.5])
FEEDS = [("0", "0", 120), ("far", "0", 80, 2.0), ("0", "1", 120), ("1", "1", 60), ("real", "1", 90)]
"""Two models: both read one sample of the first, and one reads a source with another truth."""


class Dense:
    """Everything on one grid of covariates, with derivatives by differences."""

    def __init__(self, name):
        self.mean, self.variance = MEANS[name], VARIANCES[name]

    def score(self, m, v):
        return X.T @ (MASS * (self.mean(X @ m) - self.mean(X @ v)))

    def covariance(self, a, b, v):
        off = [self.mean(X @ at) - self.mean(X @ v) for at in (a, b)]
        product = (X.T * (MASS * (off[0] * off[1] + self.variance(X @ v)))) @ X
        return product - np.outer(self.score(a, v), self.score(b, v))

    def equation(self, m, data):
        """The penalised score at m of samples (share, parameters)."""
        return sum(share * self.score(m, v) for share, v in data) + RIDGE * m

    def centre(self, data):
        return root(self.equation, np.zeros(2), (data,), tol=1e-13).x


def differences(function, at, h=1e-5):
    steps = h * np.eye(len(at))
    return np.stack([(function(at + d) - function(at - d)) / (2 * h) for d in steps], -1)


@pytest.mark.parametrize("name", MEANS)
def test_two_models_against_brute_force(name):
    dense = Dense(name)
    sources = [Source("far", theta=tuple(FAR), real="fresh")]
    net = build_network(2, FEEDS, 100, sources=sources, draws="shared")
    model = penalised({"logistic": logistic(), "poisson": poisson()}[name], ridge=RIDGE)
    path = path_of(condition(net, model, TRUTH), 3)

    def following(centres):
        """Samples of both models in the next generation: share, parameters, rows and name."""
        own = [
            [(120, 1, centres[:2], "0"), (80, 2, FAR, "far")],
            [(120, 1, centres[:2], "0"), (60, 1, centres[2:], "1"), (90, 1, TRUTH, "real")],
        ]
        total = [sum(n * w for n, w, *_ in data) for data in own]
        return [[(n * w / t, v, n, e) for n, w, v, e in d] for d, t in zip(own, total, strict=True)]

    def moved(centres):
        return np.concatenate([dense.centre([d[:2] for d in data]) for data in following(centres)])

    def noise(centres, samples):
        result, ends = np.zeros((4, 4)), (centres[:2], centres[2:])
        gains = [
            np.linalg.inv(differences(lambda m, d=d: dense.equation(m, [e[:2] for e in d]), at))
            for d, at in zip(samples, ends, strict=True)
        ]
        for i, k in np.ndindex(2, 2):
            for a, v, n, e in samples[i]:
                for b, _, _, f in samples[k]:
                    if e == f:
                        gamma = dense.covariance(ends[i], ends[k], v) / n
                        block = a * b * gains[i] @ gamma @ gains[k].T
                        result[2 * i : 2 * i + 2, 2 * k : 2 * k + 2] += block
        return result

    begun = dense.centre([(1.0, TRUTH)])
    centres = np.tile(begun, 2)
    spread = noise(centres, [[(1.0, TRUTH, 100, i)] for i in range(2)])
    for t in range(4):
        np.testing.assert_allclose(path.centres[t].ravel(), centres, atol=1e-8)
        np.testing.assert_allclose(path.covariance[t], spread, rtol=1e-6, atol=1e-10)
        pull, samples = differences(moved, centres), following(centres)
        centres = moved(centres)
        spread = pull @ spread @ pull.T + noise(centres, samples)


# ----------------------------------------------------------------- what the law does not describe


def test_exact_laws_do_not_apply():
    net = topologies.self_loop(samples=50, real=50, initial=50)
    one = condition(net, penalised(linear(), ridge=0.1), [1.0, 0.5])
    [predictions] = api.predict(Study((one,), generations=3))
    assert set(predictions.laws) == {"first_order"}
    assert set(predictions.inapplicable.values()) == {"exact laws are for fits without a penalty"}


def test_the_law_says_where_it_does_not_apply():
    net = topologies.self_loop(samples=50, real=50, initial=50)
    one = condition(net, penalised(logistic(), ridge=0.1), [1.0], design="fixed")
    [predictions] = api.predict(Study((one,), generations=3))
    assert predictions.laws == {}
    assert re.search("penalised, .* designs are fixed", predictions.inapplicable["first_order"])


# ------------------------------------------------------------------------------------ simulation

MODELS = {
    "linear": penalised(linear(), ridge=0.3),
    "logistic": penalised(logistic(), ridge=0.05),
    "huber": penalised(huber(1.0), ridge=0.1),
    "median": penalised(quantile(0.5), ridge=0.1),
}
QUICK = [name for name in MODELS if name != "median"]
NETWORK = build_network(
    2, [("0", "0", 160), ("0", "1", 80), ("real", "1", 80)], 160, draws="private"
)


@cache
def ladder(name):
    base = condition(NETWORK, MODELS[name], [0.8, -0.4], [[1.0, 0.3], [0.3, 1.0]], label=name)
    return Study(
        mcjax.ladder(base, [1, 2, 4]),
        generations=2,
        chains=16384,
        tolerance=0.1,
        quantities=("covariance", "bias"),
    )


@cache
def outcomes(name):
    return [tally.outcome for tally in api.simulate(ladder(name))]


def verdict(name, predictions):
    return api.judge(ladder(name), predictions, outcomes(name)).verdict


@pytest.mark.statistical
@pytest.mark.parametrize("name", QUICK)
def test_simulation_verifies_the_law(name):
    assert verdict(name, api.predict(ladder(name))) == VERIFIED


def strict(predictions):
    """The laws without an allowance for terms of order 1/n."""
    return [
        replace(
            p, laws={"first_order": replace(p.laws["first_order"], allowance=0.0, next_order=None)}
        )
        for p in predictions
    ]


@pytest.mark.statistical
@pytest.mark.parametrize("name", QUICK)
def test_a_penalty_that_does_not_bend_the_loss_is_refuted(name, monkeypatch):
    """The centres are right, but neither noise nor inheritance is damped."""
    right = population_path.centre_of

    def without_curvature(data, share, start, ridge):
        centre, slope, by_parent = right(data, share, start, ridge)
        return centre, slope - ridge * np.eye(len(slope)), by_parent

    monkeypatch.setattr(population_path, "centre_of", without_curvature)
    monkeypatch.setattr(path_system, "settled", lambda *_: None)  # the wrong path seldom does
    monkeypatch.setattr(path_system, "flatness", lambda *_: 0.0)  # from the right slope
    wrong = strict(api.predict(ladder(name)))
    monkeypatch.undo()
    assert verdict(name, wrong) == REFUTED


@pytest.mark.statistical
@pytest.mark.parametrize("name", QUICK)
def test_a_penalty_for_each_fit_instead_of_each_observation_is_refuted(name):
    study, ridge = ladder(name), MODELS[name].penalty.strength
    conditions = tuple(
        replace(c, model=penalised(c.model, ridge=ridge / c.network.initial[0]))
        for c in study.conditions
    )
    wrong = strict(api.predict(replace(study, conditions=conditions)))
    assert verdict(name, wrong) == REFUTED


@pytest.mark.slow
def test_simulation_verifies_the_law_of_penalised_medians():
    assert verdict("median", api.predict(ladder("median"))) == VERIFIED
