"""Sufficient statistics in place of rows: their law, and whose they are."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from batteries import rejected
from scipy import stats

from mcjax.chains.bartlett import bartlett as draw
from mcjax.chains.layout import Feeds, PaddedSizes, network_arrays, shape_of, tables_of
from mcjax.chains.program import Path, Program
from mcjax.chains.statistic_sums import (
    SLOTS,
    TERMS_WRITTEN_OUT,
    WRITTEN_OUT,
    Feed,
    entries,
    normal_equations,
)
from mcjax.chains.statistics import RECOMPUTED, _parents, _solve
from mcjax.draws.streams import chain_keys
from mcjax.estimators.newton import Newton
from mcjax.network import build_network
from mcjax.study.roots import covariance_root

pytestmark = pytest.mark.statistical


# -- the statistics of one sample


def program(few_rows=True, draws="float64", generations=3):
    return Program(generations, Path.STATISTICS, Newton(), draws, "float64", few_rows=few_rows)


def lanes_last(feeds, lanes):
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf[..., None], (*leaf.shape, lanes)), feeds)


@partial(jax.jit, static_argnames=("p", "program"))
def bartlett(feeds, keys, t, p, program):
    feeds = lanes_last(feeds, len(keys))
    normals, chis = draw(feeds, keys.T[:, None, None], t, p, program)
    lower, z = entries(normals, chis, feeds.samples if program.few_rows else None)
    zero = jnp.zeros_like(z[0])
    rows = [jnp.stack([lower.get((i, j), zero) for j in range(p)], -1) for i in range(p)]
    return jnp.moveaxis(jnp.stack(rows, -2), 2, 0), jnp.moveaxis(jnp.stack(z, -1), 2, 0)


@partial(jax.jit, static_argnames="program")
def sums(feeds, error, sigma, keys, t, program):
    feeds = lanes_last(feeds, len(keys))
    drawn = draw(feeds, keys.T[:, None, None], t, len(error), program)
    parents = _parents(error, feeds.origin, 0.0)
    feed = Feed(*drawn, feeds.samples, parents, weight=feeds.weight, sigma=sigma)
    return normal_equations(feed, t)


def drawn(feeds, p, chains=3, t=1, seed=3, **options):
    """L and z of every feed, shapes (chains, M, B, p, p) and (chains, M, B, p)."""
    keys = chain_keys(seed, 0, np.arange(chains))
    found = bartlett(feeds, keys, jnp.int32(t), p, program(**options))
    return tuple(np.asarray(leaf, float) for leaf in found)


def gram(lower):
    return lower @ np.swapaxes(lower, -1, -2)


def apart(counts):
    """One model with a feed for each of ``counts``, all from different streams."""
    samples = np.asarray([counts], np.int32)
    return Feeds(
        samples=samples,
        weight=(samples > 0).astype(float),
        origin=np.zeros_like(samples),
        stream=np.arange(samples.size, dtype=np.uint32)[None],
        renewed=np.ones_like(samples, bool),
    )


P = 4
COUNTS = (1, 2, 3, 4, 7, 16, 50)
COVARIANCE = np.array([[2.0, 0.6, 0.0, 0.3], [0.6, 1.0, -0.4, 0.0], [0, -0.4, 1.5, 0.2]])
COVARIANCE = np.vstack([COVARIANCE, [0.3, 0.0, 0.2, 0.5]])
DRAWS = 30_000


@pytest.fixture(scope="module", params=["float64", "float32"])
def sample(request):
    """L and z for each of ``COUNTS``."""
    lower, z = drawn(apart(COUNTS), P, chains=DRAWS, draws=request.param)
    return {n: (lower[:, 0, b], z[:, 0, b]) for b, n in enumerate(COUNTS)}


def moment_cells(values, mean, covariance):
    """p-values of means and covariances; ``values``: (draws, entries)."""
    names = np.triu_indices(values.shape[1])
    spread = np.sqrt(np.diag(covariance) / len(values))
    cells = {("mean", i): z for i, z in enumerate((values.mean(0) - mean) / spread)}
    products = (values - mean)[:, names[0]] * (values - mean)[:, names[1]]
    error = products.std(0) / np.sqrt(len(values))
    off = (products.mean(0) - covariance[names]) / error
    cells |= {
        ("covariance", *pair): z for pair, z in zip(zip(*names, strict=True), off, strict=True)
    }
    return {name: 2 * stats.norm.sf(abs(z)) for name, z in cells.items()}


def wishart_cells(sample, degrees=0):
    """S and X'eps for x ~ N(0, COVARIANCE) and sigma = 1, of samples of n + degrees rows."""
    root = covariance_root(COVARIANCE)
    i, j = np.tril_indices(P)
    cells = {}
    for n, (lower, z) in sample.items():
        factor = root @ lower
        s, right = gram(factor)[:, i, j], (factor @ z[..., None])[..., 0]
        rows = n + degrees
        cross = rows * (
            COVARIANCE[np.ix_(i, i)] * COVARIANCE[np.ix_(j, j)]
            + COVARIANCE[np.ix_(i, j)] * COVARIANCE[np.ix_(j, i)]
        )
        whole = np.zeros((len(i) + P, len(i) + P))
        whole[: len(i), : len(i)] = cross
        whole[len(i) :, len(i) :] = rows * COVARIANCE
        mean = np.concatenate([rows * COVARIANCE[i, j], np.zeros(P)])
        found = moment_cells(np.concatenate([s, right], 1), mean, whole)
        cells |= {(n, *name): p for name, p in found.items()}
    return cells


