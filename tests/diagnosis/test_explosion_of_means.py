"""Explosion to first order: radii against dense matrices, and a pair that simulation confirms."""

import numpy as np
import pytest
from diagnosed import diagnose_file

import mcjax
from mcjax.diagnosis import diagnose
from mcjax.laws.first_order.m_estimators import FirstOrder
from mcjax.network import Feed, Source, build_network
from mcjax.selections.temperature import Temperature
from mcjax.study.load import load_study
from mcjax.study.study import condition

PAIR = """
[network]
models = ["a", "b"]
initial = 500

[[network.sources]]
name = "left"
samples = 250
covariance = [[1.0, 0.3], [0.3, 0.1]]

[[network.sources]]
name = "right"
samples = 250
covariance = [[0.1, 0.3], [0.3, 1.0]]

[[network.feeds]]
from = "b"
to = "a"
samples = 250

[[network.feeds]]
from = "left"
to = "a"

[[network.feeds]]
from = "a"
to = "b"
samples = 250

[[network.feeds]]
from = "right"
to = "b"

[covariates.models]
a = [[0.01, 0.0], [0.0, 1.0]]
b = [[1.0, 0.0], [0.0, 0.01]]

[family]
name = "linear"
theta = [0.0, 0.0]

[run]
generations = 6
chains = 8192
tolerance = 0.15
"""
RADIUS = 2.36332


@pytest.fixture
def pair(tmp_path):
    path = tmp_path / "pair.toml"
    path.write_text(PAIR)
    return path


def test_a_pair_explodes_although_half_of_all_data_are_real(pair):
    found = diagnose_file(pair)
    for verdict in found.models.values():
        assert (verdict.noise, verdict.forgets, verdict.explodes) == (False, False, True)
        assert verdict.collapses
        assert verdict.radius == pytest.approx(RADIUS, abs=5e-6)
        assert verdict.growth is verdict.limit is None
        assert verdict.explosions == (("a", "b"),)
    [explosion] = found.explosions
    assert explosion.members == ("a", "b")
    assert explosion.radius == pytest.approx(RADIUS, abs=5e-6)
    assert found.unstable_sources == found.repairs == ()
    assert found.collapses
    plain = found.to_json()
    assert plain["explosions"] == [{"members": ["a", "b"], "radius": explosion.radius}]


def test_without_family_the_pair_is_not_judged(pair):
    pair.write_text(PAIR[: PAIR.index("[family]")])
    found = diagnose_file(pair)
    assert "[family]" in found.inapplicable
    assert found.to_json()["models"]["a"]["radius"] is None
    assert not found.collapses


@pytest.mark.parametrize("name", ["logistic", "poisson", "huber"])
def test_other_families_explode_alike_at_the_truth_0(pair, name):
    """All curvatures are those of least squares there, up to one factor."""
    pair.write_text(PAIR.replace("linear", name))
    found = diagnose_file(pair).models
    assert [verdict.radius for verdict in found.values()] == pytest.approx([RADIUS] * 2, abs=5e-6)
    assert all(verdict.explodes for verdict in found.values())


@pytest.mark.statistical
def test_simulated_errors_of_the_pair_grow_as_the_law_says(pair):
    study = load_study(pair)
    checked = mcjax.verify(study)
    assert checked.verdict == "verified"
    judged = [cell for cell in checked.cells if cell.law == "first_order"]
    assert len(judged) == 7 * 2
    last = {(cell.model, cell.generation): cell.empirical for cell in judged}
    for model in "ab":
        # an eigenvalue of either sign takes over once the first noise is forgotten
        assert last[model, 6] / last[model, 4] == pytest.approx(RADIUS**4, rel=0.15)


def covariance(rng, p):
    """Of any axis ratio, and nearly of rank 1 or exactly so now and then."""
    root = rng.normal(size=(p, p)) * rng.choice([1.0, 0.3, 0.05], p)
    root[:, 0] *= rng.choice([0, 1], p=[0.1, 0.9])
    return root @ root.T


def dense_transition(net, own, real):
    """A, from the normal equations of the definition."""
    size, p = net.size, own.shape[1]
    a = np.zeros((size * p, size * p))
    for i, feeds in enumerate(net.feeds_by_reader):
        rows = slice(i * p, i * p + p)
        if not feeds:
            a[rows, rows] = np.eye(p)
        parts = [
            (f, f.samples * (own[net.index[f.origin]] if f.origin in net.index else real[f.origin]))
            for f in feeds
        ]
        total = sum((part for _, part in parts), np.zeros((p, p)))
        for feed, part in parts:
            if feed.origin in net.index:
                j = net.index[feed.origin]
                a[rows, j * p : j * p + p] += np.linalg.inv(total) @ part
    return a


