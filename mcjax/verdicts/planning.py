"""Cells as a plan sees them, before any chain is run: how many chains verify or refute them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True)
class UnplannedCells:
    """Cells that share the error budget, of which nothing tells how many chains they take.

    Attributes
    ----------
    quantity : str
        The quantity of their claims.
    count : int
        How many there are.
    """

    quantity: str
    count: int


@dataclass(frozen=True)
class PlannedCells(ABC):
    """K cells alike; every array has shape (K,).

    Attributes
    ----------
    quantity : str
        The name under which the plan lists them.
    """

    quantity: str

    @property
    @abstractmethod
    def count(self) -> int:
        """K, the number of cells."""

    @abstractmethod
    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true.

        Parameters
        ----------
        tolerance : float
            Margin of the claims.
        level : float
            Level of each claim.
        miss : float
            Probability, cell by cell, that a true law is not verified.

        Returns
        -------
        float
            Infinite if no number of chains suffices.
        """

    @abstractmethod
    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that so many chains refute in any one cell.

        Parameters
        ----------
        tolerance, level
            As for :meth:`chains`.
        miss : float
            Probability that the departure is not refuted in that cell.
        chains : int
            Chains of each condition.

        Returns
        -------
        float
            Infinite if no departure is refuted so.
        """


@dataclass(frozen=True)
class NormalCells(PlannedCells):
    """Cells about means of many chains, whose claims are about a difference from the law.

    Attributes
    ----------
    spread : ndarray of shape (K,)
        Standard deviation of one chain's contribution, in the units of the tolerance.
    error : ndarray of shape (K,)
        Standard error of the prediction itself, in the same units.
    allowance : ndarray of shape (K,)
        Departure beyond the tolerance that is no refutation.
    """

    spread: np.ndarray
    error: np.ndarray
    allowance: np.ndarray

    @property
    def count(self) -> int:
        return len(self.spread)

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, from which a claim is decided.

        It is decided at the level, but for a probability ``miss``.
        """
        return -float(ndtri(level / 2)) - float(ndtri(miss))

    def departures(self, edge: np.ndarray, reach: np.ndarray) -> np.ndarray:
        """Return the departures that lie a ``reach`` beyond an edge, shape (K,)."""
        return edge + reach

    @np.errstate(divide="ignore", invalid="ignore")
    def chains(self, tolerance: float, level: float, miss: float) -> float:
        room = (tolerance / self.standard_errors(level, miss)) ** 2 - self.error**2
        return float(np.max(np.where(room > 0, self.spread**2 / room, np.inf)))

    @np.errstate(divide="ignore", invalid="ignore")
    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        width = np.hypot(self.spread / math.sqrt(chains), self.error)
        reach = self.standard_errors(level, miss) * width
        return float(self.departures(tolerance + self.allowance, reach).max())


@dataclass(frozen=True)
class RatioCells(NormalCells):
    """Cells about ratios to the law's numbers: a ratio's standard error grows with the ratio."""

    def departures(self, edge: np.ndarray, reach: np.ndarray) -> np.ndarray:
        return np.where(reach < 1, (1 + edge) / (1 - reach) - 1, np.inf)


Cells = TypeVar("Cells", bound=PlannedCells)


def join(groups: Sequence[Cells]) -> Cells:
    """Return the cells of several conditions as one group; all must be of one kind."""
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(cells, field.name) for cells in groups])
        for field in fields(groups[0])
        if field.name != "quantity"
    }
    return replace(groups[0], **arrays)
