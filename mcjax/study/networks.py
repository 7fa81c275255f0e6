"""Networks from the tables of a study file or from a graph file. Does not import JAX."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.network.build import build_network
from mcjax.network.data_mediated import data_mediated
from mcjax.network.feed import Feed
from mcjax.network.graphs import GRAPH_SUFFIXES, read_graph
from mcjax.network.network import Network
from mcjax.network.source import Source
from mcjax.network.topologies import TOPOLOGIES
from mcjax.study.schema import FeedTable, NetworkTable, StudyFile, read_file
from mcjax.study.selections import read_selection


def read_network(path: Path) -> Network:
    """Read the network of a study file or of a graph file.

    Raises
    ------
    InputError
        If the file has no valid network; the message names file and field.
    """
    with naming(path):
        if path.suffix in GRAPH_SUFFIXES:
            return read_graph(path)
        network = network_of(read_file(path))
        if network is None:
            raise InputError("network", "is missing; add a [network] table")
        return network


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
