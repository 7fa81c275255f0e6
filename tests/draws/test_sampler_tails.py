"""Moments, far tails and independence of every noise against its law.

All tests of this file together reject right samplers with probability ``FAMILY`` at most: each of
``TESTS`` p-values is compared with ``FAMILY / TESTS``. Standard errors are those of the laws.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mcjax.draws import samplers, streams
from mcjax.models.noise import NOISES

pytestmark = pytest.mark.statistical

FAMILY, TESTS = 1e-5, 300
LEVEL = FAMILY / TESTS
DTYPES = [jnp.dtype("float32"), jnp.dtype("float64")]
FIRST = 2**12
"""Draws whose first word is below this are in a tail of probability 2**-20."""
CASES = {
    "normal": {},
    "laplace": {},
    "student_t": {"df": 9.0},
    "contaminated_normal": {"share": 0.1, "scale": 3.0},
}
SIXTH = {"normal": 15.0, "laplace": 720.0, "student_t": 15 * 9**3 / (7 * 5 * 3)}
"""Their sixth moments; that of a mixture of normals is 15 times the mixture of the variances."""


def words(count, role, key=7, first=2**32):
    """Words of one role, the first of them below ``first``."""
    chain = streams.chain_keys(key, 0, np.arange(1))[0]
    pairs = jnp.arange(count, dtype=jnp.uint32)
    pair = [streams.row_words((chain[0], chain[1]), pairs, jnp.uint32(r)) for r in (role, role + 9)]
    return (pair[0][0] % jnp.uint32(first) if first < 2**32 else pair[0][0]), pair[1][0]


def drawn(name, params, dtype, **which):
    numbers = {key: dtype.type(value) for key, value in params.items()}
    return np.asarray(NOISES[name].draw(numbers, words(**which), dtype), float)


def two_sided(mean, expected, error):
    return 2 * stats.norm.sf(abs(mean - expected) / error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_mean_variance_and_skewness(name, dtype):
    """Odd moments are 0 by symmetry, and the variance of a third moment is the sixth moment."""
    params, count = CASES[name], 2**20
    draws = drawn(name, params, dtype, count=count, role=1)
    law = NOISES[name]
    variance = law.variance(params)
    fourth = {"normal": 3.0, "laplace": 24.0, "student_t": 3 * 81 / (7 * 5)}
    sixth = dict(SIXTH)
    if law.normals is not None:
        fourth[name] = sum(share * 3 * scale**4 for share, scale in law.normals(params))
        sixth[name] = sum(share * 15 * scale**6 for share, scale in law.normals(params))
    error = np.sqrt(np.array([variance, fourth[name] - variance**2, sixth[name]]) / count)
    assert two_sided(draws.mean(), 0, error[0]) > LEVEL
    assert two_sided((draws**2).mean(), variance, error[1]) > LEVEL
    assert two_sided((draws**3).mean(), 0, error[2]) > LEVEL


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("chance", [1e-2, 1e-4, 1e-5])
def test_exceedance_of_both_far_quantiles(name, chance, dtype):
    params, count = CASES[name], 2**20
    draws = drawn(name, params, dtype, count=count, role=2)
    quantile = NOISES[name].quantile(params, chance)
    for beyond in ((draws < quantile).sum(), (draws > -quantile).sum()):
        assert stats.binomtest(int(beyond), count, chance).pvalue > LEVEL


def rarity(name, df, draws, cosine):
    """How rare a draw in the tail is, a uniform below 2**-20, from the draw itself."""
    if name == "laplace":
        return np.exp(-np.abs(draws))
    return (1 + (draws / cosine) ** 2 / df) ** (-df / 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "df"),
    [("laplace", 0.0), *(("student_t", df) for df in (1.0, 2.1, 2.5, 4.5, 30.0))],
)
def test_tails_go_on_far_beyond_any_simulation(name, df, dtype):
    """Draws with a small first word have the law of the tail, down to a probability of 1e-14."""
    params = {"df": df} if df else {}
    which = {"count": 2**16, "role": 3, "first": FIRST}
    draws = drawn(name, params, dtype, **which)
    cosine = np.asarray(samplers.turn(samplers.uniform(words(**which)[1], dtype))[0], float)
    assert stats.kstest(rarity(name, df, draws, cosine) * 2.0**20, "uniform").pvalue > LEVEL
    assert (draws > 0).mean() == pytest.approx(0.5, abs=5 / 2**8)
    zero = drawn(name, params, dtype, count=2**14, role=4, first=1)  # one draw in 4e9
    cosine = samplers.turn(samplers.uniform(words(2**14, 4, first=1)[1], dtype))[0]
    found = rarity(name, df, zero, np.asarray(cosine, float)) * 2.0**32
    assert stats.kstest(found, "uniform").pvalue > LEVEL


def test_twenty_three_bits_would_not_do():
    """The test above can fail: a tail that ends at a uniform of 23 bits."""
    u = np.asarray(samplers.uniform(words(2**16, 3, first=FIRST)[0], DTYPES[0]), float)
    assert stats.kstest(u * 2.0**20, "uniform").pvalue < LEVEL


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1e-3, 1e-6, 1e-9])
def test_rare_contamination_is_as_frequent_as_stated(share, dtype):
    """One first word in a million is below ``FIRST``, so all that is rarer is seen there."""
    first, count = (2**32 if share > 1e-5 else FIRST), 2**18
    params = {"share": share, "scale": 1e6}
    draws = drawn("contaminated_normal", params, dtype, count=count, role=5, first=first)
    chance = min(share * 2.0**32 / first, 1.0)
    wild = np.abs(draws) > 100  # of a wild one with probability 0.99992
    seen = chance * 2 * stats.norm.sf(1e-4)
    assert stats.binomtest(int(wild.sum()), count, seen).pvalue > LEVEL
    radius = draws[wild] / 1e6
    assert stats.kstest(radius, stats.norm.cdf).pvalue > LEVEL


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", [0.01, 0.5, 3.0, 9.99, 10.01, 60.0, 1e4, 1e8])
def test_mean_and_variance_of_poisson_counts(rate, dtype):
    """Beside sampling errors, the errors that the sampler states."""
    count = 2**18
    u = samplers.uniform(words(count, 6)[0], dtype)
    y = np.asarray(samplers.poisson(u, jnp.full(count, rate, dtype)), float)
    mean = two_sided(y.mean(), rate, np.sqrt(rate / count) + 1e-5 * np.sqrt(rate))
    spread = np.sqrt((rate + 2 * rate**2) / count) + 3e-4 * rate
    assert min(mean, two_sided(((y - rate) ** 2).mean(), rate, spread)) > LEVEL


@pytest.mark.parametrize("name", CASES)
def test_draws_of_other_keys_and_roles_are_independent(name):
    """Correlations of signs, sizes and large sizes between two keys, two roles and two rows."""
    count = 2**18
    places = ({}, {"role": 8}, {"key": 8}, {"key": 7 + 2**40})
    draws = [
        drawn(name, CASES[name], DTYPES[1], **({"count": count, "role": 7} | place))
        for place in places
    ]
    draws.append(np.roll(draws[0], 1))
    for view in (np.sign, lambda d: np.log(np.abs(d)), lambda d: np.abs(d) > np.quantile(d, 0.99)):
        seen = [stats.zscore(view(d).astype(float)) for d in draws]
        for a in range(len(seen)):
            for b in range(a):
                r = (seen[a] * seen[b]).mean()
                assert two_sided(r, 0, count**-0.5) > LEVEL
