"""A folder of results: one owner, files replaced whole or not at all."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import jax
import numpy as np
from filelock import FileLock, Timeout

from mcjax.errors import InputError
from mcjax.network.graphs import ENCODING
from mcjax.report.text import csv_text, strict_json

PART = ".part"
"""Ending of a file that is still being written."""
LOCK = ".lock"


class ResultFolder:
    """The files of one study or survey.

    Parameters
    ----------
    about: what the results belong to, as plain data, kept in ``study.json``.
    identity: a digest of all that the numbers depend on.

    Raises
    ------
    InputError: if the folder holds other results, cannot be used, or is in use by another process;
        nothing in it is touched then.
    """

    def __init__(self, folder: Path, about: dict[str, Any], identity: str):
        self.path = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError("--out", f"is no usable folder: {error.strerror}", str(folder)) from (
                error
            )
        try:
            foreign = not self._about.exists() and any(
                path.suffix != PART and path.name != LOCK for path in folder.iterdir()
            )
        except OSError as error:
            raise InputError("--out", f"cannot be read: {error.strerror}", str(folder)) from error
        if foreign:
            raise InputError("--out", "is not empty; name a new folder", str(folder))
        # the system frees it when the process ends, however it ends
        self._lock = FileLock(folder / LOCK, timeout=0, is_singleton=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise InputError(
                "--out",
                "is in use by another mcjax process; wait for it or name another folder",
                str(folder),
            ) from error
        except OSError as error:
            raise InputError("--out", f"cannot be written: {error.strerror}", str(folder)) from (
                error
            )
        except NotImplementedError as error:
            message = "lies on a file system without locks; name a folder on another"
            raise InputError("--out", message, str(folder)) from error
        if self._about.exists() and self._read_identity() != identity:
            raise InputError(
                "--out", "holds the results of another study; name another folder", str(folder)
            )
        self.environment = environment() | {
            "started": datetime.now(UTC).isoformat(timespec="seconds")
        }
        self.write_json(
            "study.json", {"identity": identity, **about, "environment": self.environment}
        )

    @property
    def _about(self) -> Path:
        return self.path / "study.json"

    def _read_identity(self) -> str:
        try:
            return str(json.loads(self._about.read_text(encoding=ENCODING))["identity"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError("", "is damaged; name another folder", str(self._about)) from error

    def write_json(self, name: str, value: Any) -> None:
        """Strict JSON: what is not a finite number is null."""
        text = strict_json(value)
        self._write(name, lambda file: file.write(text.encode()))

    def write_text(self, name: str, text: str) -> None:
        """Plain text, or a page."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """A file of any format."""
        self._write(name, lambda file: file.write(content))

    def write_csv(
        self, name: str, rows: Sequence[dict[str, Any]], otherwise: Sequence[str]
    ) -> None:
        """Rows with equal keys; ``otherwise``: the heading of an empty table."""
        self.write_text(name, csv_text(rows, otherwise))

    def write_arrays(self, name: str, arrays: dict[str, Any]) -> None:
        """NumPy's npz."""
        self._write(name, lambda file: np.savez(file, **arrays))

    def read_arrays(self, name: str, unpack: Callable[[Any], Any]) -> Any:
        """``unpack`` applied to the arrays of a file; None if there is no such file.

        Raises
        ------
        InputError: if the file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file) as data:
                return unpack(data)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise InputError("", "is damaged; remove it to simulate anew", str(path)) from error

    def _write(self, name: str, fill: Callable[[IO[bytes]], Any]) -> None:
        path = self.path / name
        part = path.with_name(path.name + PART)
        try:
            with part.open("wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise InputError("--out", f"cannot be written: {error.strerror}", str(path)) from error


def environment() -> dict[str, Any]:
    """What numbers are made with: versions by package, Python, device."""
    return {
        "versions": {name: version(name) for name in ("mcjax", "jax", "jaxlib", "numpy")},
        "python": platform.python_version(),
        "device": str(jax.devices()[0].device_kind),
    }
