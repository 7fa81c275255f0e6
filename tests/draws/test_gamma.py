"""Gamma and chi variates from one normal (and six uniforms) against the laws they claim."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from mcjax.draws import samplers, streams

pytestmark = pytest.mark.statistical

DTYPES = [jnp.dtype("float32"), jnp.dtype("float64")]
DRAWS = 100_000
DEGREES = range(1, 41)
BUDGET = 1e-3
"""Probability that a correct sampler fails the battery of all degrees of freedom."""
STATED = {6: 1.5e-5, 10: 3e-6, 50: 3e-8}
FURTHEST = 6.7  # where the normals of float64 end
GRID = np.linspace(-FURTHEST, FURTHEST, 20_001)


def root(shape, dtype=DTYPES[1]):
    return np.asarray(samplers.gamma_root(jnp.asarray(GRID, dtype), jnp.asarray(shape, dtype)))


def total_variation(shape, w):
    """Between the gamma law and that of ``shape w(z)^3``; cells on the upper half are counted from
    above, where distribution functions near 1 would lose their digits."""
    x = shape * w**3
    lower, upper = GRID <= 0, GRID >= 0
    cells = [
        np.diff(special.gammainc(shape, x[lower])) - np.diff(stats.norm.cdf(GRID[lower])),
        np.diff(special.gammaincc(shape, x[upper])) - np.diff(stats.norm.sf(GRID[upper])),
    ]
    return 0.5 * np.abs(np.concatenate(cells)).sum()


@pytest.mark.parametrize("shape", STATED)
def test_total_variation_is_below_the_stated_one(shape):
    """The cells between neighbours of the grid see all of it; the tails left out hold 2e-11."""
    assert total_variation(shape, root(shape)) < STATED[shape]


@pytest.mark.parametrize("shape", STATED)
def test_wilson_and_hilferty_alone_are_further_off(shape):
    e = shape**-0.5
    assert total_variation(shape, 1 + (GRID / 3 - e / 9) * e) > 10 * STATED[shape]


@pytest.mark.parametrize(("dtype", "step"), [(DTYPES[0], 100), (DTYPES[1], 1)])
@pytest.mark.parametrize("shape", [6, 6.5, 10, 50, 1e6])
def test_root_is_positive_and_increases_with_the_normal(shape, dtype, step):
    """Neighbours of the fine grid may round to one number in single precision."""
    w = root(shape, dtype)[::step]
    assert w[0] > 0
    assert (np.diff(w) > 0).all()


@pytest.mark.parametrize("shape", [6, 6.5, 10, 50, 1e6])
def test_single_precision_is_double_precision_rounded(shape):
    """Six terms below 3: some ten roundings."""
    limit = 3 * 10 * float(jnp.finfo(jnp.float32).eps)
    np.testing.assert_allclose(root(shape, DTYPES[0]), root(shape), rtol=0, atol=limit)


def draws(count, dtype, df):
    """A normal and six uniforms, other ones for each number of degrees of freedom."""
    key = streams.chain_keys(23, df, np.arange(1))[0]
    pairs = jnp.arange(count, dtype=jnp.uint32)
    words = [streams.row_words((key[0], key[1]), pairs, jnp.uint32(role)) for role in range(4)]
    z, _ = samplers.normal_pair(words[0], dtype)
    return z, [samplers.uniform(word, dtype) for pair in words[1:] for word in pair]


def chi(df, dtype, enough=True):
    z, uniforms = draws(DRAWS, dtype, df)
    degrees = jnp.full(DRAWS, df, dtype)
    return np.asarray(samplers.chi(z, degrees, uniforms if enough else ()), float)


def p_values(sample, df):
    """Of mean, variance and distribution function; standard errors are the law's own."""
    law = stats.chi(df)
    mean = law.mean()
    raw = np.exp(
        [
            r / 2 * np.log(2) + special.gammaln((df + r) / 2) - special.gammaln(df / 2)
            for r in range(5)
        ]
    )
    variance = df - mean**2
    fourth = raw[4] - 4 * mean * raw[3] + 6 * mean**2 * raw[2] - 3 * mean**4
    off = np.array([sample.mean() - mean, ((sample - mean) ** 2).mean() - variance])
    error = np.sqrt(np.array([variance, fourth - variance**2]) / len(sample))
    exact = stats.kstest(sample, law.cdf).pvalue
    return [*(2 * stats.norm.sf(np.abs(off / error))), exact]


def rejected(found):
    """Positions of the hypotheses that Holm's procedure rejects."""
    order = np.argsort(found)
    passed = np.asarray(found)[order] > BUDGET / np.arange(len(found), 0, -1)
    return order[: np.argmax(passed)] if passed.any() else order


@pytest.fixture(scope="module")
def samples():
    return {(df, dtype.name): chi(df, dtype) for df in DEGREES for dtype in DTYPES}


def test_chi_has_its_mean_variance_and_law(samples):
    cells = {
        (df, dtype, what): p
        for (df, dtype), sample in samples.items()
        for what, p in zip(("mean", "variance", "law"), p_values(sample, df), strict=True)
    }
    names = list(cells)
    assert [names[k] for k in rejected(list(cells.values()))] == []


@pytest.mark.parametrize("df", DEGREES)
def test_a_fifth_of_a_degree_of_freedom_is_noticed(samples, df):
    assert min(p_values(samples[df, "float64"], df + 0.2)) < BUDGET / (6 * len(DEGREES))


def test_one_degree_of_freedom_needs_the_uniforms():
    assert min(p_values(chi(1, DTYPES[1], enough=False), 1)) < BUDGET / (6 * len(DEGREES))


def at(df, dtype):
    """``chi`` of the same draws at each of ``df``, with the uniforms and without."""
    z, uniforms = draws(200, dtype, 0)
    degrees = jnp.broadcast_to(jnp.asarray(df, dtype)[:, None], (len(df), 200))
    z, *uniforms = (jnp.broadcast_to(a, degrees.shape) for a in (z, *uniforms))
    return [np.asarray(samplers.chi(z, degrees, more)) for more in (uniforms, ())]


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniforms_change_nothing_from_twelve_degrees_of_freedom_on(dtype):
    same = np.equal(*at(DEGREES, dtype)).all(1)
    assert same.tolist() == [df >= 12 for df in DEGREES]


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_degrees_of_freedom_give_zero(dtype):
    for found in at([-9, -1, 0, 1], dtype):
        assert (found[:3] == 0).all()
        assert (found[3] > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_furthest_draws_are_finite_and_positive(dtype):
    ends = samplers.uniform(jnp.asarray([0, 2**32 - 1], jnp.uint32), dtype)
    normals = jnp.asarray([-FURTHEST, FURTHEST], dtype)
    df, z, u = jnp.meshgrid(jnp.asarray(DEGREES, dtype), normals, ends, indexing="ij")
    found = np.asarray(samplers.chi(z, df, [u] * 6))
    assert np.isfinite(found).all()
    assert (found > 0).all()
