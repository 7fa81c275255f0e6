"""One network in every format that is read, and odd files of each."""

import io
import json
import sys

import networkx as nx
import pytest

EDGES = [("lone", "lone"), ("lone", "reader"), ("real", "reader"), ("real", "other")]
MODELS = ("lone", "reader", "other")


def toml():
    feeds = ", ".join(f'{{ from = "{j}", to = "{i}", samples = 100 }}' for j, i in EDGES)
    initial = "initial = { lone = 100, reader = 200, other = 100 }"
    return f"[network]\nmodels = {list(MODELS)}\n{initial}\nfeeds = [{feeds}]\n"


def graph():
    result = nx.DiGraph()
    for j, i in EDGES:
        result.add_edge(j, i, samples=100)
    return result


def in_bytes(write):
    held = io.BytesIO()
    write(graph(), held)
    return held.getvalue().decode()


HEADER = ("subject", "relation", "object")
STATEMENTS = [
    ("lone", "trained_on", "own"),
    ("own", "generated_by", "lone"),
    ("reader", "trained_on", "own"),
    ("reader", "trained_on", "web"),
    ("other", "trained_on", "web"),
]
FORMATS = {
    "toml": toml,
    "edge list": lambda: "from,to\n" + "".join(f"{j},{i}\n" for j, i in EDGES),
    "GraphML": lambda: in_bytes(nx.write_graphml),
    "GML": lambda: "\n".join(nx.generate_gml(graph())),
    "GEXF": lambda: in_bytes(nx.write_gexf),
    "node-link": lambda: json.dumps(nx.node_link_data(graph(), edges="edges")),
    "triples in JSON": lambda: json.dumps(STATEMENTS),
    "triples by line": lambda: "".join(
        json.dumps(dict(zip(HEADER, triple, strict=True))) + "\n" for triple in STATEMENTS
    ),
    "triples in CSV": lambda: "\n".join(
        map(",".join, [("subject", "relation", "object"), *STATEMENTS])
    ),
}


@pytest.fixture
def verdicts(call_json):
    """The diagnosis of a file without its note, in the order of names."""

    def run(path):
        status, found = call_json("diagnose", path)
        assert status == 0
        models = dict(sorted(found.pop("models").items()))
        del found["read"]
        return found, models

    return run


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_one_diagnosis(form, tmp_path, verdicts):
    (tmp_path / "network.toml").write_text(toml())
    (tmp_path / "file").write_text(FORMATS[form]())
    assert verdicts(tmp_path / "file") == verdicts(tmp_path / "network.toml")


def test_cards_give_that_diagnosis(tmp_path, verdicts):
    (tmp_path / "network.toml").write_text(toml())
    folder = tmp_path / "cards"
    folder.mkdir()
    for name, front in {
        "lone": "datasets: own",
        "own": "generated_by: lone\ntags: [synthetic]",
        "reader": "datasets:\n  - own\n  - web",
        "other": "datasets: [web]",
    }.items():
        (folder / f"{name}.md").write_text(f"---\n{front}\n---\n")
    assert verdicts(folder) == verdicts(tmp_path / "network.toml")


@pytest.mark.parametrize("form", [*FORMATS])
def test_standard_input(form, tmp_path, call, monkeypatch):
    held = io.TextIOWrapper(io.BytesIO(FORMATS[form]().encode()))
    monkeypatch.setattr(sys, "stdin", held)
    status, out, err = call("diagnose", "-", "--json")
    assert (status, err.count("\n")) == (0, 1)
    assert sorted(json.loads(out)["models"]) == sorted(MODELS)


def test_fifty_cards(tmp_path, call_json):
    """Ten families of a base, three tunings and a copy; every third learns from its own output."""
    for k in range(10):
        folder = tmp_path / f"lab{k}"
        folder.mkdir()
        closed = k % 3 == 0
        base = f"datasets: [lab{k}/own]" if closed else "datasets: [web]"
        texts = {
            "base": base,
            "chat": f"base_model: lab{k}/base\nbase_model_relation: merge",
            "code": f"base_model: lab{k}/base\ndatasets:\n- web",
            "tuned": f"base_model: lab{k}/chat",
            "own": f"generated_by: lab{k}/chat\ntags:\n- synthetic",
        }
        for name, front in texts.items():
            (folder / f"{name}.md").write_text(f"---\nlicense: mit\n{front}\n---\n# {name}\n")
    status, found = call_json("diagnose", tmp_path)
    assert status == 0
    assert len(found["models"]) == 40
    for name, model in found["models"].items():
        lab, _, kind = name.partition("/")
        closed = int(lab[3:]) % 3 == 0
        expected = True if closed else None if kind == "tuned" else False
        assert model["collapses"] is expected, name
    members = [origin["members"] for origin in found["unstable_sources"]]
    assert sorted(map(sorted, members)) == [[f"lab{k}/base", f"lab{k}/chat"] for k in (0, 3, 6, 9)]


