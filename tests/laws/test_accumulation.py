"""Data that accumulate: the law, its limit, and chains that follow it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import polygamma

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.laws.first_order.accumulation_limits import accumulated_limit
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.laws.predict import predict_condition
from mcjax.models.information import UNIT
from mcjax.models.location import linear
from mcjax.network import Source, build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

POOL = {"memory": "accumulate"}


def loop(n=50, **options):
    return topologies.self_loop(samples=n, initial=n, **POOL, **options)


def networks():
    """Whatever can differ between pools."""
    some = [("a", "a", 30), ("a", "b", 50), ("real", "b", 10), ("c", "b", 20)]
    weighted = [("a", "a", 40, 2.0), ("b", "a", 20, 0.5), ("a", "b", 30, 3.0), ("real", "b", 150)]
    return {
        "loop": loop(),
        "ring": topologies.ring(3, samples=40, initial=60, **POOL),
        "a frozen model and real data": build_network(
            "abc", some, {"a": 60, "b": 90, "c": 30}, **POOL
        ),
        "weights": build_network("ab", weighted, {"a": 50, "b": 70}, **POOL),
        "shared": topologies.complete(3, samples=30, initial=45, draws="shared", **POOL),
    }


# ------------------------------------------------------------------------------------------ the law


def pooled(net, generations, chains, rng):
    """Means of numbers with variance 1, each the weighted mean of all that a model was ever fed:
    what the law with H = V = 1 says exactly. Returns estimates (chains, T + 1, M)."""
    truth = {"real": np.zeros(chains)}
    now = {}
    total, mass = {}, {}
    for name, count in zip(net.models, net.initial, strict=True):
        total[name] = rng.standard_normal(chains) * np.sqrt(count)
        mass[name] = float(count)
        now[name] = total[name] / count
    found = [[now[name] for name in net.models]]
    for _ in range(generations):
        published = {}
        seen = dict(now) | truth
        following = dict(now)
        for name, feeds in zip(net.models, net.feeds_by_reader, strict=True):
            for feed in feeds:
                noise = rng.standard_normal(chains) * np.sqrt(feed.samples)
                if net.draws == "shared" and feed.origin != "real":
                    noise = published.setdefault(feed.origin, noise)
                total[name] = total[name] + feed.weight * (feed.samples * seen[feed.origin] + noise)
                mass[name] += feed.weight * feed.samples
            following[name] = total[name] / mass[name]
        now = following
        found.append([now[name] for name in net.models])
    return np.moveaxis(np.array(found), -1, 0)


@pytest.mark.parametrize("name", networks())
def test_against_pools_of_numbers(name, z_limit):
    net = networks()[name]
    law = covariances(linear_system(net, UNIT), 6)
    e = pooled(net, 6, 40_000, np.random.default_rng(0))
    products = np.einsum("cti,ctk->ctik", e, e)
    error = products.std(0) / np.sqrt(len(e))
    assert np.abs((products.mean(0) - law) / np.where(error > 0, error, 1)).max() < z_limit


def test_sums_of_squares():
    """V (1 + 1/4 + 1/9 + ...): 1.25, 1.46361, 1.54977 and 1.63498 after 2, 5, 10, 100 fits."""
    law = 50 * covariances(linear_system(loop(), UNIT), 99)[:, 0, 0]
    np.testing.assert_allclose(law[[1, 4, 9, 99]], [1.25, 1.46361, 1.54977, 1.63498], atol=5e-6)
    assert 50 * diagnose(loop()).models["0"].limit == pytest.approx(np.pi**2 / 6, rel=1e-7)
    ring = topologies.ring(8, samples=50, initial=50, **POOL)
    late = 50 * covariances(linear_system(ring, UNIT), 20_000)[-1, 0, 0]
    assert late == pytest.approx(0.20867, abs=5e-6)
    assert 50 * diagnose(ring).models["0"].limit == pytest.approx(np.pi**2 / 48, rel=1e-6)


def test_a_larger_first_sample_counts_for_more_generations():
    net = topologies.self_loop(samples=20, initial=60, **POOL)
    found = 20 * diagnose(net).models["0"].limit
    assert found == pytest.approx(1 / 3 + polygamma(1, 4), rel=1e-6)


@pytest.mark.parametrize("name", networks())
def test_nothing_collapses(name):
    """Whatever feeds whom; and the limit is where the law goes."""
    net = networks()[name]
    found = diagnose(net)
    assert not found.collapses
    assert found.repairs == found.flips == ()
    assert diagnose(replace(net, memory="replace")).collapses or name != "loop"
    limit = np.diagonal(accumulated_limit(linear_system(net, UNIT)))
    path = np.diagonal(covariances(linear_system(net, UNIT), 30_000), axis1=1, axis2=2)
    off = np.abs(path[[0, 3000, 30_000]] - limit)  # a model that reads itself most forgets slowly
    assert (off[2] <= 0.8 * off[1] + 1e-3 * off[0]).all()
    assert (off[2] <= 0.6 * off[0]).all()
    assert [found.models[m].limit for m in net.models] == pytest.approx(list(limit))


# ----------------------------------------------------------------------------------------- chains


def study(net, p=2, **options):
    settings = {"generations": 6, "chains": 8192, "tolerance": 0.1} | options
    cov = np.array([[1.0, 0.4], [0.4, 2.0]])
    return Study((condition(net, linear(), np.ones(p), cov if p == 2 else None),), **settings)


def test_the_exact_law_and_its_check_value():
    """50 rows a fit, p = 5, 10 fits: .17111, below the bound .17611."""
    one = study(loop(), p=5, generations=9)
    [found] = api.predict(one)
    exact = found.laws["finite_sample"]
    by_hand = sum(5 / (g * (g * 50 - 6)) for g in range(1, 11))
    assert exact.mse[-1, 0] == pytest.approx(by_hand)
    assert exact.mse[-1, 0] == pytest.approx(0.17111, abs=5e-6)
    terms = 1 / (np.arange(1, 10**6) * (np.arange(1, 10**6) * 50.0 - 6))
    assert exact.limit[0] == pytest.approx(5 * terms.sum(), rel=1e-5)
    result = api.verify(replace(one, tolerance=0.05, chains=16_384))
    cells = {c.verdict for c in result.cells if c.law == "finite_sample"}
    assert cells == {VERIFIED}
    off = replace(exact, mse=1.12 * exact.mse)
    wrong = [replace(found, laws={"finite_sample": off})]
    outcomes = [t.outcome for t in api.simulate(replace(one, chains=16_384))]
    assert api.judge(replace(one, tolerance=0.05), wrong, outcomes).verdict == REFUTED


@pytest.mark.parametrize("name", networks())
def test_chains_follow_the_law(name):
    """Ten times the rows, so that the first-order law holds to well within the margin; and the law
    of models that forget is refuted."""
    one = study(networks()[name].scaled(10))
    assert api.verify(one).verdict == VERIFIED
    forgetful = study(replace(networks()[name].scaled(10), memory="replace"))
    assert api.verify(one, theory=forgetful).verdict == REFUTED


def test_collapse_as_a_quantity():
    """A network that collapses when it forgets does not when it remembers."""
    one = study(loop(500), generations=24, chains=2048, quantities=("collapse",))
    assert api.verify(one).verdict == VERIFIED
    forgetful = study(replace(loop(500), memory="replace"), generations=24)
    assert api.verify(one, theory=forgetful).verdict == REFUTED


def test_least_squares_of_the_pool(z_limit):
    """Estimates have the second moments of least squares on all rows so far, drawn row by row."""
    net, p, chains = networks()["weights"], 2, 20_000
    rng = np.random.default_rng(1)
    gram = {m: np.zeros((chains, p, p)) for m in net.models}
    right = {m: np.zeros((chains, p)) for m in net.models}
    now = {"real": np.zeros((chains, p))}

    def add(model, count, weight, origin):
        x = rng.standard_normal((chains, count, p))
        y = np.einsum("cni,ci->cn", x, now[origin]) + rng.standard_normal((chains, count))
        gram[model] += weight * np.einsum("cni,cnj->cij", x, x)
        right[model] += weight * np.einsum("cni,cn->ci", x, y)

    expected = []
    for t in range(4):
        for i, model in enumerate(net.models):
            if t == 0:
                add(model, net.initial[i], 1.0, "real")
            else:
                for feed in net.feeds_by_reader[i]:
                    add(model, feed.samples, feed.weight, feed.origin)
        solved = {m: np.linalg.solve(gram[m], right[m][..., None])[..., 0] for m in net.models}
        now = {"real": now["real"]} | solved
        expected.append([solved[m] for m in net.models])
    e = np.moveaxis(np.array(expected), 2, 0)  # (chains, T + 1, M, p)
    one = Study((condition(net, linear(), np.zeros(p)),), generations=3, chains=chains)
    [tally] = api.simulate(one)
    moments = tally.outcome.moments.squared
    squared = (e**2).sum(-1)
    error = np.hypot(squared.std(0) / np.sqrt(chains), moments.standard_error())
    assert np.abs((squared.mean(0) - moments.mean) / error).max() < z_limit


def test_what_cannot_accumulate():
    with pytest.raises(InputError, match=r"network\.real: is 'reused', which is for memory"):
        loop(real=50, real_data="reused")
    few = topologies.self_loop(samples=1, initial=10, **POOL)  # small feeds do no harm
    assert api.verify(study(few, p=3, tolerance=0.3, chains=4096, generations=20)).failures == {}


@pytest.mark.parametrize("name", ["loop", "weights", "a frozen model and real data"])
def test_fixed_designs_that_accumulate_are_exact(name):
    """One law, given the designs; that of models that forget is refuted."""
    net = networks()[name]
    one = condition(net, linear(), [1.0, -1.0], design="fixed")
    study = Study((one,), generations=4, chains=8192, tolerance=0.1)
    found = api.verify(study)
    assert {c.verdict for c in found.cells if c.law == "fixed_design"} == {VERIFIED}
    forgetful = condition(replace(net, memory="replace"), linear(), [1.0, -1.0], design="fixed")
    wrong = api.verify(study, theory=replace(study, conditions=(forgetful,)))
    assert REFUTED in {c.verdict for c in wrong.cells if c.law == "fixed_design"}


@pytest.mark.parametrize("name", ["loop", "shared"])
def test_limits_on_fixed_designs_are_where_moments_go(name):
    """Models that read themselves alone forget nothing, and yet their errors have a limit."""
    one = condition(networks()[name], linear(), [1.0, -1.0], design="fixed")
    law = predict_condition(one, 2000).laws["fixed_design"]
    off = law.limit - law.mse[[1000, 2000]]
    assert (off[1] > 0).all()
    np.testing.assert_allclose(off[0] / off[1], 2, rtol=0.02)  # like 1 / t


# ---------------------------------------------------------------------------- several real sources

COVARIANCE = np.array([[1.0, 0.4], [0.4, 2.0]])


def sourced(**far):
    """Two truths, covariates of two kinds, weights, a public sample; a and b end at the sources,
    c and d keep where they began."""
    flat = ((1.0, 0.5), (0.5, 0.25))
    web = Source("web", samples=15, covariance=flat, public=True, noise=1.5)
    feeds = [("a", "a", 20), ("b", "a", 20, 2.0), ("far", "a", None), ("web", "a", None)]
    feeds += [("a", "b", 30), ("b", "b", 10), ("web", "b", None), ("d", "c", 9), ("c", "d", 20)]
    first = [("far", "a", 12, 0.5), ("real", "a", 20), ("web", "b", 15), ("real", "b", 20)]
    return build_network(
        "abcd",
        feeds,
        {"d": 25},
        sources=[Source("far", samples=16, **far), web],
        first=[*first, ("far", "c", 12)],
        **POOL,
    )


@cache
def simulated_sources():
    net = sourced(theta=(1.5, 0.5))
    one = condition(net, linear(), [1.0, 1.0], COVARIANCE, design="fixed")
    [tally] = api.simulate(Study((one,), generations=4, chains=16_384))
    return one, tally.outcome.moments


def distance(one):
    """Largest distance of a simulated mean or second moment from the law, in standard errors."""
    moments = simulated_sources()[1]
    law = predict_condition(one, 4).laws["fixed_design"]
    flat = law.mean.reshape(5, -1)
    second = law.covariance + flat[:, :, None] * flat[:, None, :]
    off = np.abs(moments.error.mean - law.mean) / moments.error.standard_error()
    products = np.abs(moments.product.mean - second) / moments.product.standard_error()
    return max(off.max(), products[:, *np.tril_indices(8)].max())


def test_sources_that_accumulate_are_exact_on_fixed_designs(z_limit):
    one, _ = simulated_sources()
    assert distance(one) < z_limit
    nearer = replace(one.network.sources[0], theta=(1.4, 0.6))
    quiet = replace(one.network.sources[1], noise=None)
    for sources in ((nearer, quiet), (one.network.sources[0], quiet)):
        assert distance(replace(one, network=replace(one.network, sources=sources))) > 2 * z_limit
    heavier = (replace(one.network.first[0], weight=1.0), *one.network.first[1:])
    assert distance(replace(one, network=replace(one.network, first=heavier))) > 2 * z_limit


def test_limits_with_several_sources():
    """Models that real data reach end without variance, where models that forget would be on
    average; others keep the variance of their beginning, and of all noise since."""
    net = sourced(shift=(3.0, -1.0))
    one = condition(net, linear(), [1.0, 1.0], COVARIANCE)
    found = FirstOrder().predict(one, 4000)
    forgetful = replace(one, network=replace(net, memory="replace"))
    centre = FirstOrder().predict(forgetful, 2000).mean[-1]
    np.testing.assert_allclose(found.limit[:2], (centre[:2] ** 2).sum(1), rtol=1e-8)
    np.testing.assert_allclose(found.mse[-1, 2:], found.limit[2:], rtol=1e-3)
    assert not diagnose(net, 2).collapses


def test_other_laws_do_not_apply_to_several_sources():
    loops = build_network("a", [("a", "a", 30)], sources=[Source("web", noise=2.0)],
                          first=[("web", "a", 40)], **POOL)  # fmt: skip
    found = predict_condition(condition(loops, linear(), [1.0, 1.0]), 2)
    assert set(found.laws) == {"first_order"}
    assert found.inapplicable["finite_sample"].endswith("several real sources")
