"""The mean squared error of every model at every generation, as a ratio to a law's.

In a plan, errors are normal with the law's covariance C, so ``||e||^2`` has mean tr(C) and variance
``2 tr(C^2)``. If another law with covariance C is true, the ratio of the MSE over n chains to the
judged law's is approximately normal. Its mean is r, the ratio of the two laws' MSEs, and its
standard error is ``r sqrt(2 tr(C^2)) / (tr(C) sqrt(n))``.
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
from mcjax.verdicts.power import Chance, mean_chances, own_covariances, relative_spread
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import alike, dominated


class MeanSquaredError(Quantity):
    """Claims about ``E ||e||^2``, one for each generation and model."""

    name = "mse"
    unit = "observed / predicted"
    has_ladder = True

    def claims(
        self, condition: Condition, prediction: Prediction, outcome: Outcome, tolerance: float
    ) -> list[Claim]:
        """Claim that the MSE of every model is the predicted one, at every generation."""
        squared = outcome.moments.squared
        error, same, heavy = squared.standard_error(), alike(squared), dominated(outcome) > 0
        allowance = allowances(prediction)
        claims = []
        for t, i in np.ndindex(*prediction.mse.shape):
            chains = int(squared.chains[t, i])
            value = float(squared.mean[t, i]) if chains else math.nan
            claims.append(
                ratio_claim(
                    self.place(condition, i, t, prediction),
                    observed=Estimate(value, float(error[t, i])),
                    predicted=Estimate(
                        float(prediction.mse[t, i]), float(prediction.standard_error[t, i])
                    ),
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

    @np.errstate(all="ignore")  # a chance that is not a number becomes 0
    def chances(
        self,
        prediction: Prediction,
        truth: Prediction,
        tolerance: float,
        level: float,
        ladder: float | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        allowance = allowances(prediction).ravel()
        ratio = (truth.mse / prediction.mse).ravel()
        error = (prediction.standard_error / prediction.mse).ravel()
        spread = ratio * relative_spread(truth).ravel()
        skewness, kurtosis = _shape(truth)
        if ladder is not None:  # a limit has no allowance, and is taken to be normal
            allowance, spread = 0 * allowance, spread * ladder
            skewness, kurtosis = np.zeros((2, *spread.shape))
        return mean_chances(
            level,
            beyond=np.abs(ratio - 1) - (tolerance + allowance),
            side=np.sign(ratio - 1),
            spread=spread,
            error=ratio * error,
            skewness=skewness,
            kurtosis=kurtosis,
        )


def cells_of_errors(quantity: str, prediction: Prediction) -> RatioCells:
    """Return one planned cell of a quantity for each generation and model, as precise as its MSE.

    Parameters
    ----------
    quantity : str
        Name of the quantity.
    prediction : Prediction
        The prediction of the law.

    Returns
    -------
    RatioCells
    """
    return RatioCells(
        quantity,
        spread=relative_spread(prediction).ravel(),
        error=(prediction.standard_error / prediction.mse).ravel(),
        allowance=allowances(prediction).ravel(),
    )


def _shape(law: Prediction) -> tuple[np.ndarray, np.ndarray]:
    """Return the skewness and excess kurtosis of ``||e||^2``, each flat, shape ((T + 1) M,)."""
    blocks = own_covariances(law)
    squares = blocks @ blocks
    second, third, fourth = (
        np.einsum("tiab,tiab->ti", left, right).ravel()
        for left, right in ((blocks, blocks), (squares, blocks), (squares, squares))
    )
    return 8 * third / (2 * second) ** 1.5, 12 * fourth / second**2


QUANTITY = MeanSquaredError()
