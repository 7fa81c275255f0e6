"""Exact laws of families without covariates: published values, enumeration, other simulations, and
chains of the engine; and wrong laws."""

from dataclasses import replace

import numpy as np
import pytest
from two_class_outcomes import NETWORKS, outcomes

import mcjax
from mcjax import api
from mcjax.laws.predict import predict_condition
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import bernoulli, categorical, poisson_mean
from mcjax.network import build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical


def told(net, model, theta, generations):
    return predict_condition(condition(net, model, theta), generations)


def functional(net, model, theta, generations, name):
    """Of one functional, from whatever law tells it."""
    found = told(net, model, theta, generations).functionals.values()
    [values] = [law.values[name] for law in found if name in law.values]
    return values


def loop(n=10, **options):
    return topologies.self_loop(samples=n, initial=n, **options)


# --------------------------------------------------------------------------------- published values


def test_gaussian_loop():
    """Shumailov et al. 2024, Kazdan et al. 2024, Suresh et al. 2024 (n = 10)."""
    unbiased, biased = gaussian(), gaussian(unbiased=False)
    deviation = functional(loop(), unbiased, [0, 4], 30, "deviation")[:, 0]
    np.testing.assert_allclose(deviation, 2 * 0.972659 ** np.arange(1, 32), rtol=3e-5)
    logs = functional(loop(), unbiased, [0, 4], 30, "log_deviation")[:, 0]
    np.testing.assert_allclose(np.diff(logs), -0.057603, atol=5e-7)
    np.testing.assert_allclose(logs[0], np.log(2) - 0.057603, atol=5e-7)
    np.testing.assert_allclose(functional(loop(), unbiased, [0, 4], 30, "variance"), 4)
    shrunk = functional(loop(), biased, [0, 4], 30, "variance")[:, 0]
    np.testing.assert_allclose(shrunk, 4 * 0.9 ** np.arange(1, 32))
    pooled = functional(loop(memory="accumulate"), biased, [0, 1], 3000, "variance")[:, 0]
    i = np.arange(1, 3002)
    np.testing.assert_allclose(pooled, np.cumprod(1 - 1 / (10 * i**2)), rtol=1e-12)
    assert pooled[-1] == pytest.approx(0.84344, abs=4e-5)


def test_poisson_loop():
    alive = functional(loop(100), poisson_mean(), [0.1], 60, "alive")[:, 0]
    assert alive[49] == pytest.approx(0.31871, abs=5e-6)  # the fit of real data is the first
    g = 1.0
    for t in range(61):
        assert alive[t] == pytest.approx(1 - np.exp(-10 * g), rel=1e-12)
        g = 1 - np.exp(-g)


def test_categorical_loop():
    p = np.array([0.6, 0.3, 0.1])
    left = functional(loop(), categorical(), p, 20, "heterozygosity")[:, 0]
    np.testing.assert_allclose(left, (p @ (1 - p)) * 0.9 ** np.arange(1, 22))
    law = told(loop(), categorical(), p, 20).laws["generative"]
    np.testing.assert_allclose(law.mse[:, 0], p @ (1 - p) - left)


# -------------------------------------------------------------------------------------- enumeration


@pytest.mark.parametrize("name", NETWORKS)
def test_every_outcome_of_two_classes(name):
    """Means, all covariances, heterozygosity, and where there is one parent richness."""
    net, truth = NETWORKS[name], 0.3
    found = told(net, bernoulli(), [truth], 2)
    law = found.laws["generative"]
    for t, states in enumerate(outcomes(net, truth, 2)):
        theta = np.array([state for state, _ in states])
        chance = np.array([chance for _, chance in states])
        assert chance.sum() == pytest.approx(1)
        error = theta - truth
        np.testing.assert_allclose(chance @ error, law.mean[t, :, 0], atol=1e-12)
        np.testing.assert_allclose((error.T * chance) @ error, law.covariance[t], atol=1e-12)
        values = {
            "heterozygosity": 2 * theta * (1 - theta),
            "richness": (theta > 0) + 1.0 * (theta < 1),
            "rarest_extinct": theta == 0,
        }
        for told_of in found.functionals.values():
            for key, expected in told_of.values.items():
                np.testing.assert_allclose(expected[t], chance @ values[key], atol=1e-12)
    assert ("extinction" in found.functionals) == name.startswith("one parent")
    assert ("extinction" in found.inapplicable) != name.startswith("one parent")


