"""Count the arithmetic operations of a program.

Every operation on one number counts as one, whatever it is: the bound that follows from the counts
is one that no program reaches. Products of matrices count a multiplication and an addition. What
only moves numbers or bits is free, so that a rotation is one operation. Of two branches the cheaper
one counts. What no result depends on is not counted, and what is computed twice from the same
arrays is counted once, as compilers run it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jax.extend import core
from jaxtyping import Float

# fmt: off
MOVES = frozenset({
    "bitcast_convert_type", "broadcast_in_dim", "complex", "concatenate", "convert_element_type",
    "copy", "copy_p", "dynamic_slice", "dynamic_update_slice", "expand_dims", "gather", "imag",
    "iota", "pad", "random_unwrap", "random_wrap", "real", "reshape", "rev", "scatter",
    "shift_left", "shift_right_arithmetic", "shift_right_logical", "slice", "split", "squeeze",
    "stop_gradient", "transpose",
})
# fmt: on
"""Operations that move numbers or their bits, or show them as others."""


class Counted(NamedTuple):
    """Operations of a program in single (integers included) and in double precision.

    Attributes
    ----------
    fixed : ndarray
        Operations outside loops whose length depends on data, shape (2,).
    loops : list of ndarray
        Operations of one pass through each such loop, shape (2,).
    """

    fixed: Float[np.ndarray, " 2"]
    loops: list[Float[np.ndarray, " 2"]]

    def total(self, passes: float) -> Float[np.ndarray, " 2"]:
        """Return all operations, if all loops together are passed so often.

        Every loop but the first is passed once: a fit in double precision begins where one in
        single precision has ended.
        """
        first, *others = self.loops or [np.zeros(2)]
        return np.asarray(self.fixed + max(passes - len(others), 1) * first + sum(others))


def count_operations(jaxpr: core.Jaxpr) -> Counted:
    """Count the operations of a traced program."""
    counted = Counted(np.zeros(2), [])
    _count(jaxpr, 1.0, counted, counted.fixed)
    return counted


def _count(jaxpr: Any, times: float, counted: Counted, target: np.ndarray) -> None:
    """Add the operations of a program that runs so many times to ``target``."""
    for equation in _needed(jaxpr):
        name, params = equation.primitive.name, equation.params
        if name == "while":
            body, trips = params["body_jaxpr"].jaxpr, _trips(equation)
            inner = target
            if trips is None and target is counted.fixed:
                inner = np.zeros(2)
                counted.loops.append(inner)
            _count(body, times * (trips or 1), counted, inner)
        elif name == "scan":
            _count(params["jaxpr"].jaxpr, times * params["length"], counted, target)
        elif name == "cond":
            branches = [count_operations(branch.jaxpr).total(1) for branch in params["branches"]]
            target += times * min(branches, key=np.sum)
        elif name == "reduce" or not (parts := _parts(params)):
            target += times * _of_primitive(equation)
        else:
            for part in parts:
                _count(part, times, counted, target)


def _needed(jaxpr: Any) -> list[Any]:
    """Return the equations that results depend on, and of equal ones the first."""
    live = {value for value in jaxpr.outvars if isinstance(value, core.Var)}
    asked = []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or not live.isdisjoint(equation.outvars):
            asked.append(equation)
            live.update(value for value in equation.invars if isinstance(value, core.Var))
    known: dict[Any, Any] = {}  # results of equations that are left out, as what they equal
    seen: dict[Any, Any] = {}
    needed = []
    for equation in reversed(asked):
        given = tuple(
            known.get(value, value) if isinstance(value, core.Var) else _literal(value)
            for value in equation.invars
        )
        params = tuple((name, _hashable(value)) for name, value in equation.params.items())
        first = seen.setdefault((equation.primitive, params, given), equation)
        if first is equation or equation.effects:
            needed.append(equation)
        else:
            known.update(zip(equation.outvars, first.outvars, strict=True))
    return needed


def _literal(value: Any) -> Any:
    """Return what tells a constant of a program from others."""
    return str(value.aval), np.asarray(value.val).tobytes()


def _is_zero(value: Any) -> bool:
    """Return whether a value is the constant 0, as where Python begins a sum."""
    return isinstance(value, core.Literal) and not np.any(value.val)


def _hashable(value: Any) -> Any:
    """Return a value, or what tells it from others if it has no hash."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _trips(equation: Any) -> int | None:
    """Return how often a loop runs; None if that depends on data."""
    params = equation.params
    given = equation.invars[params["cond_nconsts"] + params["body_nconsts"] :][:2]
    compares = [inner.primitive.name for inner in params["cond_jaxpr"].jaxpr.eqns] == ["lt"]
    if not compares or not all(isinstance(value, core.Literal) for value in given):
        return None
    begin, end = (int(value.val) for value in given)
    return end - begin


def _parts(params: dict[str, Any]) -> list[Any]:
    """Return the programs that an operation calls."""
    values = (getattr(value, "jaxpr", value) for value in params.values())
    return [value for value in values if hasattr(value, "eqns")]


def _of_primitive(equation: Any) -> np.ndarray:
    """Return the operations of one primitive, in single and in double precision."""
    name, params, found = equation.primitive.name, equation.params, np.zeros(2)
    if name in MOVES or (name == "add" and any(map(_is_zero, equation.invars))):
        return found
    out = equation.outvars[0].aval
    shape: Any = getattr(equation.invars[0].aval, "shape", ()) if equation.invars else ()
    size = float(np.prod(getattr(out, "shape", ()), dtype=float))
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        size *= 2 * np.prod([shape[axis] for axis in contracted], dtype=float)
    elif name == "cholesky":
        size *= shape[-1] / 3
    elif name == "triangular_solve":
        size *= shape[-1]
    elif name == "reduce":
        size = sum(
            float(np.prod(value.aval.shape, dtype=float))
            for value in equation.invars[: len(equation.outvars)]
        )
    elif name.startswith(("reduce_", "arg", "cum")):
        size = float(np.prod(shape, dtype=float))
    double = str(getattr(out, "dtype", "")) in ("float64", "complex128")
    found[int(double)] = size
    return found
