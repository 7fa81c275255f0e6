"""Networks from the tables of a study file or from a graph file. Does not import JAX."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np

from mcjax.arguments import checked
from mcjax.data.data import Data
from mcjax.errors import InputError, did_you_mean, naming
from mcjax.files import read_text
from mcjax.network.build import UNKNOWN_SOURCE, build_network
from mcjax.network.data_mediated import data_mediated
from mcjax.network.drawn import FIELD, PATHS_ALONE, Drawn, Paths
from mcjax.network.feed import UNKNOWN, Feed
from mcjax.network.formats import graph_format, read_folder
from mcjax.network.graphs import GraphNetwork, network_of_lineage, read_graph
from mcjax.network.network import Network
from mcjax.network.schedule import MOST_GENERATIONS, ordered
from mcjax.network.source import Source
from mcjax.network.timeline import Series, Timeline
from mcjax.network.topologies import TOPOLOGIES
from mcjax.numbers import how_many
from mcjax.study.real_data import data_of_sources
from mcjax.study.schema import parse_tables, to_study
from mcjax.study.selections import read_selection
from mcjax.study.tables import FeedTable, NetworkTable, SourceTable, StudyFile, SwitchingTable

ORDERS = {"periodic": "lengths", "random": "probabilities", "markov": "transition"}
"""The orders of networks that switch, each with the field that it alone has."""


@checked
def read_network(path: str | Path) -> Network:
    r"""Read the network of a file: a study, a graph, an edge list, triples or a folder of cards.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of model cards.

    Returns
    -------
    Network
        The network. Of versions it has each as a model.

    Raises
    ------
    InputError
        If the file has no valid network; the message names file and field.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import mcjax
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "edges.csv")
    ...     _ = path.write_text("from,to,samples\nreal,chat,40\nchat,chat,60\n")
    ...     mcjax.read_network(path).models
    ...
    ('chat',)
    """
    return read_content(Path(path)).network


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
    groups : dict of str to tuple of str
        The members of groups of models.
    """

    network: Network
    study: StudyFile | None
    note: str
    groups: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - nobody changes it


def read_content(path: Path, nested: bool = False) -> Content:
    """Read a file with a network, whose content tells its format.

    Parameters
    ----------
    path : Path
        The file.
    nested : bool, optional
        Whether another file names it, and so may not name others.

    Raises
    ------
    InputError
        If the file has no valid network; the message names file and field.
    """
    if os.path.isdir(path):  # unlike a method of Path, it raises no error for odd names
        with naming(path):
            return _content(network_of_lineage(read_folder(path)))
    text = read_text(path)
    with naming(path):
        kind = graph_format(text, path.suffix)
        if kind is not None:
            return _content(read_graph(text, kind))
        tables = parse_tables(text, str(path))
        study, grid = to_study(tables, str(path)), bool(tables.get("grid"))
        found = network_of(study, None if nested else path.parent)
        if found is None:
            instead = "; name one of the files of grid.network" if study.grid.network else ""
            raise InputError("network", f"is missing; add a [network] table{instead}")
        table = study.network
        groups = {} if table is None else {k: tuple(names) for k, names in table.groups.items()}
        parts = (_note(found), *_note_on(groups), *(["[grid] left out"] if grid else []))
        return Content(found, study, ", ".join(parts), groups)


def _content(found: GraphNetwork) -> Content:
    """Return the content of a graph."""
    note = ", ".join((_note(found.network), *_note_on(found.groups), *found.told))
    return Content(found.network, None, note, found.groups)


def _note(net: Network) -> str:
    """Return what was read: models, feeds, and readers of real and of unknown data."""
    feeds, real, unknown = _counted(net)
    counts = [how_many(net.size, "model"), how_many(feeds, "feed")]
    counts.append(f"real data to {real}" if real else "real data to none")
    if unknown:
        counts.append(f"unknown data to {unknown}")
    return ", ".join(counts)


