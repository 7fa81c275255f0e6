"""Truths beyond what numbers and nodes can hold have no first-order law, and no bare warning."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

import mcjax
from mcjax.laws.first_order.informative_rows import informative_share
from mcjax.laws.predict import predict_condition
from mcjax.laws.second_order.m_estimators import corrections

NETWORK = mcjax.topologies.self_loop(samples=300, initial=300)


@pytest.mark.parametrize(
    ("model", "theta", "usual"),
    [
        (mcjax.multinomial(classes=3), [1e9, 0.0], [100.0, 0.0]),
        (mcjax.negative_binomial(), [30.0, 0.0], [10.0, 0.0]),
        (mcjax.negative_binomial(), [1e9, 0.0], [10.0, 0.0]),
        (mcjax.nb2(), [1e9, 0.0, 0.0], [3.0, 0.0, 0.0]),
        (mcjax.probit(), [1e5, 0.0], [30.0, 0.0]),
        (mcjax.poisson(), [30.0, 0.0], [2.0, 0.0]),
        (mcjax.poisson(), [4.0, 0.0], [2.0, 0.0]),
        (mcjax.logistic(), [1e5, 0.0], [30.0, 0.0]),
    ],
)
def test_a_truth_that_is_too_large_has_no_law_and_says_so(model, theta, usual):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far, near = (
            predict_condition(mcjax.condition(NETWORK, model, truth), 2) for truth in (theta, usual)
        )
    assert "theta too large" in far.inapplicable["first_order"]
    assert "share of 0 " not in far.inapplicable["first_order"]
    assert not far.laws
    assert "first_order" in near.laws


@pytest.mark.parametrize(
    ("model", "gamma", "share"),
    [
        (mcjax.poisson(), 0.5, norm.sf(0.5)),  # mean counts are largest beyond one gamma
        (mcjax.poisson(), 6.0, norm.sf(6.0)),
        (mcjax.logistic(), 1e5, 2 * norm.pdf(0) * np.log(3) / 1e5),  # quartiles of the logistic law
        (mcjax.linear(), 3.0, 0.5),
    ],
)
def test_half_of_the_information_is_in_the_share_of_rows_in_closed_form(model, gamma, share):
    condition = mcjax.condition(NETWORK, model, [gamma])
    assert informative_share(condition, gamma) == pytest.approx(share, rel=0.04)


@pytest.mark.parametrize("model", [mcjax.linear(), mcjax.huber(1.0)])
def test_errors_around_a_predictor_do_not_depend_on_the_truth_however_large(model):
    one, other = (mcjax.condition(NETWORK, model, [truth, 0.0]) for truth in (9e18, 1.0))
    for law in (corrections, lambda each, last: predict_condition(each, last).laws["first_order"]):
        far, near = law(one, 2), law(other, 2)
        np.testing.assert_allclose(far.mse, near.mse, rtol=1e-9)
        np.testing.assert_allclose(far.allowance, near.allowance, rtol=1e-9)


def test_a_truth_beyond_what_a_grid_resolves_has_no_second_order_law():
    many = mcjax.topologies.self_loop(samples=10**9, initial=10**9)
    one = mcjax.condition(many, mcjax.logistic(), [1e6, 0.0])
    assert "integrated up to 10000 (theta too large)" in corrections(one, 2)
    assert np.isinf(predict_condition(one, 2).laws["first_order"].allowance).all()
