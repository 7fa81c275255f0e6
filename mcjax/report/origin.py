"""Load again the study that a folder of results belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import jax

from mcjax.errors import InputError
from mcjax.files import ENCODING, read_text
from mcjax.report.folder import check_format
from mcjax.study.identity import identity
from mcjax.study.load import builtin_file
from mcjax.study.local_files import study_with_files
from mcjax.study.study import Study

S = TypeVar("S")
REMEDY = "name the study's file with --file PATH"


def read_about(folder: Path) -> dict[str, Any]:
    """Read the identity, source and environment of a study from ``study.json``.

    Parameters
    ----------
    folder : Path
        Folder of results; it is not changed.

    Returns
    -------
    dict
        With the keys ``identity``, ``source``, ``environment``, ``path`` and ``generators``.

    Raises
    ------
    InputError
        If the folder holds no results of a study, damaged ones, or some of another format.
    """
    path = folder / "study.json"
    if not path.is_file():
        raise InputError("", "holds no results; name a folder that verify --out kept", str(folder))
    with _reading(path):
        about = dict(json.loads(path.read_text(encoding=ENCODING)))
    check_format(about, folder)
    if "survey" in about:
        raise InputError("", "holds a survey; name a folder with a study", str(folder))
    with _reading(path):
        return {
            "identity": about["identity"],
            "source": dict(about.get("source") or {}),
            "environment": dict(about.get("environment") or {}),
            "path": str(dict(about.get("settings") or {}).get("path", "auto")),
            "generators": "generators" in about,
        }


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise InputError for what cannot be read in this context."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("", "is damaged; run verify into another folder", str(path)) from error


def load_again(folder: Path, about: dict[str, Any], file: Path | None = None) -> Study:
    """Load the study of a folder of results, see :func:`found_again`."""

    def load(path: Path, files: Sequence[str]) -> Study:
        study = study_with_files(path, files)
        return replace(study, path=about["path"])  # --path may have changed it

    return found_again(folder, about, file, load=load, identity_of=identity)


def found_again(
    folder: Path,
    about: dict[str, Any],
    file: Path | None,
    *,
    load: Callable[[Path, Sequence[str]], S],
    identity_of: Callable[[S], str],
) -> S:
    """Load the study of a folder of results.

    Parameters
    ----------
    folder : Path
        Folder of results.
    about : dict
        Its description, see :func:`read_about`.
    file : Path or None
        Study file; if None, the file that the results came from.
    load, identity_of : callable
        Load a study from a file, with files of the user's, and return its identity.

    Raises
    ------
    InputError
        If the file, or one that it names, is missing or no longer describes the study.
    """
    source = about["source"]
    if file is not None:
        path = file
    elif "builtin" in source:
        path = builtin_file(source["builtin"])
    elif "file" in source:
        path = Path(source["file"])
    else:
        raise InputError("", f"does not say which file it came from; {REMEDY}", str(folder))
    if file is None and not path.exists():
        problem = f"does not exist any more, and {folder} came from it; {REMEDY}"
        raise InputError("", problem, str(path))
    try:
        study = load(path, () if file is not None else source.get("with", ()))
    except InputError as error:
        if file is not None:
            raise
        problem = f"{error.message}; {folder} came from {path}: restore it, or {REMEDY}"
        raise InputError(error.field, problem, error.file) from error
    if identity_of(study) != about["identity"]:
        if file is not None:
            raise InputError("", f"is not the study of {folder}; name another --file", str(path))
        same = source.get("text") == read_text(path)
        fault = "a file that it names, or mcjax, has changed" if same else "it has changed"
        problem = f"is no longer the study of {folder}: {fault}; restore it, or {REMEDY}"
        raise InputError("", problem, str(path))
    return study


def elsewhere(about: dict[str, Any]) -> str:
    """Return how the versions or the device of a study differ from those here; empty if not."""
    environment = about["environment"]
    here = {name: version(name) for name in ("mcjax", "jax", "jaxlib")}
    here["device"] = str(jax.devices()[0].device_kind)
    then = {"device": environment.get("device")} | environment.get("versions", {})
    return ", ".join(f"{k} {then.get(k)}, here {v}" for k, v in here.items() if then.get(k) != v)
