"""Rows that a verifier accepts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float

from mcjax.calls import explained
from mcjax.estimators.predictor import Words
from mcjax.laws.first_order.population import AnyOrigin, Population
from mcjax.laws.first_order.populations import Thinned
from mcjax.laws.law import Inapplicable
from mcjax.models.model import Model
from mcjax.selections.selection import (
    Count,
    Filter,
    as_tuple,
    count_problem,
    is_number,
    numbers_problem,
    theta_problem,
)
from mcjax.selections.verified import Verified

if TYPE_CHECKING:
    import numpy as np


@partial(
    jax.tree_util.register_dataclass, data_fields=["verifier", "within"], meta_fields=["count"]
)
@explained
@dataclass(frozen=True)
class Verifier(Filter):
    """Rows whose label is close to a verifier's prediction, ``|y - x'c| <= r``.

    Attributes
    ----------
    verifier : sequence of float
        c, p numbers.
    within : float
        r.
    count : {"accepted", "raw"}
        Whether the samples of the feed are rows that are kept, or rows that are looked at.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.Verifier([1.0, 0.0], within=1.0)).keep
    Verifier(verifier=(1.0, 0.0), within=1.0, count='accepted')
    """

    verifier: Sequence[float]
    within: float
    count: Count = "accepted"

    def __post_init__(self) -> None:
        object.__setattr__(self, "verifier", as_tuple(self.verifier))

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        if not (is_number(self.within) and 0 < self.within < math.inf):
            return f"within is {self.within!r}; give a positive number"
        return numbers_problem("verifier", self.verifier) or count_problem(self.count)

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        problem = self.values()
        if problem:
            return problem
        if model.noise_scale is None:
            return (
                "verifier needs labels x'theta plus noise, which"
                f" {model.name} does not have; leave it out"
            )
        return theta_problem("verifier", self.verifier, theta)

    def judge(self) -> Float[Array, " p"]:
        """Return the judge's parameters, c."""
        return jnp.stack(self.verifier)

    def accepts(self, eta: Array, y: Array, spare: Words) -> Bool[Array, "*shape"]:
        """Return which rows are kept."""
        return jnp.abs(y - eta) <= self.within

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets."""
        if not (model.least_squares and model.least_squares.normal):
            raise Inapplicable(
                "what a verifier keeps is known for least squares with normal noise alone, which"
                f" {model.name} is not"
            )
        kept = Verified(origin, self.verifier, float(self.within))
        return Thinned(kept, *kept.acceptance()) if self.count == "raw" else kept
