"""Every law of the registry keeps the contract, and agrees with simulation where it applies."""

from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
from scipy.stats import norm

import mcjax
from mcjax import api
from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.law import Reason
from mcjax.laws.predict import apply_law, predict_condition
from mcjax.laws.prediction import Prediction
from mcjax.laws.registry import LAWS, ON_REQUEST, PLACES
from mcjax.models.bigram import bigram
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.models.minimum_norm import minimum_norm
from mcjax.models.unigram import unigram
from mcjax.network import Growing, Source, build_network, topologies
from mcjax.study.ladder import ladder
from mcjax.study.study import Study, condition

ALPHA = 1e-6
LOOP = topologies.self_loop(samples=30, initial=40)
PAIR = [("a", "a", 30), ("a", "b", 20), ("real", "b", 25)]
WEIGHTED = [("a", "a", 30), ("a", "b", 20, 2.0), ("real", "b", 25)]
DESCENT = build_network("ab", [("a", "a", 30), ("a", "b", 20)], 25)
SHORT = build_network("ab", [("a", "a", 6), ("a", "b", 4)], 5)
SHIFTED = Source("web", samples=20, shift=(1.0, 0.0))


def grid():
    """Small conditions that differ in whatever laws ask about."""
    pair, weighted = (build_network("ab", feeds, 40) for feeds in (PAIR, WEIGHTED))
    rows = [
        ("loop", LOOP, linear(), [1.0, -1.0], {}),
        ("pair", pair, linear(sigma=0.5), [1.0, -1.0], {"covariance": np.diag([1.0, 2.0])}),
        ("weights", weighted, linear(), [1.0, -1.0], {}),
        ("frozen", build_network("ab", [("a", "b", 30)], 40), linear(), [1.0, 0.0], {}),
        (
            "growing",
            replace(pair, later=Growing(pair.later.generations[0], 0.5)),
            linear(),
            [1.0, -1.0],
            {},
        ),
        ("pool", replace(LOOP, memory="accumulate"), linear(), [1.0, -1.0], {}),
        ("subsample", replace(pair, memory="subsample"), logistic(), [0.5, -0.5], {}),
        ("fixed", weighted, linear(), [1.0, -1.0], {"design": "fixed"}),
        ("interpolating", SHORT, minimum_norm(0.5), np.full(10, 0.3), {}),
        ("closed", LOOP, logistic(), [0.5, -0.5], {}),
        ("robust", pair, huber(noise="laplace"), [1.0, -1.0], {}),
        (
            "sources",
            build_network("a", [("a", "a", 30), ("web", "a", None)], 40, sources=[SHIFTED]),
            linear(),
            [1.0, -1.0],
            {},
        ),
        (
            "another truth",
            build_network(
                "a",
                [("a", "a", 30), ("real", "a", 20), ("far", "a", None)],
                40,
                sources=[Source("far", samples=20, theta=(-0.5, 1.0))],
            ),
            logistic(),
            [0.5, -0.5],
            {},
        ),
        ("normal", DESCENT, gaussian(), [0.0, 1.0], {}),
        ("classes", DESCENT, categorical(), [0.7, 0.2, 0.1], {}),
        ("smoothed classes", pair, unigram(2.0), [0.7, 0.2, 0.1], {}),
        ("pairs", pair, bigram(20), [0.7, 0.3, 0.4, 0.6], {}),
        ("two classes", replace(pair, draws="private"), bernoulli(), [0.3], {}),
        ("counts", pair, poisson_mean(), [0.05], {}),
    ]
    return {
        name: condition(net, model, theta, label=name, **options)
        for name, net, model, theta, options in rows
    }


GRID = grid()
GENERATIONS = 3
LARGE = 1000
"""Factor of all sample counts at which an asymptotic law holds well within Monte Carlo error."""
EXPANDED = 20
"""The same of a law that knows the next order."""
by_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)


@by_law
def test_a_law_says_what_it_is(law):
    assert law.name
    assert law.reference
    assert isinstance(law.exact, bool)
    assert [name for name, one in zip(PLACES, LAWS, strict=True) if one is law] == [law.name]


@by_law
def test_a_law_applies_or_says_why_not(law):
    reasons = [law.applies(one) for one in GRID.values()]
    assert None in reasons
    assert any(reason is not None for reason in reasons)
    for reason in reasons:
        assert reason is None or (isinstance(reason, Reason) and len(reason.sentence) > 10)


