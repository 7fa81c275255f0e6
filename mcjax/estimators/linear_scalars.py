"""Scalars that are linear in theta, as a graph of operations.

A scalar is a parameter, a number that does not depend on theta, or what an operation makes of
other scalars. All operations keep scalars linear: a product of two that depend on theta is refused.
Equal operations on equal scalars are one scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jax import Array, lax
from jaxtyping import Float

OPERATIONS: dict[str, Callable[..., Array]] = {
    "add": lax.add,
    "sub": lax.sub,
    "mul": lax.mul,
    "div": lax.div,
    "neg": lax.neg,
}


class NotLinear(Exception):
    """The result of an operation may not be linear in theta."""


class Scalar:
    """A parameter, a number, or the result of an operation.

    Attributes
    ----------
    scalars : Scalars
        The graph that the scalar belongs to.
    index : int
        When it was made.
    operation : str
        One of ``OPERATIONS``, ``"theta"``, ``"entry"`` of an array of numbers, or ``"one"``.
    parts : tuple
        What the operation is applied to: scalars; the number of a parameter; an array of numbers,
        by its identity, and the place of an entry.
    linear : tuple of Scalar
        The parts that depend on theta.
    varies : bool
        Whether it depends on theta.
    """

    def __init__(self, scalars: Scalars, operation: str, parts: tuple[Any, ...]) -> None:
        self.scalars, self.operation, self.parts = scalars, operation, parts
        self.index = len(scalars.known)
        given = parts if operation in OPERATIONS else ()
        self.linear = tuple(part for part in given if part.varies)
        self.varies = operation == "theta" or bool(self.linear)

    def __add__(self, other: Scalar) -> Scalar:
        return self.scalars.make("add", self, other)

    def __sub__(self, other: Scalar) -> Scalar:
        return self.scalars.make("sub", self, other)

    def __neg__(self) -> Scalar:
        return self.scalars.make("neg", self)

    def __mul__(self, other: Scalar) -> Scalar:
        if self.varies and other.varies:
            raise NotLinear
        return self.scalars.make("mul", self, other)

    def __truediv__(self, other: Scalar) -> Scalar:
        if other.varies:
            raise NotLinear
        return self.scalars.make("div", self, other)


class Scalars:
    """A graph of scalars, each of which is made once."""

    def __init__(self) -> None:
        self.known: dict[tuple[Any, ...], Scalar] = {}

    def make(self, operation: str, *parts: Any) -> Scalar:
        """Return the result of an operation."""
        key = (operation, *parts)
        if key not in self.known:
            self.known[key] = Scalar(self, operation, parts)
        return self.known[key]


class Form:
    """A scalar as a sum: coefficients times parameters, and a number.

    Parameters
    ----------
    scalar : Scalar
        The scalar.
    factors : Scalars
        Where products and sums of coefficients are made.

    Attributes
    ----------
    coefficients : dict
        Scalars that do not depend on theta, by the number of the parameter; None stands for 1.
    offset : Scalar or None
        The number; None if there is none.
    """

    def __init__(self, scalar: Scalar, factors: Scalars) -> None:
        self.factors = factors
        self.coefficients: dict[int, Scalar | None] = {}
        self.offset: Scalar | None = None
        # a scalar is made after its parts, so that all of its uses come before it here
        weights: dict[Scalar, Scalar | None] = {scalar: None}
        for one in sorted(below(scalar), key=lambda one: -one.index):
            weight = weights[one]
            if one.operation == "theta":
                self.coefficients[one.parts[0]] = weight
                continue
            for place, part in enumerate(one.parts):
                if one.operation in ("mul", "div"):
                    if not part.varies:
                        continue
                    own: Scalar | None = self._times(one.operation, weight, one.parts[1 - place])
                elif one.operation == "neg" or (one.operation == "sub" and place == 1):
                    own = self._minus(weight, one)
                else:
                    own = weight
                if not part.varies:
                    number = part if own is None else factors.make("mul", own, part)
                    self.offset = (
                        number if self.offset is None else factors.make("add", self.offset, number)
                    )
                elif part in weights:
                    weights[part] = factors.make("add", *map(self._made, (weights[part], own)))
                else:
                    weights[part] = own
        self.coefficients = dict(sorted(self.coefficients.items(), key=lambda item: item[0]))

    @property
    def key(self) -> tuple[Any, ...]:
        """Key of the coefficients."""
        return tuple(self.coefficients.items())

    def _made(self, weight: Scalar | None) -> Scalar:
        return self.factors.make("one") if weight is None else weight

    def _times(self, operation: str, weight: Scalar | None, number: Scalar) -> Scalar:
        if weight is None and operation == "mul":
            return number
        return self.factors.make(operation, self._made(weight), number)

    def _minus(self, weight: Scalar | None, one: Scalar) -> Scalar:
        return self.factors.make("neg", self._made(weight))


def below(scalar: Scalar) -> set[Scalar]:
    """Return a scalar and all that it is made of and that depends on theta."""
    found, left = {scalar}, [scalar]
    while left:
        new = set(left.pop().linear) - found
        found |= new
        left.extend(new)
    return found


def choose(demanded: Iterable[Scalar], factors: Scalars) -> list[list[Scalar]]:
    """Return few scalars by which all others can be computed; those in a list are the same form."""
    best = chosen = _bases(demanded, factors)
    for _ in range(LEVELS):
        if len(best) < 3 or len(chosen) > WIDEST:
            break
        split = [part for [one, *_] in chosen for part in one.linear or (one,)]
        chosen = _bases(split, factors)
        best = min(best, chosen, key=len)
    return best


LEVELS, WIDEST = 6, 64
"""How often scalars are split into their parts to find fewer, and how many these may become."""


def _bases(demanded: Iterable[Scalar], factors: Scalars) -> list[list[Scalar]]:
    """Return scalars by which others can be computed; what others are computed by comes first."""
    chosen: dict[tuple[Any, ...], list[Scalar]] = {}
    known: set[Scalar] = set()
    for one in sorted(set(demanded), key=lambda one: one.index):
        core = _core(one, known)
        if core is not None:
            chosen.setdefault(Form(core, factors).key, []).append(core)
            known.add(core)
    return list(chosen.values())


def _core(scalar: Scalar, known: set[Scalar]) -> Scalar | None:
    """Return what is missing to compute a scalar by others; None if nothing is."""
    while not _follows(scalar, known):
        missing = {part for part in scalar.linear if not _follows(part, known)}
        if len(missing) != 1:
            return scalar
        [scalar] = missing
    return None


def _follows(scalar: Scalar, known: set[Scalar]) -> bool:
    """Return whether a scalar can be computed by others."""
    seen, left = {scalar}, [scalar]
    while left:
        one = left.pop()
        if one not in known:
            if not one.linear:
                return False
            left.extend(set(one.linear) - seen)
            seen.update(one.linear)
    return True


def evaluate(
    scalar: Scalar, values: dict[Scalar, Array], leaf: Callable[[Scalar], Array | None]
) -> Float[Array, ""]:
    """Return the value of a scalar, given values of others, which are added to.

    Parameters
    ----------
    scalar : Scalar
        The scalar.
    values : dict
        Values of scalars.
    leaf : callable
        The value of a scalar that is not computed from its parts; None if it is.
    """
    left = [scalar]
    while left:
        one = left[-1]
        if one in values:
            left.pop()
            continue
        value = leaf(one)
        if value is None:
            missing = [part for part in one.parts if part not in values]
            left.extend(missing)
            if missing:
                continue
            value = OPERATIONS[one.operation](*(values[part] for part in one.parts))
        values[one] = value
    return values[scalar]
