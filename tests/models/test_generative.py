"""Families without covariates: what they draw, what they know of themselves, and their truths."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.chains.observations import draw_labels
from mcjax.draws.streams import chain_keys
from mcjax.errors import InputError
from mcjax.laws.first_order.monte_carlo_information import estimate_information, jackknife_error
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.models.registry import FAMILIES, make_model
from mcjax.network import topologies

pytestmark = pytest.mark.statistical

ROWS = 1 << 17
CASES = {
    "gaussian": (gaussian(), [1.5, 0.4]),
    "categorical": (categorical(), [0.5, 0.3, 0.05, 0.15]),
    "bernoulli": (bernoulli(), [0.3]),
    "poisson_mean": (poisson_mean(), [2.5]),
}


def drawn(model, theta, dtype="float32", rows=ROWS):
    """Labels of one parent."""
    key = chain_keys(3, 0, np.array([0]))[0]
    pairs = jnp.arange(rows // 2, dtype=jnp.uint32)
    parent = jnp.broadcast_to(jnp.asarray(theta, dtype)[:, None], (len(theta), rows))
    x = jnp.zeros((0, rows), dtype)
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), model)
    y = draw_labels(model, parent, x, jnp.ones(rows, bool), (key[0], key[1]), pairs)
    return np.asarray(y, float)


@pytest.mark.parametrize("name", ["gaussian", "categorical"])
def test_information_against_autodiff_and_monte_carlo(name, z_limit):
    model, theta = CASES[name]
    p = len(theta)
    exact = model.information(model.params, np.array(theta), np.eye(p))
    found, without = estimate_information(model, np.array(theta), np.eye(p))
    for matrix in ("hessian", "score_covariance"):
        value = getattr(found.synthetic, matrix)
        spread = np.array([getattr(w.synthetic, matrix) for w in without])
        truth = getattr(exact.synthetic, matrix)
        error = 1.5 * z_limit * jackknife_error(spread) + 1e-12  # 32 batches: a t quantile
        assert (np.abs(value - truth) < error).all()
    assert not (np.abs(value - 1.05 * truth) < error).all()


@pytest.mark.parametrize("name", CASES)
def test_the_estimate_of_many_rows_is_what_drew_them(name, z_limit):
    model, theta = CASES[name]
    y = drawn(model, theta)
    pivot = jnp.asarray(theta)
    each = jax.vmap(model.statistics.summary, (None, None, None, 0))(
        model.params, pivot, jnp.zeros(0), jnp.asarray(y)
    )
    found, determined = model.statistics.estimate(
        model.params, pivot, each.sum(0), jnp.asarray(float(ROWS)), jnp.asarray(float(ROWS))
    )
    information = model.information(model.params, np.array(theta), np.eye(len(theta)))
    inverse = np.linalg.inv(information.real.hessian)
    error = np.sqrt(np.diagonal(inverse @ information.real.score_covariance @ inverse) / ROWS)
    assert determined
    assert (np.abs(found - np.array(theta)) < z_limit * error).all()
    assert not (np.abs(found - 1.05 * np.array(theta)) < z_limit * error).all()


@pytest.mark.parametrize(
    ("model", "theta", "only"),
    [
        (gaussian(), [2.0, 0.0], 2.0),
        (categorical(), [0.0, 1.0, 0.0], 1.0),
        (bernoulli(), [0.0], 0.0),
        (bernoulli(), [1.0], 1.0),
        (poisson_mean(), [0.0], 0.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_degenerate_estimates_draw_one_value(model, theta, only, dtype):
    assert (drawn(model, theta, dtype, 4096) == only).all()


def test_rounding_brings_no_class_back():
    """Probabilities whose sums round, with extinct classes first, between and last."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        theta = rng.dirichlet(np.full(40, 0.3)).astype(np.float32)
        theta[rng.random(40) < 0.3] = 0
        theta[[0, -1]] = 0
        words = jnp.asarray([0, 1, 2**31, 2**32 - 1], jnp.uint32)
        ends = jax.vmap(categorical().sample, (None, None, None, 0))(
            {}, jnp.asarray(theta), jnp.zeros(0, jnp.float32), (words, words)
        )
        y = np.append(drawn(categorical(), theta, rows=1 << 12), ends).astype(int)
        assert (theta[y] > 0).all()


def test_functionals():
    def values(model, theta, truth):
        return {f.name: f.value(np.array(theta), np.array(truth)) for f in model.functionals}

    found = values(gaussian(), [[1.0, 4.0], [0.0, 0.0]], [0.5, 1.0])
    assert found["variance"].tolist() == [4, 0]
    assert found["deviation"].tolist() == [2, 0]
    assert found["log_deviation"].tolist() == [np.log(2), -np.inf]
    assert found["mean_square"].tolist() == [0.25, 0.25]
    found = values(categorical(), [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], [0.3, 0.2, 0.5])
    assert found["heterozygosity"].tolist() == [0.5, 0]
    assert found["richness"].tolist() == [2, 1]
    assert found["rarest_extinct"].tolist() == [False, True]
    found = values(bernoulli(), [[0.5], [0.0], [1.0]], [0.9])
    assert found["heterozygosity"].tolist() == [0.5, 0, 0]
    assert found["richness"].tolist() == [2, 1, 1]
    assert found["rarest_extinct"].tolist() == [False, False, True]
    assert values(poisson_mean(), [[0.0], [0.1]], [1.0])["alive"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "theta", "sentence"),
    [
        ("gaussian", [0.0, 0.0], "a mean and a positive variance"),
        ("gaussian", [1.0], "a mean and a positive variance"),
        ("categorical", [0.5, 0.6], "add up to 1"),
        ("categorical", [1.2, -0.2], "add up to 1"),
        ("categorical", [1.0], "two or more classes"),
        ("bernoulli", [1.5], "one probability"),
        ("poisson_mean", [0.0], "one positive number"),
    ],
)
def test_a_truth_is_checked_where_a_condition_is_built(name, theta, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        mcjax.condition(topologies.self_loop(samples=9, initial=9), FAMILIES[name](), theta)
    assert caught.value.field == "family.theta"


def test_what_else_is_refused():
    loop = topologies.self_loop(samples=1, initial=9)
    with pytest.raises(InputError, match=r"covariates: do not exist in the family 'poisson_mean'"):
        mcjax.condition(loop, poisson_mean(), [1.0], covariance=[[2.0]])
    with pytest.raises(InputError, match="covariates"):
        mcjax.condition(loop, poisson_mean(), [1.0], design="fixed")
    with pytest.raises(InputError, match=r"network\.feeds: gives .* 1 samples .* more than 1"):
        mcjax.condition(loop, gaussian(), [0.0, 1.0])
    begun = mcjax.build_network(1, [("0", "0", 9)], first=[("real", "0", 9)])
    with pytest.raises(
        InputError, match=r"network: has sources, first or .* poisson_mean has none"
    ):
        mcjax.condition(begun, poisson_mean(), [1.0])
    mcjax.condition(loop, poisson_mean(), [1.0])  # one row is enough for a mean
    with pytest.raises(InputError, match=r"family\.unbiased: is 'no'"):
        make_model({"name": "gaussian", "unbiased": "no"}, Path())
