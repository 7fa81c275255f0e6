"""The collapse law, its rates and its limits against long recursions of the definition."""

from __future__ import annotations

import collections
import cProfile
import itertools
import pstats
import subprocess
import sys
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
from brute_force import Recursion, random_network

from mcjax.diagnosis import Diagnosis, diagnose
from mcjax.laws.collapse import radius
from mcjax.network import REAL, Network, build_network

NETWORKS = 1000


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    rng = np.random.default_rng(2605)
    return [random_network(rng) for _ in range(NETWORKS)]


def growths(net: Network) -> list[float | None]:
    return [verdict.growth for verdict in diagnose(net).models.values()]


def kinds(net: Network, diagnosis: Diagnosis) -> set[str]:
    """Which of the cases that the law tells apart a network has."""
    found = {net.draws, net.real, "collapsing" if diagnosis.collapses else "stable"}
    found |= {"frozen"} if any(net.frozen) else set()
    found |= {"self-loop"} if any(f.origin == f.reader for f in net.feeds) else set()
    found |= {"several sources"} if len(diagnosis.unstable_sources) > 1 else set()
    if net.real == "reused" and any(f.origin == REAL for f in net.feeds):
        found.add("reads reused data")
    if diagnosis.collapses and not all(v.collapses for v in diagnosis.models.values()):
        found.add("partly collapsing")
    for source in diagnosis.unstable_sources:
        if source.period > 1:
            found.add("periodic source")
            phase = dict(zip(source.members, source.phases, strict=True))
            for name in set(net.models) - set(source.members):
                read = {phase.get(f.origin) for f in net.feeds if f.reader == name} - {None}
                found |= {"reader of several classes"} if len(read) > 1 else set()
    return found


def compare(net: Network, diagnosis: Diagnosis) -> None:
    """Verdict, growth and limit of every model against the recursion."""
    recursion = Recursion(net)
    diverges = recursion.diverges()
    verdicts = list(diagnosis.models.values())
    assert [v.collapses for v in verdicts] == diverges.tolist(), net
    slope, final = recursion.slopes(), recursion.limits()
    for i, verdict in enumerate(verdicts):
        if diverges[i]:
            assert verdict.growth == pytest.approx(slope[i], rel=1e-6, abs=1e-12), net
            assert verdict.limit is None
        else:
            assert verdict.limit == pytest.approx(final[i], rel=1e-6, abs=1e-12), net
            assert verdict.growth is None


@pytest.mark.system
def test_verdict_growth_and_limit_on_random_networks(networks):
    seen: collections.Counter[str] = collections.Counter()
    for net in networks:
        diagnosis = diagnose(net)
        compare(net, diagnosis)
        seen.update(kinds(net, diagnosis))
    least = {
        "private": 250,
        "shared": 250,
        "fresh": 250,
        "reused": 250,
        "collapsing": 250,
        "stable": 200,
        "partly collapsing": 150,
        "periodic source": 100,
        "reader of several classes": 50,
        "several sources": 50,
        "frozen": 150,
        "self-loop": 250,
        "reads reused data": 150,
    }
    assert {kind: seen[kind] for kind, count in least.items() if seen[kind] < count} == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_random_networks_of_any_seed(seed):
    """16,000 networks more."""
    rng = np.random.default_rng(seed)
    for _ in range(2 * NETWORKS):
        net = random_network(rng)
        compare(net, diagnose(net))


# Laws that are wrong in one respect, and the right one, in terms of networkx alone.


def spread(net: Network, is_source: Callable[[nx.DiGraph, set[str]], bool]) -> list[bool]:
    """The models that are reached from the components which ``is_source`` accepts."""
    graph = nx.DiGraph()
    graph.add_nodes_from(net.models)
    graph.add_edges_from((f.origin, f.reader) for f in net.feeds if f.origin != REAL)
    graph.graph["anchored"] = {f.reader for f in net.feeds if f.origin == REAL}
    reached: set[str] = set()
    for component in nx.strongly_connected_components(graph):
        if is_source(graph, component):
            for name in component:
                reached |= nx.descendants(graph, name) | {name}
    return [name in reached for name in net.models]


def cyclic(graph: nx.DiGraph, c: set[str]) -> bool:
    return graph.subgraph(c).number_of_edges() > 0


def unanchored(graph: nx.DiGraph, c: set[str]) -> bool:
    return not c & graph.graph["anchored"]


def closed(graph: nx.DiGraph, c: set[str]) -> bool:
    return all(j in c for i in c for j in graph.predecessors(i))


def right(net: Network) -> list[bool]:
    return spread(net, lambda g, c: cyclic(g, c) and unanchored(g, c) and closed(g, c))


def own_real_data_save(net: Network) -> list[bool]:
    anchored = {f.reader for f in net.feeds if f.origin == REAL}
    reached = zip(net.models, right(net), strict=True)
    return [collapses and name not in anchored for name, collapses in reached]


