"""The allocations that are allowed: bounds of each model's rows, and a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


BESIDE = 50
"""Number of corners on both sides of a level that is roughly right."""


@dataclass(frozen=True)
class Room:
    """Real rows m with ``low <= m <= high`` whose cost ``c m`` is the budget.

    Attributes
    ----------
    costs : ndarray, shape (M,)
        c.
    low, high : ndarray, shape (M,)
        The bounds; equal for models whose rows are not free.
    budget : float
        The cost, between that of ``low`` and that of ``high``.
    """

    costs: Float[np.ndarray, " M"]
    low: Float[np.ndarray, " M"]
    high: Float[np.ndarray, " M"]
    budget: float

    @property
    def even(self) -> Float[np.ndarray, " M"]:
        """The rows whose costs above ``low`` are the same share of what each model may take."""
        left = self.budget - self.costs @ self.low
        most = np.minimum((self.high - self.low) * self.costs, left)
        total = most.sum()
        return self.low + (left / total * most / self.costs if total > 0 else 0.0)

    def nearest(self, rows: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return the allocation nearest to some rows, measured by their costs.

        Costs are lowered by one number, and cut at the bounds; what they add up to is a piecewise
        linear function of that number, with corners where a model meets a bound.
        """
        spent = rows * self.costs
        low = self.low * self.costs
        high = np.minimum(self.high * self.costs, low + self.budget)
        corners = np.concatenate([spent - low, spent - high])
        order = np.argsort(corners, kind="stable")
        corners = corners[order]
        falling = np.cumsum(np.where(order < len(spent), -1, 1))  # as many models are within bounds
        roughly = high.sum() - np.append(0.0, np.cumsum(falling[:-1] * np.diff(corners)))
        near = int(np.searchsorted(-roughly, -self.budget))
        corners = corners[max(near - BESIDE, 0) : near + BESIDE]  # sums are exact at these alone
        sums = np.array([np.clip(spent - at, low, high).sum() for at in corners])
        at = np.interp(-self.budget, -sums, corners)
        return np.clip(spent - at, low, high) / self.costs

    def least(self, slope: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
        """Return the allocation with the smallest product with ``slope``.

        Whatever ``low`` leaves of the budget goes to models in the order of slope per cost.
        """
        rows = self.low.copy()
        order = np.argsort(slope / self.costs, kind="stable")
        left = self.budget - self.costs @ rows
        most = np.minimum((self.high - self.low) * self.costs, max(left, 0.0))[order]
        before = np.cumsum(most) - most
        rows[order] += np.clip(left - before, 0.0, most) / self.costs[order]
        return rows
