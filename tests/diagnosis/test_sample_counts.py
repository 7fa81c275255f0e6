"""What sample counts do to networks of linear regressions, and the smallest cures, by trying all.

The law of one generation is written again here, feed by feed, as its derivation states it.
"""

import itertools
import json
import re
import sys
from functools import cache

import networkx as nx
import numpy as np
import pytest

from mcjax.cli import main
from mcjax.diagnosis import diagnose
from mcjax.laws.least_squares.conditions import REUSED, SHARED, WEIGHTED
from mcjax.laws.least_squares.second_moments import second_moment_map
from mcjax.network import REAL, Feed, build_network
from mcjax.network.topologies import ring

SETTLED = 1 - 1e-9


def counts_of(net):
    """Samples by reader and origin; the last column is the real source."""
    counts = np.zeros((net.size, net.size + 1))
    for feed in net.feeds:
        j = net.size if feed.origin == REAL else net.index[feed.origin]
        counts[net.index[feed.reader], j] += feed.samples
    return counts


def advance(counts, p, m):
    """Second moments ``m_ik I`` of models that read so many samples of one another, a generation
    later, without the noise; m may have further axes before these two."""
    result = np.zeros_like(m)
    batches = [[(j, n) for j, n in enumerate(row[:-1]) if n] for row in counts]
    rows = counts.sum(1)
    for i, k in itertools.product(range(len(counts)), repeat=2):
        pairs = [(n * o, m[..., j, h]) for j, n in batches[i] for h, o in batches[k]]
        together = sum(weight * value for weight, value in pairs)
        if i != k:
            result[..., i, k] = together / (rows[i] * rows[k])
            continue
        n, apart = rows[i], sum(count * m[..., j, j] for j, count in batches[i])
        d = n * (n - 1) * (n + 2)
        a, b = ((n + 1) * together - 2 * apart) / d, (n * apart - together) / d
        result[..., i, i] = a + b + (n * p * b - 2 * b) / (n - p - 1)
    return result


def radius_of(counts, p):
    """Of models among themselves, from the effect on each matrix with a single one in it."""
    if (counts.sum(1) <= p + 1).any():
        return np.inf
    size = len(counts)
    units = np.eye(size * size).reshape(-1, size, size)
    whole = advance(counts, p, units).reshape(size * size, -1).T
    return np.abs(np.linalg.eigvals(whole)).max()


def components(net):
    """Positions of the members, and what they read: one another's samples, and all others as if
    they were real data."""
    graph = nx.DiGraph((net.index[f.origin], net.index[f.reader]) for f in net.feeds
                       if f.origin != REAL)  # fmt: skip
    counts = counts_of(net)
    for members in map(sorted, nx.strongly_connected_components(graph)):
        if graph.subgraph(members).number_of_edges():
            inside = counts[np.ix_(members, members)]
            outside = counts[members].sum(1) - inside.sum(1)
            yield members, np.column_stack([inside, outside])


def with_real(counts, k, samples):
    more = counts.copy()
    more[k, -1] += samples
    return more


def first_that_settles(counts, p, k, most=3000):
    """By trying one sample after another."""
    found = (n for n in range(1, most) if radius_of(with_real(counts, k, n), p) < SETTLED)
    return next(found, None)


def random_network(rng, p):
    size = int(rng.integers(1, 5))
    feeds = []
    for i in range(size):
        origins = [str(j) for j in range(size) if rng.random() < 0.35] or [str((i + 1) % size)]
        origins += [REAL] * int(rng.random() < 0.6)
        spare = max(p + int(rng.integers(1, 9)) - len(origins), 0)
        counts = 1 + rng.multinomial(spare, rng.dirichlet(np.ones(len(origins))))
        feeds += [Feed(j, str(i), int(n)) for j, n in zip(origins, counts, strict=True)]
    return build_network(size, feeds, 99)


