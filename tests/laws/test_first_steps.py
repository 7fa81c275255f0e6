"""The law of steps in generation 0, from scratch, and of models with estimators of their own."""

import numpy as np
import optax
import pytest

import mcjax
from mcjax.laws.first_order.m_estimators import FirstOrder

CURVATURE, ROWS, RATE, STEPS = np.array([1.0, 0.3, 0.03]), 1000, 0.5, 4
THETA = np.array([0.3, -0.2, 0.1])
LOOP = [("a", "a", ROWS)]


def tuned(**settings):
    return mcjax.Optax(optax.sgd(RATE), STEPS, name="sgd(0.5)", **settings)


def law_of(feeds, estimator, models=("a",), generations=4):
    network = mcjax.build_network(models, feeds, initial=ROWS)
    condition = mcjax.condition(
        network, mcjax.linear(), THETA, covariance=np.diag(CURVATURE), estimator=estimator
    )
    return FirstOrder().predict(condition, generations)


def kept(steps):
    """Return what steps keep of an error at their start, by direction."""
    return (1 - RATE * CURVATURE) ** steps


@pytest.mark.parametrize("start", ["scratch", "own", "base"])
def test_first_steps_begin_at_zero_unless_there_is_a_base(start):
    """Generation 0 has the share of the way that its steps go, and one loop follows by hand."""
    base = np.array([0.1, 0.2, 0.3]) if start == "base" else np.zeros(3)
    given = tuple(base) if start == "base" else None
    law = law_of(LOOP, tuned(start=start, first_steps=7, base=given))
    spread, away = 1 / CURVATURE / ROWS, base - THETA
    first, later = kept(7), kept(STEPS)
    mean, variance = first * away, (1 - first) ** 2 * spread
    for t in range(5):
        np.testing.assert_allclose(law.mean[t, 0], mean, rtol=1e-9)
        np.testing.assert_allclose(np.diagonal(law.covariance[t]), variance, rtol=1e-9)
        begin = mean if start == "own" else away
        mean = later * begin + (1 - later) * mean
        factor = 1.0 if start == "own" else 1 - later
        variance = factor**2 * variance + (1 - later) ** 2 * spread


def test_first_steps_from_the_truth():
    """They are as many as they are said to be, and later ones as many as those."""
    law = law_of([("real", "a", ROWS)], tuned(first_steps=7))
    spread = 1 / CURVATURE / ROWS
    first, later = (((1 - kept(k)) ** 2 * spread).sum() for k in (7, STEPS))
    np.testing.assert_allclose(law.mse[:, 0], [first] + 4 * [later], rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_weight_decay_draws_minima_to_zero(share):
    """Many steps reach the minimum of a ridge, which shrinks what is fitted in each generation."""
    decay, real = 0.1, round(share * ROWS)
    optimiser = optax.chain(optax.sgd(RATE), optax.add_decayed_weights(-RATE * decay))
    feeds = [("a", "a", ROWS - real), *([("real", "a", real)] if real else [])]
    law = law_of(feeds, mcjax.Optax(optimiser, 500, start="own"), generations=400)
    shrink = CURVATURE / (CURVATURE + decay)
    loop = shrink * (1 - share)
    mean = -(1 - shrink) * THETA / (1 - loop)
    variance = shrink**2 / CURVATURE / ROWS / (1 - loop**2)
    np.testing.assert_allclose(law.mean[-1, 0], mean, rtol=1e-6)
    np.testing.assert_allclose(np.diagonal(law.covariance[-1]), variance, rtol=1e-6)
    assert law.limit[0] == pytest.approx(variance.sum() + mean @ mean)


def test_models_have_the_laws_of_their_own_estimators():
    """Each model of a network whose parts do not hear each other is as if it were alone."""
    ways = {"a": tuned(start="own"), "b": tuned(), "c": None, "d": tuned(start="scratch")}
    feeds = [feed for name in ways for feed in [(name, name, 500), ("real", name, 500)]]
    together = law_of(feeds, mcjax.ByModel(None, ways), tuple(ways))
    for i, (name, way) in enumerate(ways.items()):
        alone = law_of([(name, name, 500), ("real", name, 500)], way, (name,))
        np.testing.assert_allclose(together.mse[:, i], alone.mse[:, 0], rtol=1e-9)
        assert together.limit[i] == pytest.approx(alone.limit[0])


def test_what_the_law_is_not_for():
    network = mcjax.build_network(["a"], LOOP, initial=ROWS)
    again = mcjax.build_network(["a"], [("real", "a", ROWS)], initial=ROWS, real="reused")
    cases = [
        (network, mcjax.logistic(), tuned(start="scratch"), "only the curvature of least squares"),
        (network, mcjax.logistic(), tuned(start="own", first_steps=2), "of least squares"),
        (again, mcjax.linear(), tuned(start="own", first_steps=2), "real = 'fresh'"),
    ]
    for net, model, estimator, reason in cases:
        condition = mcjax.condition(net, model, THETA, estimator=estimator)
        [found] = mcjax.predict(mcjax.Study((condition,), generations=1, chains=2))
        assert reason in found.inapplicable["first_order"]
