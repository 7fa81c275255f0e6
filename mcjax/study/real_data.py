"""The rows of data that a study file names. Does not import JAX."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mcjax.data.data import Data
from mcjax.data.packages import PACKAGES
from mcjax.errors import InputError, named_by
from mcjax.study.tables import DataTable, NetworkTable

if TYPE_CHECKING:
    from mcjax.study.study import Condition


def data_of(table: DataTable | None, folder: Path) -> Data | None:
    """Return the rows of a ``[data]`` table, or None.

    Parameters
    ----------
    table : DataTable or None
        The table.
    folder : Path
        What files are relative to.

    Raises
    ------
    InputError
        If a file is malformed, or a column is not what the table says.
    """
    if table is None:
        return None
    choices = msgspec.structs.asdict(table)
    file, labels = choices.pop("file"), choices.pop("labels")
    if choices["covariates"] is not None:
        choices["covariates"] = tuple(choices["covariates"])
    choices["classes"] = tuple(choices["classes"])
    with named_by("data.file"):
        return Data.from_file(
            located(file, folder),
            choices.pop("target"),
            labels=None if labels is None else located(labels, folder),
            **choices,
        )


def read_of(conditions: Iterable[Condition]) -> str:
    """Return what was read of the files of real data, in one line; empty if there are none."""
    read: dict[str, None] = {}
    for condition in conditions:
        sources = (source.data for source in condition.network.sources)
        read |= {data.note: None for data in (condition.data, *sources) if data is not None}
    return "; ".join(read)


def data_of_sources(
    table: NetworkTable, data: DataTable | None, folder: Path | None
) -> dict[str, Data]:
    """Return the rows of the sources that name a file of their own, by source.

    Raises
    ------
    InputError
        If there is no ``[data]`` table, whose encoding they have, or a file is malformed.
    """
    named = {source.name: source.file for source in table.sources if source.file is not None}
    if not named:
        return {}
    whole = None if folder is None else data_of(data, folder)
    if whole is None or folder is None:
        raise InputError(
            f"network.sources ({min(named)}).file",
            "is encoded like that of [data], and the study has no such table; add one",
        )
    return {name: _like(whole, name, located(file, folder)) for name, file in named.items()}


def _like(data: Data, source: str, file: str) -> Data:
    """Return the rows of the file of a source."""
    try:
        return data.like(file)
    except InputError as error:
        what = error.field.removeprefix("data.")
        place = f"{error.file}: {what}:" if what else error.file
        problem = f"{place} {error.message}"
        raise InputError(f"network.sources ({source}).file", problem) from error


def located(file: str, folder: Path) -> str:
    """Return a file relative to a folder, or the name of a package's data set as it is."""
    return file if file.partition(":")[0] in PACKAGES else str(folder / file)
