"""Explain calls with other arguments than a function, or a class, takes. Imports nothing heavy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from mcjax.errors import InputError, did_you_mean

T = TypeVar("T", bound=Callable[..., Any])


def explained(thing: T) -> T:
    """Explain calls of a function, or of a class, with other arguments than it takes.

    It stands above ``@dataclass``. The types of arguments are not checked.

    Raises
    ------
    InputError
        If an argument is missing or not known; it names the argument.
    """
    maker = "__new__" if isinstance(thing, type) and issubclass(thing, tuple) else "__init__"
    own: Any = getattr(thing, maker) if isinstance(thing, type) else thing

    @functools.wraps(own)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return own(*args, **kwargs)
        except TypeError as error:
            bound_arguments(own, args, kwargs)
            raise error

    if not isinstance(thing, type):
        return cast(T, call)
    setattr(thing, maker, call)
    return thing


def bound_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> inspect.BoundArguments:
    """Return the arguments of a call by name.

    Raises
    ------
    InputError
        If they are not those that the function takes.
    """
    signature = _signature(function)
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        raise _misfit(function, signature, args, kwargs) from error


_signature = functools.cache(inspect.signature)  # which takes longer than many a call


def _misfit(
    function: Callable[..., Any],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> InputError:
    """Return what is wrong with arguments that do not fit the signature of a function."""
    *_, owner, name = f".{function.__qualname__}".split(".")
    taken = list(signature.parameters.values())
    if name in ("__init__", "__new__"):
        name = owner
    if taken and taken[0].name in ("self", "cls"):  # which a call does not write
        taken, args = taken[1:], args[1:]
    by_place = [one.name for one in taken if one.kind <= inspect.Parameter.POSITIONAL_OR_KEYWORD]
    named = [one.name for one in taken if one.kind != inspect.Parameter.VAR_KEYWORD]
    for key in kwargs:
        if key not in named:
            return unknown_argument(key, name, named)
    takes = _takes(name, named)
    if len(args) > len(by_place):
        counted = f"{len(args)} argument{'s' * (len(args) > 1)}"
        problem = f"has {counted} without a name; give at most {len(by_place)} of them"
        return InputError(name, f"{problem}: {takes}")
    for key in by_place[: len(args)]:
        if key in kwargs:
            return InputError(key, f"is given twice; {takes}, in this order")
    given = {*by_place[: len(args)], *kwargs}
    missing = (one.name for one in taken if one.default is one.empty and one.name not in given)
    return InputError(next(missing), f"is missing; {takes}")


def unknown_argument(key: str, function: str, named: Sequence[str]) -> InputError:
    """Return that a function has no argument of a name."""
    hint = did_you_mean(key, named)
    return InputError(key, f"is no argument of {function}{hint}; {_takes(function, named)}")


def _takes(function: str, named: Sequence[str]) -> str:
    return f"{function} takes {', '.join(named) or 'no arguments'}"
