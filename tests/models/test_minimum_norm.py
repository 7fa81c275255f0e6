"""Least squares of minimum norm against the pseudo-inverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.minimum_norm import MinimumNorm
from mcjax.models.location import linear
from mcjax.models.minimum_norm import minimum_norm
from mcjax.network import topologies
from mcjax.solvers.status import Status
from mcjax.study.study import condition

LANES = 16


@jax.jit
def batch_fit(data):
    start = jnp.zeros(data.x.shape[1], data.x.dtype)
    fit = MinimumNorm().fit
    return jax.vmap(lambda one: fit(minimum_norm(), one, start, jax.random.key(0)))(data)


def data_sets(p, rows, seed=0, padded=0.2):
    rng = np.random.default_rng(seed)
    shape = (LANES, rows)
    weight = np.where(rng.random(shape) < padded, 0.0, rng.uniform(0.5, 2, shape))
    x = rng.normal(size=(LANES, p, rows))
    return Dataset(jnp.asarray(x), jnp.asarray(rng.normal(size=shape)), jnp.asarray(weight))


def pseudo_inverse(data, i):
    x, y, w = (np.asarray(value[i]) for value in data)
    root = np.sqrt(w)
    return np.linalg.pinv(x.T * root[:, None]) @ (root * y)


@pytest.mark.by_default("5-4")
@pytest.mark.parametrize(
    ("p", "rows"),
    [(5, 4), (20, 20), (20, 25)],
)
def test_against_the_pseudo_inverse(p, rows):
    """Few rows, as many as parameters and, as padding is random, some lanes of both kinds."""
    data = data_sets(p, rows)
    found = batch_fit(data)
    assert (found.status == Status.CONVERGED).all()
    for i in range(LANES):
        peer = pseudo_inverse(data, i)
        np.testing.assert_allclose(found.theta[i], peer, rtol=1e-8, atol=1e-9 * abs(peer).max())


def test_single_precision():
    data = data_sets(20, 12)
    found = batch_fit(jax.tree.map(lambda a: a.astype(jnp.float32), data))
    for i in range(LANES):
        np.testing.assert_allclose(found.theta[i], pseudo_inverse(data, i), rtol=0, atol=1e-5)


def test_few_rows_are_allowed_for_this_family_alone():
    net = topologies.self_loop(samples=2, initial=1)
    assert condition(net, minimum_norm(), [1.0] * 5).model.least_rows == 1
    with pytest.raises(InputError, match="more than 5"):
        condition(net, linear(), [1.0] * 5)
    with pytest.raises(InputError, match=r"family\.sigma"):
        minimum_norm(sigma=-1)
