"""Shapes of what a generator's functions return, as JAX traces them; nothing is compiled.

Whatever is wrong with them is found here, before any chain runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from mcjax.checks.functions import NUMBERS
from mcjax.checks.programs import depends, first_difference, passes
from mcjax.draws.settings import own_settings
from mcjax.errors import InputError
from mcjax.faults import bad_call, users_code, where
from mcjax.generators.generator import OPTIONAL, TAKES, Generator
from mcjax.generators.shown import SHOWN

MOST_MEASURES = 256
"""Largest number of measures of a model."""
TOLD = {"real": "real(key, n)", **TAKES, **OPTIONAL}


class Outline(NamedTuple):
    """Shapes of a generator's fits, and names of its measures.

    Attributes
    ----------
    measures : tuple of str
        Names of the K measures; entries of vectors have their numbers in brackets.
    fitted : pytree
        Shapes of the parameters that a fit returns.
    bytes : int
        Size of the rows and the parameters of a fit.
    steps : int or None
        How often the outermost loops of a fit turn; None if that depends on the data.
    """

    measures: tuple[str, ...]
    fitted: Any
    bytes: int
    steps: int | None


@cache
def outline_of(generator: Generator, rows: int, own: bool) -> Outline:
    """Return what a fit of so many rows leaves; ``own`` says whether fits begin at other fits.

    Raises
    ------
    InputError
        If one of the functions fails, or returns something else than it should.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    with own_settings():
        data = _real(generator, key, rows)
        begun = _traced("init", generator.init)(key)
        weights = [jax.ShapeDtypeStruct((rows,), np.float32)] if generator.weighs else []
        fitted = _traced("fit", generator.fit)(key, begun, data, *weights)
        _check_params(generator.fit, "fit", fitted)
        again = _traced("fit", generator.fit)(key, fitted, data, *weights) if own else fitted
        if _arranged(again) != _arranged(fitted):
            problem = f"returned {_arranged(fitted)} from other parameters{where(generator.fit)}"
            remedy = "return parameters arranged like those it begins at, or start from 'scratch'"
            raise InputError("family.fit", f"{problem}; {remedy}")
        _program(generator.init, "init", (key,))
        program = _program(generator.fit, "fit", (key, begun, data, *weights))
        last, count = len(program.jaxpr.invars) - len(weights), len(jax.tree.leaves(data))
        _depends(generator.fit, "fit rows", program, list(range(last - count, last)))
        steps = passes(program.jaxpr)
        found = _traced("measure", generator.measure)(key, fitted, data)
        names = _measures(generator.measure, found)
        _program(generator.measure, "measure", (key, fitted, data))
    leaves = jax.tree.leaves((data, fitted))
    size = sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)
    return Outline(names, fitted, size, steps)


@cache
def check_sample(generator: Generator, rows: int, count: int) -> None:
    """Check the rows that a model generates after a fit of so many rows.

    Raises
    ------
    InputError
        If they are not like real rows, or do not depend on key and parameters.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    fitted = outline_of(generator, rows, own=False).fitted
    with own_settings():
        drawn = _traced("sample", generator.sample, count)(key, fitted)
        _check_rows(generator, "sample", drawn, count)
        real = _real(generator, key, count)
        if _arranged(drawn) != _arranged(real):
            problem = f"returned {_arranged(drawn)}{where(generator.sample)}, and real rows are"
            raise InputError("family.sample", f"{problem} {_arranged(real)}; return rows like them")

        program = _program(generator.sample, "sample", (key, fitted), count)
    _depends(generator.sample, "sample key", program, [0])
    _depends(generator.sample, "sample params", program, list(range(1, len(program.jaxpr.invars))))


@cache
def check_expected(generator: Generator, rows: int) -> None:
    """Check the expectations that are shown of a model, after a fit of so many rows.

    Raises
    ------
    InputError
        If the function fails, or returns something else than rows.
    """
    assert generator.expected is not None
    key = jax.eval_shape(lambda: jax.random.key(0))
    fitted = outline_of(generator, rows, own=False).fitted
    with own_settings():
        found = _traced("expected", generator.expected, SHOWN)(key, fitted)
        _check_rows(generator, "expected", found, SHOWN)
        _program(generator.expected, "expected", (key, fitted), SHOWN)


@cache
def check_source(generator: Generator, source: str, count: int) -> None:
    """Check that rows of a further source are like real rows.

    Raises
    ------
    InputError
        If they are not.
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    given = generator.sources[source]
    with own_settings():
        real = _real(generator, key, count)
        if not callable(given):
            own = jax.eval_shape(lambda key: generator.real_rows(key, count, source), key)
        else:
            own = _traced("real", given, count)(key)
            _program(given, f"sources.{source}", (key,), count)
    if _arranged(own) != _arranged(real):
        at = where(given) if callable(given) else ""
        problem = f"has rows {_arranged(own)}{at}, and real rows are {_arranged(real)}"
        raise InputError(f"family.sources.{source}", f"{problem}; give rows like them")


@cache
def check_compare(generator: Generator, rows: int) -> tuple[str, ...]:
    """Return the names of measures between two models after fits of so many rows.

    Raises
    ------
    InputError
        If the function fails, or returns something else than it should.
    """
    assert generator.compare is not None
    key = jax.eval_shape(lambda: jax.random.key(0))
    fitted = outline_of(generator, rows, own=False).fitted
    with own_settings():
        found = _traced("compare", generator.compare)(key, fitted, fitted)
        names = _measures(generator.compare, found, "family.compare")
        _program(generator.compare, "compare", (key, fitted, fitted))
    return names


