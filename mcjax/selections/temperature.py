"""Data that a model generates at a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax

from mcjax.calls import explained
from mcjax.estimators.predictor import Params
from mcjax.laws.first_order.population import AnyOrigin, Population
from mcjax.laws.first_order.populations import Moved, population_of
from mcjax.models.model import Model
from mcjax.selections.selection import Relabelling, is_number

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


@partial(jax.tree_util.register_dataclass, data_fields=["temperature"], meta_fields=[])
@explained
@dataclass(frozen=True)
class Temperature(Relabelling):
    """Labels generated at a temperature T.

    Labels of two values have the log odds ``x'theta / T``, those of least squares noise of variance
    ``T sigma^2``, and classes have probabilities in proportion to ``theta^(1/T)``.

    Attributes
    ----------
    temperature : float
        T: below 1 for data that are surer than the model, above 1 for data that are less so.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.Temperature(0.8)).keep
    Temperature(temperature=0.8)
    """

    temperature: float

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        if not (is_number(self.temperature) and 0 < self.temperature < math.inf):
            return f"temperature is {self.temperature!r}; give a positive number"
        return ""

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        problem = self.values()
        if problem:
            return problem
        if real:
            return "temperature is for feeds from models; real data have none, leave it out"
        if model.tempering is None:
            return f"temperature has no meaning in the family {model.name!r}; leave it out"
        return ""

    def parameters(self, model: Model, params: Params, theta: Any) -> tuple[Params, Any]:
        """Return numbers and parameters at which labels are generated."""
        assert model.tempering is not None, "`problem` has asked"
        return model.tempering.parameters(params, theta, self.temperature)

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets."""
        assert model.tempering is not None, "`problem` has asked"
        params, theta = self.parameters(model, origin.params, origin.theta)
        there = origin._replace(params=params, theta=theta)
        derivative = model.tempering.derivative(origin.theta, float(self.temperature))
        return Moved(population_of(there, model), origin, derivative)