@cache
def cases():
    """Random networks on both sides of every boundary, with p and what is found."""
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        p = int(rng.integers(2, 11))
        net = random_network(rng, p)
        found.append((net, p, diagnose(net, parameters=p)))
    return found


def cure_of(diagnosis, net, members):
    names = tuple(net.models[i] for i in members)
    return next((c for c in diagnosis.finite_sample.cures if c.members == names), None)


def test_the_law_here_is_the_law_there():
    for net, p, _ in cases():
        m = np.cov(np.random.default_rng(p).normal(size=(net.size, 9))).reshape(net.size, -1)
        one = second_moment_map(net, p, 1.0, 1.0)
        if (one.rows > p + 1).all():
            np.testing.assert_allclose(advance(counts_of(net), p, m), one.isotropic(m), rtol=1e-12)


def test_radius_by_model():
    kinds = set()
    for net, p, diagnosis in cases():
        expected = np.zeros(net.size)
        for members, counts in components(net):
            expected[members] = radius_of(counts, p)
        found = diagnosis.finite_sample.radius
        assert list(found) == list(net.models)
        np.testing.assert_allclose(list(found.values()), expected, rtol=1e-7)
        kinds |= {(bool(r > 1 + 1e-9), bool(np.isinf(r)), bool(r)) for r in expected}
    assert len(kinds) == 4  # no cycle, below 1, above 1, infinite


def test_explosion_spreads_along_the_data_flow():
    exploding = spread = 0
    for net, p, diagnosis in cases():
        graph = nx.DiGraph([(f.origin, f.reader) for f in net.feeds])
        reached = set()
        for members, counts in components(net):
            if radius_of(counts, p) > 1 + 1e-9:
                names = {net.models[i] for i in members}
                reached |= names.union(*(nx.descendants(graph, name) for name in names))
        found = diagnosis.finite_sample
        assert {name for name, explodes in found.explodes.items() if explodes} == reached
        exploding += bool(reached)
        spread += any(found.radius[name] < 1 for name in reached)
    assert 40 < exploding < 160
    assert spread > 0


def test_a_cure_for_every_component_that_does_not_settle():
    for net, p, diagnosis in cases():
        ill = {tuple(m) for m, counts in components(net) if radius_of(counts, p) >= SETTLED}
        cures = diagnosis.finite_sample.cures
        assert {tuple(net.index[name] for name in cure.members) for cure in cures} == ill
        for members, counts in components(net):
            if tuple(members) in ill:
                radius = cure_of(diagnosis, net, members).radius
                assert radius == pytest.approx(radius_of(counts, p), rel=1e-7)


@pytest.mark.system
def test_the_smallest_real_feed_of_all():
    """One sample less settles nothing, whoever reads it; of the cure's reader, those real samples
    that it has now are included."""
    cured = hopeless = topped_up = 0
    for net, p, diagnosis in cases():
        for members, counts in components(net):
            cure = cure_of(diagnosis, net, members)
            if cure is None:
                continue
            each = [first_that_settles(counts, p, k, 400) for k in range(len(members))]
            if cure.real is None:
                assert each == [None] * len(members)
                hopeless += 1
                continue
            reader, samples = cure.real
            before = counts_of(net)[net.index[reader], -1]
            new = samples - before
            assert new == min(n for n in each if n is not None)
            assert new == each[members.index(net.index[reader])]
            cured += 1
            topped_up += before > 0
            # in the network itself
            healed = net.without_feed(REAL, reader) if before else net
            again = diagnose(healed.with_feed(REAL, reader, samples), parameters=p)
            assert cure_of(again, net, members) is None
            if samples > 1:
                ill = diagnose(healed.with_feed(REAL, reader, samples - 1), parameters=p)
                assert cure_of(ill, net, members) is not None
    assert min(cured, hopeless, topped_up) >= 5, (cured, hopeless, topped_up)


