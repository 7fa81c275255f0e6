"""The law of momentum that goes from one generation to the next, against published check values."""

import numpy as np
import optax
import pytest

import mcjax
from mcjax.laws.first_order.m_estimators import FirstOrder

CURVATURE, ROWS = np.array([1.0, 0.2]), 400
LOOP, HALF = [("a", "a", 400)], [("a", "a", 200), ("real", "a", 200)]


def law_of(feeds, optimiser, steps, generations=20, **settings):
    estimator = mcjax.Optax(optimiser, steps, start="own", state="carried", **settings)
    network = mcjax.build_network(["a"], feeds, initial=ROWS)
    condition = mcjax.condition(
        network, mcjax.linear(), [0.0, 0.0], covariance=np.diag(CURVATURE), estimator=estimator
    )
    return FirstOrder().predict(condition, generations)


HEAVY = optax.sgd(0.01, momentum=0.9)


def test_published_values():
    """Values of another program: slopes by direction, and errors with and without batches."""
    slope = law_of(LOOP, HEAVY, 40, batch_size=20).growth
    np.testing.assert_allclose(ROWS * slope, 1.45448 + 1.62843, atol=1.1e-5)
    found = [
        law_of(LOOP, HEAVY, 40).mse[-1, 0],
        law_of(LOOP, HEAVY, 40, batch_size=20).mse[-1, 0],
        law_of(HALF, HEAVY, 20).mse[-1, 0],
        law_of(HALF, HEAVY, 20, batch_size=20).mse[-1, 0],
    ]
    np.testing.assert_allclose(ROWS * np.array(found), [64.12, 67.37, 3.070, 3.219], atol=0.006)


@pytest.mark.parametrize("nesterov", [False, True])
def test_moments_are_those_of_the_steps_one_by_one(nesterov):
    """Parameters and momentum after every single step, by direction; also where errors settle."""
    rate, mu, steps, share = 0.1, 0.8, 3, 0.5
    law = law_of(HALF, optax.sgd(rate, momentum=mu, nesterov=nesterov), steps, generations=300)
    expected = np.zeros((301, 2))
    for d, h in enumerate(CURVATURE):
        spread = np.diag([1 / h / ROWS, 0.0])
        expected[0, d] = spread[0, 0]
        for t in range(1, 301):
            step = np.eye(3)  # of the error, the momentum and what the gradient is taken off
            step[1] = [h, mu, -1]
            step[0] -= rate * (step[1] * mu + [h, 0, -1] if nesterov else step[1])
            whole = np.linalg.matrix_power(step, steps)[:2]
            moved = whole[:, :2] + np.outer(whole[:, 2] * h * share, [1, 0])
            noise = np.outer(whole[:, 2], whole[:, 2]) * h / ROWS
            spread = moved @ spread @ moved.T + noise
            expected[t, d] = spread[0, 0]
    np.testing.assert_allclose(law.own_covariances[:, 0].diagonal(0, 1, 2), expected, rtol=1e-8)
    assert law.limit[0] == pytest.approx(expected[-1].sum(), rel=1e-6)


def test_states_without_a_law_say_so():
    """Those that count steps, or have no linear law; steps without a state have that of any."""
    network = mcjax.build_network(["a"], HALF, initial=ROWS)
    decaying = optax.sgd(optax.exponential_decay(0.1, 10, 0.9))
    for optimiser, settings, reason in [
        (optax.adam(0.01), {"start": "own"}, "more than a sum of gradients"),
        (decaying, {"start": "own"}, "more than a sum of gradients"),
        (HEAVY, {"start": "own", "first_steps": 5}, "goes on from the steps of generation 0"),
    ]:
        estimator = mcjax.Optax(optimiser, 4, batch_size=20, state="carried", **settings)
        condition = mcjax.condition(network, mcjax.linear(), [0.0, 0.0], estimator=estimator)
        [found] = mcjax.predict(mcjax.Study((condition,), generations=1, chains=2))
        assert reason in found.inapplicable["first_order"]
        assert reason in mcjax.diagnose(condition).inapplicable
    same = law_of(HALF, optax.sgd(0.1), 4)
    reset = mcjax.Optax(optax.sgd(0.1), 4, start="own")
    condition = mcjax.condition(
        network, mcjax.linear(), [0.0, 0.0], covariance=np.diag(CURVATURE), estimator=reset
    )
    np.testing.assert_allclose(same.mse, FirstOrder().predict(condition, 20).mse, rtol=1e-12)