def test_statistics_have_the_moments_of_rows(sample):
    """E S = n Sigma, Cov(S_ij, S_kl) = n (Sigma_ik Sigma_jl + Sigma_il Sigma_jk), and X'eps has
    mean 0, covariance n Sigma and none with S."""
    assert rejected(wishart_cells(sample)) == []


def test_one_row_more_is_noticed(sample):
    """The companion of the test above, for each n."""
    for n in COUNTS:
        assert rejected(wishart_cells({n: sample[n]}, degrees=1))


def law_cells(sample, degrees=0):
    """Exact laws: u'Su, trace S and 1 / u'S^-1u are chi-squared, as are the fit's squares."""
    rng = np.random.default_rng(0)
    cells = {}
    for n, (lower, z) in sample.items():
        rows = n + degrees
        s = gram(lower)
        for k, u in enumerate([*np.eye(P)[::3], *rng.normal(size=(2, P))]):
            u = u / np.linalg.norm(u)
            along = np.einsum("i,cij,j->c", u, s, u)
            cells[n, "along", k] = stats.kstest(along, stats.chi2(rows).cdf).pvalue
            if n >= P:
                inverse = 1 / np.einsum("i,cij,j->c", u, np.linalg.inv(s), u)
                law = stats.chi2(rows - P + 1)
                cells[n, "inverse", k] = stats.kstest(inverse, law.cdf).pvalue
            noise = np.einsum("i,cij,cj->c", u, lower, z) / np.sqrt(along)
            cells[n, "noise", k] = stats.kstest(noise, stats.norm.cdf).pvalue
        total = np.trace(s, axis1=1, axis2=2)
        cells[n, "trace"] = stats.kstest(total, stats.chi2(rows * P).cdf).pvalue
    return cells


def test_statistics_have_the_laws_of_rows(sample):
    assert rejected(law_cells(sample)) == []


def test_one_row_more_has_other_laws(sample):
    for n in COUNTS:
        assert rejected(law_cells({n: sample[n]}, degrees=1))


def test_rank_is_the_number_of_rows(sample):
    """Columns of L beyond the rows are zero, so that X'eps lies in the space of the rows."""
    for n, (lower, _) in sample.items():
        assert (lower[:, :, n:] == 0).all()
        assert (np.diagonal(lower, axis1=1, axis2=2)[:, :n] > 0).all()
        assert (lower[:, *np.triu_indices(P, 1)] == 0).all()


