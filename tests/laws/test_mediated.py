"""Data-mediated interaction: the linear system against brute force and simulation."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from mcjax import api
from mcjax.laws.mediated.interaction import (
    Designs,
    mediated_limit,
    mediated_moments,
    mediated_system,
    pooled_mse,
    radius,
    relative_efficiency,
)
from mcjax.laws.predict import predict_condition
from mcjax.models.location import linear
from mcjax.network import data_mediated
from mcjax.study.study import Study, condition

pytestmark = pytest.mark.statistical

ALPHA = 1e-6
SYSTEMS = range(20)
FEW = [pytest.param(seed, marks=pytest.mark.slow if seed > 2 else ()) for seed in SYSTEMS]


def random_design(rng, rows, p, rank):
    return rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, p))


@cache
def example(seed):
    """K in 1..5, private designs of any rank, truths apart, weights by generation."""
    rng = np.random.default_rng(seed)
    count, p = 1 + seed % 5, 1 + int(rng.integers(4))
    rows = rng.integers(3, 12, count)
    x = [random_design(rng, n, p, int(rng.integers(1, p + 1))) for n in rows]
    public = rng.normal(size=(p + 3, p))
    drawn = rng.integers(1, 9, count)
    pool = [random_design(rng, n, p, int(rng.integers(1, p + 1))) for n in drawn]
    truths = rng.normal(size=(count, p))
    variances = tuple(rng.uniform(0.3, 2, 3))
    weights = rng.uniform(0.05, 0.9, (2, 5))
    return x, public, pool, truths, variances, *weights


def designs_of(seed):
    x, public, pool, truths, variances, *_ = example(seed)
    gram = np.stack([m.T @ m / len(m) for m in x])
    drawn = np.stack([m.T @ m / len(m) for m in pool])
    rows = np.array([len(m) for m in x]), len(public), np.array([len(m) for m in pool])
    return Designs(gram, public.T @ public / len(public), drawn, rows, truths, variances)


def brute_force(seed):
    """Every entity's weighted least squares, as a dense map of all noise there is: unrolled.

    Coordinates: a constant, the noise of private rows, of public rows, and of pool rows of each
    generation. Yields means (K p,) and covariances of the errors.
    """
    x, public, pool, truths, variances, alphas, betas = example(seed)
    count, p, last = len(x), public.shape[1], len(alphas)
    sizes = [1, *map(len, x), len(public), *([len(m) for m in pool] * last)]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    total = starts[-1]

    def rows(place, matrix, centre):
        """Labels of a sample as linear functions: design times a centre, and own noise."""
        labels = matrix @ centre
        labels[:, starts[place] : starts[place + 1]] += np.eye(len(matrix))
        return labels

    def constant(value):
        found = np.zeros((p, total))
        found[:, 0] = value
        return found

    spread = np.concatenate(
        [
            [0.0],
            np.full(sum(sizes[1 : count + 1]), variances[0]),
            np.full(len(public), variances[1]),
        ]
    )
    spread = np.append(spread, np.full(total - len(spread), variances[2]))
    errors = None
    for t in range(last):
        a = alphas[t] if t else 0.0
        fitted = []
        for k in range(count):
            batches = [((1 - a) * betas[t], x[k], rows(1 + k, x[k], constant(truths[k])))]
            batches.append(
                ((1 - a) * (1 - betas[t]), public, rows(1 + count, public, constant(np.zeros(p))))
            )
            for j in range(count if t else 0):
                place = 2 + count + (t - 1) * count + j
                batches.append((a / count, pool[j], rows(place, pool[j], errors[j])))
            left = sum(w * m.T @ m / len(m) for w, m, _ in batches)
            right = sum(w * m.T @ y / len(m) for w, m, y in batches)
            fitted.append(np.linalg.solve(left, right))
        errors = fitted
        flat = np.concatenate(errors)
        yield flat[:, 0], (flat * spread) @ flat.T


@pytest.mark.parametrize("seed", FEW)
def test_moments_are_those_of_the_unrolled_map(seed):
    *_, alphas, betas = example(seed)
    means, covariances = mediated_moments(designs_of(seed), alphas, betas)
    for t, (mean, covariance) in enumerate(brute_force(seed)):
        np.testing.assert_allclose(means[t], mean, rtol=1e-9, atol=1e-9 * np.abs(mean).max())
        scale = 1e-9 * np.abs(covariance).max()
        np.testing.assert_allclose(covariances[t], covariance, rtol=1e-9, atol=scale)


@pytest.mark.parametrize("seed", FEW)
def test_limits_and_the_radius(seed):
    """Where moments go, and the factor by which a difference is multiplied in the end."""
    designs = designs_of(seed)
    *_, alphas, betas = example(seed)
    alpha, beta = min(alphas[1], 0.7), betas[1]
    system = mediated_system(designs, alpha, beta)
    rho = radius(system)
    powers = [np.linalg.norm(np.linalg.matrix_power(system.q, n)) for n in (40, 80)]
    assert rho == pytest.approx((powers[1] / powers[0]) ** (1 / 40), rel=0.05)
    if rho > 0.98:
        return
    steps = np.full(1200, alpha), np.full(1200, beta)
    means, covariances = mediated_moments(designs, *steps)
    mean, covariance = mediated_limit(designs, alpha, beta)
    np.testing.assert_allclose(mean, means[-1], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(covariance, covariances[-1], rtol=1e-8, atol=1e-9)


def mediated_condition(seed, **changed):
    """A study's own condition of this kind: covariates of low rank, on fixed designs."""
    rng = np.random.default_rng(100 + seed)
    count, p = 1 + seed % 5, 1 + int(rng.integers(3))
    roots = [random_design(rng, p, p, int(rng.integers(1, p + 1))) for _ in range(count)]
    settings = {
        "alpha": float(rng.uniform(0.1, 0.9)),
        "beta": float(rng.uniform(0.1, 0.9)),
        "private": rng.integers(4, 12, count).tolist(),
        "public": p + 4,
        "synthetic": rng.integers(3, 9, count).tolist(),
        "theta": rng.normal(size=(count, p)).tolist(),
        "covariance": [root @ root.T for root in roots],
        "noise": rng.uniform(0.5, 2, count).tolist(),
    }
    net = data_mediated(count, **(settings | changed))
    return condition(net, linear(), np.zeros(p), label=str(seed), design="fixed"), settings


