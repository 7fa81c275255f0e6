"""Models that fit a subsample of all data so far: the law, its limit, and chains that follow it."""

from dataclasses import replace

import numpy as np
import pytest

from mcjax import api
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.linear_system import covariances
from mcjax.laws.first_order.score_equations import linear_system
from mcjax.models.gaussian import gaussian
from mcjax.models.generative import categorical
from mcjax.models.glm import logistic
from mcjax.models.information import UNIT
from mcjax.models.location import linear
from mcjax.network import build_network, topologies
from mcjax.study.study import Study, condition
from mcjax.verdicts.equivalence import REFUTED, VERIFIED

pytestmark = pytest.mark.statistical

SOME = {"memory": "subsample"}
LOOP = topologies.self_loop(samples=60, initial=60, **SOME)
MIXED = build_network(
    "abc",
    [("a", "a", 30), ("b", "a", 20), ("a", "b", 40, 2.0), ("real", "b", 20), ("c", "b", 10)],
    {"a": 80, "b": 50, "c": 40},
    **SOME,
)


def test_check_values():
    """1.75, 2.3908, 2.6493 and 2.9050 times the variance of one fit after 2, 5, 10, 100 fits, and
    pi^2/2 - 2 in the end; by a recursion of two numbers, and in closed form."""
    law = 60 * covariances(linear_system(LOOP, UNIT), 99)[:, 0, 0]
    pool, by_hand = 1.0, [1.0]
    for g in range(1, 100):
        pool += ((1 - 1 / g) + 1) / (g + 1) ** 2
        by_hand.append(pool + 1 - 1 / (g + 1))
    np.testing.assert_allclose(law, by_hand, rtol=1e-12)
    np.testing.assert_allclose(law[[1, 4, 9, 99]], [1.75, 2.3908, 2.6493, 2.9050], atol=5e-5)
    found = diagnose(LOOP)
    assert not found.collapses
    assert 60 * found.models["0"].limit == pytest.approx(np.pi**2 / 2 - 2, rel=1e-6)
    assert diagnose(replace(LOOP, memory="replace")).collapses


def urns(net, generations, chains, rng):
    """Means of numbers with variance 1, of a subsample of all numbers so far: what the law with
    H = V = 1 says at every sample size but for the spread of the centres. (chains, T + 1, M)"""
    pools = {
        m: rng.standard_normal((chains, n)) for m, n in zip(net.models, net.initial, strict=True)
    }
    weights = {m: np.ones((chains, n)) for m, n in zip(net.models, net.initial, strict=True)}
    now = {m: pools[m].mean(1) for m in net.models} | {"real": np.zeros(chains)}
    found = [[now[m] for m in net.models]]
    for _ in range(generations):
        following = dict(now)
        for m, feeds in zip(net.models, net.feeds_by_reader, strict=True):
            for f in feeds:
                fed = now[f.origin][:, None] + rng.standard_normal((chains, f.samples))
                pools[m] = np.concatenate([pools[m], fed], 1)
                weights[m] = np.concatenate([weights[m], np.full(fed.shape, f.weight)], 1)
            if feeds:
                take = sum(f.samples for f in feeds)
                order = np.argsort(rng.random(pools[m].shape), 1)[:, :take]
                y, w = (np.take_along_axis(a, order, 1) for a in (pools[m], weights[m]))
                following[m] = (w * y).sum(1) / w.sum(1)
        now = following
        found.append([now[m] for m in net.models])
    return np.moveaxis(np.array(found), -1, 0)


@pytest.mark.parametrize("net", [LOOP, MIXED], ids=["loop", "mixed"])
def test_against_urns(net):
    """At ten times the rows the spread of the centres adds less than a part in a hundred."""
    net, chains = net.scaled(5), 6000
    law = covariances(linear_system(net, UNIT), 5)
    e = urns(net, 5, chains, np.random.default_rng(0))
    products = np.einsum("cti,ctk->ctik", e, e)
    error = np.hypot(products.std(0) / np.sqrt(chains), 0.01 * np.abs(law))
    assert np.abs((products.mean(0) - law) / np.where(error > 0, error, 1)).max() < 4.5
    forgetful = covariances(linear_system(replace(net, memory="replace"), UNIT), 5)
    assert np.abs((products.mean(0) - forgetful) / np.where(error > 0, error, 1)).max() > 10


@pytest.mark.parametrize(
    ("net", "model"), [(LOOP, linear()), (MIXED, logistic())], ids=["linear", "logistic"]
)
def test_chains_follow_the_law(net, model):
    one = Study((condition(net.scaled(8), model, [0.6, -0.4]),), 4, 2048, tolerance=0.2, chunk=256)
    assert api.verify(one).verdict == VERIFIED
    pooled = condition(replace(net.scaled(8), memory="accumulate"), model, [0.6, -0.4])
    assert api.verify(one, theory=replace(one, conditions=(pooled,))).verdict == REFUTED


@pytest.mark.parametrize(
    ("model", "theta"), [(gaussian(), [0.0, 1.0]), (categorical(), [0.5, 0.3, 0.2])]
)
def test_models_without_covariates_follow_the_law(model, theta):
    """Their estimates are sums over the subsample, not over all there was."""
    net = LOOP.scaled(4)
    one = Study((condition(net, model, theta),), 4, 8192)
    squared = api.simulate(one)[0].outcome.moments.squared
    found = {
        memory: api.predict(
            replace(one, conditions=(condition(replace(net, memory=memory), model, theta),))
        )[0]
        .laws["first_order"]
        .mse[:, 0]
        for memory in ("subsample", "accumulate")
    }
    error = np.hypot(squared.standard_error()[:, 0], 0.02 * squared.mean[:, 0])  # finite samples
    off = {name: (squared.mean[:, 0] - law) / error for name, law in found.items()}
    assert np.abs(off["subsample"]).max() < 4.5
    assert np.abs(off["accumulate"][1:]).min() > 9
