"""Results as files that other programs read: netCDF4 and Parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError
from mcjax.report.origin import read_about
from mcjax.verdicts.cells import Cell
from mcjax.verdicts.frames import cell_table

if TYPE_CHECKING:
    import xarray


def netcdf(labelled: xarray.Dataset) -> bytes:
    """Return a Dataset as the bytes of a netCDF4 file."""
    packed = {"zlib": True, "complevel": 1}
    encoding: dict[Any, dict[str, Any]] = {
        # netCDF compresses arrays of characters, but not strings of variable length
        name: packed | ({"dtype": "S1"} if variable.dtype.kind == "O" else {})
        for name, variable in labelled.data_vars.items()
    }
    file = io.BytesIO()
    labelled.to_netcdf(file, engine="h5netcdf", encoding=encoding)
    return file.getvalue()


def parquet(cells: Sequence[Cell]) -> bytes:
    """Return the table of cells as the bytes of a Parquet file."""
    from pyarrow import parquet as writer  # heavy, and for results on disk alone

    file = io.BytesIO()
    writer.write_table(cell_table(cells), file)
    return file.getvalue()


def read_results(folder: Path) -> xarray.Dataset:
    """Return the Dataset in a folder of results.

    Raises
    ------
    InputError
        If the folder holds no results of a study, or they are not complete or damaged.
    """
    import xarray

    if read_about(folder)["generators"]:
        problem = "holds a study of generators, which has no such data; read its measures.csv"
        raise InputError("", problem, str(folder))
    path = folder / "results.nc"
    if not path.is_file():
        problem = "holds a study that has not ended; run the same verify command to go on"
        raise InputError("", problem, str(folder))
    try:
        return xarray.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        problem = "is damaged; run verify into another folder"
        raise InputError("", problem, str(path)) from error