def score(one, outcome):
    """Largest distance of means and second moments from the exact law, in standard errors."""
    generations = len(outcome.largest) - 1
    law = predict_condition(one, generations).laws["fixed_design"]
    flat = law.mean.reshape(generations + 1, -1)
    second = law.covariance + flat[:, :, None] * flat[:, None, :]
    error, product = outcome.moments.error, outcome.moments.product
    with np.errstate(invalid="ignore", divide="ignore"):
        off = (
            np.abs(error.mean - law.mean) / error.standard_error(),
            np.abs(product.mean - second) / product.standard_error(),
        )
    return max(np.nanmax(part) for part in off)


def cells(one, generations):
    return (generations + 1) * (one.network.size * len(one.theta)) ** 2


@pytest.mark.slow
def test_20_random_systems_against_simulation():
    """50,000 chains each; and 5% of alpha, in the law alone, is refuted."""
    made = [mediated_condition(seed) for seed in SYSTEMS]
    study = Study(tuple(one for one, _ in made), generations=4, chains=50_000)
    outcomes = [tally.outcome for tally in api.simulate(study)]
    bound = norm.isf(ALPHA / 2 / sum(cells(one, 4) for one, _ in made))
    assert max(score(one, o) for (one, _), o in zip(made, outcomes, strict=True)) < bound
    wrong = []
    for seed, (_, settings) in enumerate(made):
        off, _ = mediated_condition(seed, alpha=settings["alpha"] * 1.05)
        wrong.append(score(off, outcomes[seed]))
    assert max(wrong) > bound


def test_a_random_system_against_simulation():
    one, settings = mediated_condition(2)
    study = Study((one,), generations=4, chains=16_384)
    [outcome] = [tally.outcome for tally in api.simulate(study)]
    bound = norm.isf(ALPHA / 2 / cells(one, 4))
    assert score(one, outcome) < bound
    off, _ = mediated_condition(2, alpha=settings["alpha"] * 1.05)
    assert score(off, outcome) > bound


