"""Programs that JAX makes of a user's functions: what they depend on, and whether two are one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from mcjax.faults import innermost

Inner = ("jaxpr", "call_jaxpr")
"""Parameters that hold the program of an operation that only calls it."""


def depends(program: Jaxpr, inputs: Iterable[int]) -> bool:
    """Return whether the outputs of a program may depend on some of its inputs.

    Parameters
    ----------
    program : Jaxpr
        The program.
    inputs : iterable of int
        Positions of the inputs.
    """
    return any(_reached(program, [k in set(inputs) for k in range(len(program.invars))]))


def _reached(program: Jaxpr, given: Sequence[bool]) -> list[bool]:
    """Return which outputs depend on the inputs that are marked."""
    marked = {id(var) for var, mark in zip(program.invars, given, strict=True) if mark}
    for step in program.eqns:
        into = [id(var) in marked for var in step.invars]
        if not any(into):
            continue
        inner = next((_plain(step.params[k]) for k in Inner if k in step.params), None)
        called = inner is not None and len(inner.invars) == len(into) and not _loops(step)
        out = _reached(inner, into) if inner is not None and called else [True] * len(step.outvars)
        marked |= {id(var) for var, mark in zip(step.outvars, out, strict=True) if mark}
    return [not isinstance(var, Literal) and id(var) in marked for var in program.outvars]


def _loops(step: Any) -> bool:
    return "length" in step.params  # what one step of a scan leaves reaches the next


def passes(program: Jaxpr) -> int | None:
    """Return how often the outermost loops of a program turn; None if that is not fixed."""
    total = 0
    for step in program.eqns:
        if _loops(step):
            total += step.params["length"]
            continue
        if "cond_jaxpr" in step.params:  # a loop that ends by a condition
            return None
        inner = [_plain(step.params[k]) for k in Inner if k in step.params]
        inner += [_plain(branch) for branch in step.params.get("branches", ())]
        turns = [passes(part) for part in inner if part is not None]
        known = [count for count in turns if count is not None]
        if len(known) < len(turns):
            return None
        total += max(known, default=0)
    return total


def first_difference(one: ClosedJaxpr, other: ClosedJaxpr) -> str | None:
    """Return where two programs differ, as file and line or empty if unknown; None if nowhere."""
    for (first, place), (second, _) in zip(_steps(one), _steps(other), strict=False):
        if first != second:
            return place
    same = len(list(_steps(one))) == len(list(_steps(other))) and _fixed(one) == _fixed(other)
    return None if same else ""


def _fixed(program: ClosedJaxpr) -> tuple[Hashable, ...]:
    """Return the numbers that a program has from outside: constants, and outputs without steps."""
    plain = [var.val for var in program.jaxpr.outvars if isinstance(var, Literal)]
    return _values([*program.consts, *plain])


def place_of_operation(program: Jaxpr, name: str) -> str:
    """Return file and line of the first operation of a kind in a user's code, or nothing."""
    for step, _ in _operations(program):
        if step.primitive.name == name:
            return _place(step)
    return ""


def _steps(program: ClosedJaxpr) -> Iterator[tuple[Hashable, str]]:
    """Yield what identifies each operation, and where it is."""
    for step, consts in _operations(program.jaxpr):
        literals = [var.val for var in step.invars if isinstance(var, Literal)]
        shapes = tuple(str(var.aval) for var in step.outvars)
        plain = tuple(v for v in step.params.values() if isinstance(v, int | float | str))
        yield (step.primitive.name, _values(literals), shapes, plain, _values(consts)), _place(step)


def _operations(program: Jaxpr) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Yield every operation, also of inner programs, and the constants that these close over."""
    for step in program.eqns:
        inner = [p for value in step.params.values() for p in _programs(value)]
        yield step, [c for p in inner if isinstance(p, ClosedJaxpr) for c in p.consts]
        for part in inner:
            yield from _operations(_plain(part))


def _programs(value: Any) -> list[Any]:
    parts = value if isinstance(value, list | tuple) else [value]
    return [part for part in parts if isinstance(part, Jaxpr | ClosedJaxpr)]


def _plain(program: Any) -> Jaxpr:
    return program.jaxpr if isinstance(program, ClosedJaxpr) else program


def _values(arrays: Iterable[Any]) -> tuple[Hashable, ...]:
    """Return what tells numbers apart; keys of JAX and the like are all alike."""
    return tuple(
        np.asarray(a).tobytes() if getattr(a, "dtype", np.dtype(float)).kind in "biufc" else ""
        for a in arrays
    )


def _place(step: Any) -> str:
    trace = step.source_info.traceback
    frames = trace.frames if trace is not None else ()
    return innermost((frame.file_name, frame.line_num) for frame in frames)
