"""Study and graph files as hypothesis draws them: good ones, and good ones with faults."""

from __future__ import annotations

import copy
import json
import xml.sax.saxutils
from dataclasses import dataclass

from hypothesis import strategies as st

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
NAMES = st.one_of(
    st.sampled_from(["a", "b", "chat", "model-1"]),
    st.sampled_from(
        [
            *("unknown", "first", "nan", "true", "0", "-1", "network", "*", "real data", "."),
            *(
                "chat [v2]",
                "[/INST]",
                "[bold]",
                ":smile:",
                "\x1b[31mred",
                "a\nb",
                "a\tb",
                "\u202eb",
            ),
            *(
                "<script>",
                "=cmd()",
                "@x",
                "$x$",
                "${HOME}",
                "%s",
                "a/b",
                "../a",
                "a,b",
                'q"q',
                "q'q",
            ),
            *(
                "\\",
                "a\\b",
                "a.b",
                "{}",
                "模型",
                "🤖",
                "",
                " ",
                " a ",
                "x" * 300,
                "\x7f",
                "\x85",
                "\u2028",
            ),
        ]
    ),
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6
    ),
)
ODD = st.one_of(
    st.sampled_from(
        [True, False, -1, 0, 1, 1.5, 60.0, 40.0, 2**31, 2**32, 2**63 - 1, 2**63, 10**30]
    ),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e300, 1e-300, -0.0, 1e-9, 1e9]),
    st.sampled_from(
        ["", "real", "Real", "linear", "40", "0.5", "nan", "a", "None", "mine.py", "/dev/null"]
    ),
    st.sampled_from([[], {}, [[]], [{}], [1], [1.0, 2.0], ["a"], {"a": 1}, [[1.0]], [None]]),
    st.sampled_from([[0.1] * 300, "y" * 5000, [[[[[[[1]]]]]]], {"a": {"b": {"c": 1}}}]),
    st.integers(-10, 100),
    st.floats(-3, 3),
)
COUNTS = st.sampled_from([40, 60])
KEEPS = {
    "linear": [{"temperature": 0.8}, {"verifier": [0.5], "within": 1.5}, {"best_of": 4}],
    "logistic": [{"flip": 0.1}, {"checker": [0.5]}, {"temperature": 0.8}],
    "categorical": [{"top_p": 0.9}, {"temperature": 0.8}],
}
"""What readers may keep of the rows of a family."""
FAMILIES = [
    {"name": "linear", "theta": [0.5]},
    {"name": "linear", "theta": [0.5, -0.5], "sigma": 2.0},
    {"name": "linear", "theta": [1.0], "noise": {"name": "student_t", "df": 5.0}},
    {"name": "linear", "theta": [1.0], "penalty": {"ridge": 0.1}},
    {"name": "logistic", "theta": [0.5]},
    {"name": "logistic", "theta": [0.5], "penalty": {"ridge": 0.1}},
    {"name": "poisson", "theta": [0.3]},
    {"name": "huber", "theta": [0.5], "threshold": 1.0, "noise": "laplace"},
    {"name": "quantile", "theta": [0.5], "level": 0.3},
    {"name": "gaussian", "theta": [0.0, 1.0]},
    {"name": "categorical", "theta": [0.2, 0.3, 0.5]},
    {"name": "bernoulli", "theta": [0.4]},
    {"name": "poisson_mean", "theta": [3.0]},
    {"name": "minimum_norm", "theta": [0.5]},
]
QUANTITIES = ["mse", "bias", "covariance", "normality", "collapse", "growth", "efficiency"]
GRIDS = [
    {"scale": [1, 2]},
    {"seed": [0, 1]},
    {"family": ["linear", "logistic"]},
    {"network.feeds.0.samples": [40, 60]},
    {"family.theta": [[0.5], [1.0]]},
    {"scale": [1, 2], "common_draws": True},
    {"network": ["other.toml", "none.json"]},
    {"run.chains": [64]},
]


@dataclass(frozen=True)
class File:
    """The name of a file, what it holds, and whether it is a study."""

    name: str
    content: bytes
    study: bool


def to_toml(study: object) -> str:
    """Return tables as TOML; values within them are written on one line."""
    if not isinstance(study, dict):
        return f"value = {_value(study)}\n"
    bare = [f"{_key(k)} = {_value(v)}\n" for k, v in study.items() if not isinstance(v, dict)]
    tables = [
        f"[{_key(k)}]\n" + "".join(f"{_key(a)} = {_value(b)}\n" for a, b in v.items())
        for k, v in study.items()
        if isinstance(v, dict)
    ]
    return "".join((*bare, *tables))


def _key(key: object) -> str:
    return _value(str(key))


def _value(value: object) -> str:
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() or c == " " else _escaped(c) for c in text)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return "1979-05-27" if value is None else repr(value)


def _escaped(letter: str) -> str:
    return f"\\U{ord(letter):08x}"


