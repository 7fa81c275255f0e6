"""Networks from networkx graphs, and from graph files.

An edge attribute ``samples`` (default 100) and optionally ``weight`` describe a feed; a node named
``real`` is the real source; a node attribute ``initial`` overrides the default (the number of
samples the model reads a generation, or 100 for one that reads nothing). The name of a node is its
attribute ``label`` or ``name``, or else its id. One of the two that repeats the id of every node,
which is how networkx fills it in, holds no names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mcjax.arguments import checked_but
from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.checks import Draws, check_count, check_weight
from mcjax.network.feed import REAL, Feed
from mcjax.network.formats import read_format
from mcjax.network.network import Network
from mcjax.network.source import RealData, renewed
from mcjax.numbers import in_text, plain, whole

if TYPE_CHECKING:
    import networkx as nx

DEFAULT_SAMPLES = 100
NAMING = ("label", "name")
"""Attributes of nodes that may hold their names."""
EMPTY = (None, "")
LIKE_SAMPLES = (
    *("n", "rows", "count", "counts", "size", "number", "num", "value", "values", "amount"),
    *("volume", "tokens", "share"),
)
"""Attributes of edges, in lower case, that are taken for numbers of samples, and are not read."""


TIMES = ("every", "first", "until")
"""Attributes of an edge that say when a feed is active."""


class GraphNetwork(NamedTuple):
    """The network of a graph, and what the graph leaves open.

    Attributes
    ----------
    network : Network
        The network.
    begun : int
        Number of models whose ``initial`` is that of their feeds.
    assumed : int
        Number of feeds whose ``samples`` are the default.
    """

    network: Network
    begun: int
    assumed: int


@checked_but("graph")
def from_networkx(graph: nx.DiGraph, draws: Draws = "private", real: RealData = "fresh") -> Network:
    """Build a :class:`Network` from a ``networkx.DiGraph``.

    Raises
    ------
    InputError
        If the graph is undirected, names are ambiguous, or attributes are no numbers.

    Examples
    --------
    >>> import mcjax
    >>> import networkx as nx
    >>> graph = nx.DiGraph()
    >>> graph.add_node("a", initial=200)
    >>> graph.add_node("real", kind="real")
    >>> graph.add_edge("a", "a", samples=100)
    >>> graph.add_edge("real", "a", samples=100)
    >>> mcjax.from_networkx(graph).models
    ('a',)
    """
    if not hasattr(graph, "is_directed"):
        raise InputError("graph", f"is a {type(graph).__name__}; give a networkx.DiGraph")
    return network_of_graph(graph, draws, real).network


def read_graph(text: str, kind: str) -> GraphNetwork:
    """Return the network in the text of a graph file, see :mod:`mcjax.network.formats`."""
    return network_of_graph(read_format(text, kind))


def network_of_graph(
    graph: nx.DiGraph, draws: Draws = "private", real: RealData = "fresh"
) -> GraphNetwork:
    """Return the network of a graph, and what the graph leaves open."""
    if not graph.is_directed():
        raise InputError("graph", "is undirected, but data flow along an edge one way; direct it")
    edge_default, node_default = (graph.graph.get(f"{k}_default", {}) for k in ("edge", "node"))
    attributes = {node: {**node_default, **data} for node, data in graph.nodes(data=True)}
    names = _names(attributes)
    models = [name for name in names.values() if name != REAL]
    feeds, assumed = [], 0
    for j, i, given in graph.edges(data=True):
        data = {**edge_default, **given}
        field = f"edge {names[j]!r} -> {names[i]!r}"
        _check_attributes(data, ("samples", "weight", *TIMES), field)
        if "samples" not in data:
            _check_no_count(data, field)
            assumed += 1
        samples = whole(in_text(data.get("samples", DEFAULT_SAMPLES)))
        if isinstance(samples, str):
            samples = data["samples"]
        check_count(f"{field}: samples", samples)
        weight = plain(in_text(data.get("weight", 1.0)))
        check_weight(f"{field}: weight", weight)
        times = {name: whole(in_text(data[name])) for name in TIMES if name in data}
        for name, value in times.items():
            check_count(f"{field}: {name}", value)
        feeds.append(Feed(names[j], names[i], samples, float(weight), **times))
    initial, begun = _initial(models, feeds, attributes, names)
    if not renewed(real):
        own: dict[str, int] = {}
        for feed in feeds:
            if feed.origin == REAL:
                own[feed.reader] = own.get(feed.reader, 0) + feed.samples
        initial |= own
    return GraphNetwork(
        build_network(models, feeds, initial, draws=draws, real=real), begun, assumed
    )


def _names(attributes: Mapping[Any, Mapping[str, Any]]) -> dict[Any, str]:
    """Return the names of nodes; raise InputError for those that are ambiguous."""
    names: dict[Any, str] = {}
    owner: dict[str, Any] = {}
    naming = [key for key in NAMING if not _repeats_ids(attributes, key)]
    for node, data in attributes.items():
        field = f"node {str(node)!r}"
        given = {key: str(data[key]) for key in naming if data.get(key) not in EMPTY}
        if len(set(given.values())) > 1:
            label, name = given.values()
            raise InputError(field, f"has the label {label!r} and the name {name!r}; keep one")
        name = next(iter(given.values()), str(node))
        if node == REAL and name != REAL:
            raise InputError(
                field, f"is named {name!r}; drop that if it is the real source, or rename its id"
            )
        if name in owner:
            raise InputError(
                field, f"has the name {name!r} twice, also of node {str(owner[name])!r}; rename one"
            )
        names[node], owner[name] = name, node
    return names


def _repeats_ids(attributes: Mapping[Any, Mapping[str, Any]], key: str) -> bool:
    """Return whether an attribute is the id of each node that has it."""
    given = {node: data[key] for node, data in attributes.items() if data.get(key) not in EMPTY}
    return all(str(value) == str(node) for node, value in given.items())


def _initial(
    models: Iterable[str],
    feeds: Iterable[Feed],
    attributes: Mapping[Any, Mapping[str, Any]],
    names: Mapping[Any, str],
) -> tuple[dict[str, int], int]:
    """Return the samples of generation 0, and how many of these numbers are those of feeds."""
    reads = dict.fromkeys(models, 0)
    begins: dict[str, int] = {}
    for feed in sorted(feeds, key=lambda feed: feed.first):  # what it reads when it first does
        if begins.setdefault(feed.reader, feed.first) == feed.first:
            reads[feed.reader] = reads.get(feed.reader, 0) + feed.samples
    initial = {name: reads[name] or DEFAULT_SAMPLES for name in models}
    begun = len(initial)
    for node, data in attributes.items():
        if names[node] == REAL:
            continue
        field = f"node {names[node]!r}"
        _check_attributes(data, ("initial",), field)
        if "initial" in data:
            count = whole(in_text(data["initial"]))
            check_count(f"{field}: initial", data["initial"] if isinstance(count, str) else count)
            initial[names[node]] = count
            begun -= 1
    return initial, begun


def _check_attributes(data: Iterable[str], known: tuple[str, ...], field: str) -> None:
    """Raise InputError for an attribute that is nearly one that is read."""
    for key in data:
        if key in known:
            continue
        close = difflib.get_close_matches(str(key).strip().lower(), known, n=1, cutoff=0.8)
        if close:
            raise InputError(
                f"{field}: {key}", f"is not an attribute that is read (did you mean {close[0]!r}?)"
            )


def _check_no_count(data: Iterable[str], field: str) -> None:
    """Raise InputError for an attribute that may be meant for ``samples``."""
    for key in data:
        if str(key).strip().lower() in LIKE_SAMPLES:
            raise InputError(
                f"{field}: {key}",
                "is not read, and the edge has no `samples`; rename it, or add `samples`",
            )
