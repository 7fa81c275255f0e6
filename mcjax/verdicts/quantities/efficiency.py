"""The relative efficiency of every model, as a ratio to a law's.

Relative efficiency is the MSE of the pooled estimator over the MSE of the model. The pooled
estimator fits all real samples of a generation together, each once and unweighted; its MSE includes
its bias if true parameters differ. Both are simulated, on the same samples. With a and b the
squared errors of the two, averaged over the chains that have both estimates, the standard error of
a / b is that of the mean of

    (a_c - (a / b) b_c) / b

over chains c, which contains the covariance between the two.

An asymptotic law has the allowance of the model's MSE, and that of the pooled estimator, for which
it is the rule of thumb for generation 0.

A plan takes the two errors to be independent, and the one of the pooled estimator to vary as that
of a single normal number. Both ask for more chains than are needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import along
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.planning import RatioCells
from mcjax.verdicts.power import Amplification, Chance, mean_chances
from mcjax.verdicts.quadratic_forms import (
    CUMULANTS_OF_ONE,
    Contribution,
    add_independent,
    contribution,
    cumulants_of_squares,
)
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import dominated

NOT_SIMULATED = (
    "the pooled estimator was not simulated beside all chains, because the study did not ask for"
    " efficiency then; use another folder"
)


class Efficiency(Quantity):
    """Claims about relative efficiency, one for each generation and model."""

    name = "efficiency"
    unit = "observed / predicted"
    of_squares = True
    of_pooled = True

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts the MSE of the pooled estimator."""
        return prediction.pooled is not None

    def silence(self, comparison: Comparison) -> str:
        """Return why there is no pooled estimator to compare with, or an empty string."""
        if self.speaks(comparison.prediction):
            return ""
        if comparison.condition.network.plain:
            return "all models read one real source; give entities real data in [[network.sources]]"
        return "the law does not predict the error of the estimator that pools all real data"

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that relative efficiencies are the predicted ones, at every generation."""
        chains, mean, square = outcome.moments.pooled
        pairs = outcome.moments.powers.pooled
        efficiency = efficiencies(comparison.prediction)
        error = comparison.prediction.error_of(efficiencies)
        heavy, allowance = dominated(outcome), _allowance(comparison)
        # it fits the rows of every model at generation 0, so it has an estimate if one of these has
        not_simulated = chains[0] < outcome.moments.squared.chains[0]
        for t, i in np.ndindex(*chains.shape):
            counted = int(chains[t, i])
            count = count_chains(
                counted, outcome.chains, comparison.tolerance, heavy=bool(heavy[t, i])
            )
            if count.note and not_simulated[i]:
                count = count._replace(note=NOT_SIMULATED)
            observed = Estimate(math.nan, math.inf)
            if counted > 1 and mean[t, i, 1] > 0:
                value = mean[t, i, 0] / mean[t, i, 1]
                slopes = np.array([1.0, -value]) / mean[t, i, 1]
                both = Moments(chains[t, i], mean[t, i], square[t, i])
                change, shape = along(both, pairs[t, i], slopes)
                observed = Estimate(*map(float, (value, change.standard_error(), *shape)))
            yield comparison.ratio_claim(
                self.name,
                t,
                i,
                observed=observed,
                predicted=Estimate(float(efficiency[t, i]), float(error[t, i])),
                count=count,
                tails=Tails.MEASURED,
                allowance=float(allowance[t, i]),
            )

    def planned(self, comparison: Comparison) -> list[RatioCells]:
        """Plan a cell for each generation and model."""
        prediction = comparison.prediction
        return [
            RatioCells(
                self.name,
                spread=_ratio_of_chain(prediction).spread.ravel(),
                error=(prediction.error_of(efficiencies) / efficiencies(prediction)).ravel(),
                allowance=_allowance(comparison).ravel(),
                tails=Tails.MEASURED,
            )
        ]

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        if truth.pooled is None:
            return []
        prediction = comparison.prediction
        predicted = efficiencies(prediction)
        ratio = efficiencies(truth) / predicted
        one = _ratio_of_chain(truth)
        edge = comparison.tolerance + _allowance(comparison)
        return mean_chances(
            level,
            beyond=(np.abs(ratio - 1) - edge).ravel(),
            side=np.sign(ratio - 1).ravel(),
            spread=(ratio * one.spread).ravel(),
            error=(ratio * prediction.error_of(efficiencies) / predicted).ravel(),
            skewness=one.skewness.ravel(),
            kurtosis=one.kurtosis.ravel(),
        )


def efficiencies(prediction: Prediction) -> Float[np.ndarray, "T+1 M"]:
    """Return the relative efficiencies that a law predicts, shape (T + 1, M)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a law may predict an error of 0
        return np.asarray(prediction.pooled / prediction.mse)


@np.errstate(all="ignore")  # a law may predict an error of 0
def _ratio_of_chain(law: Prediction) -> Contribution:
    """Return how one chain's relative contribution to efficiencies varies, shape (T + 1, M)."""
    model = cumulants_of_squares(law)
    pooled = np.broadcast_to(CUMULANTS_OF_ONE[:, None, None], model.shape)
    weights = np.stack([np.ones_like(law.mse), -1 / law.mse])
    return contribution(add_independent(np.stack([pooled, model], axis=1), weights))


def _allowance(comparison: Comparison) -> Float[np.ndarray, "T+1 M"]:
    """Return how far efficiencies may depart because samples are finite, relative to them."""
    if comparison.finer is None:
        return comparison.allowance
    begun = np.broadcast_to(comparison.prediction.allowance, comparison.allowance.shape)[0]
    return comparison.allowance + begun


QUANTITY = Efficiency()
