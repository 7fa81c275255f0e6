"""The relative efficiency of every model, as a ratio to a law's.

Relative efficiency is the MSE of the pooled estimator over the MSE of the model. The pooled
estimator fits all real samples of a generation together; its MSE is predicted by the law (for least
squares or an M-estimator), and includes its bias if true parameters differ. The model's MSE is
simulated, so the standard error of the quotient is ``efficiency * se(mse) / mse``.
"""

from __future__ import annotations

import math

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Estimate, allowances, ratio_claim
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.planning import RatioCells
from mcjax.verdicts.quantities.mse import cells_of_errors
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import alike, dominated


class Efficiency(Quantity):
    """Claims about relative efficiency, one for each generation and model."""

    name = "efficiency"
    unit = "observed / predicted"

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts the MSE of the pooled estimator."""
        return prediction.pooled is not None

    def claims(
        self, condition: Condition, prediction: Prediction, outcome: Outcome, tolerance: float
    ) -> list[Claim]:
        """Claim that relative efficiencies are the predicted ones, at every generation."""
        assert prediction.pooled is not None
        pooled, squared = prediction.pooled, outcome.moments.squared
        errors, same, heavy = squared.standard_error(), alike(squared), dominated(outcome) > 0
        allowance = allowances(prediction)
        with np.errstate(divide="ignore", invalid="ignore"):  # a law may predict an error of 0
            predicted = pooled / prediction.mse
            predicted_error = predicted * prediction.standard_error / prediction.mse
        claims = []
        for t, i in np.ndindex(*prediction.mse.shape):
            chains, mse = int(squared.chains[t, i]), float(squared.mean[t, i])
            value = pooled / mse if chains and mse > 0 else math.nan
            error = value * float(errors[t, i]) / mse if mse > 0 else math.inf
            claims.append(
                ratio_claim(
                    self.place(condition, i, t, prediction),
                    observed=Estimate(value, error),
                    predicted=Estimate(float(predicted[t, i]), float(predicted_error[t, i])),
                    tolerance=tolerance,
                    count=count_chains(
                        chains,
                        outcome.chains,
                        tolerance,
                        alike=bool(same[t, i]),
                        heavy=bool(heavy[t, i]),
                    ),
                    allowance=float(allowance[t, i]),
                )
            )
        return claims

    @np.errstate(all="ignore")  # a number of chains that does not exist becomes infinite
    def planned(
        self, condition: Condition, prediction: Prediction, tolerance: float
    ) -> list[RatioCells]:
        """Plan a cell for each generation and model."""
        return [cells_of_errors(self.name, prediction)]


QUANTITY = Efficiency()
