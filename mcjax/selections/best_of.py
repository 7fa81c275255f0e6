"""The best of several answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from mcjax.calls import explained
from mcjax.chains.selected import Drawn, Rows
from mcjax.errors import InputError
from mcjax.laws.first_order.normal_population import NormalPopulation
from mcjax.laws.first_order.population import AnyOrigin, Population
from mcjax.laws.first_order.populations import population_of
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model
from mcjax.models.scores import NormalScores
from mcjax.selections.best_normal import closest_of_normals, largest_of_normals
from mcjax.selections.selection import Selection, is_number

if TYPE_CHECKING:
    from jaxtyping import Float

Reward = Literal["label", "closest"]
"""Best label: the largest, or the closest to a target."""
MOST = 1000
"""Largest number of answers."""


@partial(
    jax.tree_util.register_dataclass, data_fields=["target"], meta_fields=["best_of", "reward"]
)
@explained
@dataclass(frozen=True)
class BestOf(Selection):
    """The best of K labels that the origin generates for the same covariates.

    Attributes
    ----------
    best_of : int
        K.
    reward : {"label", "closest"}
        Whether the best label is the largest, or the closest to the target.
    target : float
        The target.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.BestOf(4)).keep
    BestOf(best_of=4, reward='label', target=0.0)
    """

    best_of: int
    reward: Reward = "label"
    target: float = 0.0

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        whole = isinstance(self.best_of, int | np.integer) and not isinstance(self.best_of, bool)
        if not (whole and 1 <= self.best_of <= MOST):
            return f"best_of is {self.best_of!r}; give a whole number from 1 to {MOST}"
        if self.reward not in get_args(Reward):
            return f"reward is {self.reward!r}, not one of {get_args(Reward)}"
        if not is_number(self.target):
            return f"target is {self.target!r}; give a number"
        if self.reward == "label" and self.target != 0:
            return "target is for reward = 'closest'; leave it out, or change the reward"
        return ""

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        return self.values()

    def draw(self, rows: Rows) -> Drawn:
        """Draw rows as the reader gets them.

        Raises
        ------
        InputError
            If labels are no numbers.
        """
        first = rows.attempt(0)
        begin = rows.labels(first)
        if begin.ndim > 1:
            raise InputError(
                "network.feeds.keep.best_of",
                f"needs labels that are numbers; those of {rows.model.name} have the shape"
                f" {begin.shape[:-1]}; leave it out",
            )

        def better(k: Array, best: Array) -> Array:
            y = rows.labels(rows.attempt(k)._replace(x=first.x))
            return jnp.where(self._worth(y) > self._worth(best), y, best)

        y = lax.fori_loop(1, int(self.best_of), better, begin)
        return Drawn(first.x, y, jnp.ones_like(rows.wanted))

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets."""
        if isinstance(model.scores, NormalScores):
            if self.reward == "label":
                return NormalPopulation(origin, largest_of_normals(self.best_of))
            target = float(self.target)
            return NormalPopulation(origin, closest_of_normals(origin.theta, self.best_of, target))
        if self.best_of == 1:
            return population_of(origin, model)
        raise Inapplicable(
            "what is the best of several answers is known for the family gaussian alone"
        )

    def _worth(self, y: Array) -> Array:
        return y if self.reward == "label" else -jnp.abs(y - self.target)