def reachable(net):
    """Whether each model reaches each other in one step or more, (M, M)."""
    steps = np.zeros((net.size, net.size), bool)
    for feed in net.feeds:
        if feed.origin in net.index:
            steps[net.index[feed.origin], net.index[feed.reader]] = True
    for _ in net.models:
        steps |= steps @ steps
    return steps


def random_regression(rng):
    size, p = int(rng.integers(1, 5)), int(rng.integers(2, 4))
    names = [str(i) for i in range(size)]
    real = {name: covariance(rng, p) for name in ("u", "v")}
    own = {name: covariance(rng, p) + 1e-3 * np.eye(p) for name in names if rng.random() < 0.8}
    sources = [Source(name, covariance=tuple(map(tuple, s.tolist()))) for name, s in real.items()]
    feeds = [
        (j, i, int(rng.integers(50, 300)))
        for i in names
        for j in (*names, "u", "v", "real")
        if rng.random() < {"u": 0.4, "v": 0.4, "real": 0.05}.get(j, 0.5)
    ]
    net = build_network(size, feeds, 400, sources=sources)
    made = condition(net, mcjax.linear(), np.zeros(p), own_covariances=own)
    whole = np.array([own.get(name, np.eye(p)) for name in names])
    return made, dense_transition(net, whole, real | {"real": np.eye(p)})


@pytest.mark.system
def test_radii_of_random_regressions():
    """200 networks of different covariates, against the eigenvalues of dense matrices."""
    rng, made, exploding, anchored = np.random.default_rng(0), 0, 0, 0
    while made < 200:
        try:
            one, a = random_regression(rng)
        except mcjax.InputError:  # a fit that does not determine every parameter
            continue
        made += 1
        net, p = one.network, len(one.theta)
        reach, found = reachable(net), diagnose(one)
        blocks = a.reshape(net.size, p, net.size, p)
        radii = np.full(net.size, np.nan)
        for i in range(net.size):
            if reach[i, i]:
                part = np.flatnonzero(reach[i] & reach[:, i])
                block = blocks[part][:, :, part].reshape(len(part) * p, -1)
                radii[i] = np.abs(np.linalg.eigvals(block)).max()
        for i, verdict in enumerate(found.models.values()):
            if np.isnan(radii[i]):
                assert verdict.radius is None
            else:
                assert verdict.radius == pytest.approx(radii[i], rel=1e-6)
            above = radii[reach[:, i] | (np.arange(net.size) == i)] > 1 + 1e-7
            assert verdict.explodes == above.any(), net
            exploding += verdict.explodes
            anchored += verdict.explodes and not verdict.noise
        growing = FirstOrder().predict(one, 1).growth
        fails = [verdict.collapses for verdict in found.models.values()]
        assert fails == (~np.isnan(growing)).tolist(), net
    assert exploding > 10
    assert anchored > 3


def test_laws_of_what_explodes_end_with_a_reason(pair):
    """Errors of Poisson regressions soon leave the range of numbers."""
    text = PAIR.replace('"linear"', '"poisson"').replace(
        "[0.0, 0.0]\n\n[run]", "[0.4, -0.3]\n\n[run]"
    )
    pair.write_text(text.replace("generations = 6", "generations = 40"))
    [predicted] = mcjax.predict(load_study(pair))
    assert "first_order" in predicted.inapplicable
    pair.write_text(text.replace("generations = 6", "generations = 1"))
    [predicted] = mcjax.predict(load_study(pair))
    assert np.isinf(predicted.laws["first_order"].growth).all()


def test_the_law_of_centres_that_run_away_holds_as_long_as_they_are_found(tmp_path):
    net = build_network(1, [("0", "0", 400)], 400)
    hot = net.with_feeds([Feed("0", "0", 400, keep=Temperature(0.8))])
    law = FirstOrder().predict(condition(hot, mcjax.logistic(), [1.0]), 3)
    np.testing.assert_allclose(law.centre_errors[:, 0, 0] + 1, 0.8 ** -np.arange(4.0), rtol=1e-9)
    assert np.isnan(law.limit).all()
