"""Tell the format of a graph file by its content, and read graphs from text.

The parsers are those of networkx and of the standard library. What these would make up or leave out
in silence, such as a node for an edge's unknown end, is refused here.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from mcjax.errors import FileError, InputError, did_you_mean
from mcjax.network.cards import is_card, read_card, read_cards
from mcjax.network.csv_files import delimiter_of, read_csv
from mcjax.network.node_link import read_node_link
from mcjax.network.triples import names_triples, read_json_triples, triples_in

if TYPE_CHECKING:
    from pathlib import Path

    import networkx as nx

    from mcjax.network.lineage import Lineage

READ = (
    "read are study files in TOML; graphs in GraphML, GEXF, GML and node-link JSON; CSV edge lists"
    " with columns from, to and samples; triples of subject, relation and object in JSON or CSV;"
    " and folders of model cards"
)
"""The formats that are read, for messages."""

CARD = "model card"
_GRAPHML = "http://graphml.graphdrawing.org/xmlns"
_GROUP = "yfiles.foldertype"
_DEEPEST = 200
_CREATOR = re.compile(r"^\s*Creator\b", re.MULTILINE | re.IGNORECASE)
"""The first line of GML by programs other than networkx."""
_OTHERS = (
    (r"(strict\s+)?(di)?graph\b[^\[]*\{", "a graph in DOT"),
    (r"\*vertices\b", "a graph in Pajek's format"),
    (r"dl\s+n\s*=", "a graph in UCINET's format"),
    (r"%YAML|---\s", "YAML and no model card, which has a second line of ---"),
)
"""Beginnings of files that are known but not read."""


def graph_format(text: str, suffix: str = "") -> str | None:
    """Return the format of a graph file, as :func:`read_format` takes it; None of other text.

    Parameters
    ----------
    text : str
        What the file holds.
    suffix : str, optional
        The suffix of its name, which decides where the content does not.

    Raises
    ------
    InputError
        If the text has a format that is known but not read.
    """
    begin = text[:4096].lstrip()
    if begin.startswith("<"):
        found = re.search(r"<(?:\w+:)?(graphml|gexf)\b", text[:65536], re.IGNORECASE)
        if found:
            return {"graphml": "GraphML", "gexf": "GEXF"}[found[1].lower()]
        raise InputError("", f"is XML, but neither GraphML nor GEXF; {READ}")
    if begin.startswith("{") or _is_json(text):
        return "JSON"
    if delimiter_of(text):
        return "CSV"
    if is_card(begin) or (begin.startswith("---") and is_card(text.lstrip())):
        return CARD
    rest = re.sub(r"(?:\s+|#.*|//.*|Creator\s+\".*\"|Version\s+\S+)+", "", text[:4096], count=1)
    words = rest if text[:1] in "#/CV" else begin
    if re.match(r"graph\s*\[", words):
        return "GML"
    for beginning, what in _OTHERS:
        if re.match(beginning, words, re.IGNORECASE):
            raise InputError("", f"is {what}, which is not read; {READ}")
    if re.match(r"(?:#.*\s+)*(?:\[+\s*[\w\"'][^\]\n,]*\]|[\w\"'.-]+\s*=)", begin):
        return None  # a table or a key of TOML
    known = {".graphml": "GraphML", ".gexf": "GEXF", ".gml": "GML", ".json": "JSON", ".csv": "CSV"}
    return known.get(suffix.lower())


def read_format(text: str, kind: str) -> nx.DiGraph:
    """Return the graph that a text holds.

    Parameters
    ----------
    text : str
        What the file holds.
    kind : {"GraphML", "GEXF", "GML", "JSON", "CSV", "model card"}
        Its format.

    Raises
    ------
    InputError
        If it is no graph, or an edge has an end that is not declared.
    """
    readers: dict[str, Callable[[str], nx.DiGraph]] = {
        "GraphML": _graphml,
        "GEXF": _gexf,
        "GML": _gml,
        "JSON": _json,
        "CSV": read_csv,
        CARD: read_card,
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a diagnosis does not need
            return readers[kind](text)
    except InputError:
        raise
    except RecursionError as error:
        raise InputError("", f"is no {kind} graph (nested too deeply)") from error
    except Exception as error:  # networkx and its parsers raise a dozen unrelated types
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError("", f"is no {kind} graph ({reason[0]}); correct it") from error


def read_folder(folder: Path) -> Lineage:
    """Return the lineage of a folder of model cards.

    Raises
    ------
    InputError
        If it has none, or a field of one cannot be read.
    """
    lineage = read_cards(folder)
    if lineage is None:
        problem = "holds no file *.md that begins with YAML between lines of ---"
        raise FileError("", f"{problem}; {READ}", str(folder))
    return lineage


def _is_json(text: str) -> bool:
    """Return whether a text is a list, a text or a number in JSON, which TOML never is."""
    if not re.match(r"\s*[\[\"\d\-tfn]", text):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _by_line(text: str) -> bool:
    """Return whether every line is a triple in JSON, as the first one is."""
    first, _, rest = text.strip().partition("\n")
    try:
        return bool(rest) and names_triples(json.loads(first))
    except (ValueError, TypeError, RecursionError):
        return False


def _json(text: str) -> nx.DiGraph:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError("", f"is no JSON graph ({twice!r} is given twice); keep one")
        return dict(pairs)

    def loads(part: str) -> Any:
        return json.loads(part, object_pairs_hook=once)

    lines = [line for line in text.split("\n") if line.strip()] if _by_line(text) else []
    data = [loads(line) for line in lines] or loads(text)
    triples = triples_in(data)
    if triples is not None:
        return read_json_triples(triples)
    if not isinstance(data, dict) or "nodes" not in data:
        raise InputError("", f"is no JSON graph, and holds no triples; {READ}")
    return read_node_link(data)


def _gml(text: str) -> nx.DiGraph:
    import networkx as nx

    graph = nx.parse_gml(text, label=None)
    labels = nx.get_node_attributes(graph, "label")
    distinct = len(set(map(str, labels.values()))) == len(graph)
    if not distinct or list(graph) != list(range(len(graph))) or _CREATOR.search(text[:4096]):
        return graph
    for node in graph:  # numbered by networkx, whose own ids are the labels
        del graph.nodes[node]["label"]
    return nx.relabel_nodes(graph, {node: str(label) for node, label in labels.items()})


def _graphml(text: str) -> nx.DiGraph:
    import networkx as nx

    root = _xml(text)
    for element in root.iter():
        if "}" not in element.tag:  # the names of GraphML, whose declaration was left out
            element.tag = f"{{{_GRAPHML}}}{element.tag}"
    nodes = list(root.iter(f"{{{_GRAPHML}}}node"))
    groups = _group_boxes(nodes)
    edges = list(root.iter(f"{{{_GRAPHML}}}edge"))
    _check_ends(nodes, edges, groups)
    if len(root.findall(f"{{{_GRAPHML}}}graph")) > 1:
        raise InputError("", "holds several graphs; keep one")
    for what in ("node", "edge"):
        _spread_defaults(root, what)
    graph = next(iter(nx.readwrite.graphml.GraphMLReader(node_type=str)(string=_written(root))))
    return _complete(graph, groups, len(edges))


def _group_boxes(nodes: list[ElementTree.Element]) -> set[str]:
    """Return the nodes that only hold others, and have networkx read what they hold."""
    groups = set()
    for node in nodes:
        node.attrib.pop(_GROUP, None)
        if node.find(f"{{{_GRAPHML}}}graph") is not None:
            node.set(_GROUP, "group")
            groups.add(node.get("id", ""))
    return groups


def _spread_defaults(root: ElementTree.Element, what: str) -> None:
    """Write the defaults of keys into the nodes or edges that leave them out."""
    for key in root.findall(f"{{{_GRAPHML}}}key"):
        default = key.find(f"{{{_GRAPHML}}}default")
        if default is None or not default.text or key.get("for", "all") not in (what, "all"):
            continue
        for element in root.iter(f"{{{_GRAPHML}}}{what}"):
            given = (data.get("key") for data in element.findall(f"{{{_GRAPHML}}}data"))
            if key.get("id") not in given:
                data = ElementTree.SubElement(element, f"{{{_GRAPHML}}}data")
                data.set("key", key.get("id", ""))
                data.text = default.text


def _gexf(text: str) -> nx.DiGraph:
    import networkx as nx

    root = _xml(text)
    space = root.tag.partition("}")[0] + "}" if "}" in root.tag else ""
    nodes = list(root.iter(f"{space}node"))
    edges = list(root.iter(f"{space}edge"))
    holding = [node for node in nodes if node.find(f"{space}nodes") is not None]
    parents = [node.get("pid", "") for node in nodes if node.get("pid")]
    groups = {node.get("id", "") for node in holding} | set(parents)
    _check_ends(nodes, edges, groups)
    graph = nx.read_gexf(BytesIO(_written(root)))
    mutual = sum(edge.get("type") == "mutual" for edge in edges)
    return _complete(graph, groups, len(edges) + mutual)


def _xml(text: str) -> ElementTree.Element:
    """Parse XML; a declared encoding no longer matters."""
    if "<!ENTITY" in text:
        raise InputError("", "declares entities, which are not read; write their text instead")
    declaration = r"^\s*<\?xml.*?\?>"
    root = ElementTree.fromstring(re.sub(declaration, "", text, count=1, flags=re.DOTALL))
    level, depth = [root], 0
    while level:
        level, depth = [inner for element in level for inner in element], depth + 1
        if depth > _DEEPEST:
            raise RecursionError
    return root


def _written(root: ElementTree.Element) -> bytes:
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


def _check_ends(
    nodes: list[ElementTree.Element], edges: list[ElementTree.Element], groups: set[str]
) -> None:
    """Raise InputError for nodes without a name of their own, and edges without declared ends."""
    declared: set[str] = set()
    for node in nodes:
        name = node.get("id")
        if name is None:
            raise InputError("node", "has no id; give it one")
        if name in declared:
            raise InputError("node", f"{name!r} is declared twice; keep one")
        declared.add(name)
    for edge in edges:
        source, target = edge.get("source"), edge.get("target")
        for end in (source, target):
            check_end(end, declared, f"edge {source!r} -> {target!r}")
            if end in groups:
                raise InputError(
                    f"edge {source!r} -> {target!r}",
                    f"ends at {end!r}, which is a group of nodes and no model; connect its members",
                )


def check_end(end: object, declared: set[str], edge: str) -> None:
    """Raise InputError if an end of an edge is not declared as a node."""
    if end not in declared:
        hint = did_you_mean(end, declared)
        raise InputError(edge, f"has the end {end!r}, which is not a node{hint}; declare it")


def _complete(graph: nx.DiGraph, groups: set[str], edges: int) -> nx.DiGraph:
    """Return a graph without group boxes, after checking that networkx kept every edge."""
    if graph.number_of_edges() != edges:
        raise InputError("edge", "has the id of another edge of the same ends; give each its own")
    graph.remove_nodes_from(groups)
    return graph
