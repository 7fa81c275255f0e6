"""Data sets that a user has and mcjax has not, beside those of the built-in study of real data.

``mcjax verify --builtin real-data --with mnist=FILE`` adds a family to the grid of the study:
whether an image shows one of the last five of ten classes, from five principal components of a
random part of the images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcjax.errors import InputError, did_you_mean, naming
from mcjax.study.load import study_of
from mcjax.study.schema import read_tables
from mcjax.study.study import Study

OPTION = "--with"
FILES = {
    "mnist": ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"),
    "cifar": ("data_batch_1.bin",),
}
"""Names of the files of data sets, for which a folder is searched."""
FAMILY: dict[str, Any] = {"name": "logistic"}
DATA: dict[str, Any] = {
    "positive": [5, 6, 7, 8, 9],
    "standardise": True,
    "components": 5,
    "rows": 10_000,
    "held_out": 0.2,
}


def study_with_files(path: Path, given: Sequence[str]) -> Study:
    """Read a study file whose grid has families, and add one for each file.

    Parameters
    ----------
    path : Path
        The study file.
    given : sequence of str
        ``NAME=FILE`` with a name of :data:`FILES`, and a file or a folder with such a file.

    Raises
    ------
    InputError
        If one is not of this form, or a folder has no such file, and as in
        :func:`mcjax.load_study`.
    """
    tables = read_tables(path)
    for text in given:
        name, _, place = text.partition("=")
        if name not in FILES or not place:
            hint = did_you_mean(name, FILES)
            raise InputError(OPTION, f"is {text!r}; give mnist=FILE or cifar=FILE{hint}")
        file = str(_file_in(Path(place), FILES[name]).absolute())
        tables["grid"]["family"].append(FAMILY | {"data": DATA | {"file": file}})
    with naming(path):
        return study_of(tables, path)


def _file_in(place: Path, names: Sequence[str]) -> Path:
    """Return the file of a data set, which may be in a folder."""
    if not place.is_dir():
        return place
    found = [place / name for name in names if (place / name).is_file()]
    if not found:
        raise InputError(OPTION, f"names a folder without {names[0]}; name the file")
    return found[0]
