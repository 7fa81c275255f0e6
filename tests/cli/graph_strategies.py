"""Graph files of every format that is read, good ones and good ones with faults."""

from __future__ import annotations

import csv
import io
import json
import xml.sax.saxutils

from fault_strategies import COUNTS, NAMES, File, encoded, faulty
from hypothesis import strategies as st

from mcjax.network.triples import READ


@st.composite
def graphs(draw):
    """Draw nodes and edges as node-link data, nearly always those of a good network."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    if draw(st.integers(0, 3)) and "real" not in names:
        names.append("real")
    nodes = [{"id": name} for name in names]
    for node in nodes:
        if draw(st.integers(0, 5)) == 0:
            node["initial"] = draw(COUNTS)
        if draw(st.integers(0, 9)) == 0:
            node[draw(st.sampled_from(["label", "name"]))] = draw(NAMES)
    readers = [name for name in names if name != "real"] or names
    edges = draw(
        st.lists(
            st.fixed_dictionaries(
                {"source": st.sampled_from(names), "target": st.sampled_from(readers)},
                optional={
                    "samples": st.one_of(COUNTS, COUNTS.map(float), COUNTS.map(str)),
                    "weight": st.sampled_from([0.5, 1, "2.0"]),
                    "share": st.sampled_from([0.5, 1, "0.25"]),
                },
            ),
            max_size=5,
        )
    )
    return {"directed": True, "multigraph": False, "nodes": nodes, "edges": edges}


THINGS = st.sampled_from(["a", "b", "lab/c", "d", "real", "unknown", "synthetic"])
SAID = st.sampled_from([*READ, "Trained On", "generatedBy"])


@st.composite
def records(draw):
    """Draw triples, nearly always good ones, some of which say how much is brought."""
    triple = st.fixed_dictionaries(
        {"subject": st.one_of(THINGS, NAMES), "relation": SAID, "object": THINGS},
        optional={"samples": COUNTS},
    )
    return {"triples": draw(st.lists(triple, min_size=1, max_size=6))}


@st.composite
def graph_files(draw, most=2):
    """Draw a graph file."""
    kind = draw(st.sampled_from([*WRITERS, *RECORDS, "other"]))
    if kind == "other":
        name, text = draw(st.sampled_from(OTHERS))
        return File(name, text.encode(), study=False)
    if kind in RECORDS:
        data = draw(faulty(records(), most))
        text = draw(encoded(st.just(RECORDS[kind](data))))
    else:
        data = draw(faulty(graphs(), most))
        text = draw(encoded(st.just(WRITERS[kind](data))))
    suffix = SUFFIXES.get(kind, kind)
    name = draw(
        st.sampled_from([f"net.{suffix}"] * 5 + [f"NET.{suffix.upper()}", "net", "net.xml"])
    )
    return File(name, text, study=False)


OTHERS = [
    ("net.dot", "digraph { a -> b }"),
    ("net.net", "*Vertices 1\n1 a\n"),
    ("page.html", "<html></html>"),
    ("list.csv", "from,to,samples\nreal,a,40\n"),
    ("card.md", "---\nbase_model: x\n---\n"),
    ("deep.json", "[" * 20000),
    ("deep.toml", "a = " + "[" * 20000),
    ("deep.graphml", "<graphml>" + "<node>" * 5000),
    ("deep.gml", "graph [ " + "a [ " * 5000),
    ("dots.toml", ".".join("a" * 3000) + " = 1"),
    ("number.json", "3"),
    ("text.json", '"a"'),
    ("empty.toml", ""),
    ("comment.toml", "# nothing"),
    ("empty.gml", "graph [ ]"),
    ("empty.graphml", "<graphml/>"),
    ("empty.gexf", "<gexf/>"),
]


def _items(data):
    """Return nodes and edges that are objects; what else stands there no other format can hold."""
    data = data if isinstance(data, dict) else {}
    lists = (data.get(key) for key in ("nodes", "edges"))
    return [
        [x for x in part if isinstance(x, dict)] if isinstance(part, list) else [] for part in lists
    ]


ENDS = ("source", "target")


def _table(header, rows):
    held = io.StringIO()
    table = csv.writer(held, lineterminator="\n")
    table.writerow(header)
    table.writerows([[row.get(name, "") for name in header] for row in rows])
    return held.getvalue()


def _edge_list(data):
    _, edges = _items(data)
    names = {"source": "from", "target": "to"}
    return _table(
        ("from", "to", "samples", "share", "weight"),
        [{names.get(key, key): value for key, value in edge.items()} for edge in edges],
    )


def _triples(data):
    rows = data.get("triples") if isinstance(data, dict) else None
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict)]


def _csv_triples(data):
    return _table(("subject", "relation", "object", "samples"), _triples(data))


def _short_triples(data):
    keys = "subject", "relation", "object"
    return json.dumps([[row.get(key) for key in keys] for row in _triples(data)])


def _card(data):
    """A card of what a record says of its first subject, as far as a card can say it."""
    fields = {"base_model": [], "datasets": [], "tags": []}
    for row in _triples(data):
        place = "base_model" if "from" in str(row.get("relation")) else "datasets"
        fields[place].append(row.get("object"))
        fields["tags"].append(row.get("samples", "synthetic"))
    return "---\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in fields.items()) + "---\n"


def _d3(data):
    nodes, edges = _items(data)
    place = {json.dumps(node.get("id")): k for k, node in enumerate(nodes)}
    links = [
        {
            key: place.get(json.dumps(v), v) if key in ("source", "target") else v
            for key, v in e.items()
        }
        for e in edges
    ]
    named = [{("name" if key == "id" else key): v for key, v in node.items()} for node in nodes]
    return json.dumps({"nodes": named, "links": links})


def _networkx_1(data):
    nodes, _ = _items(data)
    links = json.loads(_d3(data))["links"]
    return json.dumps({"directed": True, "graph": [], "nodes": nodes, "links": links})


def _graphml(data):
    def element(tag, item, own):
        attributes = " ".join(f"{k}={_quoted(item[k])}" for k in own if k in item)
        inner = "".join(
            f"<data key={_quoted(k)}>{_xml(v)}</data>" for k, v in item.items() if k not in own
        )
        return f"<{tag} {attributes}>{inner}</{tag}>"

    nodes, edges = _items(data)
    used = {(t, k) for t, items in (("node", nodes), ("edge", edges)) for i in items for k in i}
    keys = "".join(
        f"<key id={_quoted(k)} for='{tag}' attr.name={_quoted(k)} attr.type='string'/>"
        for tag, k in sorted(used)
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f"<graphml xmlns='http://graphml.graphdrawing.org/xmlns'>{keys}"
        "<graph edgedefault='directed'>"
        + "".join(element("node", node, ("id",)) for node in nodes)
        + "".join(element("edge", edge, ("source", "target")) for edge in edges)
        + "</graph></graphml>"
    )


def _gexf(data):
    nodes, edges = _items(data)
    return (
        "<gexf xmlns='http://www.gexf.net/1.2draft' version='1.2'>"
        "<graph defaultedgetype='directed'><attributes class='edge'>"
        "<attribute id='0' title='samples' type='string'/></attributes><nodes>"
        + "".join(f"<node id={_quoted(n.get('id'))} label={_quoted(n.get('id'))}/>" for n in nodes)
        + "</nodes><edges>"
        + "".join(
            f"<edge id='{k}' source={_quoted(e.get('source'))} target={_quoted(e.get('target'))}>"
            f"<attvalues><attvalue for='0' value={_quoted(e.get('samples', 40))}/>"
            "</attvalues></edge>"
            for k, e in enumerate(edges)
        )
        + "</edges></graph></gexf>"
    )


def _gml(data):
    def line(key, value):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{key} {value}" if number else f'{key} "{_xml(value)}"'

    nodes, edges = _items(data)
    place = {json.dumps(node.get("id")): k for k, node in enumerate(nodes)}
    lines = ["graph [", "directed 1"]
    for k, node in enumerate(nodes):
        more = [line(key, value) for key, value in node.items() if key != "id"]
        lines += [f"node [ id {k}", line("label", node.get("id")), *more, "]"]
    for edge in edges:
        ends = [f"{end} {place.get(json.dumps(edge.get(end)), 77)}" for end in ("source", "target")]
        more = [line(key, value) for key, value in edge.items() if key not in ("source", "target")]
        lines += ["edge [", *ends, *more, "]"]
    return "\n".join([*lines, "]", ""])


def _xml(value):
    return xml.sax.saxutils.escape(str(value), {'"': "&quot;"})


def _quoted(value):
    return xml.sax.saxutils.quoteattr(str(value))


WRITERS = {
    "json": json.dumps,
    "d3": _d3,
    "networkx-1": _networkx_1,
    "graphml": _graphml,
    "gexf": _gexf,
    "gml": _gml,
    "csv": _edge_list,
}
RECORDS = {
    "triples": json.dumps,
    "short-triples": _short_triples,
    "csv-triples": _csv_triples,
    "card": _card,
}
SUFFIXES = {
    **dict.fromkeys(("d3", "networkx-1", "triples", "short-triples"), "json"),
    "csv-triples": "csv",
    "card": "md",
}
