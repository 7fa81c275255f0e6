"""Networks from networkx and from the files it reads; broken ones are named."""

import io
import json
import sys

import networkx as nx
import pytest

from mcjax.cli import main
from mcjax.errors import InputError
from mcjax.network import Feed, build_network, from_networkx
from mcjax.network.graphs import read_graph
from mcjax.study.networks import read_network

TOML = """
[network]
models = ["lone", "reader", "anchored"]
initial = { lone = 100, reader = 70, anchored = 80 }

[[network.feeds]]
from = "lone"
to = "lone"
samples = 100

[[network.feeds]]
from = "lone"
to = "reader"
samples = 40
weight = 0.5

[[network.feeds]]
from = "anchored"
to = "anchored"
samples = 50

[[network.feeds]]
from = "real"
to = "reader"
samples = 30

[[network.feeds]]
from = "real"
to = "anchored"
samples = 30
"""


@pytest.fixture
def graph():
    graph = nx.DiGraph()
    graph.add_nodes_from(["lone", "reader", "anchored", "real"])
    graph.add_edge("lone", "lone")
    graph.add_edge("lone", "reader", samples=40, weight=0.5)
    graph.add_edge("anchored", "anchored", samples=50)
    graph.add_edge("real", "reader", samples=30)
    graph.add_edge("real", "anchored", samples=30)
    return graph


@pytest.fixture
def expected():
    feeds = [
        Feed("lone", "lone", 100),
        Feed("lone", "reader", 40, 0.5),
        Feed("anchored", "anchored", 50),
        Feed("real", "reader", 30),
        Feed("real", "anchored", 30),
    ]
    initial = {"lone": 100, "reader": 70, "anchored": 80}
    return build_network(["lone", "reader", "anchored"], feeds, initial)


@pytest.fixture
def diagnose(monkeypatch, capsys):
    """``mcjax diagnose FILE --json``: exit status, object or text, messages."""

    def run(path):
        monkeypatch.setattr(sys, "argv", ["mcjax", "diagnose", str(path), "--json"])
        with pytest.raises(SystemExit) as stop:
            main.run()
        out, err = capsys.readouterr()
        return stop.value.code or 0, json.loads(out) if out else None, err

    return run


def written(graph, folder, kind):
    """``graph`` in a file of a kind that networkx writes."""
    if kind == "graphml":
        nx.write_graphml(graph, folder / "net.graphml")
        return folder / "net.graphml"
    if kind == "gml":
        nx.write_gml(graph, folder / "net.gml")
        return folder / "net.gml"
    if kind == "gexf":
        nx.write_gexf(graph, folder / "net.gexf")
        return folder / "net.gexf"
    path = folder / "net.json"
    path.write_text(json.dumps(nx.node_link_data(graph, edges=kind)))
    return path


KINDS = ("graphml", "gml", "edges", "links", "gexf")
FORMAT = {".graphml": "GraphML", ".gml": "GML", ".json": "JSON", ".gexf": "GEXF"}


def test_attributes_and_defaults(graph, expected):
    """100 samples and weight 1 unless told; generation 0 as large as what a model reads later."""
    assert from_networkx(graph) == expected


def test_initial_attribute(graph, expected):
    graph.nodes["reader"]["initial"] = 25
    graph.nodes["real"]["initial"] = "a word nobody reads"
    assert from_networkx(graph).initial == (100, 25, 80)
    assert from_networkx(graph).feeds == expected.feeds


def test_model_that_reads_nothing():
    graph = nx.DiGraph([("teacher", "student")])
    net = from_networkx(graph)
    assert net.frozen == (True, False)
    assert net.initial == (100, 100)


def test_labels_are_names():
    graph = nx.DiGraph()
    graph.add_node(1, label="a")
    graph.add_node(2)
    graph.add_node(3, label="real")
    graph.add_edge(3, 1, samples=10)
    graph.add_edge(1, 2, samples=10)
    net = from_networkx(graph)
    assert net.models == ("a", "2")
    assert set(net.feeds) == {Feed("real", "a", 10), Feed("a", "2", 10)}


@pytest.mark.parametrize("samples", [40, 40.0, "40"])
def test_whole_numbers_in_any_spelling(samples):
    """Files without types give numbers as text or as floats."""
    graph = nx.DiGraph()
    graph.add_edge("a", "b", samples=samples)
    assert from_networkx(graph).feeds == (Feed("a", "b", 40),)


