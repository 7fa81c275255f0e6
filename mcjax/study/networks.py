"""Networks from the tables of a study file or from a graph file. Does not import JAX."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.files import read_text
from mcjax.network.build import build_network
from mcjax.network.data_mediated import data_mediated
from mcjax.network.feed import Feed
from mcjax.network.formats import graph_format
from mcjax.network.graphs import DEFAULT_SAMPLES, read_graph
from mcjax.network.network import Network
from mcjax.network.source import Source
from mcjax.network.topologies import TOPOLOGIES
from mcjax.study.schema import parse_tables, to_study
from mcjax.study.selections import read_selection
from mcjax.study.tables import FeedTable, NetworkTable, StudyFile


def read_network(path: Path) -> Network:
    """Read the network of a study file or of a graph file.

    Raises
    ------
    InputError
        If the file has no valid network; the message names file and field.
    """
    return read_content(path).network


class Content(NamedTuple):
    """The network of a file, and what else the file holds.

    Attributes
    ----------
    network : Network
        The network.
    study : StudyFile or None
        The tables of a study file; None for a graph.
    note : str
        What was read, for people.
    """

    network: Network
    study: StudyFile | None
    note: str


def read_content(path: Path) -> Content:
    """Read a study file or a graph file, which differ by their content.

    Raises
    ------
    InputError
        If the file has no valid network; the message names file and field.
    """
    text = read_text(path)
    with naming(path):
        kind = graph_format(text, path.suffix)
        if kind is not None:
            network, begun, assumed = read_graph(text, kind)
            return Content(network, None, _note(network, begun, assumed))
        tables = parse_tables(text, str(path))
        study, grid = to_study(tables, str(path)), bool(tables.get("grid"))
        found = network_of(study)
        if found is None:
            instead = "; name one of the files of grid.network" if study.grid.network else ""
            raise InputError("network", f"is missing; add a [network] table{instead}")
        return Content(found, study, _note(found) + (", [grid] left out" if grid else ""))


def _note(net: Network, begun: int = 0, assumed: int = 0) -> str:
    """Return what was read: models, feeds, readers of real data, and what was made up."""
    feeds = {feed.edge: feed for feed in net.later.feeds}.values()
    readers = {feed.reader for feed in feeds if feed.origin in net.source_index}
    parts = [
        f"{net.size} model{'s' * (net.size != 1)}",
        f"{len(feeds)} feed{'s' * (len(feeds) != 1)}",
        f"real data to {len(readers)}" if readers else "real data to none",
    ]
    if begun:
        parts.append(
            "initial from feeds" if begun == net.size else f"initial of {begun} from feeds"
        )
    if assumed:
        whose = "all feeds" if assumed == len(feeds) else f"{assumed} feed{'s' * (assumed != 1)}"
        parts.append(f"{DEFAULT_SAMPLES} samples assumed for {whose}")
    return ", ".join(parts)


def network_of(content: StudyFile) -> Network | None:
    """Return the network of a study file from the table that describes it, or None."""
    mediated = content.data_mediated
    if mediated is None:
        return None if content.network is None else network_in(content.network)
    if content.network is not None:
        raise InputError("data_mediated", "and [network] exclude each other; keep one")
    return data_mediated(**msgspec.structs.asdict(mediated))


def network_in(table: NetworkTable) -> Network:
    """Return the network that a ``[network]`` table describes."""
    return _topology(table) if table.topology is not None else _feeds(table)


def _feeds(table: NetworkTable) -> Network:
    for name in ("samples", "real_samples", "sizes", "probability", "probabilities", "seed"):
        if getattr(table, name) is not None:
            raise InputError(f"network.{name}", "belongs to a named topology; add `topology`")
    if table.models is None:
        raise InputError("network.models", "is missing; give names or a count")
    options: dict[str, Any] = {
        "draws": table.draws,
        "real": table.real,
        "memory": table.memory,
        "growth": table.growth,
        "sources": [Source(**msgspec.structs.asdict(source)) for source in table.sources],
    }
    feeds, first = (
        [_feed(feed, f"network.{name}[{k}].keep") for k, feed in enumerate(given)]
        for name, given in (("feeds", table.feeds), ("first", table.first))
    )
    return build_network(table.models, feeds, table.initial, first=first, **options)


def _feed(table: FeedTable, field: str) -> Feed:
    keep = None if table.keep is None else read_selection(table.keep, field)
    # `build_network` completes samples and weights
    values: Any = table.origin, table.to, table.samples, table.weight, keep
    return Feed(*values)


def _topology(table: NetworkTable) -> Network:
    name = table.topology
    if name not in TOPOLOGIES:
        hint = did_you_mean(name, TOPOLOGIES)
        known = ", ".join(TOPOLOGIES)
        raise InputError("network.topology", f"is {name!r}, not one of {known}{hint}")
    for field in ("feeds", "first", "sources"):
        if getattr(table, field):
            raise InputError(
                f"network.{field}", f"cannot be combined with the topology {name!r}; leave them out"
            )
    if not isinstance(table.initial, int):
        raise InputError("network.initial", f"must be one number for all models of a {name}")
    given: dict[str, Any] = {
        "size": table.models,
        "samples": table.samples,
        "sizes": table.sizes,
        "probability": table.probability,
        "probabilities": table.probabilities,
        "seed": table.seed,
    }
    spelling = {"size": "models"}
    takes = inspect.signature(TOPOLOGIES[name]).parameters
    for key, value in given.items():
        field = f"network.{spelling.get(key, key)}"
        if key in takes and value is None:
            raise InputError(field, f"is missing; a {name} needs it")
        if key not in takes and value is not None:
            raise InputError(field, f"is not a parameter of a {name}; leave it out")
    if "size" in takes and (not isinstance(table.models, int) or not 1 <= table.models <= 65_534):
        raise InputError("network.models", f"is {table.models!r}; give the number of models")
    return TOPOLOGIES[name](
        **{key: value for key, value in given.items() if key in takes},
        initial=table.initial,
        real=table.real_samples or 0,
        draws=table.draws,
        real_data=table.real,
        memory=table.memory,
        growth=table.growth,
    )
