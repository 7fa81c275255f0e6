"""User-defined models: two functions, ``loss`` and ``sample``, given in Python or in a file."""

from __future__ import annotations

import hashlib
import inspect
import marshal
import runpy
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Key

from mcjax.arguments import checked, checked_but
from mcjax.calls import explained
from mcjax.draws.keys import key_of
from mcjax.errors import FileError, InputError, did_you_mean, naming
from mcjax.estimators.estimator import Estimator, Loss
from mcjax.estimators.predictor import LinearPredictor, Params, Words, elementwise
from mcjax.faults import bad_call, fault_sentence, users_code, where
from mcjax.files import read_bytes
from mcjax.models.model import Model, Sample, predictor_model
from mcjax.models.names import MOST_PARAMETERS
from mcjax.models.quick_derivatives import quickly_differentiated
from mcjax.numbers import check_between

Predictor = Literal["linear"]
SIGNATURES: dict[Predictor | None, tuple[str, str]] = {
    None: ("loss(theta, x, y)", "sample(key, theta, x)"),
    "linear": ("loss(eta, y)", "sample(key, eta)"),
}
"""Signatures of a user's functions, by the value of ``predictor``."""
GENERATOR = (
    "defines a generator, of which no loss is known; `mcjax verify`, `check` and `replay` take"
    " studies of it, and everything else needs loss and sample"
)
"""Message for a generator where a statistical model is needed."""


@checked_but("loss", "sample", "sample_real", "predictor")
def user_model(
    loss: Callable[..., Any],
    sample: Callable[..., Any],
    sample_real: Callable[..., Any] | None = None,
    name: str = "user",
    *,
    predictor: Predictor | None = None,
    covariates: int | None = None,
    estimator: Estimator | None = None,
    init: Callable[[Key[Array, ""]], Any] | None = None,
    **params: float,
) -> Model:
    """Return a model defined by two functions of one observation.

    Parameters
    ----------
    loss : callable
        ``loss(theta, x, y, **params) -> scalar``, with a continuous slope, twice differentiable
        almost everywhere. If y is drawn by ``sample`` at theta, its expectation must be smallest at
        theta. theta is a vector or any pytree, like the truth given to :func:`mcjax.condition`.
    sample : callable
        ``sample(key, theta, x, **params) -> y``, with a JAX random key; y may be an array.
    sample_real : callable, optional
        The same for real data, if they have another distribution with the same target.
    name : str
        The model's name in tables.
    predictor : {"linear"}, optional
        With ``"linear"``, the functions take the scalar ``eta = x'theta`` in place of theta and x:
        ``loss(eta, y, **params)`` and ``sample(key, eta, **params)``. Chains then run on the fast
        path.
    covariates : int, optional
        Number of covariates of an observation; defaults to the number of parameters.
    estimator : Estimator, optional
        Fits the model; defaults to Newton's method, or L-BFGS for many parameters.
    init : callable, optional
        ``key -> theta``, random initial parameters, for estimators that use them.
    **params : float
        Numbers passed to the functions by name; changing one does not recompile anything.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    InputError
        If one of the functions is not callable, or ``predictor`` is unknown.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> def loss(theta, x, y):
    ...     return jnp.log(jnp.cosh(y - x @ theta))
    ...
    >>> def sample(key, theta, x):
    ...     return x @ theta + jax.random.laplace(key)
    ...
    >>> mcjax.user_model(loss, sample, name="log-cosh").name
    'log-cosh'
    """
    functions = {"loss": loss, "sample": sample, "sample_real": sample_real or sample}
    for field, function in functions.items():
        if not callable(function):
            raise InputError(f"family.{field}", "is not a function; define it with def")
        try:
            hash(function)
        except TypeError as error:
            problem = "has no hash, which programs are known by; define it with def"
            raise InputError(f"family.{field}", problem) from error
    if covariates is not None:
        check_between("family.covariates", covariates, 0, MOST_PARAMETERS)
    numbers = {key: _number(key, value) for key, value in params.items()}
    digest = source_digest(*functions.values())
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
    choices = get_args(Predictor)
    if predictor not in choices:
        hint = did_you_mean(predictor, choices)
        raise InputError("family.predictor", f"is {predictor!r}, not one of {choices}{hint}")
    if covariates is not None:
        raise InputError(
            "family.covariates",
            "equals the number of parameters of a linear predictor; leave it out",
        )
    real = None if sample_real is None else _scalar_label(sample_real)
    scalar = LinearPredictor(_scalar_loss(loss), _scalar_label(sample), real)
    return predictor_model(name, scalar, **options)