def test_options(graph):
    graph.remove_edge("lone", "reader")
    net = from_networkx(graph, draws="shared", real="reused")
    assert (net.draws, net.real) == ("shared", "reused")
    assert net.initial == (100, 30, 30)  # reused data are the whole generation-0 sample


def test_undirected_is_refused(graph):
    with pytest.raises(InputError, match=r"^graph: is undirected, but"):
        from_networkx(graph.to_undirected())


def test_parallel_edges_add_up():
    graph = nx.MultiDiGraph()
    graph.add_edge("a", "b", samples=10)
    assert from_networkx(graph).feeds == (Feed("a", "b", 10),)
    graph.add_edge("a", "b", samples=20)
    assert from_networkx(graph).feeds == (Feed("a", "b", 30),)
    graph.add_edge("a", "b", samples=20, weight=2.0)
    with pytest.raises(InputError, match="another one than that of an earlier feed"):
        from_networkx(graph)


def test_edge_into_the_real_source():
    with pytest.raises(InputError, match="nothing can feed the real source"):
        from_networkx(nx.DiGraph([("a", "real")]))


def as_written(graph, form):
    """The text of a graph as networkx writes it."""
    if form == "GML":
        return "\n".join(nx.generate_gml(graph))
    if form == "JSON":
        return json.dumps(nx.node_link_data(graph, edges="links"))
    held = io.BytesIO()
    {"GEXF": nx.write_gexf, "GraphML": nx.write_graphml}[form](graph, held)
    return held.getvalue().decode()


@pytest.mark.parametrize("form", ["GML", "GEXF", "GraphML", "JSON"])
@pytest.mark.parametrize(
    "names",
    [
        {0: "a", 1: "b", 2: "real"},
        {2: "a", 0: "b", 1: "real"},
        {"n0": "a", "n1": "b", "n2": "real"},
        {"a": "b", "b": "a", "real": "real"},
        {"x": "a", "b": None, "real": None},
        {"a": None, "b": None, "real": None},
    ],
    ids=str,
)
def test_names_in_files_of_networkx_are_those_of_the_graph(names, form):
    graph, (a, b, real) = nx.DiGraph(), names
    for node, name in names.items():
        graph.add_node(node, **({} if name is None else {"name": name}))
    graph.add_edge(real, a, samples=30)
    graph.add_edge(a, b, samples=20)
    net = read_graph(as_written(graph, form), form).network
    assert net == from_networkx(graph)
    first = names[a] or a
    assert Feed("real", first, 30) in net.feeds


def test_names_that_repeat_the_ids_are_no_names():
    graph = nx.DiGraph()
    graph.add_node("n0", name="n0", label="a")
    graph.add_node("real", name="real")
    graph.add_edge("real", "n0", samples=30)
    assert from_networkx(graph).models == ("a",)


def test_labels_of_another_program_beside_names():
    text = 'graph [ directed 1 node [ id 0 label "A" name "a" ] node [ id 1 label "real" ] ]'
    with pytest.raises(InputError, match="has the label 'A' and the name 'a'; keep one"):
        read_graph(f'Creator "Gephi"\n{text}', "GML")


@pytest.mark.parametrize("form", ["GEXF", "GraphML", "JSON"])
def test_a_label_and_a_name_that_differ(form):
    graph = nx.DiGraph()
    graph.add_node("n0", name="a", label="A")
    graph.add_edge("real", "n0", samples=30)
    with pytest.raises(InputError, match="has the label 'A' and the name 'a'; keep one"):
        read_graph(as_written(graph, form), form)


def test_two_nodes_of_one_label():
    graph = nx.DiGraph()
    graph.add_node(1, label="a")
    graph.add_node(2, label="a")
    with pytest.raises(InputError, match="'a' twice"):
        from_networkx(graph)


@pytest.mark.parametrize("samples", [0, -5, 2.5, "many", "²", None, True, float("nan"), [3]])
def test_samples_refused(samples):
    graph = nx.DiGraph()
    graph.add_edge("a", "b", samples=samples)
    with pytest.raises(InputError) as caught:
        from_networkx(graph)
    assert "samples" in caught.value.field
    assert ("is missing" if samples is None else repr(samples)) in caught.value.message


@pytest.mark.parametrize("weight", [0, -1.0, "heavy", None, True, float("inf")])
def test_weight_refused(weight):
    graph = nx.DiGraph()
    graph.add_edge("a", "b", weight=weight)
    with pytest.raises(InputError, match=r"weight: is .*; give a positive number"):
        from_networkx(graph)