def test_the_least_factor():
    """To two digits after the point, rounded up; a collapse origin has none."""
    found = 0
    for net, p, diagnosis in cases():
        sources = {source.members for source in diagnosis.unstable_sources}
        for members, counts in components(net):
            cure = cure_of(diagnosis, net, members)
            if cure is None:
                continue
            assert (cure.factor is None) == (cure.members in sources)
            if cure.factor is not None:
                assert cure.factor == round(cure.factor, 2)
                assert radius_of(counts * cure.factor, p) < SETTLED
                assert radius_of(counts * (cure.factor - 0.01), p) >= SETTLED
                found += 1
    assert found >= 20


def test_the_least_factor_is_no_digit_too_large():
    """One model with p = 7 that reads 6 samples of its own and 2 real ones: at 1.35 times as many
    the radius is 0.99999, just settled."""
    net = build_network(1, [("0", "0", 6), (REAL, "0", 2)], 99)
    (counts,) = (counts for _, counts in components(net))
    assert radius_of(counts * 1.34, 7) > 1 > radius_of(counts * 1.35, 7)
    (cure,) = diagnose(net, parameters=7).finite_sample.cures
    assert cure.factor == 1.35


def anchored_ring(samples=12, real=1):
    return ring(3, samples=samples, initial=40, real=real)


def test_anchored_networks_explode_nonetheless():
    """Topology says that they settle, and so they do with many samples."""
    diagnosis = diagnose(anchored_ring(), parameters=10)
    assert not diagnosis.collapses
    found = diagnosis.finite_sample
    assert found.parameters == 10
    assert found.explodes == dict.fromkeys("012", True)
    # a ring of equal models is one model with the same rows
    loop = radius_of(np.array([[12.0, 1.0]]), 10)
    assert found.radius == pytest.approx(dict.fromkeys("012", loop), rel=1e-9)
    assert loop > 1.15
    (cure,) = found.cures
    assert cure.members == ("0", "1", "2")
    assert cure.factor == pytest.approx(1.0, abs=0.3)
    for few, p in ((anchored_ring(), 1), (anchored_ring(samples=1200, real=100), 10)):
        calm = diagnose(few, parameters=p).finite_sample
        assert calm.explodes == dict.fromkeys("012", False)
        assert calm.cures == ()
        assert max(calm.radius.values()) < 1


def test_an_unstable_source_with_many_samples_is_no_explosion():
    """Its radius is 1: it grows by a constant, and one real sample stops that."""
    net = build_network(2, [("0", "1", 500), ("1", "0", 500)], 500)
    found = diagnose(net, parameters=3).finite_sample
    assert found.radius == pytest.approx({"0": 1, "1": 1}, abs=1e-9)
    assert found.explodes == {"0": False, "1": False}
    (cure,) = found.cures
    assert (cure.real[1], cure.factor) == (1, None)


def test_more_members_than_are_tried():
    """All of them equal, so that any is as good."""
    feeds = [(str((i + step) % 10), str(i), 4) for i in range(10) for step in (1, 3)]
    net = build_network(10, feeds, 40)
    (cure,) = diagnose(net, parameters=4).finite_sample.cures
    _, counts = next(components(net))
    assert cure.real[1] == first_that_settles(counts, 4, 0) > 1


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        (build_network(2, [("0", "0", 9), (REAL, "0", 9, 2.0), ("0", "1", 9)], 9), WEIGHTED),
        (build_network(2, [("0", "0", 9), ("0", "1", 9)], 9, draws="shared"), SHARED),
        (build_network(2, [("0", "1", 9), (REAL, "0", 9)], 9, real="reused"), REUSED),
    ],
)
def test_reasons_in_words(net, reason):
    diagnosis = diagnose(net, parameters=3)
    assert diagnosis.finite_sample == reason
    assert diagnosis.to_json()["finite_sample"] == {"inapplicable": reason}
    assert diagnosis.models == diagnose(net).models