def test_the_law_in_predict_is_that_of_the_rows_behind_the_fits():
    """The designs of a replayed chain, put into the definition."""
    one, settings = mediated_condition(3)
    count, net = one.network.size, one.network
    study = Study((one,), generations=3, chains=2)
    _, rows, *_ = api.replay_data(study, "3", 0, api.replay(study, "3", 0))
    grams = {
        name: d.x.astype(float) @ d.x.astype(float).T / d.x.shape[1]
        for own in rows
        for name, d in own.items()
    }
    designs = Designs(
        np.stack([grams[f"private {k}"] for k in range(count)]),
        grams["public"],
        np.stack([grams[name] for name in net.models]),
        tuple(np.array(settings[name]) for name in ("private", "public", "synthetic")),
        np.array(settings["theta"]),
        (np.array(settings["noise"]) ** 2, 1.0, 1.0),
    )
    weights = (np.full(4, settings[name]) for name in ("alpha", "beta"))
    means, covariances = mediated_moments(designs, *weights)
    law = predict_condition(one, 3).laws["fixed_design"]
    np.testing.assert_allclose(means, law.mean.reshape(4, -1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(covariances, law.covariance, rtol=1e-5, atol=1e-6)


def equal(count=4, p=3, alpha=0.4, truths=None, seed=0):
    rng = np.random.default_rng(seed)
    gram = np.cov(rng.normal(size=(50, p)), rowvar=False)
    many = np.stack([gram] * count)
    truths = rng.normal(size=(count, p)) if truths is None else truths
    return Designs(
        many, gram, many, (np.full(count, 20), 30, np.full(count, 10)), truths, (1.0, 1.0, 1.0)
    )


def spread(mean, covariance, count):
    """``sum_k E ||e_k - mean over k||^2``."""
    p = len(mean) // count
    centring = np.kron(np.eye(count) - 1 / count, np.eye(p))
    apart = centring @ np.asarray(mean)
    return np.trace(centring @ np.asarray(covariance) @ centring) + apart @ apart


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_equal_designs_homogenise_by_one_minus_alpha(alpha):
    """rho(Q) = alpha; errors apart shrink by (1 - alpha), their squares by its square."""
    designs = equal(alpha=alpha)
    assert radius(mediated_system(designs, alpha, 0.5)) == pytest.approx(alpha, rel=1e-9)
    means, covariances = mediated_moments(designs, np.full(6, alpha), np.full(6, 0.5))
    begin = spread(means[0], covariances[0], 4)
    for t in range(1, 6):
        found = spread(means[t], covariances[t], 4)
        assert found == pytest.approx((1 - alpha) ** 2 * begin, rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_alpha_of_one_grows_as_the_complete_graph_with_shared_draws(count):
    """``variance / (K n) tr S^-1`` a generation: one fit of the whole pool, all errors alike."""
    designs = equal(count)
    alphas = np.ones(30)
    _, covariances = mediated_moments(designs, alphas, np.full(30, 0.5))
    mse = np.trace(np.asarray(covariances), axis1=1, axis2=2) / count
    slope = np.trace(np.linalg.inv(designs.public)) / (10 * count)
    np.testing.assert_allclose(np.diff(mse[1:]), slope, rtol=1e-9)
    net = data_mediated(count, 1.0, 0.5, 20, 30, 10)
    one = condition(net, linear(), np.zeros(3))
    law = predict_condition(one, 5).laws["first_order"]
    np.testing.assert_allclose(law.growth, 3 / (10 * count), rtol=1e-9)
    np.testing.assert_allclose(np.diff(law.mse[1:], axis=0), 3 / (10 * count), rtol=1e-9)


def test_relative_efficiency_reaches_one():
    """One entity that trusts its samples by their sizes holds all real data."""
    designs = equal(1, truths=np.zeros((1, 3)))
    assert relative_efficiency(designs, 0.0, 0.4) == pytest.approx(1.0)
    many = equal(4, truths=np.zeros((4, 3)))
    for beta in (0.1, 0.5, 0.9):
        assert (np.asarray(relative_efficiency(many, 0.5, beta)) < 1).all()
    assert float(pooled_mse(many)) == pytest.approx(np.trace(np.linalg.inv(many.public)) / 110)


def test_it_can_be_differentiated():
    designs = designs_of(7)

    def worst(weights):
        return relative_efficiency(designs, weights[0], weights[1]).min()

    at = jnp.array([0.4, 0.6])
    found = jax.grad(worst)(at)
    for k in range(2):
        step = jnp.zeros(2).at[k].set(1e-5)
        slope = float(worst(at + step) - worst(at - step)) / 2e-5
        assert float(found[k]) == pytest.approx(slope, rel=1e-4)


def test_a_chain_on_equal_designs_homogenises_by_one_minus_alpha():
    """Designs of very many rows are as good as equal: their Gram matrices differ by sqrt(2 / n),
    relatively, and so does the share of the spread that is left, in every chain by itself."""
    rows, alpha = 300_000, 0.4
    truths = [[1.0, 0.0], [0.0, 2.0]]
    net = data_mediated(2, alpha, 0.7, rows, rows, rows, theta=truths)
    one = Study((condition(net, linear(), [0.0, 0.0]),), generations=3, chains=2)
    theta = np.asarray(api.replay(one, "", 0).theta)
    apart = np.linalg.norm(theta[:, 0] - theta[:, 1], axis=-1)
    error = 4.5 * 2 * np.sqrt(2 / rows)
    np.testing.assert_allclose(apart[1:] / apart[0], 1 - alpha, rtol=error)
    assert np.abs(apart[1:] / apart[0] / (1 - 1.1 * alpha) - 1).min() > error