def _note_on(groups: dict[str, tuple[str, ...]]) -> list[str]:
    """Return what was read of groups, if there are any."""
    members = sum(map(len, groups.values()))
    return [f"{how_many(len(groups), 'group')} of {members:,} of these models"] if groups else []


def _counted(net: Network) -> tuple[int, int, int]:
    """Return the number of distinct feeds, and of models that read real and unknown data."""
    if net.later.constant:
        columns = net.columns
        unknown = columns.origin == net.places.get(UNKNOWN, -1)
        real = (columns.origin >= net.size) & ~unknown
        fed = [len(np.unique(columns.reader[brought])) for brought in (real, unknown)]
        return len(columns), fed[0], fed[1]
    feeds = {feed.edge: feed for feed in net.later.feeds}.values()
    doubtful = {feed.reader for feed in feeds if feed.origin == UNKNOWN}
    known = net.source_index.keys() - {UNKNOWN}
    return len(feeds), len({f.reader for f in feeds if f.origin in known}), len(doubtful)


def network_of(content: StudyFile, folder: Path | None) -> Network | None:
    """Return the network of a study file from the table that describes it, or None.

    Parameters
    ----------
    content : StudyFile
        The tables of the file.
    folder : Path or None
        Where it is, by which it names others; None if it may not.
    """
    mediated = content.data_mediated
    if mediated is None:
        if content.network is None:
            return None
        data = data_of_sources(content.network, content.data, folder)
        return network_in(content.network, folder, data)
    if content.network is not None:
        raise InputError("data_mediated", "and [network] exclude each other; keep one")
    return data_mediated(**msgspec.structs.asdict(mediated))


def network_in(
    table: NetworkTable, folder: Path | None, data: Mapping[str, Data] | None = None
) -> Network:
    """Return the network that a ``[network]`` table describes, see :func:`network_of`.

    ``data`` are rows of its sources, by name.
    """
    return _topology(table) if table.topology is not None else _feeds(table, folder, data or {})


def _source(table: SourceTable, data: Mapping[str, Data]) -> Source:
    fields = msgspec.structs.asdict(table)
    del fields["file"]
    return Source(**fields, data=data.get(table.name))


def _feeds(table: NetworkTable, folder: Path | None, data: Mapping[str, Data]) -> Network:
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
        "rows": table.rows,
        "sources": [_source(source, data) for source in table.sources],
    }
    feeds, first = (
        [_feed(feed, f"network.{name}[{k}]") for k, feed in enumerate(given)]
        for name, given in (("feeds", table.feeds), ("first", table.first))
    )
    later: list[Feed] | Timeline = feeds
    if table.switching is not None:
        if table.switching.networks is None:
            options["paths"] = _paths_alone(table.switching, feeds)
        else:
            later = _switching(table, folder, options | {"first": first})
    return build_network(table.models, later, table.initial, first=first, **options)


def _paths_alone(given: SwitchingTable, feeds: list[Feed]) -> str:
    """Return the paths of feeds with a probability, of which nothing else can be said."""
    for name in ("lengths", "probabilities", "transition"):
        if getattr(given, name) is not None:
            raise InputError(f"{FIELD}.{name}", "is for networks, which are not given; add them")
    if given.order != "periodic" or given.paths is None:
        raise InputError(f"{FIELD}.networks", "is missing; give the files of networks")
    if not any(feed.random for feed in feeds):
        raise InputError(f"{FIELD}.paths", PATHS_ALONE)
    return given.paths


