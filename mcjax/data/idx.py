"""Read idx files, in which MNIST comes, and unpack files that gzip has packed."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np

from mcjax.errors import FileError, InputError
from mcjax.files import LARGEST

BEGINS = b"\0\0"
"""The first bytes of an idx file."""
TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
"""Types of numbers in idx files, by their code."""


def unpacked(content: bytes, path: Path) -> bytes:
    """Return the content of a gzip file, or the content itself.

    Raises
    ------
    FileError
        If a gzip file is damaged, or unpacks to too much.
    """
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            whole = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError("", "is a damaged gzip file; fetch it again", str(path)) from error
    if len(whole) > LARGEST:
        raise FileError("", f"unpacks to more than {LARGEST >> 20} MiB; give fewer rows", str(path))
    return whole


def idx_array(content: bytes, read: str) -> np.ndarray:
    """Return the array of an idx file.

    Parameters
    ----------
    content : bytes
        The file, unpacked.
    read : str
        What is read instead, for the message about a file that is none.

    Raises
    ------
    InputError
        If the file is malformed.
    """
    if len(content) < 4 or content[2] not in TYPES or not 1 <= content[3] <= 4:
        raise InputError("", f"begins like an idx file, but with a wrong magic number; {read}")
    kind, axes = np.dtype(TYPES[content[2]]), content[3]
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise InputError("", "is an idx file that ends within its header; fetch it again")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    wanted, given = int(np.prod([kind.itemsize, *shape], dtype=object)), len(content) - begin
    if wanted != given:
        raise InputError(
            "",
            f"announces {wanted:,} bytes of numbers after its header and holds {given:,}; fetch it"
            " again",
        )
    return np.frombuffer(content, kind, offset=begin).reshape(shape)
