"""Samplers against the laws they claim, with the error they state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mcjax.draws import samplers, streams

CELLS = 2**20
poisson = jax.jit(samplers.poisson)
DTYPES = [jnp.dtype("float32"), jnp.dtype("float64")]


def draws(count, roles=1):
    """``count`` pairs of words for each role."""
    key = streams.chain_keys(11, 0, np.arange(1))[0]
    pairs = jnp.arange(count, dtype=jnp.uint32)
    return [streams.row_words((key[0], key[1]), pairs, jnp.uint32(role)) for role in range(roles)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform_never_touches_its_ends(dtype):
    ends = samplers.uniform(jnp.asarray([0, 2**32 - 1], jnp.uint32), dtype)
    assert 0 < ends[0] < 1e-6
    assert 1 - 1e-6 < ends[1] < 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_turn_is_cosine_and_sine(dtype):
    u = jnp.linspace(0.001, 0.999, 4001, dtype=dtype)
    cosine, sine = samplers.turn(u)
    exact = 2 * np.pi * np.asarray(u, float)
    limit = 8 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(cosine, np.cos(exact), rtol=0, atol=limit)
    np.testing.assert_allclose(sine, np.sin(exact), rtol=0, atol=limit)


LAWS = {
    "normal, even row": (lambda a, b, d: samplers.normal_pair(a, d)[0], stats.norm),
    "normal, odd row": (lambda a, b, d: samplers.normal_pair(a, d)[1], stats.norm),
    "student t, 3": (
        lambda a, b, d: samplers.student_t(a, d.type(3), d),
        stats.t(3),
    ),
    "laplace": (lambda a, b, d: samplers.laplace(a, d), stats.laplace),
}


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAWS)
def test_law(name, dtype):
    """Kolmogorov-Smirnov, one test in a million."""
    sample, law = LAWS[name]
    values = np.asarray(sample(*draws(200_000, 2), dtype), float)
    assert stats.kstest(values, law.cdf).pvalue > 1e-6


def test_wrong_law_is_rejected():
    """The battery above can fail: t with 3 degrees of freedom is not t with 4."""
    sample, _ = LAWS["student t, 3"]
    values = np.asarray(sample(*draws(200_000, 2), DTYPES[1]), float)
    assert stats.kstest(values, stats.t(4).cdf).pvalue < 1e-6


def test_rows_and_roles_are_uncorrelated(z_limit):
    z = np.stack([np.stack(samplers.normal_pair(w, DTYPES[1])) for w in draws(100_000, 3)])
    z = z.reshape(6, -1)
    correlation = z @ z.T / z.shape[1] - np.eye(6)
    error = np.sqrt(np.where(np.eye(6) > 0, 2, 1) / z.shape[1])
    assert (np.abs(correlation) < z_limit * error).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rate", "limit"),
    [(0.01, 3e-6), (0.5, 3e-6), (3.0, 3e-6), (9.99, 3e-6), (10.01, 2e-4), (15, 2e-4), (60, 2e-4)],
)
def test_poisson_total_variation(rate, limit, dtype):
    """Every quantile at once: the sampler is a function of one uniform."""
    u = (jnp.arange(CELLS, dtype=dtype) + 0.5) / CELLS
    counts = np.asarray(poisson(u, jnp.full(CELLS, rate, dtype))).astype(int)
    found = np.bincount(counts) / CELLS
    exact = stats.poisson.pmf(np.arange(len(found)), rate)
    distance = 0.5 * (np.abs(found - exact).sum() + 1 - exact.sum())
    grid = 0.5 * len(found) / CELLS  # what the cells alone can contribute
    assert distance < limit + grid


def test_poisson_shows_an_explosion():
    rates = jnp.asarray([1e3, 1e12, jnp.inf, jnp.nan])
    counts = poisson(jnp.full(4, 0.5), rates)
    assert jnp.isfinite(counts[:2]).all()
    assert not jnp.isfinite(counts[2:]).any()
