"""Judge the finite-sample cost on a ladder of sample sizes by a law of the next order in 1/n.

On a ladder of scales s the ratio of the simulated to the first-order number is ``1 + a/s + ...``. A
law of the next order predicts the cost a: its correction, relative to the first order, times s. The
claim is that a lies within the tolerance of that, counted at the smallest scale.

The law also says that the limit is 1, so a is fitted with that limit, which tells it several times
more precisely than the rungs alone. And it says how large its remainder may be at the smallest
scale. That is taken for the standard deviation of the coefficients of further powers, in the fit of
:mod:`mcjax.verdicts.extrapolation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from mcjax.verdicts.claims import Claim, Place, mean_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.extrapolation import left_out
from mcjax.verdicts.further_chains import EXPECTED_POWER
from mcjax.verdicts.planning import fewest

TOO_SLOW = "the ladder approaches its limit more slowly than 1/n; add larger scales"
OPEN = "the rungs do not tell the cost precisely enough; add larger scales"
UNIT = "departure from the first order at scale 1"
"""Unit of claims about costs."""
MOST_FURTHER_CHAINS = 2.0**40
"""Largest factor of chains that is tried to decide a claim."""


@dataclass(frozen=True)
class Departure:
    """Departure of a ratio from its limit, by a law of the next order.

    Attributes
    ----------
    value, error : float
        The departure at one sample size, or the cost; and the standard error of a law that
        simulates.
    batches : int
        Number of batches of draws of such a law.
    remainder : float
        How large what that law neglects may be: at that sample size, or at the smallest one.
    outside : str
        Why no departure is evidence against that law; empty if it is.
    law : str
        Name of that law; empty if it is not judged.
    """

    value: float
    error: float
    batches: int
    remainder: float
    outside: str
    law: str


class Slope(NamedTuple):
    """Ratios of the rungs of a cost, their covariances and their rate of convergence.

    Attributes
    ----------
    scales, ratios : ndarray of shape (K,)
        Scales and ratios of the rungs.
    sampling, drawn : ndarray of shape (K, K)
        Covariances of the ratios over chains, and over draws of the first-order law.
    power : float
        Power of ``1 / s`` with which the ratios seem to approach their limit.
    """

    scales: Float[np.ndarray, " K"]
    ratios: Float[np.ndarray, " K"]
    sampling: Float[np.ndarray, "K K"]
    drawn: Float[np.ndarray, "K K"]
    power: float

    def fitted(self, size: float, more: float = 1.0) -> Estimate:
        """Return the cost with the limit 1, and its standard error.

        Parameters
        ----------
        size : float
            Standard deviation of the coefficients of further powers, at the smallest scale.
        more : float
            How many times as many chains the error is for.
        """
        smallest = float(self.scales.min())
        x = smallest / self.scales
        covariance = self.sampling / more + self.drawn + size**2 * left_out(x)
        weights = np.linalg.solve(covariance, x)
        spread = 1 / float(weights @ x)
        value = spread * float(weights @ (self.ratios - 1))
        return Estimate(value, math.sqrt(spread)).times(smallest)


def cost_of(quantity: str) -> str:
    """Return the name of the quantity that is a given quantity's cost on a ladder."""
    return f"{quantity}_cost"


def predicted_cost(
    departures: Sequence[Departure | None], scales: Float[np.ndarray, " K"]
) -> Departure | None:
    """Return the cost that a law of the next order predicts, None if it does not.

    Parameters
    ----------
    departures : sequence of Departure or None
        What it says of the rungs.
    scales : ndarray of shape (K,)
        Their scales.
    """
    known = [departure for departure in departures if departure is not None]
    if len(known) < len(departures):
        return None
    least, most = (known[int(place(scales))] for place in (np.argmin, np.argmax))
    largest = float(scales.max())
    return replace(
        most,
        value=most.value * largest,
        error=most.error * largest,
        remainder=least.remainder,
        outside=least.outside,
    )


def cost_claim(
    place: Place, slope: Slope, predicted: Departure, *, tolerance: float, count: ChainCount
) -> Claim:
    """Claim that a cost is what a law of the next order predicts."""
    unit = float(slope.scales.min())
    count = count.unless(predicted.outside or (TOO_SLOW if slope.power != 1 else ""))
    seen = Estimate(math.nan, math.inf) if count.note else slope.fitted(predicted.remainder)
    margin = predicted.value - tolerance * unit, predicted.value + tolerance * unit
    claim = mean_claim(
        place,
        observed=seen,
        predicted=predicted.value,
        judged=seen.plus(0.0, predicted.error, predicted.batches),
        margin=margin,
        count=count,
    )
    if count.note:
        return claim
    away = abs(seen.value - predicted.value)
    distance = abs(away - tolerance * unit)

    def more_chains(distance: float, reach: float) -> float:
        """Return how many times as many chains bring the error within a distance."""

        def enough(more: float) -> bool:
            error = slope.fitted(predicted.remainder, more).error
            return reach * math.hypot(error, predicted.error) < distance

        return fewest(enough, MOST_FURTHER_CHAINS)

    def factor(level: float) -> float:
        return more_chains(distance, -float(ndtri(level / 2)))

    def expected(level: float) -> float:
        reach = -float(ndtri(level / 2))
        if away > reach * math.hypot(seen.error, predicted.error):
            return math.nan
        return more_chains(tolerance * unit, reach + float(ndtri(EXPECTED_POWER)))

    return replace(claim, factor=factor, expected=expected, hopeless=OPEN)