def test_usual_networks_with_those_options_have_numbers():
    """Shared draws with one reader each are private, and unread real data are not reused."""
    for options in ({"draws": "shared"}, {"real": "reused"}):
        net = build_network(2, [("0", "1", 40), ("1", "0", 40)], 40, **options)
        assert diagnose(net, parameters=3).finite_sample.explodes == {"0": False, "1": False}


def test_without_parameters_there_is_nothing():
    assert diagnose(anchored_ring()).finite_sample is None
    assert diagnose(anchored_ring()).to_json()["finite_sample"] is None


def test_json_is_plain():
    for net, p, diagnosis in cases():
        plain = diagnosis.to_json()["finite_sample"]
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        found = diagnosis.finite_sample
        assert plain["parameters"] == p
        assert plain["explodes"] == any(found.explodes.values())
        highest = max(found.radius.values())
        assert plain["radius"] == (highest if np.isfinite(highest) else None)
        for name in net.models:
            radius = found.radius[name] if np.isfinite(found.radius[name]) else None
            assert plain["models"][name] == {"radius": radius, "explodes": found.explodes[name]}
        for cure, shown in zip(found.cures, plain["cures"], strict=True):
            assert shown["members"] == list(cure.members)
            assert shown["real"] == (
                cure.real and dict(zip(("to", "samples"), cure.real, strict=True))
            )
            assert shown["factor"] == cure.factor


FILE = """
[network]
topology = "ring"
models = 3
samples = 12
real_samples = 1
initial = 40

[family]
name = "linear"
theta = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
"""


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    """What ``mcjax diagnose`` prints about a file with this text."""

    def run(text, *options):
        path = tmp_path / "study.toml"
        path.write_text(text)
        monkeypatch.setattr(sys, "argv", ["mcjax", "diagnose", str(path), *options])
        with pytest.raises(SystemExit) as stop:
            main.run()
        assert not stop.value.code
        return capsys.readouterr().out

    return run


def test_command_line_in_words(shown):
    """p is the number of entries of theta."""
    out = shown(FILE)
    assert "No model of 3 collapses to first order." in out
    what = "Exact law for linear regressions with 10 parameters, at these sample counts: "
    assert what + "0, 1, 2 explode." in out
    _, counts = next(components(anchored_ring()))
    new = first_that_settles(counts, 10, 0)
    radius = radius_of(counts, 10)
    factor = next(f for f in range(100, 999) if radius_of(counts * f / 100, 10) < SETTLED) / 100
    said = re.search(r"  0, 1, 2: the mean squared error is multiplied by (\S+) per generation\n"
                     r"    settles with (\d+) real samples per generation to 0\n"
                     r"    settles with (\S+) times as many samples everywhere\n", out)  # fmt: skip
    assert float(said[1]) == pytest.approx(radius, rel=1e-4)
    assert (int(said[2]), float(said[3])) == (1 + new, factor)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("theta = [0, 0, 0, ", "theta = ["), "7 parameters, at these sample counts: nothing"),
        (("samples = 12", "samples = 10"), "mean squared error is infinite\n"),
        (("initial = 40", 'initial = 1\nreal = "reused"'), f"does not apply: {REUSED}."),
    ],
)
def test_other_files_in_words(change, said, shown):
    assert said in shown(FILE.replace(*change))


def test_command_line_in_json(shown):
    found = json.loads(shown(FILE, "--json"))["finite_sample"]
    assert (found["parameters"], found["explodes"]) == (10, True)
    assert [model["explodes"] for model in found["models"].values()] == [True] * 3
    (cure,) = found["cures"]
    assert (cure["members"], cure["real"]["to"]) == (["0", "1", "2"], "0")


@pytest.mark.parametrize("name", ["logistic", None])
def test_only_linear_regressions_have_numbers(name, shown):
    """Of other families, and of a network without one, there is no exact law."""
    network, _ = FILE.split("[family]")
    text = network if name is None else FILE.replace('"linear"', f'"{name}"')
    assert json.loads(shown(text, "--json"))["finite_sample"] is None
    assert "Exactly" not in shown(text)