@explained
def model_from_object(thing: Any, **params: Any) -> Model:
    """Return a model from an object with attributes ``loss`` and ``sample``, such as a module.

    Examples
    --------
    >>> import jax
    >>> import mcjax
    >>> class Mine:
    ...     @staticmethod
    ...     def loss(theta, x, y):
    ...         return (y - x @ theta) ** 2 / 2
    ...     @staticmethod
    ...     def sample(key, theta, x):
    ...         return x @ theta + jax.random.normal(key)
    ...
    >>> isinstance(mcjax.model_from_object(Mine), mcjax.Model)
    True
    """
    for field in ("loss", "sample"):
        if not hasattr(thing, field):
            raise InputError(f"family.{field}", "is missing; a family needs loss and sample")
    name = getattr(thing, "name", None) or getattr(thing, "__name__", type(thing).__name__)
    real = getattr(thing, "sample_real", None)
    return user_model(thing.loss, thing.sample, real, str(name), **params)


@checked
def model_from_file(path: str | Path, name: str | None = None, **options: Any) -> Model:
    """Return the model that a Python file defines by ``loss`` and ``sample``.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str, optional
        The model's name in tables; defaults to the name of the file.
    **options : optional
        ``predictor``, ``covariates`` and numbers, as in :func:`user_model`.

    Returns
    -------
    Model
        The model.

    Raises
    ------
    InputError
        If the file cannot be run, or does not define both functions.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import mcjax
    >>> code = '''
    ... import jax
    ...
    ... def loss(theta, x, y):
    ...     return (y - x @ theta) ** 2 / 2
    ...
    ... def sample(key, theta, x):
    ...     return x @ theta + jax.random.normal(key)
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.py")
    ...     _ = path.write_text(code, encoding="utf-8")
    ...     model = mcjax.model_from_file(path)
    ...
    >>> model.name
    'mine'
    """
    path = Path(path)
    names = run_file(path)
    takes = SIGNATURES.get(options.get("predictor"), SIGNATURES[None])
    if defines_generator(names):
        raise InputError("", GENERATOR, str(path))
    if not {"loss", "sample"} & names.keys():
        problem = "defines no model" if read_bytes(path).strip() else "is empty"
        generator = "or, of a generator, init, fit, sample, measure and real"
        needed = f"define {takes[0]} and {takes[1]}, {generator}"
        raise InputError("", f"{problem}; {needed}", str(path))
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


def defines_generator(names: Mapping[str, Any]) -> bool:
    """Return whether what a file defines is meant as a generator, not as a statistical model."""
    return "loss" not in names and any(name in names for name in ("fit", "measure"))


def run_file(path: Path) -> dict[str, Any]:
    """Run a user's Python file and return the names it defines.

    Raises
    ------
    InputError
        If the file cannot be read or run.
    """
    content = read_bytes(path)
    if not path.is_file():  # Python reads it again
        raise FileError("", "is no regular file; name a file with Python code", str(path))
    try:
        return dict(_names(path, content))
    except (Exception, SystemExit) as error:  # user code may raise anything
        problem = f"does not run as Python: it {fault_sentence(error)}"
        raise InputError("", problem, str(path)) from error


@cache  # of one content, so that models of one file share compiled programs
def _names(path: Path, content: bytes) -> dict[str, Any]:
    return runpy.run_path(str(path))


def source_digest(*things: Callable[..., Any]) -> str:
    """Return a digest of the source of functions or classes, or of a function's bytecode."""
    text = []
    for thing in things:
        try:
            text.append(inspect.getsource(thing))
        except (OSError, TypeError):
            code = getattr(thing, "__code__", None)
            text.append(marshal.dumps(code).hex() if code else repr(type(thing)))
    return hashlib.sha256("".join(text).encode()).hexdigest()[:16]