@pytest.mark.parametrize("initial", [0, 1.5, "some", None, True])
def test_initial_refused(initial):
    graph = nx.DiGraph()
    graph.add_node("a", initial=initial)
    with pytest.raises(InputError) as caught:
        from_networkx(graph)
    assert "initial" in caught.value.field
    assert "a" in caught.value.field


@pytest.mark.parametrize("kind", KINDS)
def test_files_round_trip(kind, graph, expected, tmp_path):
    graph.nodes["reader"]["initial"] = 25
    net = read_network(written(graph, tmp_path, kind))
    assert net.models == expected.models
    assert net.initial == (100, 25, 80)
    assert set(net.feeds) == set(expected.feeds)


@pytest.mark.parametrize("kind", KINDS)
def test_diagnosis_of_a_graph_file_is_that_of_the_toml(kind, graph, tmp_path, diagnose):
    (tmp_path / "net.toml").write_text(TOML)
    status, wanted, _ = diagnose(tmp_path / "net.toml")
    assert status == 0
    assert [name for name, m in wanted["models"].items() if m["collapses"]] == ["lone", "reader"]
    status, found, err = diagnose(written(graph, tmp_path, kind))
    assert status == 0
    assert err == f"read: {found['read']}\n"
    assert found["read"].startswith("3 models, 5 feeds, real data to 2, initial from feeds")
    assert wanted["read"] == "3 models, 5 feeds, real data to 2"
    assert found | {"read": wanted["read"]} == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_undirected_files_are_named(kind, graph, tmp_path, diagnose):
    path = written(graph.to_undirected(), tmp_path, kind)
    status, found, err = diagnose(path)
    assert (status, found) == (2, None)
    assert err.startswith(f"mcjax: {path}: graph: is undirected")


@pytest.mark.parametrize("kind", KINDS)
def test_parallel_edges_in_files(kind, tmp_path, diagnose):
    graph = nx.MultiDiGraph([("a", "b"), ("a", "b")])
    path = written(graph, tmp_path, kind)
    status, found, _ = diagnose(path)
    assert status == 0
    assert list(found["models"]) == ["a", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_are_named(kind, graph, tmp_path, diagnose):
    path = written(graph, tmp_path, kind)
    path.write_bytes(path.read_bytes()[:-40])
    status, found, err = diagnose(path)
    assert (status, found) == (2, None)
    assert err.startswith(f"mcjax: {path}: is no {FORMAT[path.suffix]} graph (")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.graphml", b""),
        ("empty.gml", b""),
        ("empty.json", b""),
        ("words.graphml", b"not a graph"),
        ("words.gml", b"not a graph"),
        ("words.json", b"not a graph"),
        ("number.json", b"3"),
        ("list.json", b"[]"),
        ("nothing.json", b"{}"),
        ("nodes.json", b'{"nodes": {}, "links": []}'),
    ],
)
def test_files_that_are_no_graphs(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_network(path)
    assert caught.value.file == str(path)
    assert f"is no {FORMAT[path.suffix]} graph" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.graphml", "none.gml", "none.json", "none.toml"])
def test_files_that_are_not_there(name, tmp_path):
    with pytest.raises(InputError, match=r"does not exist|No such file") as caught:
        read_network(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


def test_attribute_errors_name_the_file(graph, tmp_path):
    graph.edges["lone", "reader"]["samples"] = 2.5
    path = written(graph, tmp_path, "edges")
    with pytest.raises(InputError, match=r"edge 'lone' -> 'reader': samples: is 2\.5") as caught:
        read_network(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_an_edge_list_may_leave_out_samples(tmp_path, delimiter):
    path = tmp_path / "edges.csv"
    path.write_text(delimiter.join(("from", "to")) + "\n" + delimiter.join(("real", "a")) + "\n")
    [feed] = read_network(path).feeds
    assert (feed.origin, feed.reader, feed.samples) == ("real", "a", 100)


@pytest.mark.parametrize("between", ["\u2028", "\x85", "\x0b"])
def test_a_quoted_name_is_kept_as_it_is(tmp_path, between):
    path, name = tmp_path / "edges.csv", f"a{between}b"
    path.write_text(f'from,to,samples\nreal,"{name}",7\n', encoding="utf-8")
    assert read_network(path).models == (name,)
