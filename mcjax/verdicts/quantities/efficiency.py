"""The relative efficiency of every model, as a ratio to a law's.

Relative efficiency is the MSE of the pooled estimator over the MSE of the model. The pooled
estimator fits all real samples of a generation together; its MSE is predicted by the law (for least
squares or an M-estimator), and includes its bias if true parameters differ. The model's MSE is
simulated, so the standard error of the quotient is ``efficiency * se(mse) / mse``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import shape_of_sums
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.planning import RatioCells
from mcjax.verdicts.quantities.mse import cells_about_errors, claims_about_errors
from mcjax.verdicts.quantities.quantity import Quantity


class Efficiency(Quantity):
    """Claims about relative efficiency, one for each generation and model."""

    name = "efficiency"
    unit = "observed / predicted"
    of_squares = True

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts the MSE of the pooled estimator."""
        return prediction.pooled is not None

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that relative efficiencies are the predicted ones, at every generation."""
        prediction, squared = comparison.prediction, outcome.moments.squared
        mse, pooled = squared.mean, prediction.pooled
        skewness = shape_of_sums(squared, outcome.moments.powers.squared).skewness
        with np.errstate(divide="ignore", invalid="ignore"):  # an error may be 0
            value = np.where(mse > 0, pooled / mse, np.nan)
            error = np.where(mse > 0, value * squared.standard_error() / mse, np.inf)
            predicted = _efficiencies(prediction)
            predicted_error = prediction.error_of(_efficiencies)
        return claims_about_errors(
            self.name,
            comparison,
            outcome,
            observed=np.stack([value, error, -skewness]),
            predicted=np.stack([predicted, predicted_error]),
        )

    def planned(self, comparison: Comparison) -> list[RatioCells]:
        """Plan a cell for each generation and model."""
        return [cells_about_errors(self.name, comparison)]


def _efficiencies(prediction: Prediction) -> Float[np.ndarray, "T+1 M"]:
    return np.asarray(prediction.pooled / prediction.mse)


QUANTITY = Efficiency()
