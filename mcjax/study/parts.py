"""Parts of a condition that users may write, as plain data by which results are told apart."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mcjax.errors import InputError
from mcjax.estimators.by_model import ByModel
from mcjax.estimators.estimator import Estimator
from mcjax.models.registry import usual_estimator
from mcjax.models.user import source_digest
from mcjax.network import Network
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
    if isinstance(estimator, ByModel):
        rest, *others = (each and _described(each) for each in estimator.every)
        names = dict(estimator.models)
        return {
            "kind": "ByModel",
            "estimator": rest,
            "models": dict(zip(names, others, strict=True)),
        }
    return _described(estimator)


def _described(estimator: Estimator) -> dict[str, Any]:
    """Return one estimator as plain data."""
    kind = type(estimator)
    described: dict[str, Any] = {"kind": kind.__name__}
    settings = described
    foreign = _foreign(kind)
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


def describe_selections(network: Network) -> dict[str, str]:
    """Return digests of the source of a network's selections that are not part of mcjax, by name.

    Raises
    ------
    InputError
        If a field of such a selection is no plain data, or two have classes of one name.
    """
    digests: dict[str, str] = {}
    for keep in network.selections:
        kind = type(keep)
        foreign = _foreign(kind)
        if not foreign:
            continue
        for field, value in _settings(keep).items():
            try:
                _plain(value.item() if isinstance(value, np.generic) else value)
            except TypeError as error:
                raise InputError(
                    "network.feeds.keep",
                    f"is {kind.__name__}, and results on disk cannot tell its {field} from"
                    " another; give it numbers or texts",
                ) from error
        digest = source_digest(*foreign, kind.draw)
        if digests.setdefault(kind.__name__, digest) != digest:
            raise InputError(
                "network.feeds.keep", f"has two classes {kind.__name__}; give each its own name"
            )
    return digests


def _foreign(kind: type) -> list[type]:
    """Return the classes of a part that have a source of the user's own."""
    return [c for c in kind.__mro__ if c.__module__.partition(".")[0] not in PARTS]


def _settings(thing: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(thing):
        return {
            field.name: getattr(thing, field.name)
            for field in dataclasses.fields(thing)
            if not field.metadata.get("later") or getattr(thing, field.name) != field.default
        }
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
