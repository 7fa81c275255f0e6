"""Write a study file with other real rows, for ``mcjax verify`` to judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from mcjax.errors import InputError
from mcjax.files import STANDARD_INPUT
from mcjax.network.feed import Feed
from mcjax.network.network import Network
from mcjax.own_files import write_own
from mcjax.study.schema import read_tables

FIRST_LINE = "# Written by mcjax design."
"""First line of a file that may be overwritten."""


def write_study(path: Path, net: Network, target: Path) -> None:
    """Write a study file anew, with the feeds of another network of the same models.

    Comments are left out, and everything else stays as it is.

    Parameters
    ----------
    path : Path
        The study file.
    net : Network
        The network, of feeds that stay.
    target : Path
        The file to write.

    Raises
    ------
    InputError
        If ``target`` is somebody's file or cannot be written, or the study cannot be written anew.
    """
    if target == STANDARD_INPUT:
        raise InputError("--write", "is '-', and a study is written to a file only; name a file")
    tables = read_tables(path)
    grid = tables.get("grid", {})
    if "network" not in tables:
        problem = "has no feeds one by one; write the study with a [network] table"
        raise InputError("data_mediated", problem)
    if any(key.split(".")[0] == "network" for key in grid):
        raise InputError("grid", "varies the network, so that no feeds can be written; drop that")
    elsewhere = path == STANDARD_INPUT or target.resolve().parent != path.resolve().parent
    if elsewhere and _names_files(tables):
        problem = "is in another folder than the study, which names files of its own folder"
        raise InputError("--write", f"{problem}; write it beside the study", str(target))
    written = tables | {"network": _network_table(tables["network"], net)}
    write_own(target, f"{FIRST_LINE}\n\n{tomli_w.dumps(written)}", "--write", "mcjax design")


def _network_table(given: dict[str, Any], net: Network) -> dict[str, Any]:
    """Return a ``[network]`` table with the feeds of a network."""
    left_out = {"switching"} if _has_shares(given.get("first", [])) else {"switching", "rows"}
    table = {key: value for key, value in given.items() if key not in left_out}
    if "topology" in given:  # whose feeds are not written one by one
        kept = ("initial", "draws", "real", "memory")
        table = {"models": list(net.models)} | {k: given[k] for k in kept if k in given}
    return table | {"feeds": [_feed_table(feed) for feed in net.feeds]}


def _has_shares(feeds: list[dict[str, Any]]) -> bool:
    return any("share" in feed for feed in feeds)


def _feed_table(feed: Feed) -> dict[str, Any]:
    weight = {} if feed.weight == 1 else {"weight": feed.weight}
    return {"from": feed.origin, "to": feed.reader, "samples": feed.samples, **weight}


def _names_files(table: Any) -> bool:
    """Return whether tables have a field ``file`` somewhere."""
    if isinstance(table, list):
        return any(map(_names_files, table))
    return isinstance(table, dict) and ("file" in table or any(map(_names_files, table.values())))