@by_law
def test_models_of_theta_as_a_whole_are_answered(law):
    """Whose loss and sampler are all that is known of them."""

    def loss(theta, x, y):
        return (y - x @ theta) ** 2

    def sample(key, theta, x):
        return x @ theta + jax.random.normal(key, dtype=x.dtype)

    for net in (LOOP, DESCENT):
        reason = law.applies(condition(net, mcjax.user_model(loss, sample), [0.5, -0.5]))
        assert reason is None or len(reason.sentence) > 10


@by_law
def test_whoever_chose_the_estimator(law):
    """It is all one to a law whether a condition or its model has it."""
    for one in GRID.values():
        for estimator in (mcjax.Newton(), mcjax.MinimumNorm(), mcjax.SufficientStatistics()):
            model = replace(one.model, estimator=estimator)
            said = law.applies(replace(one, model=model))
            assert law.applies(replace(one, estimator=estimator)) == said


@pytest.mark.system
def test_results_list_no_law_that_nobody_looks_for():
    for name, one in GRID.items():
        found = predict_condition(one, 1, ON_REQUEST)
        listed = {*found.laws, *found.functionals, *found.inapplicable}
        for law in LAWS:
            reason = law.applies(one)
            obvious = reason is not None and reason.obvious
            assert (law.name in listed) == (not obvious), (name, law.name)


@by_law
def test_predictions_have_their_shapes(law):
    for name, one in GRID.items():
        for generations in (0, GENERATIONS):
            found = apply_law(law, one, generations)
            if isinstance(found, Reason):
                continue
            assert found.law == law.name
            size, p = one.network.size, len(one.theta)
            shape = (generations + 1, size)
            values = found.values if isinstance(found, FunctionalPrediction) else found.functionals
            for array in values.values():
                assert array.shape == shape
                assert np.isfinite(array).all()
            if isinstance(found, Prediction):
                check_moments(found, generations, size, p, name)


def check_moments(found, generations, size, p, name):
    covariance = found.covariance
    assert covariance.shape == (generations + 1, size * p, size * p), name
    np.testing.assert_allclose(covariance, np.swapaxes(covariance, 1, 2), atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-10 * np.abs(covariance).max()
    squares = np.einsum("tii->ti", covariance).reshape(-1, size, p).sum(-1)
    if found.mean is not None:
        assert found.mean.shape == (generations + 1, size, p)
        away = found.centre_errors  # the square of a bias of order 1/n is of the next order
        squares = squares + (away * (2 * found.mean - away)).sum(-1)
    np.testing.assert_allclose(found.mse, squares, rtol=1e-10)
    assert found.standard_error.shape == (generations + 1, size)
    assert (found.standard_error >= 0).all()
    assert found.growth.shape == found.limit.shape == (size,)
    assert (np.isnan(found.growth) | np.isnan(found.limit)).all()
    assert not (found.asymptotic and found.exact)
    assert np.broadcast_to(found.allowance, (generations + 1, size)).min() >= 0


def example(law):
    """The first condition to which the law applies, and the scale at which it holds there."""
    name = next(name for name, one in GRID.items() if law.applies(one) is None)
    found = apply_law(law, GRID[name], GENERATIONS)
    if getattr(found, "asymptotic", False):
        return name, LARGE
    return name, 1 if getattr(found, "validity", None) is None else EXPANDED


@cache
def simulated(name, scale):
    study = Study(ladder(GRID[name], [scale]), generations=GENERATIONS, chains=16_384)
    [tally] = api.simulate(study)
    return study.conditions[0], tally.outcome.moments


def scores(law, factor=1.0):
    """Standard errors between what a law predicts, times a factor, and what chains did."""
    one, moments = simulated(*example(law))
    found = apply_law(law, one, GENERATIONS)
    off = []
    if isinstance(found, Prediction):
        error = np.hypot(moments.squared.standard_error(), found.standard_error)
        off.append((moments.squared.mean - factor * found.mse) / error)
        values = found.functionals
    else:
        values = found.values
    for k, functional in enumerate(one.model.functionals):
        if functional.name in values:
            error = moments.functional.standard_error()[..., k]
            seen = moments.functional.mean[..., k]
            scale = np.where(error > 0, error, 1e-9)  # all chains alike
            off.append((seen - factor * values[functional.name]) / scale)
    return np.abs(np.concatenate([part.ravel() for part in off]))


@pytest.mark.by_default("first_order", "finite_sample")
@by_law
def test_chains_agree_and_a_planted_error_is_found(law):
    found = scores(law)
    bound = norm.isf(ALPHA / 2 / len(found))
    assert found.max() < bound
    assert scores(law, 1.1).max() > bound
