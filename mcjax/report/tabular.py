"""Results as files that other programs read: netCDF4 and Parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
