"""Planned cells: how many chains verify or refute them, before any chain is run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from mcjax.calls import explained
from mcjax.engine.powers import NonNormality
from mcjax.verdicts.skewed_means import Tails, reaches

MOST_MORE = 1e6
"""Factor by which skewness multiplies chains at most; with more no number is said to suffice."""


@explained
@dataclass(frozen=True)
class UnplannedCells:
    """Cells that share the error budget, but whose number of chains cannot be planned.

    Attributes
    ----------
    quantity : str
        Name of the quantity of their claims.
    count : int
        Number of cells.

    Examples
    --------
    >>> import mcjax
    >>> mcjax.UnplannedCells("my quantity", count=4)
    UnplannedCells(quantity='my quantity', count=4)
    """

    quantity: str
    count: int


@dataclass(frozen=True)
class PlannedCells(ABC):
    """N cells of one kind; every array has shape (N,).

    Attributes
    ----------
    quantity : str
        Name under which the plan lists the cells.
    """

    quantity: str

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of cells, N."""

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
            Probability, in each cell, that a true law is not verified.

        Returns
        -------
        float
            Number of chains; infinite if no number suffices.
        """

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains below which a study makes no claim at a level."""
        return 0.0

    @abstractmethod
    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that a number of chains refutes in any one cell.

        Parameters
        ----------
        tolerance, level : float
            As for :meth:`chains`.
        miss : float
            Probability that the departure is not refuted in that cell.
        chains : int
            Chains of each condition.

        Returns
        -------
        float
            Departure; infinite if none is refuted with that probability.
        """


@dataclass(frozen=True)
class NormalCells(PlannedCells):
    """Cells about means over many chains, whose claims are about the difference from a law.

    Attributes
    ----------
    spread : ndarray of shape (N,)
        Standard deviation of one chain's contribution, in units of the tolerance.
    error : ndarray of shape (N,)
        Standard error of the prediction itself, in the same units.
    allowance : ndarray of shape (N,)
        Largest departure beyond the tolerance that does not refute a claim.
    tails : Tails
        What claims know of the values of their means.
    """

    spread: Float[np.ndarray, " N"]
    error: Float[np.ndarray, " N"]
    allowance: Float[np.ndarray, " N"]
    tails: Tails = field(default=Tails.UNKNOWN, kw_only=True)

    @property
    def count(self) -> int:
        """Number of cells, N."""
        return len(self.spread)

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains below which a study makes no claim at a level."""
        return self.tails.fewest_chains(level)

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, at which a claim is decided.

        At that distance the claim is decided at the level with probability ``1 - miss``.
        """
        return -float(ndtri(level / 2)) - float(ndtri(miss))

    def departures(
        self, edge: Float[np.ndarray, " N"], reach: Float[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        """Return the departures that lie a ``reach`` beyond an edge, shape (N,)."""
        return edge + reach

    @np.errstate(divide="ignore", invalid="ignore")
    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true."""
        room = (tolerance / self.standard_errors(level, miss)) ** 2 - self.error**2
        return float(np.max(np.where(room > 0, self.spread**2 / room, np.inf)))

    @np.errstate(divide="ignore", invalid="ignore")
    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure from the law that a number of chains refutes in any one cell."""
        width = np.hypot(self.spread / math.sqrt(chains), self.error)
        reach = self.standard_errors(level, miss) * width
        return float(self.departures(tolerance + self.allowance, reach).max())


@explained
@dataclass(frozen=True)
class RatioCells(NormalCells):
    """Cells about ratios of observed to predicted numbers.

    The standard error of such a ratio is proportional to the ratio.

    Examples
    --------
    >>> import mcjax
    >>> import numpy as np
    >>> cells = mcjax.RatioCells("absolute", np.full(3, 0.8), np.zeros(3), np.zeros(3))
    >>> cells.count
    3
    >>> round(cells.chains(tolerance=0.1, level=0.01, miss=0.1))
    952
    """

    def departures(
        self, edge: Float[np.ndarray, " N"], reach: Float[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        """Return the departures that lie a ``reach`` beyond an edge, shape (N,)."""
        return np.where(reach < 1, (1 + edge) / (1 - reach) - 1, np.inf)


@dataclass(frozen=True)
class SquareCells(RatioCells):
    """Cells about ratios whose observed numbers are skewed.

    Attributes
    ----------
    skewness : ndarray of shape (N,)
        Skewness of one chain's contribution.
    """

    skewness: Float[np.ndarray, " N"]

    @np.errstate(all="ignore")  # where no number of chains suffices
    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true.

        The upper end of a skewed mean's interval reaches farthest, the more so the fewer chains
        there are.
        """
        normal = self.standard_errors(level, miss)
        room = (tolerance / normal) ** 2 - self.error**2
        least = np.where(room > 0, self.spread**2 / room, np.inf)

        def within(n: Float[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
            """Return in which cells the margin holds the upper end, with n chains."""
            total = np.hypot(self.spread / np.sqrt(n), self.error)
            skewness = self.skewness / np.sqrt(n) * (self.spread / np.sqrt(n) / total) ** 3
            _, up = reaches(level, 10**9, NonNormality(skewness))
            return (normal + up + float(ndtri(level / 2))) * total <= tolerance

        low, high = least, MOST_MORE * least
        high = np.where(within(high), high, np.inf)
        for _ in range(60):
            middle = np.sqrt(low * high)
            enough = within(middle)
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return float(np.max(high))


@dataclass(frozen=True)
class VectorCells(NormalCells):
    """Cells about errors in units of their standard deviations.

    Attributes
    ----------
    parameters : ndarray of shape (N,)
        Number of coordinates p of each error.
    """

    parameters: Int[np.ndarray, " N"]

    @property
    def p(self) -> int:
        """Largest number of coordinates."""
        return int(self.parameters.max())


Cells = TypeVar("Cells", bound=PlannedCells)


def join(groups: Sequence[Cells]) -> Cells:
    """Join the cells of several conditions, all of one kind, into one group."""
    arrays: dict[str, Any] = {
        kind.name: np.concatenate([getattr(cells, kind.name) for cells in groups])
        for kind in fields(groups[0])
        if isinstance(getattr(groups[0], kind.name), np.ndarray)
    }
    return replace(groups[0], **arrays)


def fewest(enough: Callable[[float], bool], most: float, least: float = 1.0) -> float:
    """Return the smallest number from ``least`` to ``most`` that is enough, to 1%.

    It is infinite if not even ``most`` is enough.
    """
    if not enough(most):
        return math.inf
    low, high = least, most
    while high > 1.01 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
