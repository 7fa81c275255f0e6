"""Classes cut off from the tail of a distribution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from mcjax.calls import explained
from mcjax.estimators.predictor import Params
from mcjax.laws.first_order.population import AnyOrigin, Population, Vector
from mcjax.laws.first_order.populations import Moved, population_of
from mcjax.models.generative import ClassShares, SmoothedShares
from mcjax.models.model import Model
from mcjax.selections.selection import Relabelling, is_number

if TYPE_CHECKING:
    from jaxtyping import Float


ROUNDING = 1e-6
"""By how much sums of probabilities in single precision may be off."""


@partial(jax.tree_util.register_dataclass, data_fields=["top_p"], meta_fields=[])
@explained
@dataclass(frozen=True)
class TopP(Relabelling):
    """Classes drawn from the most probable ones, the fewest that have a probability of p together.

    Attributes
    ----------
    top_p : float
        p.

    References
    ----------
    Holtzman et al., "The curious case of neural text degeneration", ICLR 2020.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.Feed("a", "a", 100, keep=mcjax.TopP(0.9)).keep
    TopP(top_p=0.9)
    """

    top_p: float

    def values(self) -> str:
        """Return what is wrong with the values, or an empty string."""
        if not (is_number(self.top_p) and 0 < self.top_p <= 1):
            return f"top_p is {self.top_p!r}; give a number above 0, at most 1"
        return ""

    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string."""
        problem = self.values()
        if problem:
            return problem
        if real:
            return "top_p is for feeds from models; leave it out"
        if not isinstance(model.generative, ClassShares | SmoothedShares) or len(theta) < 2:
            return f"top_p needs classes, which {model.name} does not have; leave it out"
        return ""

    def parameters(self, model: Model, params: Params, theta: Any) -> tuple[Params, Any]:
        """Return numbers and parameters at which labels are generated."""
        order = jnp.argsort(-theta, axis=0)
        ranked = jnp.take_along_axis(theta, order, 0)
        # a class is kept if those before it fall short of p
        short = _falls_short(
            jnp.cumsum(ranked, 0) - ranked, self.top_p * ranked.sum(0, keepdims=True)
        )
        kept = jnp.take_along_axis(short, jnp.argsort(order, axis=0), 0)
        theta = jnp.where(kept, theta, 0)
        return params, theta / theta.sum(0, keepdims=True)

    def population(self, origin: AnyOrigin, model: Model) -> Population:
        """Return the population of the rows that the reader gets."""
        order = np.argsort(-origin.theta, kind="stable")
        ranked = origin.theta[order]
        before = np.cumsum(ranked) - ranked
        count = max(1, int(_falls_short(before, float(self.top_p) * ranked.sum()).sum()))
        kept = np.zeros_like(origin.theta)
        kept[order[:count]] = 1
        total = float(kept @ origin.theta)
        share = kept * origin.theta / total
        derivative = (np.diag(kept) - np.outer(share, kept)) / total
        cut = population_of(origin._replace(theta=share), model)
        return _Cut(cut, origin, derivative, order=order, count=count, p=float(self.top_p))


def _falls_short(before: Any, p: Any) -> Any:
    """Return True if the classes before one have less than p; a sum of p may be rounded down."""
    return before < p - ROUNDING


class _Cut(Moved):
    """Rows of the most probable classes; which ones are these jumps as probabilities change."""

    def __init__(
        self,
        cut: Population,
        origin: AnyOrigin,
        derivative: np.ndarray,
        order: np.ndarray,
        count: int,
        p: float,
    ):
        super().__init__(cut, origin, derivative)
        self._order, self._count, self._p = order, count, p

    def jumps(self) -> list[tuple[Vector, float]]:
        """Return the probabilities whose change would keep other classes."""
        theta, ranked = self.origin.theta, np.eye(len(self.origin.theta))[self._order]
        kept = ranked[: self._count].sum(0)
        last, found = ranked[self._count - 1], []
        if self._count > 1:
            found.append((kept - last, self._p - float((kept - last) @ theta)))
        if self._count < len(theta):
            found.append((kept, float(kept @ theta) - self._p))
            rivals = last - ranked[self._count]
            found.append((rivals, float(rivals @ theta)))
        return found
