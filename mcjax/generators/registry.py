"""The generators that a study file can name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_type_hints

from mcjax.errors import InputError, did_you_mean, named_by
from mcjax.generators.generator import Generator, generator_from_file

PLACES = {
    "vae-digits": "mcjax.generators.vae_digits:vae_digits",
    "vae-mnist": "mcjax.generators.vae_mnist:vae_mnist",
    "lm-docs": "mcjax.generators.lm_docs:lm_docs",
    "lm-entities": "mcjax.generators.lm_entities:lm_entities",
}
"""Modules and functions of the built-in generators."""
OWN = ("file", "name")
"""Fields of ``[family]`` that name a generator of the user's."""


def make_generator(spec: Mapping[str, Any], folder: Path) -> Generator:
    """Return the generator that a ``[family]`` table describes.

    Parameters
    ----------
    spec : mapping
        ``name`` of a built-in generator and its settings, or ``file`` of a user's.
    folder : Path
        The folder to which files are relative.

    Raises
    ------
    InputError
        If a setting is unknown or out of range, or the file defines no generator.
    """
    if "file" in spec:
        _check_fields(spec, OWN)
        with named_by("family.file"):
            return generator_from_file(folder / spec["file"], spec.get("name"))
    make = resolve_name(PLACES[spec["name"]])
    given = {key: value for key, value in spec.items() if key != "name"}
    known, kinds = inspect.signature(make).parameters, get_type_hints(make)
    _check_fields(given, known)
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in given:
            raise InputError(f"family.{key}", f"is missing; name a file with {key}")
    settings = {key: _setting(key, given[key], kinds[key], folder) for key in given}
    made: Generator = make(**settings)
    return made


def _setting(key: str, value: Any, kind: type, folder: Path) -> Any:
    """Return a setting of a built-in generator: a number, or a file relative to a folder."""
    if issubclass(kind, Path):
        if not isinstance(value, str):
            raise InputError(f"family.{key}", f"is {value!r}; give the name of a file")
        return folder / value
    if isinstance(value, bool) or not isinstance(value, int | kind):
        wanted = "a whole number" if kind is int else "a number"
        raise InputError(f"family.{key}", f"is {value!r}; give {wanted}")
    return value


def _check_fields(given: Mapping[str, Any], known: Any) -> None:
    for field in given:
        if field not in known:
            takes = ", ".join(known)
            problem = f"is not a field for generators, which take {takes}"
            raise InputError(f"family.{field}", problem + did_you_mean(field, known))
