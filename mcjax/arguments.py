"""Check the types of arguments, where users call functions and make objects.

A type is that of the annotation, read generously: whole floats and numbers of NumPy are numbers, a
list is a tuple, and anything with the parts of a protocol has its type. What is inside a container
is checked one level deep. Values are checked by the functions themselves.
"""

from __future__ import annotations

import builtins
import collections.abc
import dataclasses
import functools
import inspect
import itertools
import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, Union, Unpack, get_args, get_origin

from mcjax.calls import bound_arguments, unknown_argument
from mcjax.errors import InputError, did_you_mean
from mcjax.numbers import plain, whole

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
WRONG: Any = object()
"""Mark of an argument that cannot be converted."""
NAMES = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    os.PathLike: "a path",
    type(None): "None",
}
PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}
REMEDIES = {
    ("Study", "Condition"): "put it in a study, as in mcjax.Study((condition,))",
    ("Study", "str"): "read it, as in mcjax.load_study(path)",
    ("Network", "str"): "read it, as in mcjax.load_study(path).conditions[0].network",
    ("Network", "Study"): "take one of its networks, as in study.conditions[0].network",
    ("Network", "Condition"): "take its network, condition.network",
    ("Model", "str"): "call the function of that name, as in mcjax.linear()",
    ("Model", "function"): "call it, as in mcjax.linear()",
    ("Estimator", "str"): "give an object, such as mcjax.Newton()",
    ("Estimator", "type"): "give an object, such as mcjax.Newton()",
    ("GradientTransformation", "str"): "build it, as in optax.adam(1e-2)",
}
"""Remedies, by the type that is asked for and the one that is often given in its place."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check the arguments of each call of a function; see :func:`checked_but`."""
    return checked_but()(function)


