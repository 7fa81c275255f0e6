"""The estimator of a condition as plain data, by which results on disk are told apart."""

from __future__ import annotations

import dataclasses
from typing import Any

from mcjax.errors import InputError
from mcjax.models.registry import usual_estimator
from mcjax.models.user import source_digest
from mcjax.study.study import Condition

PARTS = ("mcjax", "builtins", "abc", "typing")
"""Packages whose classes have no source of the user's own."""


def describe_estimator(condition: Condition) -> dict[str, Any] | None:
    """Return the estimator of a condition, or None if it is the usual one of its model.

    Two estimators with one description fit alike: it holds all settings and, for a class that is
    not part of mcjax, a digest of its source. What is no plain data, such as an optimiser of optax,
    is told apart by the estimator's ``name``.

    Raises
    ------
    InputError
        If a setting is no plain data, and the estimator has no name.
    """
    estimator, model = condition.estimator, condition.model
    if estimator is None:
        estimator = model.estimator
        if estimator == usual_estimator(model.name):
            return None
    if estimator is None:
        return {"kind": None}  # the study's solver, for a model that usually has its own
    kind = type(estimator)
    described: dict[str, Any] = {"kind": kind.__name__}
    settings = described
    foreign = [c for c in kind.__mro__ if c.__module__.partition(".")[0] not in PARTS]
    if foreign:  # its fields may have any name
        settings = {}
        described |= {"source": source_digest(*foreign, kind.fit), "settings": settings}
    for field, value in _settings(estimator).items():
        try:
            settings[field] = _plain(value)
        except TypeError as error:
            if not getattr(estimator, "name", None):
                raise InputError(
                    "estimator",
                    f"is {kind.__name__} without a name, and results on disk cannot tell its"
                    f" {field} from another; give it a name, such as name='adam(0.01)'",
                ) from error
    return described


def _settings(thing: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(thing):
        return {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    if not hasattr(thing, "__dict__"):
        raise InputError(
            "estimator", f"is {type(thing).__name__} without a __dict__; leave out its __slots__"
        )
    return dict(vars(thing))


def _plain(value: Any) -> Any:
    """Return a setting as JSON takes it; raise TypeError if that would lose something."""
    if isinstance(value, int | float | str | None):
        return value
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        settings = {field: _plain(entry) for field, entry in _settings(value).items()}
        return {"kind": type(value).__name__, **settings}
    raise TypeError(f"{type(value).__name__} is no plain data")
