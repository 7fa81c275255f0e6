"""The growth of every model's error over the second half of the generations.

``growth``, about models that collapse by the law: the ratio of the simulated slope to the predicted
one lies within 1 +- tolerance. ``drift``, about the others, whose predicted slope may be 0: the
simulated change of the error over the second half is the predicted one, to within the tolerance
times the predicted error at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import along
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, mean_claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.planning import NormalCells, RatioCells
from mcjax.verdicts.power import Amplification, Chance, mean_chances
from mcjax.verdicts.quadratic_forms import (
    Contribution,
    add_independent,
    contribution,
    cumulants_of_squares,
)
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import dominated

DRIFT = "drift"


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
        Standard error of ``empirical``, with the dependence of the two generations over chains.
    predicted : float
        Slope predicted by ``law``.
    skewness, excess : float
        Shape of the distribution of ``empirical``, see
        :class:`~mcjax.engine.powers.NonNormality`.
    """

    condition: str
    model: str
    law: str
    empirical: float
    standard_error: float
    predicted: float
    skewness: float = 0.0
    excess: float = 0.0


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
    first, last = _ends(prediction)
    if last == first:
        return []
    slopes = []
    for i, model in enumerate(condition.network.models):
        ends = outcome.moments.across.ends(i)
        chains, spread = int(ends.chains), ends.square
        variance = spread[1, 1] + spread[0, 0] - 2 * spread[0, 1]
        error = math.sqrt(max(variance, 0.0) / (chains * (chains - 1))) if chains > 1 else math.inf
        observed = ends.mean[1] - ends.mean[0] if chains else np.nan
        predicted = prediction.mse[last, i] - prediction.mse[first, i]
        steps = last - first
        _, shape = along(ends, outcome.moments.powers.ends[i], np.array([-1.0, 1.0]))
        slopes.append(
            Growth(
                condition=condition.name,
                model=model,
                law=prediction.law,
                empirical=float(observed / steps),
                standard_error=error / steps,
                predicted=float(predicted / steps),
                skewness=float(shape.skewness),
                excess=float(shape.excess),
            )
        )
    return slopes


class MseGrowth(Quantity):
    """Claims about the slope of every model's error."""

    name = "growth"
    unit = "observed / predicted"
    of_squares = True

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of both kinds of claim."""
        return {self.name: self.unit, DRIFT: "1 + (observed - predicted) / error"}

    def silence(self, comparison: Comparison) -> str:
        """Return that there is no generation to grow in, or an empty string."""
        return "" if comparison.last else "with T = 0 there is no generation after the first"

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the slope of every model is the predicted one."""
        prediction = comparison.prediction
        first, last = _ends(prediction)
        heavy, chains = dominated(outcome)[last], outcome.moments.across.chains
        law_error, batches = prediction.error_of(_changes), len(prediction.versions)
        allowance = _allowance(comparison)
        for i, slope in enumerate(growth_of(comparison.condition, prediction, outcome)):
            observed = Estimate(slope.empirical, slope.standard_error, slope.skewness, slope.excess)
            predicted = Estimate(slope.predicted, law_error[i] / (last - first))
            count = count_chains(
                int(chains[i]), outcome.chains, comparison.tolerance, heavy=heavy[i]
            )
            if not math.isnan(prediction.growth[i]):
                yield comparison.ratio_claim(
                    self.name,
                    last,
                    i,
                    observed=observed,
                    predicted=predicted,
                    count=count,
                    tails=Tails.MEASURED,
                    allowance=float(allowance[i]),
                )
                continue
            level = float(prediction.mse[last, i]) / (last - first)
            yield mean_claim(
                comparison.place(DRIFT, last, i),
                observed=observed,
                predicted=predicted.value,
                judged=(
                    observed.plus(-predicted.value, predicted.error, batches)
                    .times(1 / level)
                    .plus(1.0, 0.0)
                    if level
                    else Estimate(math.nan, math.inf)
                ),
                margin=(1 - comparison.tolerance, 1 + comparison.tolerance),
                count=count if level else count.unless("the law predicts 0"),
                allowance=float(allowance[i]),
                tails=Tails.MEASURED,
            )

    def planned(self, comparison: Comparison) -> list[NormalCells]:
        """Plan slopes with independent ends, which asks for more chains than are needed."""
        prediction = comparison.prediction
        first, last = _ends(prediction)
        if last == first:
            return []
        grows, unit = _units_of_change(prediction)
        spread = _change_of_chain(prediction).spread / unit
        error = prediction.error_of(_changes) / unit
        allowance = _allowance(comparison)
        return [
            kind(name, spread[chosen], error[chosen], allowance[chosen], tails=Tails.MEASURED)
            for kind, name, chosen in (
                (RatioCells, self.name, grows),
                (NormalCells, DRIFT, ~grows),
            )
        ]

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell.

        The two ends of a slope are taken to be independent, which overstates its spread.
        """
        prediction = comparison.prediction
        first, last = _ends(prediction)
        if last == first:
            return []
        grows, unit = _units_of_change(prediction)
        change = _change_of_chain(truth)
        predicted, true = (law.mse[last] - law.mse[first] for law in (prediction, truth))
        departure = (true - predicted) / unit
        edge = comparison.tolerance + _allowance(comparison)
        chances = mean_chances(
            level,
            beyond=abs(departure) - edge,
            side=np.sign(departure),
            spread=change.spread / unit,
            error=prediction.error_of(_changes) / unit,
            skewness=change.skewness,
            kurtosis=change.kurtosis,
        )
        return [chances[i] for i in np.argsort(~grows, kind="stable")]


def _changes(prediction: Prediction) -> Float[np.ndarray, " M"]:
    """Return the predicted change of every model's error, shape (M,)."""
    first, last = _ends(prediction)
    return np.asarray(prediction.mse[last] - prediction.mse[first])


def _change_of_chain(law: Prediction) -> Contribution:
    """Return how the change of one chain's squared error varies, shape (M,).

    Its two ends are taken to be independent, which overstates the spread.
    """
    ends = cumulants_of_squares(law)[:, list(_ends(law))]
    return contribution(add_independent(ends, np.repeat([[-1.0], [1.0]], ends.shape[-1], axis=1)))


def _units_of_change(
    prediction: Prediction,
) -> tuple[Bool[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Return which models collapse by a law, and the unit in which changes are judged, (M,) each.

    The unit is the predicted change of a model that collapses, and the predicted error of others.
    """
    grows = ~np.isnan(prediction.growth)
    return grows, np.abs(np.where(grows, _changes(prediction), prediction.mse[-1]))


def _allowance(comparison: Comparison) -> Float[np.ndarray, " M"]:
    """Return how far changes may depart because samples are finite, in their units, (M,)."""
    if comparison.finer is None:
        return comparison.allowance[-1]
    base, ends = comparison.base, list(_ends(comparison.prediction))
    unit = _units_of_change(replace(base, growth=comparison.prediction.growth))[1]
    with np.errstate(all="ignore"):  # a law may predict no change
        return comparison.allowed(
            lambda law: _changes(law) / unit,
            remainder=(comparison.remainder * base.mse)[ends].sum(0) / unit,
            otherwise=comparison.allowance[-1],
        )


def _ends(prediction: Prediction) -> tuple[int, int]:
    """Return the generations T // 2 and T."""
    last = len(prediction.mse) - 1
    return last // 2, last


QUANTITY = MseGrowth()