def _switching(table: NetworkTable, folder: Path | None, options: dict[str, Any]) -> Timeline:
    """Return the networks that take turns or are drawn, of which only the feeds count.

    ``options`` are what `build_network` takes of the study besides.
    """
    given = table.switching
    assert given is not None, "it has been asked"
    assert given.networks is not None, "it has been asked"
    assert table.models is not None, "it has been asked"
    if folder is None:
        raise InputError(FIELD, "is in a file that another one names; give it feeds")
    if table.feeds:
        raise InputError("network.feeds", "and [network.switching] exclude each other; keep one")
    if table.growth:
        raise InputError("network.growth", "and [network.switching] exclude each other; keep one")
    _check_order(given)
    generations = []
    for name in given.networks:
        net = read_content(folder / name, nested=True).network
        problem = ""
        if not net.later.constant or net.later.exponent:
            problem = "whose feeds change with time"
        elif isinstance(table.models, list) and set(net.models) != set(table.models):
            problem = f"of the models {', '.join(net.models)}; give those of the study"
        elif any(s not in (*options["sources"], UNKNOWN_SOURCE) for s in net.sources):
            problem = "with a source that the study has not; declare it there in the same way"
        if problem:
            raise InputError(f"{FIELD}.networks", f"has {name!r}, {problem}")
        with _naming_feeds(folder / name):
            build_network(table.models, net.feeds, table.initial, **options)
        generations.append(net.feeds)
    count = len(generations)
    if given.order == "periodic":
        lengths = [1] * count if given.lengths is None else given.lengths
        turns = [g for g, length in zip(generations, lengths, strict=True) for _ in range(length)]
        return Series(*ordered(turns), turns=sum(lengths))
    law: dict[str, Any] = {"transition": given.transition}
    if given.order == "random":
        law = {"probabilities": given.probabilities or [1 / count] * count}
    return Drawn(*ordered(generations), **law, paths=cast(Paths, given.paths or "own"))  # it checks


@contextmanager
def _naming_feeds(file: Path) -> Iterator[None]:
    """Add the file of a network to errors of feeds; other errors are those of the study."""
    try:
        yield
    except InputError as error:
        if error.field.startswith("network.feeds"):
            raise InputError(error.field, error.message, str(file)) from error
        raise


def _check_order(given: SwitchingTable) -> None:
    """Raise InputError for an order that is none, or for fields of another one."""
    if given.order not in ORDERS:
        hint = did_you_mean(given.order, ORDERS)
        raise InputError(f"{FIELD}.order", f"is {given.order!r}, not one of {tuple(ORDERS)}{hint}")
    for order, name in ORDERS.items():
        if order != given.order and getattr(given, name) is not None:
            problem = f"is for order = {order!r}, not {given.order!r}; leave it out"
            raise InputError(f"{FIELD}.{name}", problem)
    if given.order == "periodic" and given.paths not in (None, "own"):
        raise InputError(f"{FIELD}.paths", "is for networks that are drawn; leave it out")
    if given.order == "markov" and given.transition is None:
        raise InputError(f"{FIELD}.transition", "is missing; give a row for each network")
    count = len(given.networks or ())
    if given.lengths is not None:
        if len(given.lengths) != count:
            many = how_many(count, "number")
            raise InputError(
                f"{FIELD}.lengths", f"has {len(given.lengths)}; give {many}, as networks"
            )
        if sum(given.lengths) > MOST_GENERATIONS:
            raise InputError(f"{FIELD}.lengths", f"are above {MOST_GENERATIONS:,} together")


def _feed(table: FeedTable, field: str) -> Feed:
    keep = None if table.keep is None else read_selection(table.keep, f"{field}.keep")
    # `build_network` completes samples and weights
    fields: dict[str, Any] = msgspec.structs.asdict(table) | {"keep": keep}
    return Feed(reader=fields.pop("to"), **fields)


def _topology(table: NetworkTable) -> Network:
    name = table.topology
    if name not in TOPOLOGIES:
        hint = did_you_mean(name, TOPOLOGIES)
        known = ", ".join(TOPOLOGIES)
        raise InputError("network.topology", f"is {name!r}, not one of {known}{hint}")
    for field in ("feeds", "first", "rows", "sources", "switching"):
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
