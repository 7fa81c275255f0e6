"""Networks from networkx graphs, and from the files networkx reads.

An edge attribute ``samples`` (default 100) and optionally ``weight`` describe a feed; a node named
``real`` is the real source; a node attribute ``initial`` overrides the default (the number of
samples the model reads a generation, or 100 for one that reads nothing).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.checks import Draws
from mcjax.network.feed import REAL, Feed
from mcjax.network.network import Network
from mcjax.network.source import RealData

if TYPE_CHECKING:
    import networkx as nx

DEFAULT_SAMPLES = 100
GRAPH_SUFFIXES = (".graphml", ".gml", ".json")
ENCODING = "utf-8-sig"
"""Encoding of all text that mcjax reads: UTF-8, with or without a byte-order mark."""


def from_networkx(graph: nx.DiGraph, draws: Draws = "private", real: RealData = "fresh") -> Network:
    """Build a :class:`Network` from a ``networkx.DiGraph``.

    Raises
    ------
    InputError: for an undirected graph, or attributes that are no numbers.
    """
    if not graph.is_directed():
        raise InputError("graph", "is undirected, but data flow along an edge one way; direct it")
    labels = {node: str(data.get("label", node)) for node, data in graph.nodes(data=True)}
    models = [name for name in labels.values() if name != REAL]
    feeds = []
    for j, i, data in graph.edges(data=True):
        field = f"edge {labels[j]!r} -> {labels[i]!r}"
        samples = _whole(data.get("samples", DEFAULT_SAMPLES), f"{field}: samples")
        weight = data.get("weight", 1.0)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise InputError(f"{field}: weight", f"is {weight!r}; give a positive number")
        feeds.append(Feed(labels[j], labels[i], samples, float(weight)))
    reads = dict.fromkeys(models, 0)
    for feed in feeds:
        reads[feed.reader] = reads.get(feed.reader, 0) + feed.samples
    initial = {name: reads[name] or DEFAULT_SAMPLES for name in models}
    for node, data in graph.nodes(data=True):
        if "initial" in data and labels[node] != REAL:
            field = f"node {labels[node]!r}: initial"
            initial[labels[node]] = _whole(data["initial"], field)
    if real == "reused":
        initial |= {
            name: sum(f.samples for f in feeds if (f.origin, f.reader) == (REAL, name))
            for name in {f.reader for f in feeds if f.origin == REAL}
        }
    return build_network(models, feeds, initial, draws=draws, real=real)


def read_graph(path: Path) -> Network:
    """Read GraphML, GML or node-link JSON, by the file's suffix."""
    import networkx as nx

    try:
        if path.suffix == ".graphml":
            graph = nx.read_graphml(path)
        elif path.suffix == ".gml":
            graph = nx.parse_gml(path.read_text(encoding=ENCODING), label=None)
        else:
            data = json.loads(path.read_text(encoding=ENCODING))
            key = "edges" if "edges" in data else "links"
            graph = nx.node_link_graph(data, edges=key)
    except FileNotFoundError as error:
        raise InputError("", "does not exist; name a graph file", str(path)) from error
    except OSError as error:
        raise InputError("", f"cannot be read: {error.strerror}", str(path)) from error
    except Exception as error:  # networkx and its parsers raise a dozen unrelated types
        reason = str(error).strip().splitlines() or [type(error).__name__]
        kind = path.suffix.lstrip(".")
        raise InputError("", f"is no {kind} graph ({reason[0]})", str(path)) from error
    return from_networkx(graph)


def _whole(value: Any, field: str) -> int:
    """Read a count, which graph files may also write as text or as 100.0."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(field, f"is {value!r}; give a positive whole number")
    return value
