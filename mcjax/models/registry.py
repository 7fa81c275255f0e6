"""The models that a study file can name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from mcjax.errors import InputError, did_you_mean, named_by
from mcjax.estimators.estimator import Estimator
from mcjax.models.model import Model
from mcjax.models.names import PLACES, check_family
from mcjax.models.penalised import with_penalty
from mcjax.models.user import model_from_file

FAMILIES: dict[str, Callable[..., Model]] = {
    name: resolve_name(place) for name, place in PLACES.items()
}


def make_model(spec: Mapping[str, Any], folder: Path) -> Model:
    """Return the model that a ``[family]`` table describes.

    Parameters
    ----------
    spec : mapping
        ``name`` of a built-in model, or ``file`` of a user's, the parameters of the model and,
        optionally, its ``penalty``.
    folder : Path
        The folder to which ``file`` is relative.

    Returns
    -------
    Model
        The model, with the given parameters.

    Raises
    ------
    InputError
        If the model or a parameter is unknown, a value is out of range, or the model is not fitted
        in a way that a penalty can be added to.
    """
    if "penalty" in spec:
        plain = {key: value for key, value in spec.items() if key != "penalty"}
        return with_penalty(make_model(plain, folder), spec["penalty"])
    params = {key: value for key, value in spec.items() if key not in ("name", "file")}
    if "file" in spec:
        if not isinstance(spec["file"], str):
            raise InputError("family.file", "needs the name of a Python file")
        with named_by("family.file"):
            return model_from_file(folder / spec["file"], spec.get("name"), **params)
    check_family(spec)
    name = spec["name"]
    allowed = inspect.signature(FAMILIES[name]).parameters
    for key in params:
        if key not in allowed:
            hint = did_you_mean(key, allowed)
            takes = ", ".join(allowed) or "none"
            raise InputError(
                f"family.{key}", f"is not a parameter of {name!r} (it takes {takes}){hint}"
            )
    try:
        return FAMILIES[name](**params)
    except InputError as error:  # of an argument's type, which is named as in Python
        if error.field not in params:
            raise
        raise InputError(f"family.{error.field}", error.message) from error


@cache
def usual_estimator(name: str) -> Estimator | None:
    """Return the estimator of the built-in model of a name, or None if it has none of its own."""
    return FAMILIES[name]().estimator if name in FAMILIES else None
