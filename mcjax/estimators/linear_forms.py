"""Linear predictors in the program of a loss of theta as a whole.

Most losses depend on theta through a few linear forms, such as ``x @ theta[1:]`` and ``theta[0]``.
The program of one row, as JAX traces it, is read operation by operation. Parameters that are moved,
added, or multiplied by numbers that do not depend on theta are linear forms. Any other operation
takes their values. A few forms, from which all of these follow, are the predictors. So they hold at
every theta, and nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend import core
from jaxtyping import Float

from mcjax.estimators.linear_operations import BY_POSITION, MOST_TERMS, OPERATIONS, moved
from mcjax.estimators.linear_scalars import Form, NotLinear, Scalar, Scalars, choose, evaluate

MOST = 4
"""Largest number of predictors; they must also be fewer than the parameters."""
MOST_FORMS = 64
"""Largest number of forms whose values a loss may take."""
CALLS = ("jit", "pjit", "closed_call")

RowLoss = Callable[[Float[Array, " p"], Float[Array, " q"], Float[Array, "*label"]], Array]
"""The loss of one row, ``(theta, x, y) -> scalar``, for theta as a vector."""


class FoundPredictors(NamedTuple):
    """The linear predictors of a loss.

    Attributes
    ----------
    program : ClosedJaxpr
        The program of the loss of one row.
    theta : ShapeDtypeStruct
        The type of theta.
    parameters : tuple of tuple of int
        Numbers of the parameters of each predictor.
    places : tuple of tuple of int
        The scalars of the program that are each predictor, but for a number, by when they are made.
    """

    program: Any
    theta: Any
    parameters: tuple[tuple[int, ...], ...]
    places: tuple[tuple[int, ...], ...]

    def coefficients(self, x: Float[Array, " q"], y: Float[Array, "*label"]) -> list[list[Array]]:
        """Return the coefficients of one row, a scalar for each parameter of each predictor."""
        reader = _Reader(self.theta)
        reader.loss(self.program, x, y)
        made = list(reader.scalars.known.values())
        forms = [Form(made[first], reader.factors) for first, *_ in self.places]
        return [[reader.factor(c) for c in form.coefficients.values()] for form in forms]

    def loss(
        self, values: list[Float[Array, ""]], x: Float[Array, " q"], y: Float[Array, "*label"]
    ) -> Float[Array, ""]:
        """Return the loss of one row, given the values of its predictors."""
        pairs = zip(self.places, values, strict=True)
        given = {index: value for same, value in pairs for index in same}
        return _Reader(self.theta, given).loss(self.program, x, y)


def find_predictors(loss: RowLoss, theta: Any, x: Any, y: Any) -> FoundPredictors | None:
    """Return the linear predictors of a loss; None if there are none, or too many.

    Parameters
    ----------
    loss : callable
        ``(theta, x, y) -> scalar``, the loss of one row.
    theta, x, y : Array or ShapeDtypeStruct
        Arguments of the loss, of which only the types count.

    Returns
    -------
    FoundPredictors or None
        The predictors.
    """
    program = jax.make_jaxpr(loss)(theta, x, y)
    like = jax.ShapeDtypeStruct(theta.shape, theta.dtype)
    reader = _Reader(like)
    try:
        jax.eval_shape(lambda x, y: reader.loss(program, x, y), x, y)
    except _TooMany:
        return None
    chosen = choose(reader.taken, reader.factors)
    if not 0 < len(chosen) <= min(MOST, like.shape[0] - 1):
        return None
    return FoundPredictors(
        program,
        like,
        tuple(tuple(Form(one, reader.factors).coefficients) for one, *_ in chosen),
        tuple(tuple(one.index for one in same) for same in chosen),
    )


class _TooMany(Exception):
    """There are more forms than are worth it."""


@dataclass(frozen=True, eq=False)
class _Number:
    """Numbers of a program that are no linear forms.

    Attributes
    ----------
    array : Array
        The numbers.
    of_theta : bool
        Whether they depend on theta, and are therefore no coefficients.
    known : callable or None
        ``() -> ndarray``, where they are integers that are the same in all rows.
    """

    array: Any
    of_theta: bool = False
    known: Callable[[], np.ndarray] | None = None


class _Reader:
    """Evaluates the program of one row, with linear forms in place of theta.

    Parameters
    ----------
    theta : ShapeDtypeStruct
        The type of theta.
    given : dict, optional
        Values of the predictors, by when the scalars are made; all values are 0 if it is missing.
    """

    def __init__(self, theta: Any, given: dict[int, Array] | None = None) -> None:
        self.theta, self.given = theta, given
        self.scalars, self.factors = Scalars(), Scalars()
        self.taken: dict[Scalar, None] = {}  # forms whose values are taken
        self.values: dict[Scalar, Array] = {}
        self.numbers: dict[Any, Any] = {}

    def loss(self, program: Any, x: Array, y: Array) -> Array:
        """Return the loss of one row."""
        theta = np.array(
            [self.scalars.make("theta", i) for i in range(self.theta.shape[0])], object
        )
        [loss] = self._run(program.jaxpr, program.consts, [theta, _Number(x), _Number(y)])
        value: Array = self._number(loss).array
        return value

    def factor(self, scalar: Scalar | None) -> Array:
        """Return the value of a coefficient."""
        one = jnp.ones((), self.theta.dtype)
        return one if scalar is None else evaluate(scalar, self.values, self._leaf)

    def _leaf(self, scalar: Scalar) -> Array | None:
        """Return the value of what is not computed from others; None of a scalar that is."""
        if scalar.operation == "one":
            return self.factor(None)
        if scalar.operation == "entry":
            number, place = scalar.parts
            array = jnp.asarray(number.array, self.theta.dtype)
            return lax.index_in_dim(array.ravel(), place, keepdims=False) if array.ndim else array
        if scalar.scalars is self.factors or self.given is None or scalar.index not in self.given:
            return None
        offset = Form(scalar, self.factors).offset
        value = self.given[scalar.index]
        return value if offset is None else value + self.factor(offset)

    def _taken(self, scalar: Scalar) -> Array:
        """Return the value of a scalar."""
        if self.given is not None or not scalar.varies:
            return evaluate(scalar, self.values, self._leaf)
        self.taken[scalar] = None
        if len(self.taken) > MOST_FORMS:
            raise _TooMany
        return jnp.zeros((), self.theta.dtype)

    def _number(self, given: Any) -> _Number:
        """Return numbers as they are, and the values of scalars."""
        if isinstance(given, _Number):
            return given
        values = [self._taken(scalar) for scalar in given.ravel()]
        return _Number(jnp.stack(values).reshape(given.shape), of_theta=True)

    def _constant(self, value: Any, key: Any) -> _Number:
        """Return a constant of a program."""
        if key not in self.numbers:
            fixed = not isinstance(value, jax.core.Tracer) and _is_whole(jnp.result_type(value))
            known = (lambda: np.asarray(value)) if fixed else None
            self.numbers[key] = _Number(value, known=known)
        number: _Number = self.numbers[key]
        return number

    def _run(self, jaxpr: Any, consts: Any, given: list[Any]) -> list[Any]:
        constants = [self._constant(one, id(one)) for one in consts]  # which the program keeps
        found = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *given), strict=True))

        def read(atom: Any) -> Any:
            if isinstance(atom, core.Literal):
                key = (str(atom.aval), np.asarray(atom.val).tobytes())
                return self._constant(atom.val, key)
            return found[atom]

        for equation in jaxpr.eqns:
            results = self._results(jaxpr, equation, [read(atom) for atom in equation.invars])
            found.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _results(self, jaxpr: Any, equation: Any, given: list[Any]) -> list[Any]:
        if all(isinstance(one, _Number) and not one.of_theta for one in given):
            return self._without_theta(jaxpr, equation, given)
        if any(isinstance(one, np.ndarray) for one in given):
            if equation.primitive.name in CALLS:
                inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
                return self._run(inner.jaxpr, inner.consts, given)
            try:
                results = self._linear(equation, given)
            except NotLinear:
                results = None
            if results is not None:
                return [np.asarray(one, object) for one in results]  # NumPy unpacks single objects
        arrays = [self._number(one).array for one in given]
        return [_Number(one, of_theta=True) for one in _evaluated(jaxpr, equation, arrays)]

    def _without_theta(self, jaxpr: Any, equation: Any, given: list[Any]) -> list[Any]:
        """Return the results of an operation on numbers without theta, which is made once."""
        params = sorted(equation.params.items(), key=lambda item: item[0])
        key: Any = (equation.primitive, tuple(params), *given)
        try:
            if equation.effects:
                key = object()
            elif key in self.numbers:
                return list(self.numbers[key])
        except TypeError:  # a parameter has no hash
            key = object()
        arrays = _evaluated(jaxpr, equation, [one.array for one in given])
        results = [_Number(one) for one in arrays]
        whole = all(_is_whole(atom.aval.dtype) for atom in equation.outvars)
        fixed = all(one.known for one in given) and (given or equation.primitive.name == "iota")
        if fixed and whole and not equation.effects:

            @lru_cache(maxsize=1)
            def known() -> list[np.ndarray]:
                with jax.ensure_compile_time_eval():
                    found = _evaluated(jaxpr, equation, [one.known() for one in given])
                return [np.asarray(one) for one in found]

            results = [
                _Number(one, known=lambda i=i: known()[i])  # type: ignore[misc]
                for i, one in enumerate(arrays)
            ]
        self.numbers[key] = results
        return results

    def _linear(self, equation: Any, given: list[Any]) -> list[Any] | None:
        """Return the scalars that an operation makes; None if they may not be linear."""
        name, types = equation.primitive.name, [atom.aval for atom in equation.invars]
        if not equation.outvars or any(getattr(one, "of_theta", False) for one in given):
            return None  # without results, as of a callback
        result = equation.outvars[0].aval
        sizes = [prod(one.shape) for one in (*types, result)]
        if 0 in sizes or max(sizes) > MOST_TERMS:
            return None
        others = {i: given[i] for i, one in enumerate(types) if one.dtype != result.dtype}
        if name in OPERATIONS and not others:
            return OPERATIONS[name](
                *map(self._listed, given), params=equation.params, shape=result.shape
            )
        if name not in BY_POSITION or not all(_is_known(one) for one in others.values()):
            return None
        integers = {i: one.known() for i, one in others.items()}
        listed = [one if i in integers else self._listed(one) for i, one in enumerate(given)]
        return moved(equation, listed, integers)

    def _listed(self, given: Any) -> np.ndarray:
        """Return scalars as they are, and numbers as scalars."""
        if isinstance(given, np.ndarray):
            return given
        shape = np.shape(given.array)
        entries = np.empty(prod(shape), object)
        entries[:] = [self.scalars.make("entry", given, i) for i in range(len(entries))]
        return entries.reshape(shape)


def _is_whole(dtype: Any) -> bool:
    """Return whether numbers of a type, which may be that of keys, are integers or bools."""
    return any(jnp.issubdtype(dtype, kind) for kind in (np.integer, np.bool_))


def _is_known(given: Any) -> bool:
    """Return whether what an operation is given are integers that are the same in all rows."""
    return isinstance(given, _Number) and given.known is not None


def _evaluated(jaxpr: Any, equation: Any, given: list[Any]) -> list[Any]:
    """Return the results of one operation of a program on numbers, with its own derivatives."""
    named = {
        atom: value
        for atom, value in zip(equation.invars, given, strict=True)
        if not isinstance(atom, core.Literal)
    }
    program = jaxpr.replace(
        constvars=[], invars=list(named), outvars=equation.outvars, eqns=[equation]
    )
    results: list[Any] = core.jaxpr_as_fun(core.ClosedJaxpr(program, ()))(*named.values())
    return results
