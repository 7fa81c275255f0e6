"""A user's own family: ``loss`` and ``sample``, in Python or in a file, and nothing else."""

from __future__ import annotations

import hashlib
import inspect
import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.errors import InputError, naming
from mcjax.models.allowance import UNMEASURED
from mcjax.models.model import Model, Params, Words


def user_model(
    loss: Callable[..., Any],
    sample: Callable[..., Any],
    sample_real: Callable[..., Any] | None = None,
    name: str = "user",
    **params: float,
) -> Model:
    """A family from two functions of one observation.

    Parameters
    ----------
    loss: ``loss(theta, x, y, **params) -> scalar``, twice differentiable almost everywhere, its
        expectation minimised at theta when y comes from ``sample`` at theta.
    sample: ``sample(key, theta, x, **params) -> y``, with a JAX random key.
    sample_real: the same for real data, if they follow another law with the same target.
    params: numbers handed to the functions by name; changing one recompiles nothing.

    Raises
    ------
    InputError: if one of them cannot be called.
    """
    functions = {"loss": loss, "sample": sample, "sample_real": sample_real or sample}
    for field, function in functions.items():
        if not callable(function):
            raise InputError(f"family.{field}", "is no function; define it with def")
    return Model(
        params={key: _number(key, value) for key, value in params.items()},
        name=name,
        variant=_digest(loss, sample, sample_real or sample),
        loss=_loss(loss),
        sample=_sample(sample),
        sample_real=_sample(sample_real or sample),
        slopes=None,
        separates=None,
        information=None,
        allowance=UNMEASURED,
    )


def model_from_object(thing: Any, **params: float) -> Model:
    """A family from anything with attributes ``loss`` and ``sample`` (a module, an instance)."""
    for field in ("loss", "sample"):
        if not hasattr(thing, field):
            raise InputError(f"family.{field}", "is missing; a family needs loss and sample")
    name = getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__)
    real = getattr(thing, "sample_real", None)
    return user_model(thing.loss, thing.sample, real, str(name), **params)


def model_from_file(path: Path, name: str | None = None, **params: float) -> Model:
    """A family from a Python file that defines ``loss`` and ``sample``; the name is the file's."""
    names = run_file(path)
    for field in ("loss", "sample"):
        if field not in names:
            raise InputError(
                field, "is missing; define loss(theta, x, y) and sample(key, theta, x)", str(path)
            )
    real = names.get("sample_real")
    with naming(path):
        return user_model(names["loss"], names["sample"], real, name or path.stem, **params)


def run_file(path: Path) -> dict[str, Any]:
    """What a user's Python file defines.

    Raises
    ------
    InputError: if it cannot be read or does not run.
    """
    try:
        return runpy.run_path(str(path))
    except OSError as error:
        raise InputError("", f"cannot be read: {error.strerror}", str(path)) from error
    except (Exception, SystemExit) as error:  # the user's program: anything can be raised
        reason = f"{type(error).__name__}: {error}"
        raise InputError("", f"does not run as Python ({reason})", str(path)) from error


def _scalar(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], params: Params
) -> Array:
    """Call the user's function; what goes wrong in it is told in a sentence."""
    try:
        value = jnp.asarray(function(*arguments, **params))
    except Exception as error:
        reason = str(error).strip().splitlines() or [""]
        raise InputError(
            f"family.{name}", f"failed with {type(error).__name__}: {reason[0]}"
        ) from error
    if value.shape != ():
        raise InputError(
            f"family.{name}", f"returned shape {value.shape} for one observation; return a scalar"
        )
    return value


def _digest(*functions: Callable[..., Any]) -> str:
    """Tells one user's code from another's as far as the source of its functions can be read."""
    text = []
    for function in functions:
        try:
            text.append(inspect.getsource(function))
        except (OSError, TypeError):
            code = getattr(function, "__code__", None)
            text.append(code.co_code.hex() if code else repr(type(function)))
    return hashlib.sha256("".join(text).encode()).hexdigest()[:16]


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"family.{key}", f"is {value!r}; a family's parameters are numbers")
    return float(value)


@cache  # one adapter for each function, so that equal families compile once
def _loss(loss: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, theta: Array, x: Array, y: Array) -> Array:
        return _scalar("loss", loss, (theta, x, y), params)

    return adapted


@cache
def _sample(sample: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, theta: Array, x: Array, words: Words) -> Array:
        key = jax.random.wrap_key_data(jnp.stack(words), impl="threefry2x32")
        return _scalar("sample", sample, (key, theta, x), params).astype(theta.dtype)

    return adapted
