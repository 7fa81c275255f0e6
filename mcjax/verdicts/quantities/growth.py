"""The growth of every model's error over the second half of the generations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Estimate
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.planning import RatioCells
from mcjax.verdicts.power import Chance, mean_chances
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import dominated


@dataclass(frozen=True)
class Growth:
    """Slope of a model's MSE per generation, from generation T // 2 to T.

    Attributes
    ----------
    condition, model, law : str
        Names of the condition, the model and the law that predicts the slope.
    empirical : float
        Observed slope.
    standard_error : float
        Standard error of ``empirical``, with the covariance of the two generations over chains.
    predicted : float
        Slope predicted by ``law``.
    """

    condition: str
    model: str
    law: str
    empirical: float
    standard_error: float
    predicted: float


def growth_of(condition: Condition, prediction: Prediction, outcome: Outcome) -> list[Growth]:
    """Return the observed and predicted slope of every model.

    Returns
    -------
    list of Growth
        One for each model; empty for a study without generations after the initial one.

    Notes
    -----
    The variance of the difference of two generations includes their covariance over chains, because
    a chain that is far off stays far off.
    """
    across = outcome.moments.across
    first, last = _ends(prediction)
    if last == first:
        return []
    slopes = []
    for i, model in enumerate(condition.network.models):
        chains = int(across.chains[i])
        spread = across.square[i]
        variance = spread[last, last] + spread[first, first] - 2 * spread[first, last]
        error = math.sqrt(max(variance, 0.0) / (chains * (chains - 1))) if chains > 1 else math.inf
        observed = across.mean[i, last] - across.mean[i, first] if chains else np.nan
        predicted = prediction.mse[last, i] - prediction.mse[first, i]
        steps = last - first
        slopes.append(
            Growth(
                condition=condition.name,
                model=model,
                law=prediction.law,
                empirical=float(observed / steps),
                standard_error=error / steps,
                predicted=float(predicted / steps),
            )
        )
    return slopes


class MseGrowth(Quantity):
    """Claims about the slope, as a ratio, of every model that collapses according to the law."""

    name = "growth"
    unit = "observed / predicted"
    of_squares = True

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the slope of every model with a predicted growth is the predicted one."""
        prediction = comparison.prediction
        _, last = _ends(prediction)
        heavy, chains = dominated(outcome)[last], outcome.moments.across.chains
        law_error = prediction.error_of(_slopes)
        for i, slope in enumerate(growth_of(comparison.condition, prediction, outcome)):
            if math.isnan(prediction.growth[i]):
                continue
            yield comparison.ratio_claim(
                self.name,
                last,
                i,
                observed=Estimate(slope.empirical, slope.standard_error),
                predicted=Estimate(slope.predicted, law_error[i]),
                count=count_chains(
                    int(chains[i]), outcome.chains, comparison.tolerance, heavy=heavy[i]
                ),
            )

    def planned(self, comparison: Comparison) -> list[RatioCells]:
        """Plan slopes with independent ends, which asks for more chains than are needed."""
        prediction = comparison.prediction
        first, last = _ends(prediction)
        ends, mse = [last, first], prediction.mse
        slope = np.abs(mse[last] - mse[first])
        judged = ~np.isnan(prediction.growth) & (last > first)
        spread = np.hypot(*(prediction.relative_spread[ends] * mse[ends])) / slope
        error = prediction.error_of(_slopes) * (last - first) / slope
        allowance = comparison.allowance[last]
        return [RatioCells(self.name, spread[judged], error[judged], allowance[judged])]

    def chances(
        self, comparison: Comparison, truth: Prediction, level: float, ladder: float | None = None
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell.

        The two ends of a slope are taken to be independent, which understates the chances.
        """
        prediction = comparison.prediction
        first, last = _ends(prediction)
        if last == first:
            return []
        ends = [last, first]
        judged = ~np.isnan(prediction.growth)
        predicted, true = (law.mse[last] - law.mse[first] for law in (prediction, truth))
        error = prediction.error_of(_slopes) * (last - first) / abs(predicted)
        spread = np.hypot(*(truth.relative_spread * truth.mse)[ends]) / abs(predicted)
        departure = true / predicted - 1
        edge = comparison.tolerance + comparison.allowance[last]
        return mean_chances(  # the difference of the two ends is taken to be normal
            level,
            beyond=(abs(departure) - edge)[judged],
            side=np.sign(departure)[judged],
            spread=spread[judged],
            error=error[judged],
        )


def _slopes(prediction: Prediction) -> Float[np.ndarray, " M"]:
    """Return the predicted slope of every model, shape (M,)."""
    first, last = _ends(prediction)
    return np.asarray((prediction.mse[last] - prediction.mse[first]) / max(last - first, 1))


def _ends(prediction: Prediction) -> tuple[int, int]:
    """Return the generations T // 2 and T."""
    last = len(prediction.mse) - 1
    return last // 2, last


QUANTITY = MseGrowth()
