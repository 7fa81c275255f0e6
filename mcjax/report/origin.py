"""The study that a folder of results belongs to, loaded again."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from mcjax.errors import InputError
from mcjax.network.graphs import ENCODING
from mcjax.report.store import identity
from mcjax.study.load import builtin_file, load_study
from mcjax.study.schema import read_text
from mcjax.study.study import Study

REMEDY = "name the study's file with --file PATH"


def read_about(folder: Path) -> dict[str, Any]:
    """What ``study.json`` says of the study's identity, source and environment; the folder stays
    as it is.

    Raises
    ------
    InputError: if the folder holds no results of a study, or they are damaged.
    """
    path = folder / "study.json"
    if not path.is_file():
        raise InputError("", "holds no results; name a folder that verify --out kept", str(folder))
    try:
        about = json.loads(path.read_text(encoding=ENCODING))
        found = {
            "identity": about["identity"],
            "source": dict(about.get("source") or {}),
            "environment": dict(about.get("environment") or {}),
            "path": str(dict(about.get("settings") or {}).get("path", "auto")),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("", "is damaged; run verify into another folder", str(path)) from error
    if "survey" in about:
        raise InputError("", "holds a survey, and only studies have replays", str(folder))
    return found


def load_again(folder: Path, about: dict[str, Any], file: Path | None = None) -> Study:
    """The study of a folder from the file it came from, or from ``file``.

    Parameters
    ----------
    about: see :func:`read_about`.

    Raises
    ------
    InputError: if that file, or one that it names, is missing or is no longer that of the study.
    """
    source = about["source"]
    if file is not None:
        path = file
    elif "builtin" in source:
        path = builtin_file("study")
    elif "file" in source:
        path = Path(source["file"])
    else:
        raise InputError("", f"does not say which file it came from; {REMEDY}", str(folder))
    if file is None and not path.exists():
        raise InputError("", f"is gone, and {folder} came from it; {REMEDY}", str(path))
    try:
        study = load_study(path)
    except InputError as error:
        if file is not None:
            raise
        problem = f"{error.message}; {folder} came from {path}: restore it, or {REMEDY}"
        raise InputError(error.field, problem, error.file) from error
    study = replace(study, path=about["path"])  # which ``--path`` may have changed
    if identity(study) != about["identity"]:
        if file is not None:
            raise InputError("", f"is not the study of {folder}; name another --file", str(path))
        same = source.get("text") == read_text(path)
        fault = "a file that it names, or mcjax, has changed" if same else "it has changed"
        problem = f"is no longer the study of {folder}: {fault}; restore it, or {REMEDY}"
        raise InputError("", problem, str(path))
    return study


def elsewhere(about: dict[str, Any]) -> str:
    """How the machine or the versions of the study differ from those here, or nothing."""
    environment = about["environment"]
    here = {name: version(name) for name in ("mcjax", "jax", "jaxlib")}
    here["device"] = str(jax.devices()[0].device_kind)
    then = {"device": environment.get("device")} | environment.get("versions", {})
    return ", ".join(f"{k} {then.get(k)}, here {v}" for k, v in here.items() if then.get(k) != v)