def test_a_law_without_a_feed_is_another():
    net = NETWORKS["weights and real data"]
    right = told(net, bernoulli(), [0.3], 2).laws["generative"].covariance[2]
    for feed in net.feeds:
        wrong = told(net.without_feed(feed.origin, feed.reader), bernoulli(), [0.3], 2)
        assert np.abs(wrong.laws["generative"].covariance[2] / right - 1).max() > 0.01


def test_classes_together():
    """Of three classes: two of them as one are a Bernoulli family; the covariance has rank 2."""
    net, p = NETWORKS["shared"], np.array([0.5, 0.3, 0.2])
    whole = told(net, categorical(), p, 3).laws["generative"].covariance
    two = told(net, bernoulli(), [0.8], 3).laws["generative"].covariance
    merge = np.kron(np.eye(2), [[1, 1, 0]])
    np.testing.assert_allclose(merge @ whole @ merge.T, two, atol=1e-15)
    np.testing.assert_allclose(
        whole @ np.tile([1, 1, 1, 0, 0, 0], (4, 1))[..., None], 0, atol=1e-15
    )


# ------------------------------------------------------------------------------- other simulations


def simulated(net, draw, estimate, generations, chains, rng):
    """Estimates (T + 1, chains, M, p) by rows, written anew: ``draw(theta, n)`` rows of parents
    (chains, p), ``estimate(rows, weights)``."""
    truth = {"real": None}
    firsts = [draw(None, n) for n in net.initial]
    now = {m: estimate(y, np.ones(y.shape[1])) for m, y in zip(net.models, firsts, strict=True)}
    pools = [[(y, np.ones(y.shape[1]))] for y in firsts]
    found = [np.stack([now[m] for m in net.models], axis=1)]
    for _ in range(generations):
        seen, published, following = now | truth, {}, dict(now)
        for i, (model, feeds) in enumerate(zip(net.models, net.feeds_by_reader, strict=True)):
            if not feeds:
                continue
            rows = []
            for feed in feeds:
                if feed.origin == "real" and net.real == "reused":
                    y = firsts[i]
                elif feed.origin != "real" and net.draws == "shared":
                    if feed.origin not in published:
                        published[feed.origin] = draw(seen[feed.origin], feed.samples)
                    y = published[feed.origin]
                else:
                    y = draw(seen[feed.origin], feed.samples)
                rows.append((y, np.full(feed.samples, feed.weight)))
            pools[i] = pools[i] + rows if net.memory.adds_up else rows
            y, w = (np.concatenate(part, axis=-1) for part in zip(*pools[i], strict=True))
            following[model] = estimate(y, w)
        now = following
        found.append(np.stack([now[m] for m in net.models], axis=1))
    return np.array(found)


MIXED = [("a", "a", 3, 2.0), ("b", "a", 4), ("a", "b", 5), ("real", "b", 3), ("b", "c", 4)]
REUSED = [("a", "a", 3, 2.0), ("b", "a", 4), ("a", "b", 5), ("real", "b", 4), ("b", "c", 4)]
SAME = [("a", "a", 3, 2.0), ("b", "a", 4), ("a", "b", 3), ("b", "c", 4)]
KINDS = {
    "private": build_network("abcd", [*MIXED, ("d", "c", 2)], 4),
    "shared": build_network("abc", SAME, 4, draws="shared"),
    "reused": build_network("abc", REUSED, 4, real="reused"),
    "accumulate": build_network("abc", MIXED, 4, memory="accumulate"),
}


