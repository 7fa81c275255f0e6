"""Networks from networkx graphs, and from graph files.

An edge attribute ``samples`` (default 100) and optionally ``weight`` describe a feed; a node named
``real`` is the real source; a node attribute ``initial`` overrides the default (the number of
samples the model reads a generation, or 100 for one that reads nothing). The name of a node is its
attribute ``label`` or ``name``, or else its id. One of the two that repeats the id of every node,
which is how networkx fills it in, holds no names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mcjax.arguments import checked_but
from mcjax.errors import InputError
from mcjax.network.build import build_network
from mcjax.network.checks import Draws, check_count, check_weight
from mcjax.network.columns import FeedColumns
from mcjax.network.feed import REAL, Feed
from mcjax.network.formats import read_format
from mcjax.network.network import Network
from mcjax.network.source import RealData, renewed
from mcjax.network.timeline import Generation, Series
from mcjax.numbers import MOST, in_text, plain, whole

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
_TIMES = frozenset(TIMES)
"""Attributes of an edge that say when a feed is active."""


class _Edges(NamedTuple):
    """The feeds of a graph, one entry for each; ``times`` by the place of a feed that has some."""

    origins: list[str]
    readers: list[str]
    samples: list[int]
    weights: list[float]
    times: dict[int, dict[str, Any]]

    def objects(self) -> list[Feed]:
        """Return the feeds as objects."""
        rows = zip(self.origins, self.readers, self.samples, self.weights, strict=True)
        feeds = (Feed(*row) for row in rows)
        return [replace(feed, **self.times.get(k, {})) for k, feed in enumerate(feeds)]

    def columns(self, models: Sequence[str]) -> FeedColumns | None:
        """Return the feeds as arrays, added up; None if more has to be said of them."""
        if self.times or not self.samples:
            return None
        places = {name: k for k, name in enumerate((*models, REAL))}
        feeds = FeedColumns(
            tuple(places),
            np.fromiter(map(places.__getitem__, self.origins), np.int64, len(self.origins)),
            np.fromiter(map(places.__getitem__, self.readers), np.int64, len(self.readers)),
            np.array(self.samples, np.int64),
            np.array(self.weights, float),
        )
        return None if (feeds.reader == len(models)).any() else feeds.added_up()


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
    feeds, assumed = _feeds(graph, names, edge_default)
    initial, begun = _initial(models, feeds, attributes, names)
    if not renewed(real):
        own: dict[str, int] = {}
        for feed in feeds.objects():
            if feed.origin == REAL:
                own[feed.reader] = own.get(feed.reader, 0) + feed.samples
        initial |= own
    columns = feeds.columns(models)
    later = feeds.objects() if columns is None else Series(Generation(columns))
    return GraphNetwork(
        build_network(models, later, initial, draws=draws, real=real), begun, assumed
    )


def _feeds(
    graph: nx.DiGraph, names: Mapping[Any, str], defaults: Mapping[str, Any]
) -> tuple[_Edges, int]:
    """Return the feeds of a graph, and the number of those whose samples are the default."""
    feeds, assumed = _Edges([], [], [], [], {}), 0
    checked: set[frozenset[str]] = set()  # attributes that nothing is wrong with
    for j, i, given in graph.edges(data=True):
        data = {**defaults, **given} if defaults else given
        origin, reader = names[j], names[i]
        if not checked.issuperset((frozenset(data),)):
            _check_attributes(data, ("samples", "weight", *TIMES), f"edge {origin!r} -> {reader!r}")
            if "samples" not in data:
                _check_no_count(data, f"edge {origin!r} -> {reader!r}")
            checked.add(frozenset(data))
        assumed += "samples" not in data
        samples = whole(in_text(data.get("samples", DEFAULT_SAMPLES)))
        if type(samples) is not int or samples < 1 or samples > MOST:
            wrong = data["samples"] if isinstance(samples, str) else samples
            check_count(f"edge {origin!r} -> {reader!r}: samples", wrong)
        weight = 1.0
        if "weight" in data:
            weight = plain(in_text(data["weight"]))
            check_weight(f"edge {origin!r} -> {reader!r}: weight", weight)
        if not _TIMES.isdisjoint(data):
            times = {name: whole(in_text(data[name])) for name in TIMES if name in data}
            for name, value in times.items():
                check_count(f"edge {origin!r} -> {reader!r}: {name}", value)
            feeds.times[len(feeds.samples)] = times
        feeds.origins.append(origin)
        feeds.readers.append(reader)
        feeds.samples.append(samples)
        feeds.weights.append(float(weight))
    return feeds, assumed


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
    feeds: _Edges,
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
