"""Real sources that leave directions unseen: a diagnosis agrees with the laws' own long run."""

from dataclasses import replace

import numpy as np
import pytest

import mcjax
from mcjax.diagnosis import diagnose
from mcjax.laws.collapse.components import blind_sources
from mcjax.laws.predict import predict_condition
from mcjax.network import Source, build_network
from mcjax.study.study import condition

X, Y, Z = np.eye(3)
SEEN = {
    "x": np.outer(X, X),
    "x and y": np.diag([1.0, 1.0, 0.0]),
    "x + y": np.outer(X + Y, X + Y),
    "z": np.outer(Z, Z),
    "all": np.diag([1.0, 2.0, 0.5]),
}


def source(name):
    noise = 2.0 if name == "x and y" else None
    return Source(name, samples=40, covariance=tuple(map(tuple, SEEN[name].tolist())), noise=noise)


def network(feeds, names, models=2):
    return build_network(models, feeds, 60, sources=[source(name) for name in names])


def test_one_direction_collapses():
    """A self-loop with real data along x alone: the variance across it grows by 2 / 100."""
    net = network([("0", "0", 100), ("x", "0", None), ("1", "1", 50), ("real", "1", 50)], ["x"])
    found = diagnose(net, 3, covariance=np.eye(3))
    assert [verdict.collapses for verdict in found.models.values()] == [True, False]
    [origin] = found.unstable_sources
    assert (origin.members, origin.blind) == (("0",), ("x",))
    # of the three directions, two grow by 1 / 100 each
    assert found.models["0"].growth == pytest.approx(2 / 300, rel=1e-9)
    assert diagnose(net).collapses
    assert np.isnan(diagnose(net).models["0"].growth)
    assert diagnose(net).to_json()["models"]["0"]["growth"] is None


def test_rates_are_unknown_where_a_source_has_its_own_truth():
    """The noise is larger there, and depends on the distance."""
    feeds = [("real", "0", 40), ("far", "0", 40), ("0", "0", 40)]
    net = build_network(1, feeds, 60, sources=[Source("far", theta=(2.0,))])
    found = diagnose(net, 1, covariance=np.eye(1))
    assert not found.collapses
    assert np.isnan(found.models["0"].limit)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], [set()]),
        (["all"], [set()]),
        (["x"], [{"x"}]),
        (["x", "z"], [{"x", "z"}]),  # neither shows y
        (["x and y", "z"], [{"x and y"}, {"z"}]),  # together they show everything
        (["x and y", "x + y", "z"], [{"x and y", "x + y"}, {"x + y", "z"}]),
    ],
)
def test_blind_sources(names, expected):
    net = network([("0", "0", 100), *((name, "0", None) for name in names)], names)
    assert set(blind_sources(net)) == set(map(frozenset, expected))


def random_network(rng):
    models = int(rng.integers(1, 4))
    names = [str(i) for i in range(models)]
    sources = rng.permutation(list(SEEN))[: int(rng.integers(1, 4))].tolist()
    feeds = [
        (origin, reader, None if origin in SEEN else int(rng.integers(30, 90)))
        for reader in names
        for origin in (*names, *sources, "real")
        if rng.random() < (0.15 if origin == "real" else 0.4)
    ]
    return network(feeds, sources, models)


def networks(count, seed=0):
    """Random networks in which the covariates of every fit determine every parameter."""
    rng, made = np.random.default_rng(seed), 0
    while made < count:
        try:
            net = random_network(rng)
            yield net, condition(net, mcjax.linear(sigma=0.5), np.ones(3))
        except mcjax.InputError:
            continue
        made += 1


@pytest.mark.system
def test_diagnosis_and_first_order_law_agree():
    """On who collapses, how fast, and where the others settle."""
    collapsed = partly = 0
    for net, one in networks(120):
        found = diagnose(net, 3, covariance=np.eye(3), sigma=0.5)
        law = predict_condition(one, 2).laws["first_order"]
        verdicts = list(found.models.values())
        assert [v.collapses for v in verdicts] == (~np.isnan(law.growth)).tolist(), net
        for verdict, growth, limit in zip(verdicts, law.growth, law.limit, strict=True):
            number, expected = (
                (verdict.growth, growth) if verdict.collapses else (verdict.limit, limit)
            )
            assert number == pytest.approx(expected / (3 * 0.5**2), rel=1e-6)
        collapsed += found.collapses
        partly += any(origin.blind for origin in found.unstable_sources)
    assert 24 < collapsed < 96
    assert partly > 16


def test_flips_by_trying_every_feed():
    tried = 0
    for net, _ in networks(40, seed=1):
        before = diagnose(net)
        stable = {name for name, verdict in before.models.items() if not verdict.collapses}
        flipping = []
        for origin in net.models:
            for reader in net.models:
                if (origin, reader) in {(feed.origin, feed.reader) for feed in net.feeds}:
                    continue
                after = diagnose(net.with_feed(origin, reader, 30)).models
                if any(after[name].collapses for name in stable):
                    flipping.append((origin, reader))
                tried += 1
        assert list(before.flips) == flipping, net
    assert tried > 60


def test_repairs_end_collapse():
    repaired = 0
    for net, _ in networks(60, seed=2):
        found = diagnose(net)
        for origin, reader in found.repairs:
            net = net.with_feed(origin, reader, 30)
        assert not diagnose(net).collapses
        repaired += len(found.repairs)
    assert repaired > 15


def test_the_law_around_the_truth_of_another_model():
    """Directions are those of the covariates whatever the model."""
    for net, _ in networks(20, seed=3):
        plain = tuple(replace(source, noise=None) for source in net.sources)
        net = replace(net, sources=plain)
        one = condition(net, mcjax.logistic(), [0.5, -0.3, 0.2])
        law = predict_condition(one, 2).laws["first_order"]
        found = [verdict.collapses for verdict in diagnose(net).models.values()]
        assert found == (~np.isnan(law.growth)).tolist(), net