def check(values, law, wrong, limit):
    """Means over chains (T + 1, chains, M) against a law, and against a wrong one."""
    error = values.std(1) / np.sqrt(values.shape[1])
    assert (np.abs(values.mean(1) - law) < limit * error + 1e-15).all()
    assert not (np.abs(values.mean(1) - wrong) < limit * error + 1e-15).all()


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_gaussian_moments_on_networks(name, unbiased, z_limit):
    net, s, chains = KINDS[name], 2.0, 60_000
    rng = np.random.default_rng(1)

    def draw(theta, n):
        z = rng.standard_normal((chains, n))
        return 1 + np.sqrt(s) * z if theta is None else theta[:, :1] + np.sqrt(theta[:, 1:]) * z

    def estimate(y, w):
        mean = y @ w / w.sum()
        spread = (y - mean[:, None]) ** 2 @ w / w.sum()
        return np.stack([mean, spread / (1 - unbiased * (w**2).sum() / w.sum() ** 2)], axis=1)

    theta = simulated(net, draw, estimate, 3, chains, rng)
    values = told(net, gaussian(unbiased), [1, s], 3).functionals["generative"].values
    other = told(net, gaussian(not unbiased), [1, s], 3).functionals["generative"].values
    dropped = told(net.without_feed("b", "c"), gaussian(unbiased), [1, s], 3)
    check(theta[..., 1], values["variance"], other["variance"], z_limit)
    fewer = dropped.functionals["generative"].values["mean_square"]
    check((theta[..., 0] - 1) ** 2, values["mean_square"], fewer, z_limit)


@pytest.mark.parametrize("name", ["private", "shared", "reused"])
def test_poisson_extinction_on_networks(name, z_limit):
    net, rate, chains = KINDS[name], 0.15, 60_000
    rng = np.random.default_rng(2)

    def draw(theta, n):
        return rng.poisson(rate if theta is None else theta, (chains, n)).astype(float)

    def estimate(y, w):
        return (y @ w / w.sum())[:, None]

    theta = simulated(net, draw, estimate, 3, chains, rng)[..., 0]
    found = told(net, poisson_mean(), [rate], 3)
    law = found.functionals["extinction"].values["alive"]
    fewer = functional(net.without_feed("b", "c"), poisson_mean(), [rate], 3, "alive")
    check((theta > 0).astype(float), law, fewer, z_limit)
    exact = found.laws["generative"]
    check((theta - rate) ** 2, exact.mse, 1.1 * exact.mse, z_limit)
    if name != "reused":
        own = theta[3] - rate
        product = own[:, 0] * own[:, 1]
        error = product.std() / np.sqrt(chains)
        assert abs(product.mean() - exact.covariance[3, 0, 1]) < z_limit * error


def test_lineages(z_limit):
    feeds = [("c", "a", 3), ("a", "b", 6), ("b", "c", 4), ("real", "d", 3)]
    net = build_network("abcd", feeds, 5)
    rng, chains = np.random.default_rng(3), 60_000

    def draw(theta, n):
        z = rng.standard_normal((chains, n))
        return z if theta is None else theta[:, :1] + np.sqrt(theta[:, 1:]) * z

    def estimate(y, w):
        return np.stack([y.mean(1), y.var(1, ddof=1)], axis=1)

    spread = simulated(net, draw, estimate, 3, chains, rng)[..., 1]
    law = told(net, gaussian(), [0, 1], 3).functionals["lineage"].values
    wrong = told(net, gaussian(unbiased=False), [0, 1], 3).functionals["lineage"].values
    for key, values in (("deviation", np.sqrt(spread)), ("log_deviation", np.log(spread) / 2)):
        check(values, law[key], wrong[key], z_limit)


# ---------------------------------------------------------------------------------------- long run


def test_limits_are_those_of_many_generations():
    nets = {
        "private": build_network("abc", MIXED, 4),
        "shared": topologies.complete(3, samples=5, initial=4, real=3, draws="shared"),
        "reused": build_network("abc", REUSED, 4, real="reused"),
        "frozen": build_network("abc", [("a", "b", 3), ("c", "b", 2), ("b", "c", 2)], 2),
    }
    for net in nets.values():
        for model, theta in ((categorical(), [0.7, 0.2, 0.1]), (poisson_mean(), [0.4])):
            law = told(net, model, theta, 300).laws["generative"]
            np.testing.assert_allclose(law.limit, law.mse[-1], rtol=1e-9)
            assert np.isnan(law.growth).all()
    pool = topologies.ring(3, samples=6, initial=5, memory="accumulate")
    law = told(pool, categorical(), [0.7, 0.3], 3000).laws["generative"]
    np.testing.assert_allclose(law.limit, law.mse[-1], rtol=5e-4)


