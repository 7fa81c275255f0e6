"""Linear predictors in the program of a loss of theta as a whole.

Most losses depend on theta through a few linear forms, such as ``x @ theta[1:]`` and ``theta[0]``.
The program of one row, as JAX traces it, is read operation by operation. Parameters that are moved,
added, or multiplied by numbers that do not depend on theta are linear forms. Any other operation
takes their values, which are predictors. So the predictors hold at every theta, and nothing is
approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend import core
from jaxtyping import Float

MOST = 4
"""Largest number of predictors; they must also be fewer than the parameters."""
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
    """

    program: Any
    theta: Any
    parameters: tuple[tuple[int, ...], ...]

    def coefficients(self, x: Float[Array, " q"], y: Float[Array, "*label"]) -> list[list[Array]]:
        """Return the coefficients of one row, a scalar for each parameter of each predictor."""
        forms, dtype = _forms_of(self.program, self.theta, x, y), self.theta.dtype
        return [[jnp.asarray(c, dtype) for c in form.coefficients.values()] for form in forms]

    def loss(
        self, values: list[Float[Array, ""]], x: Float[Array, " q"], y: Float[Array, "*label"]
    ) -> Float[Array, ""]:
        """Return the loss of one row, given the values of its predictors."""
        reader = _Reader(values.__getitem__, len(values))
        return reader.loss(self.program, self.theta.shape[0], x, y)


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
    found: list[tuple[int, ...]] = []

    def read(x: Array, y: Array) -> None:
        found.extend(tuple(form.coefficients) for form in _forms_of(program, like, x, y))

    try:
        jax.eval_shape(read, x, y)
    except _TooMany:
        return None
    return FoundPredictors(program, like, tuple(found)) if found else None


def _forms_of(program: Any, theta: Any, x: Array, y: Array) -> list[_Form]:
    """Return the forms whose values the loss of one row takes."""
    [p] = theta.shape
    reader = _Reader(lambda place: jnp.zeros((), theta.dtype), min(MOST, p - 1))
    reader.loss(program, p, x, y)
    return reader.forms


class _TooMany(Exception):
    """There are more predictors than are worth it."""


class _Form:
    """A linear form in theta: coefficients by the number of the parameter."""

    def __init__(self, coefficients: dict[int, Any]) -> None:
        self.coefficients = coefficients

    def __add__(self, other: _Form) -> _Form:
        total = dict(self.coefficients)
        for i, c in other.coefficients.items():
            total[i] = total[i] + c if i in total else c
        return _Form(total)

    def __mul__(self, number: Any) -> _Form:
        return _Form({i: number if c is ONE else c * number for i, c in self.coefficients.items()})

    __rmul__ = __mul__

    @property
    def key(self) -> tuple[Any, ...]:
        """Key of the form, equal for forms whose coefficients are the same objects."""
        return tuple((i, id(c)) for i, c in sorted(self.coefficients.items(), key=lambda c: c[0]))


ONE = 1
"""The coefficient of a parameter by itself."""


