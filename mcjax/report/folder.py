"""Folders of results, each of one owner, whose files are replaced atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout

from mcjax.engine.environment import environment
from mcjax.errors import InputError
from mcjax.files import ENCODING
from mcjax.text import csv_text, strict_json

PART = ".part"
"""Suffix of a file that is still being written."""
LOCK = ".lock"
DAMAGED = "is damaged; name another folder"
FORMAT = 1
"""Number of the format of folders, which grows when older versions would misread them."""


def check_format(about: dict[str, Any], folder: Path) -> None:
    """Raise InputError if a folder, described by its ``study.json``, has another format."""
    found = about.get("format", FORMAT)  # folders had no number at first
    if found != FORMAT:
        problem = f"has the format {found!r}, and this version of mcjax knows {FORMAT}"
        advice = "name another folder, or use the version that wrote it"
        raise InputError("format", f"{problem}; {advice}", str(folder / "study.json"))


class ResultFolder:
    """The folder with the results of one study or survey.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it does not exist.
    about : dict
        Description of the study or survey as plain data, kept in ``study.json``.
    identity : str
        Digest of everything that the numbers depend on.

    Raises
    ------
    InputError
        If the folder holds other results, or some of another format, cannot be used, or is in use
        by another process. Nothing in it is changed then.
    """

    def __init__(self, folder: Path, about: dict[str, Any], identity: str):
        self.path = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"is not a usable folder: {error.strerror}; name another"
            raise InputError("--out", problem, str(folder)) from error
        try:
            foreign = not self._about.exists() and any(
                path.suffix != PART and path.name != LOCK for path in folder.iterdir()
            )
        except OSError as error:
            problem = f"cannot be read: {error.strerror}; name another folder"
            raise InputError("--out", problem, str(folder)) from error
        if foreign:
            raise InputError("--out", "is not empty; name a new folder", str(folder))
        # the operating system releases the lock when the process ends, however it ends
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
            problem = f"cannot be written: {error.strerror}; name another folder"
            raise InputError("--out", problem, str(folder)) from error
        except NotImplementedError as error:
            problem = "is on a file system without locks; name a folder on another file system"
            raise InputError("--out", problem, str(folder)) from error
        if self._about.exists() and self._read_identity() != identity:
            raise InputError(
                "--out", "holds the results of another study; name another folder", str(folder)
            )
        self.environment = environment() | {
            "started": datetime.now(UTC).isoformat(timespec="seconds")
        }
        self.write_json(
            "study.json",
            {"format": FORMAT, "identity": identity, **about, "environment": self.environment},
        )

    @property
    def _about(self) -> Path:
        return self.path / "study.json"

    def _read_identity(self) -> str:
        try:
            about = {"identity": "", **json.loads(self._about.read_text(encoding=ENCODING))}
        except (OSError, ValueError, TypeError) as error:
            raise InputError("", DAMAGED, str(self._about)) from error
        check_format(about, self.path)
        if not about["identity"]:
            raise InputError("", DAMAGED, str(self._about))
        return str(about["identity"])

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as strict JSON, in which a number that is not finite is null."""
        text = strict_json(value)
        self._write(name, lambda file: file.write(text.encode()))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file in UTF-8."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of any format."""
        self._write(name, lambda file: file.write(content))

    def write_csv(
        self, name: str, rows: Sequence[dict[str, Any]], otherwise: Sequence[str]
    ) -> None:
        """Write a CSV table, see :func:`mcjax.text.csv_text`."""
        self.write_text(name, csv_text(rows, otherwise))

    def write_arrays(self, name: str, arrays: dict[str, Any]) -> None:
        """Write arrays by name, as a file in NumPy's npz format."""
        self._write(name, lambda file: np.savez(file, **arrays))

    def read_arrays(self, name: str, unpack: Callable[[Any], Any]) -> Any:
        """Return what ``unpack`` makes of the arrays of an npz file; None if there is no such file.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        path = self.path / name
        if not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file) as data:
                return unpack(data)
        except InputError:
            raise
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
            problem = f"cannot be written: {error.strerror}; make room or name another folder"
            raise InputError("--out", problem, str(path)) from error


def require_powers(found: bool) -> None:
    """Raise InputError unless a folder has the sums of powers that intervals need."""
    if not found:
        raise InputError(
            "--out",
            "holds moments of an earlier version of mcjax, without the sums of powers that"
            " intervals need; name another folder",
        )
