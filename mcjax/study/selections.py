"""The selections that a study file can name. Does not import them before one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pkgutil import resolve_name
from typing import Any

from mcjax.errors import InputError, did_you_mean

PLACES = {
    "temperature": "mcjax.selections.temperature:Temperature",
    "flip": "mcjax.selections.flip:Flip",
    "verifier": "mcjax.selections.verifier:Verifier",
    "checker": "mcjax.selections.checker:Checker",
    "best_of": "mcjax.selections.best_of:BestOf",
    "top_p": "mcjax.selections.top_p:TopP",
}
"""Modules and classes of the built-in selections, by the field of ``keep`` that asks for them."""


def read_selection(spec: Mapping[str, Any], field: str) -> Any:
    """Return the selection that a ``keep`` table describes.

    Parameters
    ----------
    spec : mapping
        The field that names the kind, and its other fields.
    field : str
        What errors name.

    Returns
    -------
    Selection
        Its values are checked where a model is known.

    Raises
    ------
    InputError
        If no kind or several are asked for, or a field is unknown, missing or of the wrong type.
    """
    kinds = [name for name in spec if name in PLACES]
    known = ", ".join(PLACES)
    if len(kinds) != 1:
        wrong = next((name for name in spec if name not in PLACES), "")
        hint = did_you_mean(wrong, PLACES) if not kinds and wrong else ""
        what = f"asks for {' and '.join(kinds)}" if kinds else "names no selection"
        raise InputError(field, f"{what}; give one of {known}{hint}")
    kind = resolve_name(PLACES[kinds[0]])
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
    return kind(**{key: _frozen(value) for key, value in spec.items()})


def _frozen(value: Any) -> Any:
    """Return a value in which lists are tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
