"""Groups of models, such as versions, that are diagnosed as one model each."""

import json

import networkx as nx
import numpy as np
import pytest
from diagnosed import diagnose_file

from mcjax.diagnosis import diagnose
from mcjax.errors import InputError
from mcjax.network import Feed, Generation, Series, build_network, from_networkx
from mcjax.network.graphs import network_of_graph
from mcjax.network.groups import grouped

VERSIONS = ["nemo-1", "nemo-2", "nemo-3", "ada-1", "ada-2", "search"]
FEEDS = [
    ("nemo-1", "nemo-2", 60),
    ("ada-1", "nemo-2", 40),
    ("nemo-2", "nemo-3", 100),
    ("nemo-1", "ada-1", 30),
    ("ada-1", "ada-2", 50),
    ("nemo-3", "search", 20),
    ("real", "search", 80),
]
GROUPS = {"nemo": ["nemo-1", "nemo-2", "nemo-3"], "ada": ["ada-1", "ada-2"]}


def test_versions_are_sound_where_their_entities_collapse():
    """Releases never read one another in circles, and yet these families read only each other."""
    net = build_network(VERSIONS, FEEDS, 100)
    assert not diagnose(net).collapses
    found = diagnose(net, groups=GROUPS)
    assert list(found.models) == ["nemo", "ada", "search"]
    assert [verdict.collapses for verdict in found.models.values()] == [True, True, True]
    assert found.unstable_sources[0].members == ("nemo", "ada")
    assert found.models["search"].path == ("nemo", "search")
    assert found.groups == {"nemo": ("nemo-1", "nemo-2", "nemo-3"), "ada": ("ada-1", "ada-2")}


@pytest.mark.parametrize("anchor", ["nemo-1", "nemo-3", "ada-2"])
def test_real_data_of_one_version_anchor_the_family(anchor):
    net = build_network(VERSIONS, [*FEEDS, ("real", anchor, 1)], 100)
    assert not diagnose(net, groups=GROUPS).collapses


@pytest.mark.parametrize("form", [tuple, Series])
def test_the_network_of_groups(form):
    """Feeds add up; their weights are means over rows; a group begins with all samples."""
    feeds = [
        Feed("a1", "a2", 30, 2.0),
        Feed("a1", "a1", 10, 1.0),
        Feed("real", "a1", 5),
        Feed("a2", "b", 7),
        Feed("a1", "b", 1),
    ]
    graph = nx.DiGraph()
    for feed in feeds:
        graph.add_edge(feed.origin, feed.reader, samples=feed.samples, weight=feed.weight)
    net = build_network(["a1", "a2", "b"], feeds, {"a1": 15, "a2": 30, "b": 8})
    if form is Series:  # as arrays
        net = from_networkx(graph)
        assert net.later.generations[0].given is not None
    found = grouped(net, {"a": ["a1", "a2"]})
    expected = [("a", "a", 40, 1.75), ("real", "a", 5), ("a", "b", 8)]
    initial = {"a": 45, "b": 8}
    assert found == build_network(["a", "b"], expected, initial)


def test_feeds_of_any_size_add_up():
    most = 2**62
    feeds = [("real", "a1", most), ("real", "a2", most - 1)]
    net = build_network(["a1", "a2"], Series(Generation(feeds)), 1)
    assert grouped(net, {"a": ["a1", "a2"]}).feeds == (Feed("real", "a", 2 * most - 1),)
    graph = nx.DiGraph()
    graph.add_edge("real", "a1", samples=most)
    graph.add_edge("real", "a2", samples=most)
    graph.add_nodes_from(["a1", "a2"], initial=1)
    with pytest.raises(InputError, match=r"samples: is 9223372036854775808; give a whole number"):
        grouped(from_networkx(graph), {"a": ["a1", "a2"]})


def test_groups_of_one_change_nothing():
    rng = np.random.default_rng(7)
    models = [f"m{i}" for i in range(6)]
    feeds = [(j, i, 50) for i in models for j in [*models, "real"] if rng.random() < 0.25]
    net = build_network(models, feeds, 100)
    alone = diagnose(net, groups={name: [name] for name in models}).to_json()
    del alone["groups"]
    assert alone == diagnose(net).to_json()


def test_with_unknown_data_and_schedules():
    feeds = [
        Feed("a1", "a2", 50, every=2),
        Feed("unknown", "a2", 50, every=2, first=2),
        Feed("b", "b", 10),
        Feed("real", "b", 10),
    ]
    net = build_network(["a1", "a2", "b"], feeds, 100)
    found = diagnose(net, groups={"a": ["a1", "a2"]}).models
    assert [found[name].collapses for name in "ab"] == [None, False]
    assert found["a"].deciding == ("a", 1.0)


REFUSED = {
    "unknown member": ({"nemo": ["nemo-9"]}, "has 'nemo-9', which is no model"),
    "empty": ({"nemo": []}, "is empty"),
    "twice": ({"nemo": ["nemo-1", "nemo-1"]}, "has 'nemo-1', twice"),
    "two groups": ({"n": ["nemo-1"], "m": ["nemo-1"]}, "has 'nemo-1', which is in 'n' too"),
    "name of a model": ({"search": ["nemo-1"]}, "has the name of a model that is not in it"),
    "name of a source": ({"real": ["nemo-1"]}, "has the name of a source"),
    "unknown": ({"unknown": ["nemo-1"]}, "has the name of a source"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    groups, says = REFUSED[case]
    with pytest.raises(InputError, match=says) as caught:
        diagnose(build_network(VERSIONS, FEEDS, 100), groups=groups)
    assert caught.value.field.startswith("network.groups.")


STUDY = """
[network]
models = ["a1", "a2", "b"]
initial = 100
feeds = [
    { from = "a1", to = "a2", samples = 50 },
    { from = "a2", to = "b", samples = 50 },
    { from = "real", to = "b", samples = 50 },
]

[network.groups]
a = ["a1", "a2"]
"""


def test_study_files(tmp_path):
    path = tmp_path / "study.toml"
    told = []
    for more in ("", "[family]\nname = 'linear'\ntheta = [1.0]\n"):
        ridge = "penalty = { ridge = 0.1 }\n" if more else ""
        for text in (more, more + ridge):
            path.write_text(STUDY + text)
            found = diagnose_file(path, told.append)
            assert list(found.models) == ["a", "b"]
            assert json.loads(json.dumps(found.to_json()["groups"])) == {"a": ["a1", "a2"]}
            assert found.models["a"].noise is (text == more)
    assert set(told) == {"3 models, 3 feeds, real data to 1, 1 group of 2 of these models"}
    path.write_text(STUDY + "[covariates.models]\na1 = [[2.0]]\n")
    with pytest.raises(InputError, match=r"covariates.models: and \[network.groups\] exclude"):
        diagnose_file(path)


def test_versions_in_graphs():
    graph = nx.DiGraph()
    graph.add_edge("a1", "a2", samples=10)
    graph.add_node("a1", version_of="a")
    graph.add_node("a2", version_of="a")
    graph.add_node("real", version_of="a")
    assert network_of_graph(graph).groups == {"a": ("a1", "a2")}
