"""Models without covariates: degenerate estimates, their functionals, and what is refused."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcjax
from mcjax.chains.observations import draw_labels, label_words
from mcjax.draws.streams import chain_keys
from mcjax.errors import InputError
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.models.registry import make_model
from mcjax.network import topologies

pytestmark = pytest.mark.statistical


def drawn(model, theta, dtype="float32", rows=4096):
    """Labels of one parent."""
    key = chain_keys(3, 0, np.array([0]))[0]
    pairs = jnp.arange(rows // 2, dtype=jnp.uint32)
    parent = jnp.broadcast_to(jnp.asarray(theta, dtype)[:, None], (len(theta), rows))
    x = jnp.zeros((0, rows), dtype)
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), model)
    y = draw_labels(model, parent, x, jnp.ones(rows, bool), label_words((key[0], key[1]), pairs))
    return np.asarray(y, float)


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
    assert (drawn(model, theta, dtype) == only).all()


@pytest.mark.parametrize("theta", [0.0, 1.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_words_bring_no_class_back(theta, dtype):
    """The largest words of single precision give a uniform of exactly 1."""
    words = jnp.asarray([0, 2**31, 2**32 - 128, 2**32 - 1], jnp.uint32)
    draw = jax.vmap(bernoulli().sample, (None, None, None, 0))
    y = draw({}, jnp.asarray([theta], dtype), jnp.zeros(0, dtype), (words, words))
    assert (y == theta).all()


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
        y = np.append(drawn(categorical(), theta), ends).astype(int)
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


def test_what_else_is_refused():
    loop = topologies.self_loop(samples=1, initial=9)
    with pytest.raises(InputError, match=r"covariates: do not exist in the family 'poisson_mean'"):
        mcjax.condition(loop, poisson_mean(), [1.0], covariance=[[2.0]])
    with pytest.raises(InputError, match="covariates"):
        mcjax.condition(loop, poisson_mean(), [1.0], design="fixed")
    with pytest.raises(InputError, match=r"network\.feeds: gives .* 1 sample .* more than 1"):
        mcjax.condition(loop, gaussian(), [0.0, 1.0])
    begun = mcjax.build_network(1, [("0", "0", 9)], first=[("real", "0", 9)])
    with pytest.raises(
        InputError, match=r"network: has sources, first or .* poisson_mean has none"
    ):
        mcjax.condition(begun, poisson_mean(), [1.0])
    mcjax.condition(loop, poisson_mean(), [1.0])  # one row is enough for a mean
    with pytest.raises(InputError, match=r"^family\.unbiased: is 'no'"):
        make_model({"name": "gaussian", "unbiased": "no"}, Path())
