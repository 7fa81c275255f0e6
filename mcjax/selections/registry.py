"""The selections that a study file can name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pkgutil import resolve_name
from typing import Any

from mcjax.errors import InputError, did_you_mean
from mcjax.selections.selection import Selection

PLACES = {
    "temperature": "mcjax.selections.temperature:Temperature",
    "flip": "mcjax.selections.flip:Flip",
}
"""Modules and classes of the built-in selections, by the field of ``keep`` that asks for them."""

SELECTIONS: dict[str, type[Any]] = {name: resolve_name(place) for name, place in PLACES.items()}


def read_selection(spec: Mapping[str, Any], field: str) -> Selection:
    """Return the selection that a ``keep`` table describes.

    Parameters
    ----------
    spec : mapping
        The field that names the kind, and its other fields.
    field : str
        What errors name.

    Raises
    ------
    InputError
        If no kind or several are asked for, or a field is unknown, missing or of the wrong type.
    """
    kinds = [name for name in spec if name in SELECTIONS]
    known = ", ".join(SELECTIONS)
    if len(kinds) != 1:
        wrong = next((name for name in spec if name not in SELECTIONS), "")
        hint = did_you_mean(wrong, SELECTIONS) if not kinds and wrong else ""
        what = f"asks for {' and '.join(kinds)}" if kinds else "names no selection"
        raise InputError(field, f"{what}; give one of {known}{hint}")
    kind = SELECTIONS[kinds[0]]
    takes = {entry.name: entry for entry in fields(kind)}
    for key in spec:
        if key not in takes:
            hint = did_you_mean(key, takes)
            raise InputError(
                f"{field}.{key}",
                f"is not a field of {kinds[0]} (it takes {', '.join(takes)}){hint}",
            )
    for key, entry in takes.items():
        if entry.default is MISSING and key not in spec:
            raise InputError(f"{field}.{key}", f"is missing; {kinds[0]} needs it")
    selection: Selection = kind(**{key: _frozen(value) for key, value in spec.items()})
    return selection


def _frozen(value: Any) -> Any:
    """Return a value in which lists are tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
