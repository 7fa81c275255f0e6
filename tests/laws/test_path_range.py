"""Where the law around the population path declines, and what it allows for."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.estimators.penalty import Ridge
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.law import GROWING, Inapplicable
from mcjax.laws.predict import predict_condition
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical
from mcjax.models.glm import logistic
from mcjax.models.location import linear
from mcjax.models.penalised import penalised
from mcjax.network import Feed, build_network
from mcjax.selections.temperature import Temperature
from mcjax.selections.top_p import TopP
from mcjax.selections.verifier import Verifier
from mcjax.study.study import condition


def loop(keep=None, rows=400, **options):
    return build_network(1, [Feed("0", "0", rows, keep=keep)], rows, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda net: condition(net, penalised(linear(), ridge=0.1), [0.5]),
        lambda net: condition(net, logistic(), [0.5, 0.1], own_covariances={"0": np.diag([1, 2])}),
        lambda net: condition(loop(Temperature(1.5), growth=1.0), linear(), [0.5]),
    ],
)
def test_samples_that_grow_are_not_constant_ones(make):
    one = make(loop(growth=1.0))
    assert FirstOrder().applies(one) == GROWING


def test_raw_rows_count_as_far_as_they_are_kept():
    """400 rows of which about 16 are kept allow for as much as 16 rows."""
    narrow, wide = (
        FirstOrder().predict(condition(loop(Verifier((0.0,), r, "raw")), linear(), [0.0]), 2)
        for r in (0.05, 50.0)
    )
    assert (narrow.allowance > 20 * wide.allowance).all()
    with pytest.raises(Inapplicable, match="too few"):
        FirstOrder().predict(condition(loop(Verifier((0.0,), 1e-3, "raw")), linear(), [0.0]), 2)


def test_the_score_of_mean_and_variance_is_not_that_of_a_penalised_loss():
    model = replace(gaussian(), estimator=None, statistics=None, penalty=Ridge(0.5))
    with pytest.raises(Inapplicable, match="without a penalty"):
        FirstOrder().predict(condition(loop(), model, [0.0, 1.0]), 2)


def test_a_plain_network_has_no_pooled_estimator():
    net = build_network(1, [("real", "0", 100), ("0", "0", 100)], 1000)
    for model in (linear(), penalised(linear(), ridge=1e-6)):
        found = predict_condition(condition(net, model, [0.5]), 2)
        assert found.laws["first_order"].pooled is None


def test_next_to_nothing_is_kept():
    one = condition(loop(Verifier((0.0,), 1e-300)), linear(), [0.5])
    assert "too small a share" in predict_condition(one, 2).inapplicable["first_order"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_at_low_temperatures(dtype):
    """Powers of all classes would underflow; the most probable one is left."""
    shares = jnp.full(50, 0.02, dtype)
    _, cold = categorical().tempering.parameters({}, shares, 0.01)
    np.testing.assert_allclose(cold, 0.02, rtol=1e-5)
    _, cold = categorical().tempering.parameters({}, jnp.array([0.35, 0.25, 0.4], dtype), 0.001)
    np.testing.assert_allclose(cold, [0, 0, 1], atol=1e-6)
    for theta, expected in ((0.6, 1.0), (0.5, 0.5), (0.4, 0.0)):
        _, cold = bernoulli().tempering.parameters({}, jnp.array([theta], dtype), 0.001)
        np.testing.assert_allclose(cold, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sum_of_exactly_p_keeps_no_class_more(dtype):
    _, cut = TopP(0.9).parameters(categorical(), {}, jnp.full(20, 0.05, dtype))
    assert (np.asarray(cut) > 0).sum() == 18
