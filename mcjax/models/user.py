"""A user's own model: ``loss`` and ``sample``, in Python or in a file, and nothing else."""

from __future__ import annotations

import hashlib
import inspect
import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.draws.keys import key_of
from mcjax.errors import InputError, did_you_mean, naming
from mcjax.estimators.estimator import Estimator
from mcjax.estimators.predictor import LinearPredictor, Params, Words, elementwise
from mcjax.models.model import Model, predictor_model

PREDICTORS = ("linear",)
SIGNATURES = {
    None: ("loss(theta, x, y)", "sample(key, theta, x)"),
    "linear": ("loss(eta, y)", "sample(key, eta)"),
}
"""What a user's functions take, by the predictor."""


def user_model(
    loss: Callable[..., Any],
    sample: Callable[..., Any],
    sample_real: Callable[..., Any] | None = None,
    name: str = "user",
    *,
    predictor: Literal["linear"] | None = None,
    covariates: int | None = None,
    estimator: Estimator | None = None,
    init: Callable[[Array], Any] | None = None,
    **params: float,
) -> Model:
    """Return a model made of two functions of one observation.

    Parameters
    ----------
    loss : callable
        ``loss(theta, x, y, **params) -> scalar``, twice differentiable almost everywhere, whose
        expectation is smallest at theta when y comes from ``sample`` at theta. theta is a vector or
        any pytree, like the truth given to :func:`mcjax.condition`.
    sample : callable
        ``sample(key, theta, x, **params) -> y``, with a JAX random key; y may be an array.
    sample_real : callable, optional
        The same for real data, if they follow another law with the same target.
    name : str
        Its name in tables.
    predictor : {"linear"}, optional
        With ``"linear"`` the functions take the scalar ``eta = x'theta`` instead,
        ``loss(eta, y, **params)`` and ``sample(key, eta, **params)``, and chains run on the fast
        path.
    covariates : int, optional
        Number of covariates of an observation; defaults to the number of parameters.
    estimator : Estimator, optional
        What fits the model; defaults to Newton's method, or L-BFGS for many parameters.
    init : callable, optional
        ``key -> theta``, random parameters to begin with, for estimators that do.
    **params : float
        Numbers handed to the functions by name; changing one recompiles nothing.

    Raises
    ------
    InputError
        If one of the functions cannot be called, or ``predictor`` is not known.
    """
    functions = {"loss": loss, "sample": sample, "sample_real": sample_real or sample}
    for field, function in functions.items():
        if not callable(function):
            raise InputError(f"family.{field}", "is no function; define it with def")
    numbers = {key: _number(key, value) for key, value in params.items()}
    digest = _digest(*functions.values())
    options: dict[str, Any] = {
        "params": numbers,
        "variant": digest if predictor is None else f"{digest}, predictor={predictor}",
        "estimator": estimator,
        "init": init,
    }
    if predictor is None:
        return Model(
            name=name,
            loss=_loss(loss),
            sample=_sample(sample),
            sample_real=None if sample_real is None else _sample(sample_real),
            covariates=covariates,
            **options,
        )
    if predictor not in PREDICTORS:
        hint = did_you_mean(predictor, PREDICTORS)
        raise InputError("family.predictor", f"is {predictor!r}, not one of {PREDICTORS}{hint}")
    if covariates is not None:
        raise InputError("family.covariates", "are as many as parameters here; leave it out")
    real = None if sample_real is None else _scalar_label(sample_real)
    scalar = LinearPredictor(_scalar_loss(loss), _scalar_label(sample), real)
    return predictor_model(name, scalar, **options)


def model_from_object(thing: Any, **params: Any) -> Model:
    """Return a model from anything with attributes ``loss`` and ``sample``, such as a module."""
    for field in ("loss", "sample"):
        if not hasattr(thing, field):
            raise InputError(f"family.{field}", "is missing; a family needs loss and sample")
    name = getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__)
    real = getattr(thing, "sample_real", None)
    return user_model(thing.loss, thing.sample, real, str(name), **params)


def model_from_file(path: Path, name: str | None = None, **options: Any) -> Model:
    """Return the model of a Python file that defines ``loss`` and ``sample``.

    Parameters
    ----------
    path : Path
        The file, whose name is the model's unless ``name`` is given.
    name : str, optional
        The name in tables.
    **options
        ``predictor``, ``covariates`` and numbers, as in :func:`user_model`.

    Raises
    ------
    InputError
        If the file does not run, or defines something else.
    """
    names = run_file(path)
    takes = SIGNATURES.get(options.get("predictor"), SIGNATURES[None])
    for field in ("loss", "sample"):
        if field not in names:
            raise InputError(field, f"is missing; define {takes[0]} and {takes[1]}", str(path))
    with naming(path):
        return user_model(
            names["loss"],
            names["sample"],
            names.get("sample_real"),
            name or path.stem,
            init=names.get("init"),
            **options,
        )


def run_file(path: Path) -> dict[str, Any]:
    """Return what a user's Python file defines.

    Raises
    ------
    InputError
        If it cannot be read or does not run.
    """
    try:
        return runpy.run_path(str(path))
    except OSError as error:
        raise InputError("", f"cannot be read: {error.strerror}", str(path)) from error
    except (Exception, SystemExit) as error:  # the user's program: anything can be raised
        reason = f"{type(error).__name__}: {error}"
        raise InputError("", f"does not run as Python ({reason})", str(path)) from error


def _call(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], params: Params
) -> Array:
    """Call the user's function; an error in it becomes one sentence."""
    try:
        return jnp.asarray(function(*arguments, **params))
    except (Exception, SystemExit) as error:
        reason = str(error).strip().splitlines() or [""]
        raise InputError(
            f"family.{name}", f"failed with {type(error).__name__}: {reason[0]}"
        ) from error


def _scalar(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], params: Params
) -> Array:
    """Call the user's function, which must return a scalar."""
    return _scalar_shape(name, _call(name, function, arguments, params))


def _scalar_shape(name: str, value: Array) -> Array:
    """Return a value of the user's function, which must be a scalar."""
    if value.shape != ():
        raise InputError(
            f"family.{name}", f"returned shape {value.shape} for one observation; return a scalar"
        )
    return value


def _digest(*functions: Callable[..., Any]) -> str:
    """Tell one user's code from another's, as far as the source of its functions can be read."""
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


@cache  # one adapter for each function, so that equal models compile once
def _loss(loss: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, theta: Any, x: Array, y: Array) -> Array:
        value = _call("loss", loss, (theta, x, y), params)
        if value.shape != () and value.shape == y.shape:
            raise InputError(
                "family.sample",
                f"returned shape {y.shape}, for which the loss is no scalar; return a scalar, or a"
                " loss of all of it",
            )
        return _scalar_shape("loss", value)

    return adapted


@cache
def _sample(sample: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, theta: Any, x: Array, words: Words) -> Array:
        drawn = _call("sample", sample, (key_of(words), theta, x), params)
        return drawn.astype(jax.tree.leaves(theta)[0].dtype)

    return adapted


@cache
def _scalar_loss(loss: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, eta: Array, y: Array) -> Array:
        return _scalar("loss", loss, (eta, y), params)

    return elementwise(adapted)


@cache
def _scalar_label(sample: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, eta: Array, words: Words) -> Array:
        return _scalar("sample", sample, (key_of(words), eta), params).astype(eta.dtype)

    return elementwise(adapted)
