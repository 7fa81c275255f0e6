"""Chains of mixtures fitted by EM follow their two laws, and wrong ones are refuted."""

from functools import cache

import numpy as np
import pytest

import mcjax
from mcjax.errors import InputError
from mcjax.laws.predict import predict_condition

pytestmark = pytest.mark.statistical

TRUTH = {"weights": [0.6, 0.4], "means": [-2.5, 2.5], "covariances": [1.0, 0.6]}
CLOSE = {"weights": [0.5, 0.5], "means": [-0.5, 0.5], "covariances": [0.75, 0.75]}
NETWORK = mcjax.build_network(
    3,
    [
        *[("0", "0", 400), ("1", "1", 200), ("real", "1", 200)],
        *[("0", "2", 200), ("real", "2", 200)],
    ],
    initial=400,
)
GENERATIONS = 3


@cache
def separated():
    """A condition of components that are apart, its predictions and its outcome."""
    case = mcjax.condition(NETWORK, mcjax.gaussian_mixture(), TRUTH)
    [tally] = mcjax.simulate(mcjax.Study((case,), generations=GENERATIONS, chains=1024))
    return case, predict_condition(case, GENERATIONS), tally.outcome


def z_of(moments, law, shift=0.0):
    error = np.hypot(moments.standard_error(), shift * law)
    return np.abs((moments.mean - law) / error).max()


def test_first_order_law_where_components_are_apart(z_limit):
    _, told, outcome = separated()
    law = told.laws["first_order"]
    # what is left out is of relative order p / n
    assert z_of(outcome.moments.squared, law.mse, shift=0.01) < z_limit
    wrong = predict_condition(
        mcjax.condition(NETWORK.without_feed("real", "1"), mcjax.gaussian_mixture(), TRUTH),
        GENERATIONS,
    )
    assert z_of(outcome.moments.squared, wrong.laws["first_order"].mse, shift=0.01) > 2 * z_limit


def test_moments_where_components_are_apart(z_limit):
    case, told, outcome = separated()
    assert outcome.fits[..., mcjax.Status.CONVERGED].sum() == outcome.fits.sum()
    values = told.functionals["generative"].values
    names = [functional.name for functional in case.model.functionals]
    law = np.stack([values[name] for name in names], axis=-1)
    assert z_of(outcome.moments.functional, law) < z_limit


def test_moments_at_any_overlap(z_limit):
    """The variance is lost at the rate 1 - 1/n, though no component is determined."""
    rows, generations = 30, 6
    loop = mcjax.topologies.self_loop(samples=rows, initial=rows)
    case = mcjax.condition(loop, mcjax.gaussian_mixture(floor=1e-3), CLOSE)
    [tally] = mcjax.simulate(mcjax.Study((case,), generations=generations, chains=1024))
    outcome = tally.outcome
    assert outcome.fits[..., mcjax.Status.CONVERGED].sum() == outcome.fits.sum()
    values = predict_condition(case, generations).functionals["generative"].values
    left = (1 - 1 / rows) ** np.arange(1, generations + 2)
    np.testing.assert_allclose(values["variance"][:, 0], left, rtol=1e-12)
    np.testing.assert_allclose(values["mean_square"][:, 0], 1 - left, rtol=1e-12)
    law = np.stack([values["variance"], values["mean_square"]], axis=-1)
    assert z_of(outcome.moments.functional, law) < z_limit
    unbiased = np.stack([np.ones_like(values["variance"]), values["mean_square"]], axis=-1)
    assert z_of(outcome.moments.functional, unbiased) > 2 * z_limit


def test_without_a_floor_fits_that_shrink_are_counted():
    loop = mcjax.topologies.self_loop(samples=30, initial=30)
    case = mcjax.condition(loop, mcjax.gaussian_mixture(), CLOSE)
    [tally] = mcjax.simulate(mcjax.Study((case,), generations=6, chains=1024))
    fits = tally.outcome.fits
    assert fits[..., mcjax.Status.RANK_DEFICIENT].sum() > 100
    assert (fits.sum(-1) == 1024).all()


def test_truths_that_are_no_mixture():
    whole = dict(TRUTH)
    for changed, field in [
        ({"weights": [0.6, 0.5]}, "weights"),
        ({"weights": "many"}, "weights"),
        ({"means": [0.0]}, "means"),
        ({"covariances": [1.0, -1.0]}, "covariances"),
        ({"covariances": [[[1.0, 0.0], [0.0, 1.0]]] * 2}, "covariances"),
        ({"means": [[0.0, 1.0]] * 2, "covariances": [[[1, 2], [0, 1]]] * 2}, "covariances"),
    ]:
        with pytest.raises(InputError, match=rf"family\.theta\.{field}: must"):
            mcjax.condition(NETWORK, mcjax.gaussian_mixture(), whole | changed)
    with pytest.raises(InputError, match="give it weights, means, covariances, and no more"):
        mcjax.condition(NETWORK, mcjax.gaussian_mixture(), {"weights": [1.0]})
    with pytest.raises(InputError, match="has 3 numbers; a mixture of 2 components"):
        mcjax.condition(NETWORK, mcjax.gaussian_mixture(), [0.0, 1.0, 2.0])
