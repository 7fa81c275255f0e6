"""The surrogate chain of a model on its own output."""

from functools import cache

import numpy as np
import pytest
from second_order_cases import case, firth, loop

from mcjax import api
from mcjax.laws.predict import predict_condition
from mcjax.laws.registry import built_in
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.network import Feed, build_network
from mcjax.network.generation import Generation
from mcjax.network.timeline import Series
from mcjax.study.study import Study, condition

LAW = built_in("surrogate")


@cache
def predicted(name, rows, generations):
    return LAW.predict(case(name, rows), generations)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("rows", "generation", "known"), [(400, 8, 1.2715), (200, 8, 1.658), (100, 4, 1.790)]
)
def test_values_of_an_independent_program(rows, generation, known, z_limit):
    """Mean squared errors over the first-order law, from 200,000 chains with their own error."""
    law = predicted("log3", rows, generation)
    first = law.leading.mse[generation, 0]
    error = law.standard_error[generation, 0] / first
    assert 0 < error < 0.01
    assert abs(law.mse[generation, 0] / first - known) < z_limit * error * np.sqrt(3)


@pytest.mark.parametrize("name", ["log1", "log2w", "poi2"])
def test_generation_0_is_that_of_the_second_order_law(name):
    one = case(name, 100)
    alone = condition(build_network("a", loop(100), 100), one.model, one.theta, one.covariance)
    ours, theirs = (built_in(law).predict(alone, 1) for law in ("surrogate", "second_order"))
    np.testing.assert_allclose(ours.mean[0], theirs.mean[0], rtol=1e-5)
    np.testing.assert_allclose(ours.covariance[0], theirs.covariance[0], rtol=1e-5)
    assert ours.validity.judged.shape == theirs.validity.judged.shape


@pytest.mark.statistical
@pytest.mark.parametrize("name", ["log3", "poi2"])
def test_it_is_the_second_order_law_where_samples_are_large(name, z_limit):
    """What lies between falls like 1/n^2 relative to the first order."""
    for rows in (1000, 4000):
        one = case(name, rows)
        law, other = (built_in(n).predict(one, 4) for n in ("surrogate", "second_order"))
        apart = np.abs(law.mse - other.mse)[1:] / law.leading.mse[1:]
        error = law.standard_error[1:] / law.leading.mse[1:]
        assert (apart < z_limit * error + 2 * law.validity.indicator[1:] ** 2).all()
        assert (error < 0.2 * law.validity.indicator[1:]).all()
        off = law.error_of(lambda found: found.mean)
        np.testing.assert_array_less(
            np.abs(law.mean - other.mean)[1:],
            z_limit * off[1:] + 2 * law.validity.indicator[1:, :, None] * np.abs(other.mean[1:]),
        )


@pytest.mark.statistical
def test_it_is_right_where_the_expansion_is_not():
    """200 rows, 8 generations: closer to chains by far, and neither is the first-order law."""
    rows, last = 200, 8
    [tally] = api.simulate(Study((case("log3", rows),), generations=last, chains=16_384))
    seen = tally.outcome.moments.squared
    law = predicted("log3", rows, last)
    second = built_in("second_order").predict(case("log3", rows), last)
    ours, theirs = (np.abs(seen.mean - found.mse)[-1, 0] for found in (law, second))
    assert ours < theirs / 2
    assert theirs > 5 * seen.standard_error()[-1, 0]


@pytest.mark.statistical
def test_fits_with_the_penalty_have_no_bias(z_limit):
    one = firth(case("log3", 200))
    law, plain = LAW.predict(one, 8), predicted("log3", 200, 8)
    off = law.error_of(lambda found: found.mean)
    np.testing.assert_array_less(np.abs(law.mean[1:]), z_limit * off[1:])
    assert np.abs(plain.mean[-1]).max() > 0.1
    assert (law.mse < 0.8 * plain.mse)[-1].all()


def test_feeds_that_change_with_time(z_limit):
    """Fits of other generations have other rows, and a model without a feed stays."""
    fits = [
        Generation((Feed("a", "a", rows),)) if rows else Generation(()) for rows in (300, 0, 150)
    ]
    net = build_network("a", Series(*fits), 200)
    one = condition(net, logistic(), [1.0, 0.5])
    law, other = (built_in(n).predict(one, 4) for n in ("surrogate", "second_order"))
    apart = np.abs(law.mse - other.mse) / law.leading.mse
    error = law.standard_error / law.leading.mse
    assert (apart <= z_limit * error + 2 * law.validity.indicator**2 + 1e-6).all()
    np.testing.assert_array_equal(law.covariance[1], law.covariance[2])
    assert law.mse[3, 0] > 1.2 * law.mse[2, 0] > 1.2**2 * law.mse[0, 0]


@pytest.mark.parametrize(
    ("net", "model", "words"),
    [
        (build_network("a", [("a", "a", 50), ("real", "a", 50)], 50), logistic(), "its own output"),
        (build_network("ab", [("a", "b", 50), ("b", "a", 50)], 50), logistic(), "its own output"),
        (build_network("a", loop(50), 50), huber(), "not for huber"),
        (build_network("a", loop(50), 50), linear(), "not for linear"),
        (build_network("a", loop(50), 50, memory="accumulate"), logistic(), "memory"),
    ],
)
def test_where_it_does_not_apply_it_says_so(net, model, words):
    found = predict_condition(condition(net, model, [0.5, 0.5]), 1, ["surrogate"])
    assert words in found.inapplicable["surrogate"]


def test_it_is_predicted_on_request_alone():
    one = case("log1", 100)
    assert "surrogate" not in predict_condition(one, 1).laws
    assert "surrogate" not in predict_condition(one, 1, ["second_order"]).laws
    assert "surrogate" in predict_condition(one, 1, ["surrogate"]).laws
