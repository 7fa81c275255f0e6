"""Optimisers of optax whose rates are numbers of a compiled program, and not its constants.

Optimisers that differ in nothing but their rates share a program, so that a grid over learning
rates compiles once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import optax

RATES = ("learning_rate", "momentum")
"""Arguments of optax that its steps multiply by arrays. Others, such as the ``b1`` of ``adam``,
enter differences first, and would be rounded otherwise in single precision."""

Make = Callable[..., Any]


@dataclass(frozen=True)
class Recipe:
    """Constructor of an optimiser and the names of its rates.

    Attributes
    ----------
    make : callable
        A function of optax.
    rates : tuple of str
        The names of its rates.
    others : tuple of (str, number)
        Its other arguments.
    """

    make: Make
    rates: tuple[str, ...]
    others: tuple[tuple[str, Any], ...]

    def __call__(self, numbers: tuple[Any, ...]) -> Any:
        """Return the optimiser with these rates, which may be traced."""
        return self.make(**dict(zip(self.rates, numbers, strict=True)), **dict(self.others))


class Rated(optax.GradientTransformationExtraArgs):  # type: ignore[misc]  # optax has no types
    """An optimiser that remembers how it is made, and of which rates."""

    recipe: Recipe
    numbers: tuple[Any, ...]

    def __new__(cls, recipe: Recipe, numbers: tuple[Any, ...]) -> Rated:
        """Return the optimiser that a recipe makes of its rates."""
        made = optax.with_extra_args_support(recipe(numbers))
        self: Rated = super().__new__(cls, *made)
        self.recipe, self.numbers = recipe, numbers
        return self


def rated(made: Any, make: Make, given: Mapping[str, Any]) -> Any:
    """Return an optimiser that ``make`` has made of its arguments, as a `Rated` one if it can be.

    It is itself if it has no rates, or if its steps cannot be traced for rates that are not known.
    """
    names = tuple(name for name in RATES if name in given and not isinstance(given[name], bool))
    if not names:
        return made
    others = tuple(sorted((name, value) for name, value in given.items() if name not in names))
    recipe, numbers = Recipe(make, names, others), tuple(float(given[name]) for name in names)

    def step(numbers: tuple[Any, ...], at: Any) -> Any:
        optimiser = recipe(numbers)
        return optimiser.update(at, optimiser.init(at), at)

    try:
        with jax.numpy_dtype_promotion("standard"):
            jax.eval_shape(step, numbers, 0.0)
    except Exception:  # whatever optax's own checks of a number raise: the program has a constant
        return made
    return Rated(recipe, numbers)