def test_an_unstable_source_ends_in_fixation():
    net = build_network(
        "abc", [("a", "a", 6), ("a", "b", 5), ("real", "b", 5), ("real", "c", 9)], 6
    )
    p = np.array([0.7, 0.2, 0.1])
    law = told(net, categorical(), p, 400).laws["generative"]
    assert np.isnan(law.growth).all()
    assert np.isnan(law.limit).tolist() == [True, True, False]
    assert law.mse[-1, 0] == pytest.approx(p @ (1 - p))
    assert functional(net, categorical(), p, 400, "heterozygosity")[-1, 0] < 1e-12
    # by the first order such models collapse, at a rate that holds until then
    first = told(net, categorical(), p, 400).laws["first_order"]
    assert np.isnan(first.growth).tolist() == [False, False, True]
    assert first.growth[0] == pytest.approx(p @ (1 - p) / 6)
    assert mcjax.diagnose(net).models["b"].collapses
    rate = told(net, poisson_mean(), [0.4], 5).laws
    np.testing.assert_allclose(rate["generative"].growth, rate["first_order"].growth)
    np.testing.assert_allclose(rate["generative"].mse, rate["first_order"].mse)


def test_where_laws_do_not_apply():
    two = NETWORKS["weights and real data"]
    assert "more than one origin" in told(two, gaussian(), [0, 1], 2).inapplicable["lineage"]
    pool = loop(memory="accumulate")
    assert "one generation" in told(pool, poisson_mean(), [1.0], 2).inapplicable["extinction"]
    many = told(loop(3000), categorical(), [0.5, 0.5], 2)
    assert "too many" in many.inapplicable["extinction"]
    assert "generative" in many.laws


def test_laws_of_sufficient_statistics_are_not_those_of_the_loss():
    """Newton's method divides the sum of squares by n, the model by n - 1."""
    one = condition(loop(), gaussian(), [0.0, 1.0], estimator=mcjax.Newton())
    inapplicable = predict_condition(one, 2).inapplicable
    for law in ("generative", "lineage"):
        assert "fits that the model usually has" in inapplicable[law]


# -------------------------------------------------------------------------------------- the engine

STAR = build_network("abc", [("a", "a", 12), ("a", "b", 10), ("b", "c", 8)], 15)
SHARED = topologies.complete(3, samples=8, initial=9, draws="shared")
POOL = build_network("ab", [("a", "a", 6), ("a", "b", 5, 2.0), ("real", "b", 4)], 7)
CHAINS = {
    "gaussian": (gaussian(), [1.0, 2.0], STAR, 4),
    "categorical": (categorical(), [0.6, 0.3, 0.1], STAR, 4),
    "bernoulli, shared": (bernoulli(), [0.2], SHARED, 2),
    "poisson_mean": (poisson_mean(), [0.2], STAR, 2),
    "accumulate": (poisson_mean(), [0.5], replace(POOL, memory="accumulate"), 1),
}
"""With the number of quantities that exact laws tell."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if "shared" in n else []) for n in CHAINS],
)
def test_chains_follow_their_exact_laws(name):
    model, theta, net, count = CHAINS[name]
    own = condition(net, model, theta)
    study = Study((own,), 3, 8192, 0.15, quantities=("mse", "functional"))
    outcomes = [tally.outcome for tally in api.simulate(study)]

    def judged(*others):
        told_of = [predict_condition(other, 3) for other in others]
        found = mcjax.judge(study, told_of, outcomes)
        return [cell for cell in found.cells if cell.law != "first_order" and not cell.note]

    right = judged(own)
    assert {cell.verdict for cell in right} == {VERIFIED}
    assert len({cell.quantity for cell in right}) == count
    wrong = {
        c.quantity for c in judged(condition(net.scaled(2), model, theta)) if c.verdict == REFUTED
    }
    assert wrong >= {"mse", "functional:mean_square"} & {cell.quantity for cell in right}
    if model.name == "gaussian":
        biased = judged(condition(net, gaussian(unbiased=False), theta))
        shrunk = {cell.quantity for cell in biased if cell.verdict == REFUTED}
        assert shrunk == {f"functional:{of}" for of in ("variance", "log_deviation")} | (
            {"functional:deviation"} & shrunk
        )
    elif name == "poisson_mean":
        assert "functional:alive" in wrong
