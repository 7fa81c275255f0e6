"""Read files of data as frames, by what they hold. Does not import JAX; pandas is read lazily."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mcjax.data.idx import BEGINS, idx_array, unpacked
from mcjax.data.packages import PACKAGES, frame_of_package
from mcjax.errors import InputError, named_by, naming
from mcjax.files import read_bytes

if TYPE_CHECKING:
    import pandas as pd

READ = (
    "CSV, Parquet, npz, idx (as MNIST's), CIFAR-10's binary batches (.bin), and data sets of a"
    " package such as sklearn:digits or statsmodels:engel are read"
)
LABEL = "label"
"""Name of the labels of images."""
CIFAR_ROW = 1 + 3 * 32 * 32
DELIMITERS = ",;\t|"


class Frame(NamedTuple):
    """A table with named columns.

    Attributes
    ----------
    columns : DataFrame
        The columns.
    target : str or None
        The column of labels, if the file says which.
    """

    columns: pd.DataFrame
    target: str | None = None


def read_frame(name: str, folder: Path, labels: str | None = None) -> Frame:
    """Read the columns of a file, or of the data set of a package.

    Parameters
    ----------
    name : str
        A path, or a name such as ``sklearn:digits``.
    folder : Path
        What a path is relative to.
    labels : str, optional
        For images in an idx file: the path of their labels; by default the name of MNIST's.

    Raises
    ------
    InputError
        If there is no such file, or it is malformed.
    """
    package, _, dataset = name.partition(":")
    if package in PACKAGES and dataset:
        return Frame(*frame_of_package(package, dataset))
    path = folder / name
    content = unpacked(read_bytes(path), path)
    with naming(path):
        if content[:2] == BEGINS:
            other = folder / (labels or labels_of(name))
            return _images(content, path, other)
        if labels is not None:
            raise InputError("data.labels", "is for images in an idx file; leave it out")
        for magic, read in _READERS.items():
            if content.startswith(magic):
                return read(content, path)
        return _cifar(content) if path.suffix == ".bin" else _csv(content)


def labels_of(images: str) -> str:
    """Return the name of the idx file with the labels of images, if both are named as in MNIST.

    Other names are returned unchanged.
    """
    return images.replace("images-idx3", "labels-idx1")


def _parquet(content: bytes, path: Path) -> Frame:
    import pandas as pd
    import pyarrow as pa

    try:
        return Frame(pd.read_parquet(io.BytesIO(content)))
    except (pa.ArrowException, OSError) as error:
        raise InputError("", "is a damaged Parquet file; write it again") from error


def _npz(content: bytes, path: Path) -> Frame:
    import pandas as pd

    columns: dict[str, np.ndarray] = {}
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            for key in arrays.files:
                array = arrays[key]
                if array.ndim not in (1, 2):
                    raise InputError(
                        f"array {key!r}", f"has {array.ndim} axes; give arrays of rows and columns"
                    )
                named = {key: array}
                if array.ndim == 2:
                    named = {f"{key}{k}": array[:, k] for k in range(array.shape[1])}
                for name in named:
                    if name in columns:
                        problem = f"makes a second column {name!r}; give arrays other names"
                        raise InputError(f"array {key!r}", problem)
                columns |= named
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError("", "is a damaged npz file; write it again with numpy.savez") from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "", "holds Python objects, which are not loaded; save plain arrays"
        ) from error
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1:
        raise InputError("", "has arrays of different lengths; give one row for each observation")
    return Frame(pd.DataFrame(columns))


def _pickle(content: bytes, path: Path) -> Frame:
    raise InputError("", f"looks like a pickle, which could run code and is not loaded; {READ}")


_READERS: dict[bytes, Callable[[bytes, Path], Frame]] = {
    b"PAR1": _parquet,
    b"PK\x03\x04": _npz,
    b"\x80": _pickle,
}
"""Readers by the bytes that a file begins with."""


def _images(content: bytes, path: Path, other: Path) -> Frame:
    """Return images of an idx file as rows of pixels, with labels of another."""
    images = idx_array(content, READ)
    if images.ndim < 2:
        raise InputError("", "holds labels and no images; name the file of the images")
    if other == path:
        problem = "is missing; name the idx file with the labels, or both files as MNIST does"
        raise InputError("data.labels", problem)
    with named_by("data.labels"), naming(other):
        labels = idx_array(unpacked(read_bytes(other), other), READ)
        if labels.shape != images.shape[:1]:
            raise InputError(
                "", f"has {labels.size:,} labels for {len(images):,} images; give one for each"
            )
    return _pixels(images.reshape(len(images), -1), labels)


def _cifar(content: bytes) -> Frame:
    """Return the rows of a binary batch of CIFAR-10: a label, then pixels."""
    if not content or len(content) % CIFAR_ROW:
        raise InputError(
            "",
            f"has {len(content):,} bytes, no multiple of the {CIFAR_ROW:,} of an image of CIFAR-10;"
            " fetch it again",
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, CIFAR_ROW)
    if rows[:, 0].max() > 9:
        raise InputError("", "has labels above 9, as no batch of CIFAR-10 has; name another file")
    return _pixels(rows[:, 1:], rows[:, 0])


def _pixels(pixels: np.ndarray, labels: np.ndarray) -> Frame:
    import pandas as pd

    columns = pd.DataFrame(
        pixels.astype(float), columns=[f"pixel{k}" for k in range(pixels.shape[1])]
    )
    columns[LABEL] = labels
    return Frame(columns, LABEL)


def _csv(content: bytes) -> Frame:
    import pandas as pd

    head, _, rest = content.partition(b"\n")
    if not rest.strip():
        raise InputError("", f"has no rows; {READ}")
    try:
        header = head.decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError as error:
        raise InputError(
            "", f"is neither text in UTF-8 nor another file of data; {READ}"
        ) from error
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader([header], delimiter=delimiter, skipinitialspace=True)
    names = [name.strip() for name in next(rows, [])]
    if "" in names:
        problem = f"has no name for column {names.index('') + 1}"
        raise InputError("", f"{problem}; name it, or drop it if it numbers the rows")
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise InputError("", f"has two columns {repeated!r}; give each its own name")
    if all(_is_number(name) for name in names):
        raise InputError("", "begins with numbers; add a header row with the names of columns")
    try:
        frame = pd.read_csv(
            io.BytesIO(content), sep=delimiter, encoding="utf-8-sig", skipinitialspace=True
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        told = str(error).partition("C error: ")[2].strip() or str(error)
        raise InputError("", f"is not a table: {told}; give every row as many fields") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError("", "is not text in UTF-8; save it as UTF-8") from error
    if not isinstance(frame.index, pd.RangeIndex):  # rows with more fields than the header
        raise InputError("", "has rows with more fields than its header; name every column")
    for name in frame.columns:
        if _has_decimal_commas(frame[name]):  # few of them would pass for texts
            raise InputError("", f"has decimal commas in {name!r}; write decimal points")
    return Frame(frame)


def _has_decimal_commas(column: pd.Series) -> bool:
    """Return whether a column is not of numbers because these have decimal commas."""
    if column.dtype.kind in "iufb":
        return False
    texts = column.dropna().astype(str).str.strip()
    numbers = texts.str.fullmatch(r"[-+]?\d*,?\d+(?:[eE][-+]?\d+)?")
    return bool(numbers.all() and texts.str.contains(",").any())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
