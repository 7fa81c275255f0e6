"""Range of validity of an expansion in 1/n, and allowances for the terms that it neglects.

What a law of second order neglects is of the order of the square of its own corrections. The
factors and limits here are empirical, see :mod:`mcjax.laws.second_order.validity`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

LARGEST_INDICATOR, LARGEST_LEVERAGE = 0.5, 0.5
"""Largest X and L with which an expansion is judged."""
ROWS_A_PARAMETER = 10
"""An expansion is judged where the smallest fit has more rows than this for each parameter."""
SQUARE, SHARE = 2.0, 0.1
"""Factors of ``X^2`` and of L in what it neglects."""
DRAWN = 3.0
"""Standard errors of X that are allowed for, where a law simulates."""
NEAR_UNIT = 1e-6
"""Excess of a radius over 1 that is rounding."""
ACCURATE = 0.05, 0.01
"""Relative errors for which it is said from how many rows on laws are that accurate."""


class SmallSampleBias(NamedTuple):
    """Contribution of mean errors of small samples to errors of centres that are not the truth.

    Attributes
    ----------
    mean : ndarray, shape (T + 1, M, p)
        m, the part of order 1/n of the mean error.
    allowance : ndarray, shape (T + 1, M)
        Allowance for the neglected part of mean errors, in standard deviations.
    of_squares : ndarray, shape (T + 1, M)
        Allowance for the neglected part of mean squared errors, relative to these.
    """

    mean: Float[np.ndarray, "T+1 M p"]
    allowance: Float[np.ndarray, "T+1 M"]
    of_squares: Float[np.ndarray, "T+1 M"]


class ThirdCumulants(NamedTuple):
    """Third cumulants of the errors of M models, symmetric around one direction u.

    With ``G = cov(x)^-1`` and a the direction of u in the coordinates of theta, the tensor of model
    i is ``along_i a a a + mixed_i sym3[a (G - a a')]``.

    Attributes
    ----------
    along, mixed : ndarray, shape (M,)
        Its two components.
    direction : ndarray, shape (p,)
        a.
    metric : ndarray, shape (p, p)
        G.
    """

    along: Float[np.ndarray, " M"]
    mixed: Float[np.ndarray, " M"]
    direction: Float[np.ndarray, " p"]
    metric: Float[np.ndarray, "p p"]

    @property
    def p(self) -> int:
        """Number of parameters."""
        return len(self.direction)

    def of(self, maps: Float[np.ndarray, "M r p"]) -> Float[np.ndarray, "M r"]:
        """Return the third cumulants of linear maps of each model's error."""
        share = maps @ self.direction
        rest = np.einsum("ira,ab,irb->ir", maps, self.metric, maps) - share**2
        cumulants = self.along[:, None] * share**3 + 3 * self.mixed[:, None] * share * rest
        return np.asarray(cumulants)


class FullThirdCumulants(NamedTuple):
    """Third cumulants of the errors of M models, without any symmetry around a direction.

    Attributes
    ----------
    tensor : ndarray, shape (M, p, p, p)
        The cumulants of each model's error.
    """

    tensor: Float[np.ndarray, "M p p p"]

    @property
    def p(self) -> int:
        """Number of parameters."""
        return self.tensor.shape[-1]

    def of(self, maps: Float[np.ndarray, "M r p"]) -> Float[np.ndarray, "M r"]:
        """Return the third cumulants of linear maps of each model's error."""
        cumulants = np.einsum("iabc,ira,irb,irc->ir", self.tensor, maps, maps, maps, optimize=True)
        return np.asarray(cumulants)


class Radii(NamedTuple):
    """By how much covariances are multiplied in a generation, in the long run.

    Attributes
    ----------
    first_order, second_order : float
        To first and second order; 0 if nothing is passed on for ever, nan if it is not known.
    """

    first_order: float
    second_order: float

    @property
    def explode(self) -> bool:
        """True if errors are multiplied at these sample counts."""
        return self.second_order > 1 + NEAR_UNIT


class Validity(NamedTuple):
    """Range of validity of an expansion in 1/n.

    Attributes
    ----------
    indicator : ndarray, shape (T + 1, M)
        X, the size of the last terms of the mean squared error that the expansion has, relative to
        the first; what it neglects is about the square of X.
    directed : ndarray, shape (T + 1, M)
        The same for the variance in the direction in which it is largest.
    leverage : ndarray, shape (T + 1, M)
        L, the weight of few observations in a fit, of order ``1/n^2``.
    rows : int
        Rows of the smallest fit.
    third : ThirdCumulants or FullThirdCumulants
        Third cumulants of each model's errors at the last generation, to leading order.
    radii : callable
        Returns by how much covariances are multiplied, None if feeds go on changing.
    error, directed_error : ndarray or float
        Standard errors of ``indicator`` and ``directed`` over the draws of a law that simulates.
    """

    indicator: Float[np.ndarray, "T+1 M"]
    directed: Float[np.ndarray, "T+1 M"]
    leverage: Float[np.ndarray, "T+1 M"]
    rows: int
    third: ThirdCumulants | FullThirdCumulants
    radii: Callable[[], Radii | None]
    error: Float[np.ndarray, "T+1 M"] | float = 0.0
    directed_error: Float[np.ndarray, "T+1 M"] | float = 0.0

    @property
    def judged(self) -> Bool[np.ndarray, "T+1 M"]:
        """True where mean squared errors are judged: X and L are small, and rows many, enough."""
        return self._inside(self.indicator)

    @property
    def directed_judged(self) -> Bool[np.ndarray, "T+1 M"]:
        """True where errors are judged in all directions."""
        return self._inside(self.directed)

    @property
    def remainder(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance for the neglected part of each mean squared error, over its first order."""
        neglected = SQUARE * self.indicator**2 + SHARE * self.leverage
        return np.asarray(neglected + DRAWN * self.error)

    @property
    def directed_remainder(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance for the neglected part of a variance in any direction, over its first order."""
        neglected = SQUARE * self.directed**2 + SHARE * self.leverage
        return np.asarray(neglected + DRAWN * self.directed_error)

    @property
    def of_odd_moments(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance for the neglected part of means and third cumulants, in standard deviations.

        They are of the order of the root of X, and the next terms smaller by a factor X.
        """
        root = np.sqrt(np.maximum(self.directed, np.finfo(float).tiny))
        return np.asarray(self.directed_remainder / root)

    @property
    def note(self) -> str:
        """Reason why some mean squared errors are not judged; empty if all are."""
        return "" if self.judged.all() else self.outside(self.indicator)

    def outside(self, indicator: Float[np.ndarray, "T+1 M"]) -> str:
        """Return why something is not judged whose X is ``indicator``."""
        rows = math.ceil(self.rows * self._excess(indicator))
        return (
            "third order matters here, so that no departure is evidence against the law; all"
            f" is judged from {rows:,} rows in the smallest fit on, or on a ladder of sample sizes"
        )

    def accurate_from(self, tolerance: float) -> dict[str, int]:
        """Return the rows of the smallest fit from which laws are accurate to a tolerance.

        Parameters
        ----------
        tolerance : float
            The largest error of a mean squared error, relative to its first-order term. That of the
            first-order law is about X, and that of the second-order law at most
            ``2 X^2 + L / 10``. X falls like ``1/n`` and L like ``1/n^2``.

        Returns
        -------
        dict of str to int
            By law. All sample counts stay in proportion.
        """
        indicator, leverage = float(self.indicator.max()), float(self.leverage.max())
        stated = math.sqrt((SQUARE * indicator**2 + SHARE * leverage) / tolerance)
        second = max(self._excess(self.indicator), stated)
        first = max(second, indicator / tolerance)
        return {
            "first_order": math.ceil(self.rows * first),
            "second_order": math.ceil(self.rows * second),
        }

    def _inside(self, indicator: Float[np.ndarray, "T+1 M"]) -> Bool[np.ndarray, "T+1 M"]:
        inside = (indicator <= LARGEST_INDICATOR) & (self.leverage <= LARGEST_LEVERAGE)
        return np.asarray(inside & (self.rows >= self._fewest))

    @property
    def _fewest(self) -> int:
        """Fewest rows in the smallest fit with which anything is judged."""
        return ROWS_A_PARAMETER * self.third.p + 1

    def _excess(self, indicator: Float[np.ndarray, "T+1 M"]) -> float:
        """Return the factor by which samples must grow until all is judged."""
        leverage = float(self.leverage.max())
        return max(
            float(indicator.max()) / LARGEST_INDICATOR,
            math.sqrt(leverage / LARGEST_LEVERAGE),
            self._fewest / self.rows if self.rows < self._fewest else 0.0,
        )