def test_samples_are_independent(sample, z_limit):
    """No two numbers correlate, of one sample or of two, those of the noise included."""
    entries = np.tril_indices(P)
    numbers = [np.concatenate([lower[:, *entries], z], 1) for lower, z in sample.values()]
    flat = np.concatenate(numbers, 1)
    flat = flat[:, flat.std(0) > 0]
    correlation = np.corrcoef(flat.T)[np.triu_indices(flat.shape[1], 1)]
    assert np.abs(correlation).max() * np.sqrt(DRAWS) < z_limit + 1  # some 4,000 pairs


# -- whose statistics


def table(net, shape=None, first=False):
    arrays = network_arrays(net, shape or shape_of([net]))
    return tables_of(arrays)[0 if first else 1]


def by_feed(net, found):
    """(reader, origin) -> L and z of the feed."""
    lower, z = found
    return {
        (feed.reader, feed.origin): (lower[:, i, b], z[:, i, b])
        for i, feeds in enumerate(net.feeds_by_reader)
        for b, feed in enumerate(feeds)
    }


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def disjoint(a, b):
    return all((x != y)[..., 0].all() for x, y in zip(a, b, strict=True))


FEEDS = [
    ("a", "a", 31),
    ("b", "a", 20, 0.5),
    ("real", "a", 7, 3.0),
    ("a", "b", 31),
    ("real", "b", 40),
    ("b", "d", 20),
    ("real", "d", 33),
]
INITIAL = {"a": 7, "b": 40, "c": 25, "d": 33}


def network(**options):
    return build_network("abcd", FEEDS, INITIAL, **options)


def test_private_samples_all_differ():
    found = by_feed(network(), drawn(table(network()), 3))
    names = list(found)
    for k, name in enumerate(names):
        assert all(disjoint(found[name], found[other]) for other in names[:k])


def test_two_readers_of_a_shared_sample_get_one_statistic():
    net = network(draws="shared")
    found = by_feed(net, drawn(table(net), 3))
    assert same(found["a", "a"], found["b", "a"])
    assert same(found["a", "b"], found["d", "b"])
    assert disjoint(found["a", "a"], found["a", "b"])
    assert disjoint(found["a", "real"], found["b", "real"])


def test_reused_real_data_repeat_the_statistic_of_generation_0():
    net = network(real="reused")
    lower, z = drawn(table(net, first=True), 3, t=0)
    later = {t: by_feed(net, drawn(table(net), 3, t=t)) for t in (1, 2)}
    for reader in "abd":
        i = net.index[reader]
        for t in (1, 2):
            assert same(later[t][reader, "real"], (lower[:, i, 0], z[:, i, 0]))
        if (reader, reader) in later[1]:
            assert disjoint(later[1][reader, reader], later[2][reader, reader])


def test_fresh_real_data_repeat_nothing():
    net = network()
    lower, z = drawn(table(net, first=True), 3, t=0)
    one, two = (by_feed(net, drawn(table(net), 3, t=t)) for t in (1, 2))
    for reader in "abd":
        i = net.index[reader]
        assert disjoint(one[reader, "real"], (lower[:, i, 0], z[:, i, 0]))
        assert disjoint(one[reader, "real"], two[reader, "real"])


@pytest.mark.parametrize("dropped", [("a", "a"), ("b", "a"), ("real", "a"), ("real", "d")])
def test_a_feed_dropped_leaves_the_statistics_of_the_others(dropped):
    net = network()
    smaller = net.without_feed(*dropped)
    before = by_feed(net, drawn(table(net), 3))
    after = by_feed(smaller, drawn(table(smaller), 3))
    assert len(after) == len(before) - 1
    assert all(same(before[name], after[name]) for name in after)


@pytest.mark.parametrize(
    "shape", [PaddedSizes(4, 9, 0), PaddedSizes(6, 3, 0), PaddedSizes(12, 5, 0)]
)
@pytest.mark.parametrize("draws", ["private", "shared"])
def test_padding_leaves_the_statistics(shape, draws):
    net = network(draws=draws)
    before = by_feed(net, drawn(table(net), 3))
    after = by_feed(net, drawn(table(net, shape), 3))
    assert all(same(before[name], after[name]) for name in before)


