"""Networks from networkx graphs, and from graph files.

Edges are feeds, see :mod:`mcjax.network.edges`. A node named ``real`` is the real source, and one
named ``unknown`` the source of data of which nobody knows the origin. A node attribute ``rows``
gives the rows that a model fits, of which edges may have shares. A node attribute ``initial``
overrides the default (the number of samples the model reads a generation, or 100 for one that reads
nothing). The name of a node is its attribute ``label`` or ``name``, or else its id. One of the two
that repeats the id of every node, which is how networkx fills it in, holds no names. Nodes with one
attribute ``version_of`` are a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mcjax.arguments import checked_but
from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.checks import Draws, check_count
from mcjax.network.edges import DEFAULT_SAMPLES, EdgeFeeds, check_names, naming_edges, read_edges
from mcjax.network.feed import REAL, UNKNOWN
from mcjax.network.formats import read_format
from mcjax.network.generation import Generation
from mcjax.network.lineage import Lineage
from mcjax.network.network import Network
from mcjax.network.source import RealData, renewed
from mcjax.network.timeline import Series
from mcjax.numbers import in_text, whole

if TYPE_CHECKING:
    import networkx as nx

SOURCES = (REAL, UNKNOWN)
"""Names of nodes that are no models."""
NAMING = ("label", "name")
"""Attributes of nodes that may hold their names."""
EMPTY = (None, "")


class GraphNetwork(NamedTuple):
    """The network of a graph, and what the graph leaves open.

    Attributes
    ----------
    network : Network
        The network.
    told : tuple of str
        What the graph leaves open and was made up, for people.
    groups : dict of str to tuple of str
        Members of groups, by the attribute ``version_of`` of nodes.
    """

    network: Network
    told: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]


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
    graph = read_format(text, kind)
    return network_of_lineage(graph) if isinstance(graph, Lineage) else network_of_graph(graph)


def network_of_lineage(lineage: Lineage) -> GraphNetwork:
    """Return the network of a lineage, and what it leaves open."""
    found = network_of_graph(lineage)
    return found._replace(told=(*lineage.told(), *found.told))


def network_of_graph(
    graph: nx.DiGraph, draws: Draws = "private", real: RealData = "fresh"
) -> GraphNetwork:
    """Return the network of a graph, and what the graph leaves open."""
    if not graph.is_directed():
        raise InputError("graph", "is undirected, but data flow along an edge one way; direct it")
    edge_default, node_default = (graph.graph.get(f"{k}_default", {}) for k in ("edge", "node"))
    attributes = {node: {**node_default, **data} for node, data in graph.nodes(data=True)}
    names = _names(attributes)
    models = [name for name in names.values() if name not in SOURCES]
    edges = (
        (names[j], names[i], {**edge_default, **data} if edge_default else data)
        for j, i, data in graph.edges(data=True)
    )
    rows = {names[node]: data["rows"] for node, data in attributes.items() if "rows" in data}
    feeds, told = read_edges(edges, rows)
    initial, begun = _initial(models, feeds, attributes, names)
    if not renewed(real):
        own: dict[str, int] = {}
        for feed in feeds.objects():
            if feed.origin == REAL:
                own[feed.reader] = own.get(feed.reader, 0) + feed.samples
        initial |= own
    columns = feeds.columns(models)
    later = feeds.objects() if columns is None else Series(Generation(columns))
    with naming_edges(feeds):
        network = build_network(models, later, initial, draws=draws, real=real)
    whose = "initial" if begun == network.size else f"initial of {begun:,}"
    told = (*([f"{whose} from feeds"] if begun else []), *told)
    return GraphNetwork(network, told, _groups(attributes, names))


def _groups(
    attributes: Mapping[Any, Mapping[str, Any]], names: Mapping[Any, str]
) -> dict[str, tuple[str, ...]]:
    """Return the groups of nodes that are versions of something."""
    groups: dict[str, list[str]] = {}
    for node, data in attributes.items():
        group = data.get("version_of")
        if group not in EMPTY and names[node] not in SOURCES:
            groups.setdefault(str(group), []).append(names[node])
    return {group: tuple(members) for group, members in groups.items()}


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
    feeds: EdgeFeeds,
    attributes: Mapping[Any, Mapping[str, Any]],
    names: Mapping[Any, str],
) -> tuple[dict[str, int], int]:
    """Return the samples of generation 0, and how many of these numbers are those of feeds."""
    reads = dict.fromkeys(models, 0)
    begins: dict[str, int] = {}
    firsts = {k: times.get("first", 1) for k, times in feeds.times.items()}
    order = range(len(feeds.samples))
    for k in sorted(order, key=lambda k: firsts.get(k, 1)) if firsts else order:
        reader, first = feeds.readers[k], firsts.get(k, 1)  # what it reads when it first does
        if begins.setdefault(reader, first) == first:
            reads[reader] = reads.get(reader, 0) + feeds.samples[k]
    initial = {name: reads[name] or DEFAULT_SAMPLES for name in models}
    begun = len(initial)
    for node, data in attributes.items():
        if names[node] in SOURCES:
            continue
        field = f"node {names[node]!r}"
        check_names(data, ("initial",), field)
        if "initial" in data:
            count = whole(in_text(data["initial"]))
            check_count(f"{field}: initial", data["initial"] if isinstance(count, str) else count)
            initial[names[node]] = count
            begun -= 1
    return initial, begun