def checked_but(*own: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check the arguments of each call of a function, but for some that it checks itself.

    Parameters
    ----------
    *own : str
        Names of arguments whose types the function checks together with their values.

    Raises
    ------
    InputError
        If an argument has another type than the function takes; it names the argument.
    """

    def checking(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = bound_arguments(function, args, kwargs)
            hints = _hints(function)
            for name, value in bound.arguments.items():
                kind, hint = signature.parameters[name].kind, hints.get(name, Any)
                if name in own:
                    continue
                if kind is inspect.Parameter.VAR_KEYWORD:
                    if get_origin(hint) is Unpack:
                        known = _hints(get_args(hint)[0])
                        for key in value:
                            if key not in known:
                                named = [k for k in signature.parameters if k != name]
                                raise unknown_argument(key, function.__name__, [*named, *known])
                        bound.arguments[name] = {k: read(k, v, known[k]) for k, v in value.items()}
                    elif get_origin(hint) is None and hint is not Any:
                        near = {k: did_you_mean(k, signature.parameters) for k in value}
                        bound.arguments[name] = {
                            k: read(k, v, hint, near[k]) for k, v in value.items()
                        }
                elif kind is inspect.Parameter.VAR_POSITIONAL:
                    bound.arguments[name] = tuple(read(name, part, hint) for part in value)
                else:
                    bound.arguments[name] = read(name, value, hint)
            return function(*bound.args, **bound.kwargs)

        return call

    return checking


def checked_fields(cls: C) -> C:
    """Check the fields of a dataclass when an object is made; stands below ``@dataclass``."""
    own: Callable[[Any], None] | None = cls.__dict__.get("__post_init__")

    def __post_init__(self: Any) -> None:
        hints = _hints(cls)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            converted = read(field.name, value, hints.get(field.name, Any))
            if converted is not value:
                object.__setattr__(self, field.name, converted)
        if own is not None:
            own(self)

    cls.__post_init__ = __post_init__  # type: ignore[attr-defined]
    return cls


def read(name: str, value: Any, hint: Any, near: str = "") -> Any:
    """Return a value as its type hint says; what may be meant is told with an error.

    Raises
    ------
    InputError
        If it has another type; it names the argument.
    """
    found = _converted(value, hint, deep=True)
    if found is not WRONG:
        return found
    if isinstance(value, list | tuple):
        for kind in _kinds(hint):
            hints = _entry_hints(kind, len(value))
            for place, (entry, inside) in enumerate(zip(value, hints, strict=False)):
                if _converted(entry, inside, deep=False) is WRONG:
                    problem = f"is {_shown(entry)}; {_remedy(entry, inside)}"
                    raise InputError(f"{name}[{place}]", problem)
    raise InputError(name, f"is {_shown(value)}; {_remedy(value, hint)}{near}")


def _converted(value: Any, hint: Any, deep: bool) -> Any:
    """Return the value with the type of a hint, or WRONG."""
    if hint is Any:
        return value
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        found = (_converted(value, part, deep) for part in get_args(hint))
        return next((part for part in found if part is not WRONG), WRONG)
    if origin is Literal:
        return value if type(value) in {type(choice) for choice in get_args(hint)} else WRONG
    if hint is None or hint is type(None):
        return value if value is None else WRONG
    if hint in (int, float):
        return _number(value, hint)
    if hint is bool:
        return bool(value) if type(value).__name__ in ("bool", "bool_") else WRONG
    kind = origin or hint
    if not isinstance(kind, type) or kind is _Unknown:
        return value  # a variable, or what is not known here
    if kind.__name__ == "Callable":
        return value if callable(value) else WRONG
    if kind is os.PathLike or kind.__name__ == "Path":
        return value if isinstance(value, os.PathLike) else WRONG
    if getattr(kind, "_is_protocol", False) and kind.__module__.startswith("mcjax."):
        return value if all(hasattr(value, part) for part in _parts(kind)) else WRONG
    if issubclass(kind, Mapping):
        return value if isinstance(value, Mapping) else WRONG
    if _is_sequence(hint) or kind is tuple:
        return _sequence(value, kind, get_args(hint), deep=deep)
    return value if isinstance(value, kind) else WRONG


def _number(value: Any, hint: type) -> Any:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # of NumPy or JAX
        value = value.item()
    found = whole(value) if hint is int else plain(value)
    allowed = int if hint is int else (int, float)
    return found if isinstance(found, allowed) and not isinstance(found, bool) else WRONG


def _sequence(value: Any, kind: type, inside: tuple[Any, ...], *, deep: bool) -> Any:
    """Return a list, a tuple or the like, of which each entry has its type."""
    if isinstance(value, str) and kind is collections.abc.Iterable and inside == (str,):
        return value  # names of one letter each
    if isinstance(value, str | bytes) or not isinstance(value, collections.abc.Iterable):
        return WRONG
    if kind is tuple and not isinstance(value, tuple):
        if not isinstance(value, collections.abc.Sized) or isinstance(value, Mapping):
            return WRONG
        value = tuple(value)
    if isinstance(value, Mapping):  # of which only the names count
        return value if inside == (str,) else WRONG
    if kind is collections.abc.Sequence and not hasattr(value, "__getitem__"):
        return WRONG  # a set or a generator, which has no order or no length
    if not (deep and inside):
        return value
    if hasattr(value, "dtype") or isinstance(value, set | frozenset):
        if getattr(value, "shape", None) == ():
            return WRONG
        first = [_converted(entry, inside[0], deep=False) for entry in itertools.islice(value, 1)]
        return WRONG if any(entry is WRONG for entry in first) else value
    if not isinstance(value, list | tuple):
        return value
    fixed = kind is tuple and inside[-1] is not Ellipsis
    if fixed and len(value) != len(inside):
        return WRONG
    hints = inside if fixed else [inside[0]] * len(value)
    pairs = zip(value, hints, strict=True)
    entries = [_converted(entry, part, deep=False) for entry, part in pairs]
    if any(entry is WRONG for entry in entries):
        return WRONG
    same = all(one is other for one, other in zip(entries, value, strict=True))
    return value if same else type(value)(entries)


def _entry_hints(kind: Any, count: int) -> Sequence[Any]:
    """Return the hints of as many entries of a list or a tuple; none if it cannot have so many."""
    inside = get_args(kind)
    if _is_sequence(kind):
        return [inside[0]] * count
    return inside if get_origin(kind) is tuple and len(inside) == count else []


def _parts(protocol: type) -> list[str]:
    """Return the names that an object needs to have the type of a protocol."""
    return [
        name for name in (*vars(protocol), *protocol.__annotations__) if not name.startswith("_")
    ]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _remedy(value: Any, hint: Any) -> str:
    kinds = list(_kinds(hint))
    for kind in kinds:
        known = REMEDIES.get((getattr(kind, "__name__", ""), type(value).__name__))
        if known is not None:
            return known
        if _is_sequence(kind) and _converted(value, get_args(kind)[0], deep=False) is not WRONG:
            return "put it in a list"
    return f"give {' or '.join(dict.fromkeys(map(_described, kinds)))}"


def _is_sequence(hint: Any) -> bool:
    """Return whether a hint is that of a list, a tuple of any length or the like."""
    kind, inside = get_origin(hint), get_args(hint)
    if kind is tuple:
        return len(inside) == 2 and inside[1] is Ellipsis
    of_many = kind is list or (
        getattr(kind, "__module__", "") == "collections.abc" and hasattr(kind, "__iter__")
    )
    return bool(of_many) and len(inside) == 1


def _kinds(hint: Any) -> Iterator[Any]:
    """Yield the parts of a union but None, or the hint itself."""
    if get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from _kinds(part)
    elif hint is not type(None) and hint is not None:
        yield hint


def _described(hint: Any) -> str:
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {inside}"
    if hint in NAMES:
        return NAMES[hint]
    kind = origin or hint
    if kind is collections.abc.Callable:
        return "a function"
    if kind.__name__ == "Path":
        return "a path"
    if issubclass(kind, Mapping):
        return "a dictionary"
    if kind is tuple and not _is_sequence(hint):
        return f"a tuple of {len(inside)}"
    if _is_sequence(hint):
        entries = [part for part in inside if part is not Ellipsis]
        if len(entries) == 1 and isinstance(entries[0], type):
            entry = entries[0]
            return f"a list of {PLURALS.get(entry, f'{entry.__name__} objects')}"
        return "a list"
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


_KNOWN: dict[Any, dict[str, Any]] = {}


def _hints(thing: Any) -> dict[str, Any]:
    """Return the type hints of a function or a class, those that are not known here as Any."""
    if thing not in _KNOWN:
        module = vars(sys.modules[thing.__module__])
        found = {}
        for name, text in thing.__annotations__.items():
            text = getattr(text, "__forward_arg__", text)  # of a TypedDict
            try:
                found[name] = eval(text, module, _Names(module)) if isinstance(text, str) else text
            except Exception:  # of names that only the type checker knows
                found[name] = Any
        _KNOWN[thing] = found
    return _KNOWN[thing]


class _Names(dict[str, Any]):
    """Names that a module imports for the type checker alone: those of the package, or Any."""

    def __init__(self, module: dict[str, Any]):
        super().__init__()
        self._module = module

    def __missing__(self, name: str) -> Any:
        if name in self._module or hasattr(builtins, name):
            raise KeyError(name)  # looked up there
        package = sys.modules["mcjax"]
        return getattr(package, name) if name in package.__all__ else _Unknown


class _Unknown:
    """A type that is not checked, such as the shape of an array."""

    def __class_getitem__(cls, item: Any) -> Any:
        return Any
