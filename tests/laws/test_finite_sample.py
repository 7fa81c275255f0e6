"""The exact law of least squares: its numbers, its ingredients by brute force, and simulation."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.laws.least_squares.conditions import REUSED, SHARED, WEIGHTED
from mcjax.laws.least_squares.explosion import spectral_radius
from mcjax.laws.least_squares.second_moments import second_moment_map, second_moments
from mcjax.models.glm import logistic
from mcjax.models.location import huber, linear
from mcjax.network import REAL, Feed, build_network
from mcjax.network.topologies import complete, ring, self_loop
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

ALPHA = 1e-6  # chance that a test rejects a true statement, see tests/conftest.py
NETWORKS, BUDGET = 50, 1e-3  # networks against simulation, and the same chance for all of them
PARAMETERS = range(2, 11)


def limit(count, budget=ALPHA):
    """How many standard errors ``count`` correct means may be off, all within one budget."""
    return norm.isf(budget / 2 / count)


def law(net, p, generations=0, model=None, covariance=None):
    """What the exact law says, None where it does not apply; and why not."""
    one = condition(net, model or linear(), np.ones(p), covariance)
    found = api.predict(Study((one,), generations=generations))[0]
    return found.laws.get("finite_sample"), found.inapplicable.get("finite_sample")


def random_covariance(rng, p):
    root = rng.standard_normal((p, p))
    return root @ root.T / p + 0.2 * np.eye(p)


# ------------------------------------------------------------------------------------ known numbers


def test_two_models_that_read_each_other_collapse_faster_than_averaged_shares_say():
    found, _ = law(complete(2, samples=20, initial=40), 10, 400)
    averaged = 10 / (40 - 10 - 1) / 2
    assert averaged == pytest.approx(0.172414, abs=5e-7)
    np.testing.assert_allclose(found.mse[-1] - found.mse[-2], 0.210048, atol=5e-7, rtol=0)
    np.testing.assert_allclose(found.growth, 0.210048, atol=5e-7, rtol=0)


@pytest.mark.parametrize(
    ("real", "radius"), [(1, 1.5476), (2, 1.3256), (3, 1.1484), (4, 1.00448), (5, 0.88611)]
)
def test_radius_of_one_model_with_few_real_rows(real, radius):
    net = self_loop(samples=11, initial=20, real=real)
    found = spectral_radius(second_moment_map(net, 10, 1.0, 1.0))
    digits = len(str(radius).split(".")[1])
    assert found == pytest.approx(radius, abs=0.5001 * 10**-digits)


@pytest.mark.parametrize(("p", "n", "initial", "sigma"), [(1, 4, 9, 1.0), (10, 14, 25, 1.7)])
def test_one_model_on_its_own_output_walks_at_the_variance_of_one_fit(p, n, initial, sigma):
    found, _ = law(self_loop(samples=n, initial=initial), p, 50, linear(sigma=sigma))
    start, step = (sigma**2 * p / (rows - p - 1) for rows in (initial, n))
    np.testing.assert_allclose(found.mse[:, 0], start + step * np.arange(51), rtol=1e-12)
    assert found.growth[0] == pytest.approx(step, rel=1e-9)


def test_at_many_rows_it_is_the_first_order_law():
    feeds = [("0", "0", 10**6), ("1", "0", 3 * 10**6), (REAL, "1", 10**6), ("0", "1", 10**6)]
    one = condition(build_network(2, feeds, 10**6), linear(), np.ones(3))
    laws = api.predict(Study((one,), generations=20))[0].laws
    exact, first = laws["finite_sample"].covariance, laws["first_order"].covariance
    np.testing.assert_allclose(exact, first, rtol=1e-4, atol=1e-12)


def test_an_explosion_out_of_range_is_infinite():
    """A radius of 14.6: 300 generations are too many for floating point."""
    found, _ = law(complete(2, samples=16, initial=60), 30, 300)
    assert np.isposinf(found.mse[-1]).all()
    assert not np.isnan(found.covariance).any()


def test_growth_and_limit_are_where_the_mse_goes():
    """With covariates of a general covariance, and real noise that models do not imitate."""
    feeds = [("0", "0", 30), ("0", "1", 20), (REAL, "1", 10), (REAL, "2", 25), ("2", "2", 15)]
    covariance = random_covariance(np.random.default_rng(3), 4)
    model = linear(sigma=1.3, real_noise={"name": "laplace"})
    found, _ = law(build_network(3, feeds, 20), 4, 400, model, covariance)
    np.testing.assert_allclose((found.mse[-1] - found.mse[-2])[:2], found.growth[:2], rtol=1e-9)
    assert found.mse[-1, 2] == pytest.approx(found.limit[2], rel=1e-9)
    np.testing.assert_array_equal(np.isnan(found.growth), [False, False, True])
    np.testing.assert_array_equal(np.isnan(found.limit), [True, True, False])


# ------------------------------------------------------------------------------ ingredients by hand


def two_batches(m, same, own, other, rows):
    """``E[S^-1 S_b M S_c S^-1]`` as the derivation has it, for n_b = own and n_c = other."""
    p = len(m)
    scale = rows * (rows - 1) * (rows + 2)
    if same:
        plain, mixed = (rows + 1) * own**2 - 2 * own, rows * own - own**2
    else:
        plain, mixed = (rows + 1) * own * other, -own * other
    traced = (rows * np.trace(m) * np.eye(p) - m - m.T) / (rows - p - 1)
    return (plain * m + mixed * m.T + mixed * traced) / scale


@pytest.mark.parametrize("p", [1, 2, 4])
def test_products_of_two_batches(p):
    """The mean over random designs, for an M that is not symmetric, one batch smaller than p."""
    rng = np.random.default_rng(p)
    m = rng.standard_normal((p, p))
    counts, draws = (3, 5, 6), 100_000
    designs = [rng.standard_normal((draws, n, p)) for n in counts]
    grams = [x.transpose(0, 2, 1) @ x for x in designs]
    inverse = np.linalg.inv(sum(grams))
    for b, c in [(0, 0), (1, 1), (0, 1), (2, 0)]:
        values = inverse @ grams[b] @ m @ grams[c] @ inverse
        expected = two_batches(m, b == c, counts[b], counts[c], sum(counts))
        error = values.std(0, ddof=1) / np.sqrt(draws)
        assert (np.abs(values.mean(0) - expected) < limit(4 * p * p) * error).all()
        swapped = two_batches(m.T, b == c, counts[b], counts[c], sum(counts))
        assert p == 1 or (np.abs(values.mean(0) - swapped) > 10 * error).any()


def formula(net, p, variances, m):
    """One generation of the law block by block, as its derivation is written; m: (M, M, p, p)."""
    padded = np.zeros((net.size + 1, net.size + 1, p, p))  # the last: real data, without error
    padded[:-1, :-1] = m
    where = {**net.index, REAL: net.size}
    fits = [[(where[f.origin], f.samples) for f in feeds] for feeds in net.feeds_by_reader]
    fits = [feeds or [(i, None)] for i, feeds in enumerate(fits)]
    result = np.empty_like(m)
    for i, mine in enumerate(fits):
        for k, others in enumerate(fits):
            left, right = (
                [(j, 1.0 if n is None else n / sum(c for _, c in feeds)) for j, n in feeds]
                for feeds in (mine, others)
            )
            result[i, k] = sum(a * b * padded[j, h] for j, a in left for h, b in right)
        if mine[0][1] is None:
            continue
        rows = sum(n for _, n in mine)
        result[i, i] = sum(
            two_batches(padded[j, h], b == c, n, o, rows)
            for b, (j, n) in enumerate(mine)
            for c, (h, o) in enumerate(mine)
        )
        spread = sum(variances[j == net.size] * n for j, n in mine) / rows
        result[i, i] += spread / (rows - p - 1) * np.eye(p)
    return result


@pytest.mark.parametrize("seed", range(20))
def test_moments_are_the_formula_from_any_start(seed):
    rng = np.random.default_rng([7, seed])
    p = 1 + seed % 4
    net = random_network(rng, p)
    root = rng.standard_normal((net.size * p, net.size * p))
    start = root @ root.T
    found = second_moments(second_moment_map(net, p, 1.5, 0.7), start, 4)
    expected = start.reshape(net.size, p, net.size, p).swapaxes(1, 2)
    for t in range(5):
        as_matrix = expected.swapaxes(1, 2).reshape(start.shape)
        np.testing.assert_allclose(found[t], as_matrix, rtol=1e-10, atol=1e-10 * as_matrix.max())
        expected = formula(net, p, (1.5, 0.7), expected)


STARTS = {
    "random": lambda rng, size: rng.standard_normal((size, size)),
    "one vector": lambda rng, size: rng.standard_normal((size, 1)),
}


@pytest.mark.parametrize("start", STARTS)
def test_moments_from_any_start_against_plain_rows(start):
    """Two parents in common, a frozen parent, real feeds; two generations of rows in NumPy."""
    p, draws, variances = 2, 100_000, (1.0, 2.5)
    feeds = [("0", "0", 4), ("1", "0", 7), ("0", "1", 5), ("1", "1", 3), ("2", "1", 4)]
    feeds += [("1", "3", 6), (REAL, "3", 3), ("2", "3", 1), ("3", "3", 1)]
    net = build_network(4, feeds, 10)
    rng = np.random.default_rng(11)
    root = STARTS[start](rng, net.size * p)
    state = rng.standard_normal((draws, root.shape[1])) @ root.T
    errors = [state.reshape(draws, net.size, p)]
    for _ in range(2):
        now = errors[-1].copy()
        for i, mine in enumerate(net.feeds_by_reader):
            rows, labels = [], []
            for feed in mine:
                x = rng.standard_normal((draws, feed.samples, p))
                noise = np.sqrt(variances[feed.origin == REAL])
                y = noise * rng.standard_normal((draws, feed.samples))
                if feed.origin != REAL:
                    y += (x @ errors[-1][:, net.index[feed.origin], :, None])[..., 0]
                rows.append(x)
                labels.append(y)
            if mine:
                x, y = np.concatenate(rows, 1), np.concatenate(labels, 1)[..., None]
                across = x.transpose(0, 2, 1)
                now[:, i] = np.linalg.solve(across @ x, across @ y)[..., 0]
        errors.append(now)
    one = second_moment_map(net, p, *variances)
    found = second_moments(one, root @ root.T, 2)
    entries = np.triu_indices(net.size * p)
    for t, error in enumerate(errors):
        flat = error.reshape(draws, -1)
        products = flat[:, entries[0]] * flat[:, entries[1]]
        se = products.std(0, ddof=1) / np.sqrt(draws)
        off = np.abs(products.mean(0) - found[t][entries])
        assert (off < limit(3 * len(se)) * se).all(), t


# ----------------------------------------------------------------------------------- against chains


def random_network(rng, p):
    """2 to 4 models with fits of p + 8 to 60 rows, in any way from models and real data."""
    size = int(rng.integers(2, 5))
    frozen = rng.random(size) < 0.2
    frozen[rng.integers(size)] = False
    feeds = []
    for i in np.flatnonzero(~frozen):
        origins = [str(j) for j in range(size) if rng.random() < 0.6] or [str(rng.integers(size))]
        origins += [REAL] * int(rng.random() < 0.4)
        rows = int(rng.integers(p + 8, 61))
        counts = 1 + rng.multinomial(rows - len(origins), rng.dirichlet(np.ones(len(origins))))
        feeds += [Feed(j, str(i), int(n)) for j, n in zip(origins, counts, strict=True)]
    initial = {str(i): int(rng.integers(p + 8, 61)) for i in range(size)}
    return build_network(size, feeds, initial)


@cache
def random_study(p):
    """The networks with p parameters, of the 50."""
    conditions = []
    for k in range(p - PARAMETERS[0], NETWORKS, len(PARAMETERS)):
        rng = np.random.default_rng([5, k])
        covariance = random_covariance(rng, p) if k % 2 else None
        model = linear(sigma=float(rng.uniform(0.5, 2.0)))
        net = random_network(rng, p)
        conditions.append(condition(net, model, rng.standard_normal(p), covariance, str(k)))
    return Study(tuple(conditions), generations=3 + p % 2)


def simulated(study):
    return [tally.outcome for tally in api.simulate(study)]


def scores(predictions, outcomes, name="finite_sample"):
    """How many standard errors MSEs and second moments are off a law, an array a condition."""
    result = []
    for found, outcome in zip(predictions, outcomes, strict=True):
        expected = found.laws[name]
        product, squared = outcome.moments.product, outcome.moments.squared
        assert (squared.chains == outcome.chains).all()
        lower = np.tril_indices(product.mean.shape[1])
        mse = (squared.mean - expected.mse) / squared.standard_error()
        entries = (product.mean - expected.covariance) / product.standard_error()
        result.append(np.append(mse, entries[:, *lower]))
    return result


def agrees(study, budget):
    found = scores(api.predict(study), simulated(study))
    bound = limit(sum(map(len, found)), budget)
    off = {c.name: np.abs(z).max() for c, z in zip(study.conditions, found, strict=True)}
    assert max(off.values()) < bound, off


@pytest.mark.parametrize("p", [2, 4, 6])
def test_random_networks(p):
    """The MSE of every model and every entry of the second moments, at every generation."""
    agrees(replace(random_study(p), chains=8192), BUDGET / len(PARAMETERS))


@pytest.mark.slow
@pytest.mark.parametrize("p", PARAMETERS)
def test_fifty_random_networks(p):
    agrees(replace(random_study(p), chains=100_000), BUDGET / len(PARAMETERS))


NOISES = {
    "real noise of another variance": linear(real_noise={"name": "laplace"}),
    "no normal noise at all": linear(
        sigma=0.6,
        noise={"name": "contaminated_normal", "share": 0.2},
        real_noise={"name": "student_t", "df": 9},
    ),
}


@pytest.mark.parametrize("name", NOISES)
def test_noise_matters_through_its_variance(name):
    """Rows, for want of sufficient statistics; in every network somebody reads real data."""
    conditions = []
    for k in range(2):
        rng = np.random.default_rng([6, k])
        net = random_network(rng, 3)
        kept = [f for f in net.feeds if (f.origin, f.reader) != (REAL, "0")]
        net = net.with_feeds((*kept, Feed(REAL, "0", 9)))
        covariance = random_covariance(rng, 3)
        conditions.append(condition(net, NOISES[name], np.ones(3), covariance, str(k)))
    agrees(Study(tuple(conditions), generations=3, chains=8192), ALPHA)


def unusual():
    """Options that do not matter: one reader a sample, one weight for all, no real data later."""
    shared = ring(3, samples=12, initial=15, real=5, draws="shared")
    feeds = [("0", "0", 9, 2.0), ("1", "0", 5, 2.0), ("0", "1", 15, 0.5), (REAL, "1", 4, 0.5)]
    reused = complete(2, samples=8, initial=15, real_data="reused")
    return {"shared": shared, "weights": build_network(2, feeds, 15), "reused": reused}


def test_networks_with_options_that_do_not_matter():
    conditions = [condition(n, linear(), np.ones(3), label=key) for key, n in unusual().items()]
    agrees(Study(tuple(conditions), generations=4, chains=16_384), ALPHA)


# ----------------------------------------------------------------------------------- planted errors


@cache
def planted():
    """Two models with two parents each, one with real data, and what their chains do."""
    feeds = [("0", "0", 10), ("1", "0", 10), ("0", "1", 10), (REAL, "1", 10)]
    one = condition(build_network(2, feeds, 20), linear(), np.ones(8))
    study = Study((one,), generations=3, chains=65_536)
    return study, simulated(study)


def worst(law_of, name="finite_sample"):
    """Largest score, in units of the largest that is allowed."""
    study, outcomes = planted()
    (found,) = scores(api.predict(law_of(study)), outcomes, name)
    return np.abs(found).max() / limit(len(found))


def with_network(change):
    def law_of(study):
        (one,) = study.conditions
        return replace(study, conditions=(replace(one, network=change(one.network)),))

    return law_of


def test_the_right_law_is_not_refuted():
    assert worst(lambda study: study) < 1


def test_first_order_law_is_refuted():
    assert worst(lambda study: study, "first_order") > 5


@pytest.mark.parametrize("feed", range(4))
def test_a_count_that_is_off_by_a_tenth_is_refuted(feed):
    def change(net):
        feeds = list(net.feeds)
        feeds[feed] = replace(feeds[feed], samples=11)  # not 10
        return net.with_feeds(feeds)

    assert worst(with_network(change)) > 2


# ----------------------------------------------------------------------------------- where it holds


@pytest.mark.parametrize("name", unusual())
def test_applies_where_options_do_not_matter(name):
    found, why = law(unusual()[name], 3)
    assert found is not None, why


def test_applies_from_two_rows_more_than_parameters_on():
    found, _ = law(self_loop(samples=6, initial=6), 4, 3)
    np.testing.assert_allclose(found.mse[:, 0], 4.0 * np.arange(1, 5), rtol=1e-12)


TWO = complete(2, samples=20, initial=40)
INAPPLICABLE = {
    "logistic": (TWO, {"model": logistic()}, "logistic is not"),
    "huber": (TWO, {"model": huber()}, "huber is not"),
    "unequal weights": (TWO.without_feed("0", "0").with_feed("0", "0", 20, 2.0), {}, WEIGHTED),
    "two readers": (complete(2, samples=20, initial=40, draws="shared"), {}, SHARED),
    "reused": (ring(2, samples=20, initial=9, real=9, real_data="reused"), {}, REUSED),
    "few rows": (self_loop(samples=3, real=1, initial=9), {}, "model '0' fits 4 rows"),
    "few initial rows": (self_loop(samples=9, initial=4), {}, "more than p + 1 = 4"),
    "frozen, few rows": (build_network(2, [("0", "0", 9)], {"0": 9, "1": 4}), {}, "model '1'"),
    "no variance": (
        TWO,
        {"model": linear(noise={"name": "student_t", "df": 2})},
        "no finite variance",
    ),
    "no variance in real labels": (
        TWO,
        {"model": linear(real_noise={"name": "student_t", "df": 1.5})},
        "no finite variance",
    ),
    "singular": (TWO, {"covariance": np.diag([1.0, 1.0, 0.0])}, "low rank"),
}


@pytest.mark.parametrize("case", INAPPLICABLE)
def test_says_why_it_does_not_apply(case):
    net, options, reason = INAPPLICABLE[case]
    found, why = law(net, 3, **options)
    assert found is None
    assert reason in why
