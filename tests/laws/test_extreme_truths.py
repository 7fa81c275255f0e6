"""Truths beyond what numbers and nodes can hold have no first-order law, and no bare warning."""

import warnings

import pytest

import mcjax
from mcjax.laws.predict import predict_condition

NETWORK = mcjax.topologies.self_loop(samples=300, initial=300)


@pytest.mark.parametrize(
    ("model", "theta", "usual"),
    [
        (mcjax.multinomial(classes=3), [1e9, 0.0], [100.0, 0.0]),
        (mcjax.negative_binomial(), [30.0, 0.0], [10.0, 0.0]),
        (mcjax.negative_binomial(), [1e9, 0.0], [10.0, 0.0]),
        (mcjax.nb2(), [1e9, 0.0, 0.0], [3.0, 0.0, 0.0]),
        (mcjax.probit(), [1e5, 0.0], [30.0, 0.0]),
    ],
)
def test_a_truth_that_is_too_large_has_no_law_and_says_so(model, theta, usual):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far, near = (
            predict_condition(mcjax.condition(NETWORK, model, truth), 2) for truth in (theta, usual)
        )
    assert "theta too large" in far.inapplicable["first_order"]
    assert not far.laws
    assert "first_order" in near.laws