GRAPHML = '<graphml><graph edgedefault="directed">{}</graph></graphml>'
GEXF = (
    '<gexf version="1.2"><graph defaultedgetype="directed"><nodes>{}</nodes><edges>{}</edges>'
    "</graph></gexf>"
)
TRIPLES = "subject,relation,object\n"
ODD = {
    "edge list": {
        "no reader": "from,to\na,\n",
        "cells": "from,to\na\n",
        "column": "from,to,color\na,b,red\n",
        "twice": "from,to,to\na,b,c\n",
        "samples": "from,to,samples\na,b,many\n",
        "shares": "from,to,share\na,b,0.5\n",
        "rows": "from,to,share,rows\na,b,0.5,9\nreal,b,0.5,8\n",
        "into real": "from,to\na,real\n",
        "into unknown": "from,to\na,unknown\n",
        "quote": 'from,to\n"a,b\n',
    },
    "triples in CSV": {
        "relation": f"{TRIPLES}a,eats,b\n",
        "nothing": TRIPLES,
        "empty": f"{TRIPLES}a,,b\n",
        "cells": f"{TRIPLES}a,trained_on\n",
        "column": "subject,relation,object,when\na,trained_on,b,now\n",
        "column twice": "subject,relation,object,object\na,trained_on,b,b\n",
        "both": "subject,relation,predicate,object\na,trained_on,trained_on,b\n",
        "samples": "subject,relation,object,samples\na,trained_on,b,-3\n",
        "kind": f"{TRIPLES}a,is,odd\n",
        "circle": f"{TRIPLES}m,trained_on,a\na,derived_from,a\n",
        "no model": f"{TRIPLES}a,is,real\n",
    },
    "triples in JSON": {
        "two": '[["a", "trained_on", "b"], ["a", "trained_on"]]',
        "number": '[["a", "trained_on", 3]]',
        "null": '[{"subject": "a", "relation": null, "object": "b"}]',
        "no object": '[["a", "trained_on", "b"], {"subject": "a", "relation": "trained_on"}]',
        "text": '[["a", "trained_on", "b"], "c"]',
        "relation": '[["a", "trained", "b"]]',
        "list": '[["a", "trained_on", ["b"]]]',
        "share": '[{"subject": "a", "relation": "trained_on", "object": "b", "share": 2}]',
        "key": '[{"subject": "a", "relation": "trained_on", "object": "b", "Samples": 2}]',
        "line": '{"subject": "a", "relation": "is", "object": "real"}\n{"subject": "a"\n',
        "key twice": '[{"subject": "a", "subject": "b", "relation": "is", "object": "real"}]',
    },
    "node-link": {
        "list": "[]",
        "number": "3",
        "no edges": '{"nodes": []}',
        "no end": '{"nodes": [{"id": "a"}], "edges": [{"source": "a"}]}',
        "undeclared": '{"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b"}]}',
        "undirected": '{"directed": false, "nodes": [], "edges": []}',
        "twice": '{"nodes": [{"id": "a"}, {"id": "a"}], "edges": []}',
        "samples": '{"nodes": ["a"], "edges": [{"source": "a", "target": "a", "samples": 0}]}',
        "cut": '{"nodes": [',
    },
    "GraphML": {
        "cut": "<graphml><graph>",
        "no id": GRAPHML.format("<node/>"),
        "undeclared": GRAPHML.format('<node id="a"/><edge source="a" target="b"/>'),
        "undirected": GRAPHML.format('<node id="a"/>').replace('"directed', '"undirected'),
        "twice": GRAPHML.format('<node id="a"/><node id="a"/>'),
        "nothing": "<graphml/>",
        "empty": GRAPHML.format(""),
        "entity": '<!DOCTYPE x [<!ENTITY a "b">]><graphml/>',
        "page": "<html></html>",
    },
    "GEXF": {
        "cut": "<gexf><graph>",
        "nothing": "<gexf/>",
        "no id": GEXF.format("<node/>", ""),
        "undirected": GEXF.format('<node id="a"/>', "").replace('"directed', '"undirected'),
        "twice": GEXF.format('<node id="a"/><node id="a"/>', ""),
        "undeclared": GEXF.format('<node id="a"/>', '<edge source="a" target="b"/>'),
        "version": GEXF.format('<node id="a"/>', "").replace("1.2", "9"),
        "entity": '<!DOCTYPE x [<!ENTITY a "b">]><gexf/>',
    },
    "GML": {
        "cut": "graph [",
        "empty": "graph [ ]",
        "undirected": "graph [ node [ id 0 ] ]",
        "no id": 'graph [ directed 1 node [ label "a" ] ]',
        "undeclared": "graph [ directed 1 node [ id 0 ] edge [ source 0 target 1 ] ]",
        "twice": "graph [ directed 1 node [ id 0 ] node [ id 0 ] ]",
        "words": "graph [ directed 1 node ]",
        "samples": "graph [ directed 1 node [ id 0 ] edge [ source 0 target 0 samples -1 ] ]",
    },
    "toml": {
        "no models": "[network]\ninitial = 3\n",
        "share": toml().replace("samples = 100", "share = 0.5"),
        "rows": toml() + "rows = 5\n",
        "samples": toml().replace("100 }", "-1 }"),
        "unknown": toml().replace("'other'", "'unknown'"),
        "Unknown": toml().replace("other", "Unknown"),
        "group": toml() + '[network.groups]\na = ["nobody"]\n',
        "type": toml() + "[network.groups]\na = 3\n",
        "words": "not a network",
    },
}


