"""Data sets that come with other packages, by name. Nothing is downloaded. Does not import JAX."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from mcjax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Columns = tuple["pd.DataFrame", str | None]
"""The columns of a data set, and its target."""


def _sklearn(name: str) -> Columns:
    module = import_module("sklearn.datasets")
    known = [entry.removeprefix("load_") for entry in dir(module) if entry.startswith("load_")]
    plain = [entry for entry in known if entry in SKLEARN]
    _check_known(name, plain)
    return getattr(module, f"load_{name}")(as_frame=True).frame, "target"


def _statsmodels(name: str) -> Columns:
    module = import_module("statsmodels.datasets")
    _check_known(name, [entry.name for entry in iter_modules(module.__path__) if entry.ispkg])
    loaded = getattr(module, name).load_pandas()
    target = loaded.endog_name if isinstance(loaded.endog_name, str) else None
    return loaded.data, target


SKLEARN = ("breast_cancer", "diabetes", "digits", "iris", "wine")
"""Data sets of scikit-learn with one target."""
PACKAGES: dict[str, Callable[[str], Columns]] = {"sklearn": _sklearn, "statsmodels": _statsmodels}
"""Packages with data sets, by the name that is imported."""


def frame_of_package(package: str, name: str) -> Columns:
    """Return the columns of a package's data set, and its target.

    Raises
    ------
    InputError
        If the package is not installed, or has no such data set.
    """
    try:
        return PACKAGES[package](name)
    except ImportError as error:
        raise InputError(
            "data.file", f"is of {package}, which is not installed; run pip install 'mcjax[data]'"
        ) from error


def _check_known(name: str, known: list[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError("data.file", f"names {name!r}, not one of {', '.join(known)}{hint}")
