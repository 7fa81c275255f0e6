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
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.gradient_steps import Optax

PLACES = {
    "newton": "mcjax.estimators.newton:Newton",
    "lbfgs": "mcjax.estimators.lbfgs:LBFGS",
}
"""Modules and classes of the built-in estimators that a study file can name."""

ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    name: resolve_name(place) for name, place in PLACES.items()
}
OWN = "fit"
"""The name that stands for the model's own choice."""


def optimisers() -> dict[str, Callable[..., Any]]:
    """Return the optimisers of optax that take a learning rate, by name."""
    return {
        name: function
        for name, function in vars(optax).items()
        if inspect.isfunction(function)
        and "learning_rate" in inspect.signature(function).parameters
        and not name.startswith("_")
    }


def make_estimator(spec: Mapping[str, Any]) -> Estimator | None:
    """Return the estimator that an ``[estimator]`` table describes, or None for the model's own.

    Parameters
    ----------
    spec : mapping
        ``name`` and, for an optimiser, ``steps``, optionally ``batch_size``, and its arguments.

    Raises
    ------
    InputError
        For an unknown name or argument, or a value out of range.
    """
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
    steps = _whole("steps", given.pop("steps", None))
    size = given.pop("batch_size", None)
    size = None if size is None else _whole("batch_size", size)
    takes = inspect.signature(known[name]).parameters
    for key, value in given.items():
        if key not in takes:
            hint = did_you_mean(key, ("steps", "batch_size", *takes))
            raise InputError(f"estimator.{key}", f"is not an argument of optax.{name}{hint}")
        if not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise InputError(
                f"estimator.{key}", f"is {value!r}; give a finite number, or true or false"
            )
    for key, parameter in takes.items():
        if parameter.default is inspect.Parameter.empty and key not in given:
            raise InputError(f"estimator.{key}", f"is missing; optax.{name} needs it")
    arguments = ", ".join(f"{key}={value!r}" for key, value in sorted(given.items()))
    return Optax(_optimiser(name, known[name], given), steps, size, f"{name}({arguments})")


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
