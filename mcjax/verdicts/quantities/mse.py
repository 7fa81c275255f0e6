"""The mean squared error of every model at every generation, as a ratio to a law's.

In a plan, errors are normal with the law's covariance C, so ``||e||^2`` has mean tr(C) and variance
``2 tr(C^2)``. If another law with covariance C is true, the ratio of the MSE over n chains to the
judged law's is approximately normal. Its mean is r, the ratio of the two laws' MSEs, and its
standard error is ``r sqrt(2 tr(C^2)) / (tr(C) sqrt(n))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import shape_of_sums
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.planning import RatioCells, SquareCells
from mcjax.verdicts.power import Amplification, Chance, mean_chances
from mcjax.verdicts.quadratic_forms import contribution, cumulants_of_squares
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import alike, dominated


class MeanSquaredError(Quantity):
    """Claims about ``E ||e||^2``, one for each generation and model."""

    name = "mse"
    unit = "observed / predicted"
    of_squares = True
    has_ladder = True

    def moved(self, finer: Prediction) -> Float[np.ndarray, "T+1 M"] | None:
        """Return how far terms of the next order in 1/n move ratios on a ladder from 1."""
        return None if finer.leading is None else finer.mse / finer.leading.mse - 1

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the MSE of every model is the predicted one, at every generation."""
        prediction, squared = comparison.prediction, outcome.moments.squared
        mean = np.where(squared.chains > 0, squared.mean, np.nan)
        skewness = shape_of_sums(squared, outcome.moments.powers.squared).skewness
        observed = np.stack([mean, squared.standard_error(), skewness])
        predicted = np.stack([prediction.mse, prediction.standard_error])
        with np.errstate(divide="ignore", invalid="ignore"):  # a law may predict an error of 0
            deviations = prediction.deviations(lambda law: law.mse) / prediction.mse
        claims = claims_about_errors(
            self.name, comparison, outcome, observed=observed, predicted=predicted
        )
        for place, claim in zip(np.ndindex(*prediction.mse.shape), claims, strict=True):
            yield replace(claim, deviations=tuple(deviations[:, *place].tolist()))

    def planned(self, comparison: Comparison) -> list[RatioCells]:
        """Plan a cell for each generation and model."""
        return [cells_about_errors(self.name, comparison)]

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        prediction, allowance = comparison.prediction, comparison.of_squares.ravel()
        ratio = (truth.mse / prediction.mse).ravel()
        spread = ratio * truth.relative_spread.ravel()
        _, skewness, kurtosis = map(np.ravel, contribution(cumulants_of_squares(truth)))
        if ladder is not None:  # a limit has no allowance, and is taken to be normal
            allowance, spread = 0 * allowance, spread * ladder
            skewness, kurtosis = np.zeros((2, *spread.shape))
        return mean_chances(
            level,
            beyond=np.abs(ratio - 1) - (comparison.tolerance + allowance),
            side=np.sign(ratio - 1),
            spread=spread,
            error=ratio * prediction.relative_error.ravel(),
            skewness=skewness,
            kurtosis=kurtosis,
            tails=Tails.SQUARES if ladder is None else Tails.UNKNOWN,
        )


def claims_about_errors(
    quantity: str,
    comparison: Comparison,
    outcome: Outcome,
    observed: Float[np.ndarray, "3 T+1 M"],
    predicted: Float[np.ndarray, "2 T+1 M"],
) -> Iterator[Claim]:
    """Claim that a ratio computed from each MSE is within the tolerance of 1.

    ``observed`` and ``predicted`` hold numbers and their standard errors, and ``observed`` the
    skewness of the former. There is one claim for each generation and model.
    """
    squared, heavy = outcome.moments.squared, dominated(outcome)
    same = alike(squared)
    for place in np.ndindex(*squared.mean.shape):
        yield comparison.ratio_claim(
            quantity,
            *place,
            observed=Estimate(*observed[:, *place]),
            predicted=Estimate(*predicted[:, *place]),
            count=count_chains(
                int(squared.chains[place]),
                outcome.chains,
                comparison.tolerance,
                alike=bool(same[place]),
                heavy=bool(heavy[place]),
            ),
            tails=Tails.SQUARES,
            allowance=float(comparison.of_squares[place]),
        )


def cells_about_errors(quantity: str, comparison: Comparison) -> SquareCells:
    """Return the planned cells of :func:`claims_about_errors`, each as precise as its MSE."""
    shape = contribution(cumulants_of_squares(comparison.prediction))
    return SquareCells(
        quantity,
        spread=comparison.prediction.relative_spread.ravel(),
        error=comparison.prediction.relative_error.ravel(),
        allowance=comparison.of_squares.ravel(),
        skewness=np.nan_to_num(shape.skewness.ravel()),  # 0 where nothing varies
        tails=Tails.SQUARES,
    )


QUANTITY = MeanSquaredError()
