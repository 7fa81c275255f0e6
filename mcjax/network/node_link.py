"""Graphs from node-link JSON, as networkx, D3 and others write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import networkx as nx

ENDS = (("source", "target"), ("from", "to"))
"""Keys of an edge's ends: of networkx and D3, and of others."""


def read_node_link(data: dict[str, Any]) -> nx.MultiDiGraph:
    """Return the graph that node-link data describe.

    Ends of edges are ids of nodes. They are positions in the list of nodes where nodes have no ids,
    where ids are texts and ends are numbers, and in the files of networkx before 2.0. Without the
    key ``directed``, edges go from source to target.

    Raises
    ------
    InputError
        If the data are no graph, or an edge has an end that is not a node.
    """
    import networkx as nx

    key = _edge_key(data)
    nodes, edges = data.get("nodes"), data[key]
    if not isinstance(nodes, list) or not isinstance(edges, list):
        raise _fault(f"`nodes` and `{key}` must be lists")
    if data.get("directed") not in (True, None):
        raise InputError("graph", "is undirected, but data flow along an edge one way; direct it")
    graph = nx.MultiDiGraph()
    ids = [_id(node, k) for k, node in enumerate(nodes)]
    given = [node for node in ids if node is not None]
    if given and len(given) < len(ids):
        raise InputError(f"nodes[{ids.index(None)}]", "has no id, and others have; give it one")
    for k, node in enumerate(nodes):
        name = k if ids[k] is None else ids[k]
        if name in graph:
            raise InputError(f"nodes[{k}]", f"has the id {name!r} of another node; keep one")
        attributes = node if isinstance(node, dict) else {}
        graph.add_node(name, **{key: value for key, value in attributes.items() if key != "id"})
    ends = [_ends(edge, f"{key}[{k}]") for k, edge in enumerate(edges)]
    numbered = all(isinstance(end, int) for pair in ends for end in pair)
    old = isinstance(data.get("graph"), list)  # networkx before 2.0
    by_place = numbered and (old or not any(isinstance(node, int) for node in given))
    names = dict(enumerate(graph)) if by_place else {name: name for name in graph}
    for k, (edge, pair) in enumerate(zip(edges, ends, strict=True)):
        for end in pair:
            if end not in names:
                hint = did_you_mean(end, map(str, names))
                what = "a position in `nodes`" if by_place else "the id of a node"
                raise InputError(f"{key}[{k}]", f"has the end {end!r}, which is not {what}{hint}")
        source, target = (names[end] for end in pair)
        known = {end for pair in ENDS for end in pair} | {"key"}
        attributes = {key: value for key, value in edge.items() if key not in known}
        graph.add_edge(source, target, None, **attributes)
    return graph


def _edge_key(data: dict[str, Any]) -> str:
    """Return the key of the list of edges."""
    keys = [key for key in ("edges", "links") if key in data]
    if not keys:
        raise _fault("has nodes and no list `edges`; add it")
    if len(keys) > 1:
        raise _fault("has both `edges` and `links`; keep one")
    return keys[0]


def _id(node: Any, place: int) -> str | int | None:
    """Return the id of a node; None if it has none."""
    name = node.get("id") if isinstance(node, dict) else node
    if name is None and isinstance(node, dict):
        return None
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise InputError(f"nodes[{place}]", f"has the id {name!r}; give a text or a whole number")
    return name


def _ends(edge: Any, field: str) -> tuple[Any, Any]:
    """Return the two ends of an edge."""
    if not isinstance(edge, dict):
        raise InputError(field, f"is {_word(edge)}; give an object with source and target")
    for source, target in ENDS:
        if source in edge and target in edge:
            pair = edge[source], edge[target]
            for end in pair:
                if isinstance(end, bool) or not isinstance(end, str | int):
                    raise InputError(field, f"has the end {end!r}; give the id of a node")
            return pair
    raise InputError(field, "has no source or no target; give the ids of two nodes")


def _fault(problem: str) -> InputError:
    return InputError("", f"is no JSON graph ({problem})")


def _word(value: Any) -> str:
    """Return what a value of JSON is, in words."""
    words = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return words.get(type(value), "null" if value is None else "a number")
