"""The estimators that a study file can name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mcjax.errors import InputError, did_you_mean
from mcjax.estimators.by_model import ByModel
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.gradient_steps import Optax
from mcjax.estimators.rated import rated
from mcjax.estimators.starts import BASE

PLACES = {
    "newton": "mcjax.estimators.newton:Newton",
    "lbfgs": "mcjax.estimators.lbfgs:LBFGS",
}
"""Modules and classes of the built-in estimators that a study file can name."""

ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    name: resolve_name(place) for name, place in PLACES.items()
}
SETTINGS = (
    "steps",
    "first_steps",
    "batch_size",
    "replacement",
    "batches",
    "start",
    "base",
    "state",
)
"""Fields of an optimiser that are not arguments of optax."""
RATE, DECAY = "learning_rate", "weight_decay"
MODELS = "models"
OWN = "fit"
"""The name that stands for the model's own choice."""


def optimisers() -> dict[str, Callable[..., Any]]:
    """Return the optimisers of optax that take a learning rate, by name."""
    return {
        name: function
        for name, function in vars(optax).items()
        if inspect.isfunction(function)
        and RATE in inspect.signature(function).parameters
        and not name.startswith("_")
    }


def make_estimator(spec: Mapping[str, Any]) -> Estimator | ByModel | None:
    """Return the estimator that an ``[estimator]`` table describes, or None for the model's own.

    Parameters
    ----------
    spec : mapping
        ``name`` and, for an optimiser, ``steps``, optionally the further fields of ``SETTINGS``,
        and its arguments. ``weight_decay`` is an argument of all: where optax has none, theta
        shrinks in each step by the share ``learning_rate weight_decay``. ``models`` has such tables
        by the names of models. What they leave out is that of the whole table, but for arguments of
        another optimiser.

    Raises
    ------
    InputError
        For an unknown name or argument, or a value out of range.
    """
    shared = {key: value for key, value in spec.items() if key != MODELS}
    if MODELS not in spec:
        return _one(shared)
    tables = spec[MODELS]
    if not isinstance(tables, Mapping) or not tables:
        raise InputError(f"estimator.{MODELS}", f"is {tables!r}; give a table for each model")
    made = {}
    for model, table in tables.items():
        field = f"estimator.{MODELS}.{model}"
        if not isinstance(table, Mapping):
            raise InputError(field, f"is {table!r}; give a table, such as {{ name = 'fit' }}")
        try:
            made[model] = _one(_completed(table, shared))
        except InputError as error:
            part = error.field.removeprefix("estimator").removeprefix(".")
            raise InputError(f"{field}.{part}" if part else field, error.message) from error
    return ByModel(_one(shared), made)


def _completed(table: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a model with what it leaves out; a base is for starts at it alone."""
    start = table.get("start", BASE)
    if BASE not in (start.values() if isinstance(start, Mapping) else [start]):
        shared = {key: value for key, value in shared.items() if key != "base"}
    same = table.get("name", shared.get("name")) == shared.get("name")
    if same:
        return {**shared, **table}
    if table["name"] in (OWN, *ESTIMATORS):
        return dict(table)
    return {key: shared[key] for key in SETTINGS if key in shared} | dict(table)


def _one(spec: Mapping[str, Any]) -> Estimator | None:
    """Return the estimator of one table, without those of single models."""
    given = dict(spec)
    name = given.pop("name", OWN)
    if isinstance(name, str) and name in (OWN, *ESTIMATORS):
        for key in given:
            raise InputError(f"estimator.{key}", f"is not a setting of {name!r}; leave it out")
        return None if name == OWN else ESTIMATORS[name]()
    known = optimisers()
    if not isinstance(name, str) or name not in known:
        hint = did_you_mean(name, (OWN, *ESTIMATORS, *known))
        raise InputError(
            "estimator.name",
            f"is {name!r}; give {', '.join(map(repr, (OWN, *ESTIMATORS)))} or an optimiser of optax"
            f" such as 'sgd' or 'adam'{hint}",
        )
    settings = {key: given.pop(key) for key in SETTINGS if key in given}
    for key in ("steps", "first_steps", "batch_size"):
        if key in settings or key == "steps":
            settings[key] = _whole(key, settings.get(key))
    takes = inspect.signature(known[name]).parameters
    for key, value in given.items():
        if key not in (*takes, DECAY):
            hint = did_you_mean(key, (*SETTINGS, *takes, DECAY))
            raise InputError(f"estimator.{key}", f"is not an argument of optax.{name}{hint}")
        if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise InputError(
                f"estimator.{key}", f"is {value!r}; give a finite number, or true or false"
            )
        if key in (RATE, DECAY) and value < 0:
            raise InputError(f"estimator.{key}", f"is {value!r}; give a number of 0 or more")
    for key, parameter in takes.items():
        if parameter.default is inspect.Parameter.empty and key not in given:
            raise InputError(f"estimator.{key}", f"is missing; optax.{name} needs it")
    arguments = ", ".join(f"{key}={value!r}" for key, value in sorted(given.items()))
    added = {} if DECAY in takes else {DECAY: given.pop(DECAY, 0.0)}
    if added.get(DECAY) and RATE not in given:
        raise InputError(f"estimator.{RATE}", f"is missing; {DECAY} is a share of it")
    made = _optimiser(name, known[name], given)
    if added.get(DECAY):
        shrinkage = -given[RATE] * added[DECAY]
        made = optax.chain(made, optax.add_decayed_weights(shrinkage))
    else:
        made = rated(made, known[name], given)
    try:
        return Optax(made, **settings, name=f"{name}({arguments})")
    except InputError as error:  # of a field of Optax, which is one of the table
        raise InputError(f"estimator.{error.field}", error.message) from error


def _optimiser(
    name: str, make: Callable[..., Any], given: Mapping[str, Any]
) -> optax.GradientTransformation:
    """Return an optimiser that has made a step; what it cannot do with its arguments is a sentence.

    Some arguments of optax are no numbers, such as a type or a mask of parameters.
    """
    theta = jnp.zeros(1)
    try:
        with jax.numpy_dtype_promotion("standard"):
            made = make(**given)
            jax.eval_shape(lambda at: made.update(at, made.init(at), at), theta)
    except Exception as error:  # optax's own: anything can be raised
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            "estimator", f"cannot be made by optax.{name} of these arguments: {reason}"
        ) from error
    return made


def _whole(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        given = "missing" if value is None else repr(value)
        raise InputError(f"estimator.{key}", f"is {given}; give a whole number from 1 to 2**31 - 1")
    return value
