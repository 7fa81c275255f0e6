"""The relative efficiency of every model, as a ratio to a law's.

Relative efficiency is the MSE of the pooled estimator over the MSE of the model. The pooled
estimator fits all real samples of a generation together, each once and unweighted; its MSE includes
its bias if true parameters differ. Both are simulated, on the same samples. With a and b the
squared errors of the two, averaged over the chains that have both estimates, the standard error of
a / b is that of the mean of

    (a_c - (a / b) b_c) / b

over chains c, which contains the covariance between the two.

A plan takes the two errors to be independent, and the one of the pooled estimator to vary as much
as that of a single normal number. Both ask for more chains than are needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Estimate
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.planning import RatioCells
from mcjax.verdicts.power import Chance, mean_chances
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import dominated

NOT_SIMULATED = (
    "the pooled estimator was not simulated, because the study did not ask for efficiency then; use"
    " another folder"
)
MOST_SPREAD = math.sqrt(2)
"""Largest standard deviation of ``||e||^2`` over its mean, for normal errors."""


class Efficiency(Quantity):
    """Claims about relative efficiency, one for each generation and model."""

    name = "efficiency"
    unit = "observed / predicted"
    of_squares = True
    of_pooled = True

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts the MSE of the pooled estimator."""
        return prediction.pooled is not None

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that relative efficiencies are the predicted ones, at every generation."""
<<<<<<< HEAD
        chains, mean, square = outcome.moments.pooled[:3]
        efficiency, error = efficiencies(comparison.prediction)
        heavy = dominated(outcome)
        for t, i in np.ndindex(*chains.shape):
            counted = int(chains[t, i])
            count = count_chains(
                counted, outcome.chains, comparison.tolerance, heavy=bool(heavy[t, i])
            )
            if not chains.any():
                count = count._replace(note=NOT_SIMULATED)
            observed = Estimate(math.nan, math.inf)
            if counted > 1 and mean[t, i, 1] > 0:
                value = mean[t, i, 0] / mean[t, i, 1]
                slopes = np.array([1.0, -value]) / mean[t, i, 1]
                variance = slopes @ square[t, i] @ slopes / (counted * (counted - 1))
                # rounding can make the variance negative where the two estimators are the same
                observed = Estimate(float(value), math.sqrt(max(float(variance), 0.0)))
            yield comparison.ratio_claim(
                self.name,
                t,
                i,
                observed=observed,
                predicted=Estimate(float(efficiency[t, i]), float(error[t, i])),
                count=count,
            )
=======
        prediction, squared = comparison.prediction, outcome.moments.squared
        mse, pooled = squared.mean, prediction.pooled
        with np.errstate(divide="ignore", invalid="ignore"):  # an error may be 0
            value = np.where(mse > 0, pooled / mse, np.nan)
            error = np.where(mse > 0, value * squared.standard_error() / mse, np.inf)
            predicted = _efficiencies(prediction)
            predicted_error = prediction.error_of(_efficiencies)
        return claims_about_errors(
            self.name,
            comparison,
            outcome,
            observed=np.stack([value, error]),
            predicted=np.stack([predicted, predicted_error]),
        )
>>>>>>> main

    def planned(self, comparison: Comparison) -> list[RatioCells]:
        """Plan a cell for each generation and model."""
        prediction = comparison.prediction
        return [
            RatioCells(
                self.name,
                spread=np.hypot(prediction.relative_spread, MOST_SPREAD).ravel(),
                error=prediction.relative_error.ravel(),
                allowance=comparison.allowance.ravel(),
            )
        ]

    def chances(
        self, comparison: Comparison, truth: Prediction, level: float, ladder: float | None = None
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        if truth.pooled is None:
            return []
        ratio = efficiencies(truth)[0] / efficiencies(comparison.prediction)[0]
        edge = comparison.tolerance + comparison.allowance
        return mean_chances(
            level,
            beyond=(np.abs(ratio - 1) - edge).ravel(),
            side=np.sign(ratio - 1).ravel(),
            spread=(ratio * np.hypot(truth.relative_spread, MOST_SPREAD)).ravel(),
            error=(ratio * comparison.prediction.relative_error).ravel(),
        )


def efficiencies(prediction: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Return the relative efficiencies that a law predicts, and their errors, (T + 1, M) each."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a law may predict an error of 0
        efficiency = prediction.pooled / prediction.mse
        return efficiency, efficiency * prediction.relative_error


def _efficiencies(prediction: Prediction) -> Float[np.ndarray, "T+1 M"]:
    return np.asarray(prediction.pooled / prediction.mse)


QUANTITY = Efficiency()