class _Reader:
    """Evaluates the program of one row, with linear forms in place of theta.

    Parameters
    ----------
    value : callable
        ``place -> scalar``, the value of a predictor.
    most : int
        Largest number of predictors.
    """

    def __init__(self, value: Callable[[int], Array], most: int) -> None:
        self.value, self.most = value, most
        self.places: dict[Any, int] = {}
        self.forms: list[_Form] = []
        self.entries: dict[int, tuple[Any, np.ndarray]] = {}
        self.of_theta: dict[int, Any] = {}  # numbers that depend on theta, by their identity

    def loss(self, program: Any, p: int, x: Array, y: Array) -> Array:
        """Return the loss of one row."""
        theta = np.array([_Form({i: ONE}) for i in range(p)], object)
        [loss] = self._run(program.jaxpr, program.consts, [theta, x, y])
        value: Array = self._number(loss)
        return value

    def _number(self, given: Any) -> Any:
        """Return numbers as they are, and the values of forms, which become predictors."""
        if not _linear(given):
            return given
        values = [self.value(self._place(form)) for form in given.ravel()]
        return jnp.stack(values).reshape(given.shape)

    def _place(self, form: _Form) -> int:
        place = self.places.setdefault(form.key, len(self.forms))
        if place == len(self.forms):
            if place == self.most:
                raise _TooMany
            self.forms.append(form)
        return place

    def _run(self, jaxpr: Any, consts: Sequence[Any], given: Sequence[Any]) -> list[Any]:
        known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *given), strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            results = self._results(jaxpr, equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _results(self, jaxpr: Any, equation: Any, given: list[Any]) -> Sequence[Any]:
        if any(map(_linear, given)):
            inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
            if equation.primitive.name in CALLS:
                return self._run(inner.jaxpr, inner.consts, given)
            forms = self._forms(equation, given)
            if forms is not None:
                return [np.asarray(one, object) for one in forms]  # NumPy unpacks single objects
        results = _evaluated(jaxpr, equation, [self._number(one) for one in given])
        if any(_linear(one) or id(one) in self.of_theta for one in given):
            self.of_theta |= {id(one): one for one in results}  # kept, as in `_listed`
        return results

    def _forms(self, equation: Any, given: list[Any]) -> list[Any] | None:
        """Return the results of an operation that leaves forms linear; None if it may not."""
        name, params = equation.primitive.name, equation.params
        if not equation.outvars:  # as of a callback
            return None
        types, result = [atom.aval for atom in equation.invars], equation.outvars[0].aval
        if any(one.dtype != result.dtype for one in types) or 0 in result.shape:
            return None
        if len(given) == 1 and name in MOVES:
            return MOVES[name](given[0], params, result.shape)
        if name == "add" and all(map(_linear, given)):
            return [given[0] + given[1]]
        if all(map(_linear, given)) or any(id(one) in self.of_theta for one in given):
            return None
        if name == "mul" and result.shape:
            a, b = map(self._listed, given)
            return [a * b]
        if name == "dot_general" and not any(params["dimension_numbers"][1]):
            a, b = map(self._listed, given)
            return [np.tensordot(a, b, params["dimension_numbers"][0])]
        return None

    def _listed(self, given: Any) -> np.ndarray:
        """Return forms as they are, and an array as an array of its entries."""
        if _linear(given):
            return np.asarray(given)
        known = self.entries.get(id(given))
        if known is None:
            size, flat = np.size(given), jnp.ravel(given)
            entries = np.empty(size, object)
            for i in range(size):
                entries[i] = lax.index_in_dim(flat, i, keepdims=False)
            # the array is kept, so that nothing else has its identity
            known = self.entries[id(given)] = given, entries.reshape(np.shape(given))
        return known[1]


def _linear(given: Any) -> bool:
    """Return whether what an operation is given are linear forms."""
    return isinstance(given, np.ndarray) and given.dtype == object


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


def _sliced(forms: np.ndarray, params: dict[str, Any], shape: tuple[int, ...]) -> list[Any]:
    steps = params["strides"] or (1,) * forms.ndim
    limits = zip(params["start_indices"], params["limit_indices"], steps, strict=True)
    return [forms[tuple(slice(*limit) for limit in limits)]]


def _split(forms: np.ndarray, params: dict[str, Any], shape: tuple[int, ...]) -> list[Any]:
    return list(np.split(forms, np.cumsum(params["sizes"])[:-1], axis=params["axis"]))


def _broadcast(forms: np.ndarray, params: dict[str, Any], shape: tuple[int, ...]) -> list[Any]:
    own = np.ones(len(shape), int)
    own[list(params["broadcast_dimensions"])] = forms.shape
    return [np.broadcast_to(forms.reshape(own), shape)]


def _reshaped(
    forms: np.ndarray, params: dict[str, Any], shape: tuple[int, ...]
) -> list[Any] | None:
    return None if params.get("dimensions") is not None else [forms.reshape(shape)]


Move = Callable[[np.ndarray, dict[str, Any], tuple[int, ...]], list[Any] | None]
MOVES: dict[str, Move] = {
    "convert_element_type": lambda forms, params, shape: [forms],
    "reshape": _reshaped,
    "squeeze": lambda forms, params, shape: [forms.reshape(shape)],
    "slice": _sliced,
    "split": _split,
    "rev": lambda forms, params, shape: [np.flip(forms, params["dimensions"])],
    "transpose": lambda forms, params, shape: [forms.transpose(params["permutation"])],
    "broadcast_in_dim": _broadcast,
    "reduce_sum": lambda forms, params, shape: [forms.sum(params["axes"])],
}
"""Operations on one array that move or add its entries, given the shape of the result."""