def members_alone(net: Network) -> list[bool]:
    members = {name for source in diagnose(net).unstable_sources for name in source.members}
    return [name in members for name in net.models]


WRONG = {
    "a self-loop is no cycle": lambda net: spread(
        net, lambda g, c: len(c) > 1 and unanchored(g, c) and closed(g, c)
    ),
    "a frozen model is a source": lambda net: spread(
        net, lambda g, c: unanchored(g, c) and closed(g, c)
    ),
    "a source may be fed": lambda net: spread(net, lambda g, c: cyclic(g, c) and unanchored(g, c)),
    "real data do not end a source": lambda net: spread(
        net, lambda g, c: cyclic(g, c) and closed(g, c)
    ),
    "one's own real data save": own_real_data_save,
    "collapse does not spread": members_alone,
}


def test_law_in_graph_terms(networks):
    for net in networks[:500]:
        assert right(net) == Recursion(net).diverges().tolist()


@pytest.mark.system
@pytest.mark.parametrize("law", WRONG)
def test_wrong_laws_are_refuted(networks, law):
    wrong = sum(WRONG[law](net) != Recursion(net).diverges().tolist() for net in networks[:200])
    assert wrong >= 5


# Values worked out by hand. Only ratios of sample counts can be chosen, so v is in units of 1/n.


def test_self_loop_and_half_reader():
    net = build_network(2, [("0", "0", 1), ("0", "1", 7), (REAL, "1", 7)], 3)
    assert growths(net) == pytest.approx([1, 1 / 4], rel=1e-12)


def test_ring_of_two_and_reader_of_both_classes():
    """v = (1, 2) / 2; a law that forgets the period says half of it, one that gives a reader of
    both classes its reading share of a member's slope says 1.5 / 2."""
    feeds = [("1", "0", 2), ("0", "1", 1), ("0", "2", 5), ("1", "2", 5)]
    net = build_network(3, feeds, 3)
    found = growths(net)
    assert found == pytest.approx([1.5 / 2, 1.5 / 2, 0.75 / 2], rel=1e-12)
    assert diagnose(net).unstable_sources[0].period == 2
    forgetful = np.sum(np.array([0.5, 0.5]) ** 2 * np.array([1, 2])) / 2
    assert found[0] == pytest.approx(2 * forgetful)
    recursion = Recursion(net)
    steps = recursion.variances(20, 0) - recursion.variances(19, 0)
    assert steps[0] != pytest.approx(found[0], rel=0.1)  # a single step is no slope


def test_ring_of_three():
    net = build_network(3, [("2", "0", 6), ("0", "1", 3), ("1", "2", 2)], 3)
    assert growths(net) == pytest.approx([2 / 6] * 3, rel=1e-12)
    assert diagnose(net).unstable_sources[0].period == 3


@pytest.mark.parametrize(
    ("edges", "samples", "slope"),
    [
        ([(j, i) for j in range(4) for i in range(4)], 1, 1 / 16),  # 1 + T / 4 in units of 1/4
        ([(j, (j + 1) % 4) for j in range(4)], 4, 1 / 4),  # 1 + T
    ],
)
def test_complete_graph_averages_and_ring_does_not(edges, samples, slope):
    net = build_network(4, [(str(j), str(i), samples) for j, i in edges], 4)
    assert growths(net) == pytest.approx([slope] * 4, rel=1e-12)
    for generations in (0, 1, 7):
        variance = Recursion(net).variances(generations, 0)
        assert variance == pytest.approx(np.full(4, 1 / 4 + slope * generations), rel=1e-12)


def four_models() -> Network:
    feeds = [("0", "0", 1), ("0", "1", 9), (REAL, "1", 9), ("1", "2", 9), ("3", "3", 9)]
    return build_network(4, [*feeds, (REAL, "3", 18, 0.5)], 5)


def test_four_models_and_their_flip():
    net = four_models()
    found = diagnose(net)
    assert growths(net) == [
        *(pytest.approx(slope, rel=1e-12) for slope in (1, 1 / 4, 1 / 4)),
        None,
    ]
    assert not found.models["3"].collapses
    assert ("2", "3") in found.flips
    flipped = net.with_feed("2", "3", 9).without_feed(REAL, "3").with_feed(REAL, "3", 18)
    assert growths(flipped)[3] == pytest.approx(1 / 36, rel=1e-12)


