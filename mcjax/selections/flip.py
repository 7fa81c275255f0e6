"""Labels that are swapped at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from mcjax.calls import explained
from mcjax.draws.samplers import graded_uniform
from mcjax.estimators.predictor import Words
from mcjax.laws.first_order.population import AnyOrigin, Population
from mcjax.laws.first_order.populations import Mixture, Moved, population_of
from mcjax.models.model import Model
from mcjax.selections.selection import Relabelling, is_number

if TYPE_CHECKING:
    from jaxtyping import Float


@partial(jax.tree_util.register_dataclass, data_fields=["flip"], meta_fields=[])
@explained
@dataclass(frozen=True)
class Flip(Relabelling):
    """Labels 0 and 1 swapped with a probability q, independently of everything else.

    Attributes
    ----------
    flip : float
        q, from 0 to 1.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.Flip(0.1)).keep
    Flip(flip=0.1)
    """

    flip: float

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        if not (is_number(self.flip) and 0 <= self.flip <= 1):
            return f"flip is {self.flip!r}; give a probability"
        return ""

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        problem = self.values()
        if not problem and model.mirror is None:
            return f"flip needs labels 0 and 1, which {model.name} does not have; leave it out"
        return problem

    def changed(self, y: Array, spare: Words) -> Array:
        """Return labels as the reader gets them."""
        # the uniform is never 0, but may be 1: both flip = 0 and flip = 1 are exact
        return jnp.where(graded_uniform(*spare, y.dtype) <= self.flip, 1 - y, y)

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets.

        Swapped labels are those of the mirrored parameters.
        """
        assert model.mirror is not None, "`problem` has asked"
        mirrored = origin._replace(theta=model.mirror(origin.theta))
        swapped = Moved(population_of(mirrored, model), origin, -np.eye(len(origin.theta)))
        share = float(self.flip)
        return Mixture(origin, [(1 - share, population_of(origin, model)), (share, swapped)])