@st.composite
def good_studies(draw):
    """Draw the tables of a study that is nearly always good, small and soon simulated."""
    models = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    family = draw(st.sampled_from(FAMILIES))
    p = len(family["theta"])
    sources = draw(st.sampled_from([[], [], [], [{"name": "corpus"}]]))
    if sources:
        sources = copy.deepcopy(sources)
        more = [{}, {"theta": [0.1] * p}, {"shift": [1.0] * p, "samples": 40}, {"public": True}]
        eye = [[float(i == j) for i in range(p)] for j in range(p)]
        sources[0] |= draw(st.sampled_from([*more, {"covariance": eye}, {"noise": 2.0}]))
    origins = ["real", *models, *(source["name"] for source in sources)]
    feeds = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "from": st.sampled_from(origins),
                    "to": st.sampled_from(models),
                    "samples": COUNTS,
                },
                optional={
                    "weight": st.sampled_from([0.5, 1.0, 2, [1.0, 0.5], [0.0, 1.0]]),
                    "keep": st.sampled_from(KEEPS.get(family["name"], [{"flip": 0.1}])),
                },
            ),
            max_size=4,
        )
    )
    for feed in feeds:  # few of these; otherwise hardly a study would be plain
        for key in ("weight", "keep"):
            if draw(st.integers(0, 3)):
                feed.pop(key, None)
    network = {"models": models, "initial": 60, "feeds": feeds}
    if sources:
        network["sources"] = sources
    settings = [("draws", "shared"), ("real", "reused"), ("memory", "accumulate")]
    settings += [("memory", "subsample"), ("growth", 1.0)]
    for key, value in draw(st.lists(st.sampled_from(settings), max_size=2)):
        if draw(st.integers(0, 2)) == 0:
            network[key] = value
    run = {"generations": 2, "chains": 64, "tolerance": 0.5, "seed": 1}
    run["quantities"] = [draw(st.sampled_from(["mse", "mse", *QUANTITIES]))]
    study = {"network": network, "family": family, "run": run}
    if draw(st.integers(0, 4)) == 0:
        study["grid"] = draw(st.sampled_from(GRIDS))
    if draw(st.integers(0, 6)) == 0:
        study["covariates"] = {"covariance": [[1.0 + (i == j) for i in range(p)] for j in range(p)]}
    if draw(st.integers(0, 9)) == 0:
        study["estimator"] = {"name": "sgd", "learning_rate": 0.1, "steps": 3}
    return study


def places(value, at=()):
    """Return where in nested values something may be changed."""
    found = [at] if at else []
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        found += places(item, (*at, key))
    return found


@st.composite
def faulty(draw, values, most=2):
    """Draw nested values with up to ``most`` faults: changed, missing, added and misspelt."""
    whole = json.loads(json.dumps(draw(values)))  # a copy
    for _ in range(draw(st.integers(-most, most))):
        everywhere = places(whole)
        if not everywhere:
            break
        *above, last = draw(st.sampled_from(everywhere))
        at = whole
        for key in above:
            at = at[key]
        how = draw(
            st.sampled_from(["change", "change", "change", "drop", "add", "misspell", "twice"])
        )
        if how == "change":
            at[last] = copy.deepcopy(draw(st.one_of(ODD, NAMES)))
        elif how == "drop":
            del at[last]
        elif isinstance(at, dict):
            if how == "misspell":
                at[str(last)[::-1]] = at.pop(last)
            else:
                at[draw(NAMES)] = copy.deepcopy(draw(ODD))
        else:
            at.append(copy.deepcopy(at[last] if how == "twice" else draw(ODD)))
    return whole


@st.composite
def encoded(draw, texts):
    """Draw the bytes of a text, at times in another encoding, or damaged."""
    text = draw(texts)
    how = draw(st.sampled_from(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "crlf", "cut", "bytes"]))
    if how == "crlf":
        return text.replace("\n", "\r\n").encode()
    content = text.encode(how if how.startswith("utf") else "utf-8", "surrogatepass")
    if how == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if how == "bytes":
        place = draw(st.integers(0, len(content)))
        return content[:place] + draw(st.binary(max_size=4)) + content[place:]
    return content


@st.composite
def study_files(draw, most=2):
    """Draw a study file."""
    content = draw(encoded(faulty(good_studies(), most).map(to_toml)))
    name = draw(
        st.sampled_from(["study.toml"] * 6 + ["study", "a b.TOML", "$x$.toml", "study.json"])
    )
    return File(name, content, study=True)


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
                },
            ),
            max_size=5,
        )
    )
    return {"directed": True, "multigraph": False, "nodes": nodes, "edges": edges}


@st.composite
def graph_files(draw, most=2):
    """Draw a graph file."""
    kind = draw(st.sampled_from(["json", "d3", "networkx-1", "graphml", "gexf", "gml", "other"]))
    if kind == "other":
        name, text = draw(st.sampled_from(OTHERS))
        return File(name, text.encode(), study=False)
    data = draw(faulty(graphs(), most))
    text = draw(encoded(st.just(WRITERS[kind](data))))
    suffix = {"d3": "json", "networkx-1": "json"}.get(kind, kind)
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
}
COMMANDS = st.sampled_from(
    [("diagnose",)] * 100
    + [("diagnose", "--json")] * 40
    + [("predict",)] * 6
    + [("predict", "--json")] * 2
    + [("laws",)] * 4
    + [("laws", "--json"), ("check",)]
    + [("verify", "--quiet", "--chains", "64")] * 2
    + [("verify", "--quiet", "--json", "--chains", "64"), ("verify", "--plan", "--chains", "64")]
)
"""Commands for studies; those that compile are few, so that thousands of files take minutes."""
GRAPH_COMMANDS = st.sampled_from(
    [("diagnose",)] * 6 + [("diagnose", "--json")] * 4 + [("predict",), ("verify",)]
)


@st.composite
def calls(draw, most=2):
    """Draw a file, and the command that is run on it."""
    file = draw(st.one_of(study_files(most), study_files(most), graph_files(most)))
    return draw(COMMANDS if file.study else GRAPH_COMMANDS), file