def _call(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], params: Params
) -> Array:
    """Call the user's function; raise InputError if it fails or returns no real numbers."""
    field = f"family.{name}"
    wrong = bad_call(function, arguments, params)
    if wrong:
        takes = ", ".join([_signature(name, len(arguments))[:-1], *params])
        problem = f"is called with other arguments than it takes: {wrong}{where(function)}"
        raise InputError(field, f"{problem}; define {takes})")
    with users_code(field, function):
        value = function(*arguments, **params)
    if isinstance(value, bool | int | float):
        value = jnp.asarray(value)
    if not isinstance(value, jax.Array | np.ndarray | np.generic) or value.dtype.kind in "cOSUMmV":
        kind = getattr(value, "dtype", type(value).__name__)
        problem = f"returned {kind}{where(function)}"
        raise InputError(field, f"{problem}; return one array of real numbers")
    return jnp.asarray(value)


def _signature(name: str, count: int) -> str:
    """Return the signature of a user's function that takes so many arguments."""
    takes = SIGNATURES["linear" if count == 2 else None]
    return takes[0] if name == "loss" else takes[1].replace("sample", name)


def _scalar(
    name: str, function: Callable[..., Any], arguments: tuple[Any, ...], params: Params
) -> Array:
    """Call the user's function, which must return a scalar."""
    return _scalar_shape(name, function, _call(name, function, arguments, params))


def _scalar_shape(name: str, function: Callable[..., Any], value: Array) -> Array:
    """Return a value of the user's function, which must be a scalar."""
    if value.shape != ():
        raise InputError(
            f"family.{name}",
            f"returned shape {value.shape} for one observation{where(function)}; return a scalar",
        )
    return value


def _loss_value(function: Callable[..., Any], value: Array, like: Any) -> Array:
    """Return a loss in the precision of the parameters; it must be a scalar with a derivative."""
    value = _scalar_shape("loss", function, value)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise InputError(
            "family.loss",
            f"returned {value.dtype}, which has no derivative{where(function)}; return a float that"
            " depends smoothly on theta",
        )
    dtype = jax.tree.leaves(like)[0].dtype
    if jnp.finfo(value.dtype).bits < jnp.finfo(dtype).bits:
        problem = f"returned {value.dtype} for parameters in {dtype}{where(function)}"
        raise InputError("family.loss", f"{problem}; compute in the precision of theta")
    return value.astype(dtype)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"family.{key}", f"is {value!r}; a family's parameters are numbers")
    return float(value)


@cache  # one adapter for each function, so that equal models compile once
def _loss(loss: Callable[..., Any]) -> Loss:
    def adapted(params: Params, theta: Any, x: Array, y: Array) -> Array:
        value = _call("loss", loss, (theta, x, y), params)
        if value.shape != () and value.shape == y.shape:
            raise InputError(
                "family.sample",
                f"returned shape {y.shape}, for which the loss is not a scalar{where(loss)}; return"
                " a scalar, or reduce the loss to one",
            )
        return _loss_value(loss, value, theta)

    return _of(loss, quickly_differentiated(adapted))


@cache
def _sample(sample: Callable[..., Any]) -> Sample:
    def adapted(params: Params, theta: Any, x: Array, words: Words) -> Array:
        drawn = _call("sample", sample, (key_of(words), theta, x), params)
        return drawn.astype(jax.tree.leaves(theta)[0].dtype)

    return _of(sample, adapted)


@cache
def _scalar_loss(loss: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, eta: Array, y: Array) -> Array:
        return _loss_value(loss, _call("loss", loss, (eta, y), params), eta)

    return _of(loss, elementwise(quickly_differentiated(adapted)))


@cache
def _scalar_label(sample: Callable[..., Any]) -> Callable[..., Any]:
    def adapted(params: Params, eta: Array, words: Words) -> Array:
        return _scalar("sample", sample, (key_of(words), eta), params).astype(eta.dtype)

    return _of(sample, elementwise(adapted))


def _of(function: Callable[..., Any], adapter: Callable[..., Any]) -> Callable[..., Any]:
    """Return an adapter that tells whose it is."""
    adapter.__wrapped__ = function  # type: ignore[attr-defined]  # as functools.wraps does
    return adapter
