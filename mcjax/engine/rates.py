"""Take the rates of optimisers out of a program, so that it is compiled for none in particular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from mcjax.chains.program import Program
from mcjax.estimators.gradient_steps import Optax, Unrated

Rates = tuple[tuple[Any, ...], ...]
"""The rates of each optimiser of a program that takes them as numbers."""


@dataclass(frozen=True)
class Place:
    """An estimator without its rates, and where these are."""

    form: Unrated
    number: int


def split(program: Program) -> tuple[Program, Rates]:
    """Return a program with estimators that lack their rates, and the rates of different ones."""
    places: dict[Optax, Place] = {}
    rates: list[tuple[float, ...]] = []

    def without(part: Any) -> Any:
        parts = part.split() if isinstance(part, Optax) else None
        if parts is None:
            return part
        if part not in places:
            places[part] = Place(parts[0], len(rates))
            rates.append(parts[1])
        return places[part]

    return jax.tree.map(without, program), tuple(rates)


def joined(program: Program, rates: Rates) -> Program:
    """Return a program with the rates that :func:`split` has taken, which may be traced.

    Estimators that were equal are one object, so that chains still find them equal.
    """
    made: dict[Place, Optax] = {}

    def with_rates(part: Any) -> Any:
        if isinstance(part, Place) and part not in made:
            numbers = (jnp.asarray(rate, program.fit_dtype) for rate in rates[part.number])
            made[part] = part.form.at(tuple(numbers))
        return made[part] if isinstance(part, Place) else part

    return jax.tree.map(with_rates, program)