def test_the_order_of_feeds_and_their_weights_change_no_statistic():
    net = network()
    turned = build_network("abcd", [(*f[:3], 7.0) for f in FEEDS[::-1]], INITIAL)
    before, after = (by_feed(n, drawn(table(n), 3)) for n in (net, turned))
    assert all(same(before[name], after[name]) for name in before)


def test_few_rows_elsewhere_leave_the_statistics_of_many():
    """Uniforms are drawn for small samples only, and large ones do not notice."""
    few, many = (drawn(apart((16, 40, 300)), P, few_rows=few) for few in (True, False))
    assert same(few, many)


SIZES = [
    *product([3, 8], [1, 3, WRITTEN_OUT + 1], [1, 3]),
    *((3, p, slots) for p in (5, WRITTEN_OUT) for slots in (SLOTS, SLOTS + 1, 2 * SLOTS + 3)),
    (2, 13, TERMS_WRITTEN_OUT // 13 + 1),
]


@pytest.mark.parametrize(("models", "p", "slots"), SIZES)
def test_sums_are_the_normal_equations(models, p, slots):
    """``sum w S`` and ``sum w (S e + sigma L z)`` by NumPy, with few models and feeds, and many."""
    rng = np.random.default_rng(models)
    chains = 5
    size = (models, slots)
    feeds = Feeds(
        samples=rng.integers(0, 20, size).astype(np.int32),
        weight=rng.random(size),
        origin=rng.integers(0, models + 1, size).astype(np.int32),
        stream=rng.integers(0, 2**32, size, np.uint32),
        renewed=rng.random(size) < 0.5,
    )
    error = rng.normal(size=(p, models, chains))
    sigma = rng.random(chains) + 0.5
    keys = chain_keys(3, 0, np.arange(chains))
    found = sums(feeds, error, sigma[None, None], keys, jnp.int32(1), program())
    if p > WRITTEN_OUT:
        found = jnp.moveaxis(found[0], 0, 2), jnp.moveaxis(found[1], 0, 1)
    lower, z = drawn(feeds, p, chains)
    parents = np.concatenate([np.moveaxis(error, -1, 0), np.zeros((chains, p, 1))], -1)
    parents = np.moveaxis(parents, 1, 2)[:, feeds.origin]
    noise = sigma[:, None, None, None] * (lower @ z[..., None])[..., 0]
    right = (gram(lower) @ parents[..., None])[..., 0] + noise
    whole = np.einsum("mb,cmbij->ijmc", feeds.weight, gram(lower))
    i, j = np.tril_indices(p)
    entries = [found[0][a][b] for a, b in zip(i, j, strict=True)]
    np.testing.assert_allclose(entries, whole[i, j], rtol=1e-12, atol=1e-11)
    expected = np.einsum("mb,cmbi->imc", feeds.weight, right)
    np.testing.assert_allclose(found[1], expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("p", [1, 2, RECOMPUTED, RECOMPUTED + 1, WRITTEN_OUT, WRITTEN_OUT + 1, 13])
def test_solve_is_the_solution(p):
    """To rounding, magnified by the condition number; of few, from the lower triangle alone."""
    rng = np.random.default_rng(p)
    x = rng.normal(size=(2, 5, 4 * p, p))
    whole = np.swapaxes(x, -1, -2) @ x
    right = rng.normal(size=(2, 5, p))
    gram, labels = (jnp.asarray(np.moveaxis(a, 1, -1)) for a in (whole, right))
    if p <= WRITTEN_OUT:
        gram = [[gram[:, i, j] for j in range(i + 1)] for i in range(p)]
        labels = [labels[:, i] for i in range(p)]
    found, unexplained = jax.jit(_solve)(gram, labels, jnp.int32(0))
    exact = np.moveaxis(np.linalg.solve(whole, right[..., None])[..., 0], -1, 0)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)
    inflation = np.diagonal(np.linalg.inv(whole), axis1=-2, axis2=-1)
    inflation = (inflation * np.diagonal(whole, axis1=-2, axis2=-1)).max(-1)
    np.testing.assert_allclose(unexplained, 1 / inflation, rtol=1e-9)
