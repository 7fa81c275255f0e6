"""Count the arithmetic operations of a program.

Every operation on one number counts as one, whatever it is: the bound that follows from the counts
is one that no program reaches. Products of matrices count a multiplication and an addition. What
only moves numbers is free. Of two branches the cheaper one counts.
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
    "iota", "pad", "random_unwrap", "random_wrap", "real", "reshape", "rev", "scatter", "slice",
    "split", "squeeze", "stop_gradient", "transpose",
})
# fmt: on
"""Operations that move numbers, or show them as others."""


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
    for equation in jaxpr.eqns:
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
    if name in MOVES:
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