def test_json_is_plain():
    plain = diagnose(four_models()).to_json()
    assert plain["collapses"] is True
    assert plain["models"]["1"] == {
        "collapses": True,
        "noise": True,
        "forgets": False,
        "explodes": False,
        "radius": None,
        "growth": pytest.approx(1 / 4),
        "limit": None,
        "sources": [["0"]],
        "anchors": [],
        "explosions": [],
        "path": ["0", "1"],
        "frozen": False,
        "relative": {  # 1/4 a generation over 1/5, from the second on
            "1": pytest.approx(19 / 36),
            "5": pytest.approx(19 / 36 + 5),
            "20": pytest.approx(19 / 36 + 19 * 1.25),
            "limit": None,
        },
        "doubles": 3,
        "tenfold": 9,
        "certain": True,
    }
    assert plain["counts"] == {
        "models": 4,
        "collapse": 3,
        "unknown": 0,
        "forget": 0,
        "depends": 0,
    }
    assert plain["models"]["3"]["growth"] is None
    assert plain["models"]["3"]["sources"] == plain["models"]["3"]["path"] == []
    assert plain["unstable_sources"] == [{"members": ["0"], "period": 1, "blind": []}]
    assert plain["repairs"] == [{"from": REAL, "to": "0"}]
    assert {"from": "2", "to": "3"} in plain["flips"]
    assert plain["finite_sample"] is None
    assert plain["models"]["3"]["radius"] == pytest.approx(1 / 2)
    assert plain["explosions"] == []
    assert plain["inapplicable"] is None
    parts = {"collapses", "models", "unstable_sources", "repairs", "flips", "finite_sample"}
    parts |= {
        "explosions",
        "inapplicable",
        "drawn",
        "in_any_order",
        "counts",
        "rates",
        "certain",
        "worth",
        "dangers",
    }
    assert set(plain) == parts


def test_unresolvable_limit_is_null():
    """A real share of 1e-30 is a finite limit beyond double precision, not a collapse."""
    net = build_network(2, [("0", "0", 5), (REAL, "0", 5, 1e-30), (REAL, "1", 5)], 5)
    found = diagnose(net)
    assert not found.collapses
    assert found.to_json()["models"]["0"]["limit"] is None
    assert found.models["1"].limit == pytest.approx(1 / 5)


def test_paths_lead_from_a_source_along_feeds(networks):
    for net in networks[:300]:
        found = diagnose(net)
        members = {name for source in found.unstable_sources for name in source.members}
        graph = nx.DiGraph((f.origin, f.reader) for f in net.feeds)
        edges = set(graph.edges)
        for name, verdict in found.models.items():
            if not verdict.collapses:
                assert verdict.path == verdict.sources == ()
                continue
            path = verdict.path
            assert path[0] in members
            assert path[-1] == name
            assert set(itertools.pairwise(path)) <= edges
            shortest = nx.multi_source_dijkstra_path_length(graph, members)[name]
            assert len(path) == shortest + 1
            reached_from = {
                s.members for s in found.unstable_sources if nx.has_path(graph, s.members[0], name)
            }
            assert set(verdict.sources) == reached_from


def large_network(ring: int, real: bool, size: int = 500) -> Network:
    rng = np.random.default_rng(5)
    edges = {(k, (k + 1) % ring) for k in range(ring)}
    while len(edges) < 10 * size:
        j, i = (int(k) for k in rng.integers(0, size, 2))
        if i >= ring:
            edges.add((j, i))
    feeds = [(str(j), str(i), 50 + j % 7) for j, i in sorted(edges)]
    if real:
        feeds += [(REAL, str(i), 100) for i in range(ring, size, 5)]
    return build_network(size, feeds, 100)


def calls_of(net: Network) -> int:
    """How many functions a diagnosis calls, which depends on no other load of the machine."""
    profile = cProfile.Profile()
    profile.runcall(lambda: diagnose(net).to_json())
    return pstats.Stats(profile).total_calls


@pytest.mark.by_default("0-False")
@pytest.mark.parametrize(("ring", "real"), [(0, True), (0, False), (50, True), (400, False)])
def test_work_grows_linearly_with_models_and_feeds(monkeypatch, ring, real):
    """Without an eigenvalue problem of the whole network, too."""
    monkeypatch.setattr(radius, "_largest", lambda block: pytest.fail("solves for eigenvalues"))
    net = large_network(ring, real)
    found = diagnose(net)
    half, quarter = (large_network(ring // k, real, 500 // k) for k in (2, 4))
    assert calls_of(half) < 2.5 * calls_of(quarter)
    assert found.collapses == (ring > 0 or not real)
    if ring:
        assert found.unstable_sources[0].period == ring
        assert found.models["0"].growth == pytest.approx(
            np.mean([1 / (50 + j % 7) for j in range(ring)])
        )


def test_diagnosis_imports_nothing_heavy():
    script = (
        "import sys\n"
        "from mcjax.diagnosis import diagnose\n"
        "from mcjax.network import build_network\n"
        "diagnose(build_network(2, [('0', '0', 5), ('0', '1', 5)], 5)).to_json()\n"
        "print([m for m in ('jax', 'jaxtyping', 'matplotlib') if m in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
