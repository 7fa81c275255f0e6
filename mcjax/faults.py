"""Describe an error in a user's code: its place and a remedy, in one sentence.

The module does not import JAX.
"""

from __future__ import annotations

import inspect
import os
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

from mcjax.errors import InputError

LIBRARIES = tuple(
    str(Path(path)) + os.sep
    for path in (
        str(Path(__file__).parent),
        *map(sysconfig.get_path, ("stdlib", "purelib", "platlib")),
    )
)
"""Folders of mcjax, of Python and of installed packages."""
TRACED: dict[str, tuple[str, str]] = {
    "TracerBoolConversionError": (
        "`if`, `while`, `and`, `not` or an assertion asks for a value that JAX only traces",
        "use jnp.where(condition, a, b), jnp.logical_and or jax.lax.cond",
    ),
    "ConcretizationTypeError": (
        "a function of Python, such as math.exp, float or int, asks for a value that JAX only"
        " traces",
        "use jax.numpy, such as jnp.exp",
    ),
    "TracerArrayConversionError": (
        "NumPy asks for values that JAX only traces",
        "use jax.numpy, such as jnp.exp for np.exp",
    ),
    "TracerIntegerConversionError": (
        "an index or a range asks for a whole number that JAX only traces",
        "use jnp.take, jnp.arange with a fixed length, or jax.lax.fori_loop",
    ),
    "NonConcreteBooleanIndexError": (
        "a condition selects a number of entries that JAX does not know",
        "use jnp.where(condition, a, b)",
    ),
    "UnexpectedTracerError": (
        "a value of an earlier call was kept, in a global variable, a list or an attribute",
        "return values, and keep none",
    ),
}
"""Parts of JAX's messages, and the remedy for each."""
MESSAGES = (
    ("item assignment", "JAX arrays do not change; use x = x.at[i].set(value)"),
    ("read-only", "what mcjax hands over does not change; change a copy"),
    ("cannot assign to field", "what mcjax hands over does not change; use dataclasses.replace"),
    ("Reverse-mode differentiation", "use jax.lax.scan, or jax.lax.fori_loop with fixed ends"),
    ("grad requires real-valued", "return a float; where it counts, use .astype(x.dtype)"),
    ("unexpected keyword argument", "take every parameter by its name"),
)
"""Remedies by a part of a message."""


@contextmanager
def users_code(
    field: str, *functions: Any, passing: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn whatever a user's code raises in this context into one sentence.

    Parameters
    ----------
    field : str
        What the sentence begins with.
    *functions : object
        The functions that are called, or objects whose methods are; where the first is defined is
        told if the traceback tells no place. What parts of mcjax raise, if these are all, passes.
    passing : tuple of type of exception, optional
        Exceptions that pass, besides input errors.

    Raises
    ------
    InputError
        If anything is raised, ``SystemExit`` included. An interruption passes.
    """
    try:
        yield
    except (Exception, SystemExit) as error:  # a user's program: anything can be raised
        if isinstance(error, (InputError, *passing)):
            raise
        if functions and not any(map(is_users, functions)):
            raise
        raise InputError(field, fault_sentence(error, functions)) from error


def fault_sentence(error: BaseException, functions: Iterable[Any] = ()) -> str:
    """Return what a user's code did wrong, where, and what to do about it."""
    place = place_of(error) or next(filter(None, map(definition, functions)), "")
    at = f" ({place})" if place else ""
    if isinstance(error, SystemExit):
        return f"failed with SystemExit: it ends the program{at}; return a value instead"
    name = type(error).__name__
    if name in TRACED:
        meaning, remedy = TRACED[name]
        return f"failed with {name}: {meaning}{at}; {remedy}"
    told = error.msg if isinstance(error, SyntaxError) else str(error)
    lines = told.strip().splitlines()
    message = lines[0].rstrip(". ") if lines else "no message"
    found = (remedy for part, remedy in MESSAGES if part in message)
    return f"failed with {name}: {message}{at}; {next(found, 'correct it there')}"


def place_of(error: BaseException) -> str:
    """Return file and line of the innermost call in a user's code, or an empty string."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    places, trace = [], error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return innermost(reversed(places))


def innermost(places: Iterable[tuple[str, int]]) -> str:
    """Return the first of some places that is in a user's code, or an empty string."""
    for file, line in places:
        if not is_library(file):
            return f"{file}:{line}"
    return ""


def is_library(file: str) -> bool:
    """Return whether a file belongs to mcjax, to Python or to an installed package."""
    compiled = file.endswith((".pyx", ".pxd", ".pxi"))
    return compiled or file.startswith((*LIBRARIES, "<frozen", "<__array_function__"))


def definition(thing: Any) -> str:
    """Return file and line of the definition of a function, or an empty string."""
    function = getattr(thing, "func", thing)  # of functools.partial
    function = inspect.unwrap(function) if callable(function) else function
    of_object = getattr(type(function).__dict__.get("__call__"), "__code__", None)
    code = getattr(function, "__code__", of_object)
    return f"{code.co_filename}:{code.co_firstlineno}" if isinstance(code, CodeType) else ""


def where(thing: Any) -> str:
    """Return where a function is defined, in brackets, or an empty string."""
    place = definition(thing)
    return f" ({place})" if place else ""


def is_users(thing: Any) -> bool:
    """Return whether a function, or the class of an object, is defined outside of mcjax."""
    known: Any = inspect.unwrap(thing) if inspect.isroutine(thing) else type(thing)
    module = getattr(known, "__module__", None) or ""
    return not (module == "mcjax" or module.startswith("mcjax."))


def bad_call(function: Callable[..., Any], arguments: Iterable[Any], names: Iterable[str]) -> str:
    """Return why a function does not take these arguments, or an empty string."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of a function in C
        return ""
    try:
        signature.bind(*arguments, **dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    return ""