@pytest.mark.parametrize(("form", "case"), [(form, case) for form in ODD for case in ODD[form]])
def test_odd_files(form, case, tmp_path, call):
    """One sentence that begins with the file, and exit status 2."""
    path = tmp_path / "odd"
    path.write_text(ODD[form][case])
    status, out, err = call("diagnose", path)
    told = [line for line in err.splitlines() if not line.startswith("read: ")]
    assert (status, out, len(told)) == (2, "", 1)
    assert told[0].startswith(f"mcjax: {path}: ")


CARDS = {
    "no card": "# A page",
    "open": "---\nbase_model: a\n",
    "yaml": "---\nbase_model: [a\n---\n",
    "list": "---\n- base_model\n---\n",
    "number": "---\nbase_model: 3\n---\n",
    "date": "---\ndatasets: [2024-01-01]\n---\n",
    "fields": "---\nbase_model: {name: a}\n---\n",
    "lists": "---\nx: &x [a]\ndatasets: [*x, *x]\n---\n",
    "twice": "---\nbase_model: a\nbase_model: b\n---\n",
    "relation": "---\nbase_model: a\nbase_model_relation: copied\n---\n",
    "empty": "---\nbase_model: ''\n---\n",
    "deep": f"---\nx: {'[' * 60}{']' * 60}\n---\n",
    "deeper": f"---\n{'- ' * 50000}\n---\n",
    "alias": "---\nbase_model: *a\n---\n",
}


@pytest.mark.parametrize("case", CARDS)
def test_odd_cards(case, tmp_path, call):
    (tmp_path / "card.md").write_text(CARDS[case])
    status, out, err = call("diagnose", tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"mcjax: {tmp_path}")


def test_odd_folders(tmp_path, call):
    assert call("diagnose", tmp_path)[0] == 2
    (tmp_path / "a--b.md").write_text("---\n---\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.md").write_text("---\n---\n")
    status, _, err = call("diagnose", tmp_path)
    assert status == 2
    assert "is a second card of 'a/b', after" in err
    (tmp_path / "a" / "b.md").write_bytes(b"\xff\xfe\xfa")
    status, _, err = call("diagnose", tmp_path)
    assert (status, err.count("\n")) == (2, 1)


def test_what_cannot_be_read_is_answered_with_what_can(tmp_path, call):
    for text in ("", "digraph { a -> b }", "<html></html>", "--- a", "not a network", "[3]", "{}"):
        path = tmp_path / "file" if text else tmp_path  # a folder that is empty
        if text:
            path.write_text(text)
        status, _, err = call("diagnose", path)
        assert status == 2
        assert "read are study files in TOML; graphs in GraphML" in err
        assert "and folders of model cards" in err


def test_owners(tmp_path, call, call_json):
    """Releases of two labs that read one another, which are sound only as releases."""
    lines = ["from,to", "a/1,b/1", "b/1,a/2", "a/2,b/2", "b/2,c"]
    path = tmp_path / "edges.csv"
    path.write_text("\n".join(lines))
    assert call_json("diagnose", path)[1]["collapses"] is False
    _, found = call_json("diagnose", path, "--by-owner")
    assert {name: model["collapses"] for name, model in found["models"].items()} == {
        **{"a": True, "b": True, "c": True}
    }
    assert found["groups"] == {"a": ["a/1", "a/2"], "b": ["b/1", "b/2"]}
    assert found["read"].endswith("2 owners")
    path.write_text("from,to\na,b")
    status, _, err = call("diagnose", path, "--by-owner")
    assert (status, err.count("\n")) == (2, 1)
    assert f"{path}: --by-owner: finds no model named OWNER/NAME" in err
    path.write_text(json.dumps([["a/1", "version_of", "a"], ["a/1", "trained_on", "web"]]))
    status, _, err = call("diagnose", path, "--by-owner")
    assert (status, err.count("\n")) == (2, 1)
    assert "is for files without groups" in err


def test_one_triple_is_a_pipeline(tmp_path, call_json):
    path = tmp_path / "line"
    path.write_text('{"subject": "a", "relation": "distilled_from", "object": "a"}')
    assert call_json("diagnose", path)[1]["collapses"] is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n", "is no edge list: its header has no columns from and to"),
        ("from,to,from\na,b,a\n", "column 'from': is given twice; keep one"),
        ("subject,relation,object\nreal,is,synthetic\n", "line 2: has the subject 'real'"),
        ("from,to\na,b\na,real\n", "edge 'a' -> 'real': to: is 'real'"),
        ("from,to,first,until\na,b,1,9\na,c,5,1\n", "edge 'a' -> 'c': until: is 1, before"),
    ],
)
def test_what_is_said_of_odd_tables(text, words, tmp_path, call):
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert words in call("diagnose", path)[2]
