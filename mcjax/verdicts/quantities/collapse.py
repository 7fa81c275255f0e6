"""The collapse of every model: whether it collapses if and only if a law predicts so.

Let a and b be a model's mean squared error at generations T // 2 and T, and

    r = (T + T // 2) / (T - T // 2) (b - a) / (b + a)

its growth as a share of its level: 1 if the error grows in proportion to the generation, 0 if it is
constant. If the law predicts that the model collapses, the claim is r > 2/5, otherwise r < 2/5.
There must be enough generations for growth to dominate, or for transients to decay: if the r that
the law itself predicts is not on its side of 2/5 by a tenth at least, the cell is not judged and
its note says so. An asymptotic law has the same allowance for r as for second moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Estimate, mean_claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.planning import NormalCells
from mcjax.verdicts.power import Chance, mean_chances
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import dominated

BOUNDARY, ROOM = 0.4, 0.1
TOO_FEW_GENERATIONS = (
    "too few generations: by the law itself, the error has not yet grown, or settled, enough to"
    " distinguish collapse from stability"
)


@dataclass(frozen=True)
class CollapseCells(NormalCells):
    """Cells about r, whose margin is the distance to the boundary."""

    def departures(
        self, edge: Float[np.ndarray, " N"], reach: Float[np.ndarray, " N"]
    ) -> Float[np.ndarray, " 1"]:
        """Return infinity: the opposite law is refuted, not a departure of some size."""
        return np.full(1, np.inf)


class Collapse(Quantity):
    """Claims that r lies on the law's side of 2/5, one for each model with a predicted fate."""

    name = "collapse"
    unit = "growth as a share of the level"
    of_squares = True

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that r of every model with a predicted fate lies on the law's side of 2/5."""
        prediction, last = comparison.prediction, comparison.last
        shares, sides = growth_share(prediction.mse), predicted_sides(prediction)
        heavy = dominated(outcome)[last]
        for i in np.flatnonzero(sides).tolist():
            squared = outcome.moments.ends.at(i)
            share = _estimated_share(squared, last)
            count = count_chains(
                int(squared.chains), outcome.chains, comparison.tolerance, heavy=heavy[i]
            )
            if not math.isfinite(shares[i]):
                note = "the law predicts no finite error at these generations"
                count = count._replace(note=note)
            elif not sides[i] * (shares[i] - BOUNDARY) > ROOM:
                count = count._replace(note=TOO_FEW_GENERATIONS)
            elif not math.isfinite(share.value):
                count = count.unless("no finite estimate")
            yield mean_claim(
                comparison.place(self.name, last, i),
                observed=share,
                predicted=float(shares[i]),
                judged=share,
                margin=(BOUNDARY, math.inf) if sides[i] > 0 else (-math.inf, BOUNDARY),
                count=count,
                allowance=float(comparison.allowance[last, i]),
            )

    def planned(self, comparison: Comparison) -> list[CollapseCells]:
        """Plan a cell for each model with a predicted fate."""
        prediction, sides = comparison.prediction, predicted_sides(comparison.prediction)
        room = sides * (growth_share(prediction.mse) - BOUNDARY)
        # in units of the distance to the boundary; without room no number of chains suffices
        scale = np.where(room > ROOM, comparison.tolerance / np.maximum(room, ROOM), np.inf)
        judged = sides != 0
        spread = (share_spread(prediction) * scale)[judged]
        error, allowance = np.zeros(len(spread)), comparison.allowance[-1][judged]
        return [CollapseCells(self.name, spread, error, allowance)]

    def chances(
        self, comparison: Comparison, truth: Prediction, level: float, ladder: float | None = None
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        prediction, sides = comparison.prediction, predicted_sides(comparison.prediction)
        predicted, true = growth_share(prediction.mse), growth_share(truth.mse)
        clear = sides * (predicted - BOUNDARY) > ROOM
        beyond = sides * (BOUNDARY - true) - comparison.allowance[-1]
        judged = sides != 0
        return mean_chances(
            level,
            beyond=np.where(clear, beyond, -np.inf)[judged],
            side=-sides[judged],
            spread=share_spread(truth)[judged],
        )


def predicted_sides(prediction: Prediction) -> Int[np.ndarray, " M"]:
    """Return the side of the boundary on which a law places each model, shape (M,).

    The side is +1 if the law predicts that the model collapses, -1 if it predicts that it does not,
    and 0 if the law makes no statement or the study has too few generations for growth.
    """
    if len(prediction.mse) < 3:
        return np.zeros(prediction.mse.shape[1], int)
    settles = np.where(~np.isnan(prediction.limit), -1, 0)
    return np.where(~np.isnan(prediction.growth), 1, settles)


def growth_share(mse: Float[np.ndarray, "T+1 M"]) -> Float[np.ndarray, " M"]:
    """Return r, shape (M,), of mean squared errors of shape (T + 1, M)."""
    last = len(mse) - 1
    middle = last // 2
    if last == middle:
        return np.full(mse.shape[1], np.nan)
    with np.errstate(all="ignore"):
        change = (mse[last] - mse[middle]) / (mse[last] + mse[middle])
    return (last + middle) / (last - middle) * change


def share_slopes(ends: Float[np.ndarray, " 2 *M"], last: int) -> Float[np.ndarray, " 2 *M"]:
    """Return the derivatives of r with respect to its two errors, shape (2, ...)."""
    (a, b), middle = ends, last // 2
    scale = 2 * (last + middle) / (last - middle) / (a + b) ** 2
    return np.array([-scale * b, scale * a])


def share_spread(law: Prediction) -> Float[np.ndarray, " M"]:
    """Return the standard deviation of one chain's contribution to r, shape (M,).

    The errors at the two generations are taken to be independent, which overstates it.
    """
    last = len(law.mse) - 1
    ends = [last // 2, last]
    slopes = share_slopes(law.mse[ends], last) if last else np.zeros((2, 1))
    return np.hypot(*(slopes * (law.relative_spread * law.mse)[ends]))


def _estimated_share(ends: Moments, last: int) -> Estimate:
    """Estimate one model's r from its squared errors at both generations, by the delta method."""
    chains = int(ends.chains)
    mse = np.zeros((last + 1, 1))
    mse[[last // 2, last], 0] = ends.mean
    value = float(growth_share(mse)[0]) if chains > 1 else math.nan
    if not math.isfinite(value):
        return Estimate(math.nan, math.inf)
    slopes = share_slopes(ends.mean, last)
    variance = slopes @ ends.square @ slopes / (chains * (chains - 1))
    # rounding can make the variance of a model without feeds negative
    return Estimate(value, math.sqrt(max(variance, 0.0)), ends.skewness_along(slopes))


QUANTITY = Collapse()