def _program(
    function: Callable[..., Any], name: str, arguments: tuple[Any, ...], *last: Any
) -> Any:
    """Return the program of a user's function, which must be the same at every call."""
    programs = [  # of two functions, as JAX remembers the program of one
        jax.make_jaxpr(lambda *given: function(*given, *last))(*arguments) for _ in range(2)
    ]
    place = first_difference(*programs)
    if place is not None:
        at = f" ({place})" if place else where(function)
        remedy = "draw from the key, as in jax.random.normal(key)"
        raise InputError(f"family.{name}", f"uses {NUMBERS}{at}; {remedy}")
    return programs[0]


def _traced(name: str, function: Callable[..., Any], *last: Any) -> Callable[..., Any]:
    """Return a user's function of arrays, as JAX traces it; ``last`` are its other arguments."""

    def traced(*arguments: Any) -> Any:
        if wrong := bad_call(function, (*arguments, *last), ()):
            problem = f"is called with other arguments than it takes: {wrong}{where(function)}"
            raise InputError(f"family.{name}", f"{problem}; define {TOLD[name]}")
        with users_code(f"family.{name}", function):
            return jax.eval_shape(
                lambda *given: _of_arrays(function, name, *given, *last), *arguments
            )

    return traced


def _of_arrays(function: Callable[..., Any], name: str, *arguments: Any) -> Any:
    """Return what a user's function returns, a pytree of arrays."""
    found = function(*arguments)
    try:
        leaves = jax.tree.leaves(found)
    except ValueError as error:  # JAX sorts the keys of a dictionary
        problem = f"returned a dictionary with keys of several types{where(function)}"
        raise InputError(f"family.{name}", f"{problem}; make all of them texts") from error
    for leaf in leaves:
        if not isinstance(leaf, jax.Array) and np.asarray(leaf).dtype.kind in "OSUMm":
            problem = f"returned {type(leaf).__name__}{where(function)}"
            raise InputError(f"family.{name}", f"{problem}; return arrays of numbers")
    return found


def _real(generator: Generator, key: Any, count: int) -> Any:
    """Return the shapes of real rows."""
    draw = generator.real if callable(generator.real) else generator.real_rows
    rows = _traced("real", draw, count)(key)
    _check_rows(generator, "real", rows, count)
    if callable(generator.real):
        _program(generator.real, "real", (key,), count)
    return rows


def _check_rows(generator: Generator, name: str, rows: Any, count: int) -> None:
    """Check that rows all have the leading axis that was asked for."""
    leaves = jax.tree.leaves(rows)
    if not leaves or any(leaf.shape[:1] != (count,) for leaf in leaves):
        problem = f"returned {_arranged(rows)} for {count} rows{where(getattr(generator, name))}"
        raise InputError(f"family.{name}", f"{problem}; return arrays with {count} rows each")


def _check_params(function: Callable[..., Any], name: str, params: Any) -> None:
    leaves = jax.tree.leaves(params)
    if not leaves or any(leaf.dtype.kind not in "biuf" for leaf in leaves):
        problem = f"returned {_arranged(params)}{where(function)}"
        raise InputError(f"family.{name}", f"{problem}; return arrays of numbers, as parameters")


def _measures(
    function: Callable[..., Any], found: Any, field: str = "family.measure"
) -> tuple[str, ...]:
    """Return the names of measures, entry by entry, in the order in which JAX has them."""
    at = where(function)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        problem = f"returned {_arranged(found)}{at}"
        raise InputError(field, f"{problem}; return a dict of numbers by name")
    if not found:
        raise InputError(field, f"returned no measure{at}; return at least one number")
    names: list[str] = []
    for name, value in sorted(found.items()):
        if not hasattr(value, "shape") or value.dtype.kind not in "biuf" or len(value.shape) > 1:
            problem = f"returned {_arranged(value)} as {name!r}{at}"
            raise InputError(field, f"{problem}; return a number, or a vector of numbers")
        entries = range(value.shape[0]) if value.shape else ()
        names += [f"{name}[{k}]" for k in entries] if value.shape else [name]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(field, f"returned {twice!r} twice, once of a vector{at}; rename one")
    if len(names) > MOST_MEASURES:
        problem = f"returned {len(names)} numbers{at}; return at most {MOST_MEASURES}"
        raise InputError(field, problem)
    return tuple(names)


def _depends(function: Callable[..., Any], place: str, program: Any, inputs: list[int]) -> None:
    """Check that what a function returns depends on some of its inputs."""
    name, argument = place.split()
    if not depends(program.jaxpr, inputs):
        problem = f"does not depend on {argument}{where(function)}"
        raise InputError(f"family.{name}", f"{problem}; compute what it returns from it")


def _arranged(tree: Any) -> str:
    """Return the structure of a pytree of arrays, with the type and shape of each."""
    return str(
        jax.tree.map(
            lambda leaf: f"{leaf.dtype}{list(leaf.shape)}" if hasattr(leaf, "shape") else "?", tree
        )
    ).replace("'", "")
