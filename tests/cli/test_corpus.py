"""Small files as people have them, each read for what it says or refused in one sentence.

A file that once crashed, or was read as something else than it says, is kept in ``tests/corpus``.
"""

import json
from pathlib import Path

import pytest
from invariants import broken_rule

CORPUS = Path(__file__).parents[1] / "corpus"

READ = {
    "64-bits.toml": ("1 model, 2 feeds, real data to 1", ["a"]),
    "bom.toml": ("1 model, 1 feed, real data to 1", ["a"]),
    "d3.json": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "defaults.graphml": ("2 models, 2 feeds, real data to 1", ["a", "b"]),
    "edges.csv": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "gephi.gexf": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "graph-in.toml": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "igraph.gml": ("1 model, 1 feed, real data to 1, initial from feeds", ["chat"]),
    "igraph.graphml": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "networkx-1.json": ("1 model, 2 feeds, real data to 1, initial from feeds", ["chat"]),
    "no-namespace.xml": ("1 model, 1 feed, real data to 1, initial from feeds", ["a"]),
    "parallel.graphml": ("1 model, 1 feed, real data to 1, initial from feeds", ["a"]),
    "semicolons.csv": ("1 model, 1 feed, real data to 1, initial from feeds", ["chat, v2"]),
    "study-in.json": ("1 model, 1 feed, real data to 1", ["a"]),
    "utf-16.toml": ("1 model, 1 feed, real data to 1", ["é"]),
    "utf-8.gml": ("1 model, 1 feed, real data to 1, initial from feeds", ["模型 é"]),
    "yed-group.graphml": (
        "2 models, 2 feeds, real data to 1, initial from feeds",
        ["chat", "code"],
    ),
}
"""Files that are read: what is said of them, and their models."""

REFUSED = {
    "REAL-source.json": "'REAL', but the real source is 'real'",
    "Real-source.json": "'Real', but the real source is 'real'",
    "billion.graphml": "declares entities",
    "capital-real.toml": "'Real', but the real source is 'real'",
    "capital-samples.graphml": "did you mean 'samples'",
    "cells.csv": "line 2: has 2 cells; give 3",
    "column.csv": "column 'wieght': is not a column that is read (did you mean 'weight'?)",
    "d3-value.json": "value: is not read, and the edge has no `samples`",
    "edge-to-group.graphml": "is a group of nodes and no model",
    "empty-object.json": "holds no triples; read are",
    "graph.dot": "is a graph in DOT, which is not read; read are",
    "key-twice.json": "'nodes' is given twice",
    "losses.csv": "is no edge list: its header has no columns from and to",
    "list.json": "holds no triples; read are",
    "long-number.toml": "is not TOML",
    "nan-samples.json": "samples: is nan; give a whole number",
    "null.json": "holds no triples; read are",
    "number.json": "holds no triples; read are",
    "page.html": "is XML, but neither GraphML nor GEXF; read are",
    "real-renamed.json": "node 'real': is named 'The truth'",
    "same-edge-id.graphml": "has the id of another edge",
    "share.csv": "share: and the other shares of 'chat' add up to 0.5; make them 1",
    "surrogate.json": "which is not text",
    "twice.graphml": "'a' is declared twice",
    "two-labels.json": "the label 'A' and the name 'B'",
    "undeclared.gexf": "'chatt', which is not a node (did you mean 'chat'?)",
    "undeclared.gml": "edge #0 has undefined target 7",
    "undeclared.graphml": "'chatt', which is not a node (did you mean 'chat'?)",
    "undeclared.json": "'chatt', which is not the id of a node (did you mean 'chat'?)",
    "undirected.json": "is undirected",
    "vertices.net": "is a graph in Pajek's format, which is not read; read are",
}
"""Files that are refused, and words of the sentence."""

RUN = {"no-noise.toml": ("predict", 0)}
"""Files on which another command crashed, and how it ends."""


def test_every_file_is_here():
    assert {path.name for path in CORPUS.iterdir()} == {*READ, *REFUSED, *RUN}


@pytest.mark.parametrize("name", READ)
def test_read(name, call):
    note, models = READ[name]
    status, out, err = call("diagnose", CORPUS / name, "--json")
    assert (status, err) == (0, f"read: {note}\n")
    found = json.loads(out)
    assert found["read"] == note
    assert list(found["models"]) == models


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, call):
    status, out, err = call("diagnose", CORPUS / name)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mcjax: {CORPUS / name}: ")
    assert REFUSED[name] in err


@pytest.mark.parametrize("name", RUN)
def test_run(name, call):
    command, expected = RUN[name]
    status, _, err = call(command, CORPUS / name)
    assert status == expected, err
    assert broken_rule((command,), status, "", err) is None, err


def test_defaults_of_graphml_are_those_of_the_file(call):
    """Weight and samples that a key gives, for edges and nodes that give none."""
    from mcjax.study.networks import read_network

    net = read_network(CORPUS / "defaults.graphml")
    feeds = {(f.origin, f.reader): (f.samples, f.weight) for f in net.feeds}
    assert feeds == {("real", "a"): (40, 0.5), ("a", "b"): (50, 0.5)}
    assert net.initial == (70, 80)
