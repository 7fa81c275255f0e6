"""One published result: its claim, its reference, and the study that reproduces it.

An entry builds a study. Each of its rows reads one number from the study's chains, and the same
number from the predictions of a law. :func:`mean_square`, :func:`risk_ratio` and :func:`functional`
return such a pair of readers for a law by name, a generation t, and the first model of a condition
by its position in the study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.laws.predict import predict_condition
from mcjax.laws.prediction import Predictions
from mcjax.study.study import Condition, Study

Group = Literal["memory", "weights", "estimators", "generative", "selection"]
Kind = Literal["exact", "asymptotic", "bound"]
EXACT: Final = "exact"
ASYMPTOTIC: Final = "asymptotic"
BOUND: Final = "bound"
LONG = 200
"""A generation at which whatever settles has settled."""


class ChainEstimate(NamedTuple):
    """A number estimated from chains.

    Attributes
    ----------
    value, error : float
        The number and its standard error.
    chains, lost : int
        Chains that contribute to it, and chains that have no estimate.
    skewness : float
        Skewness of the distribution of the number.
    """

    value: float
    error: float
    chains: int
    lost: int = 0
    skewness: float = 0.0


class ConditionResult(NamedTuple):
    """The outcome of one condition's chains, and the laws' predictions for it.

    Attributes
    ----------
    condition : Condition
        The condition.
    outcome : Outcome
        Outcome of its chains.
    predictions : Predictions
        Predictions of all laws.
    """

    condition: Condition
    outcome: Outcome
    predictions: Predictions


Results = Sequence[ConditionResult]
Observe = Callable[[Results], ChainEstimate]
"""Reads a number from the chains of a study's conditions."""
Predict = Callable[[Results], float]
"""Reads a number from the predictions for a study's conditions."""


@dataclass(frozen=True)
class Row:
    """One number of an entry.

    Attributes
    ----------
    setting : str
        What distinguishes the row from the entry's other rows.
    observe : callable
        Reads the number from the chains.
    predict : callable
        Reads the number from a law's predictions.
    constant : float or None
        The number as published, or by the published formula; None if there is none.
    """

    setting: str
    observe: Observe
    predict: Predict
    constant: float | None = None


@dataclass(frozen=True)
class Entry:
    """A published result.

    Attributes
    ----------
    id, group : str
        Names of the result and of its group, on the command line and in figures.
    claim, formula, reference : str
        The result in words and in symbols, and where it was published.
    kind : {"exact", "asymptotic", "bound"}
        Whether the result is exact at the study's sample counts, asymptotic as these grow, or an
        upper bound.
    study : callable
        Builds the study for a depth of 1 or more. The depth multiplies the number of chains and,
        for an asymptotic result, the sample counts.
    rows : tuple of Row
        The numbers of the result.
    """

    id: str
    group: Group
    claim: str
    formula: str
    reference: str
    kind: Kind
    study: Callable[[int], Study]
    rows: tuple[Row, ...]


def mean_square(law: str, t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of ``E ||e_t||^2``."""

    def observe(results: Results) -> ChainEstimate:
        outcome = results[place].outcome
        return _estimate(outcome.moments.squared, (t, 0), outcome)

    def predict(results: Results) -> float:
        return float(results[place].predictions.laws[law].mse[t, 0])

    return observe, predict


def risk_ratio(law: str, t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of ``E ||e_t||^2 / E ||e_0||^2``, the risk after t + 1 fits over the first."""

    def observe(results: Results) -> ChainEstimate:
        outcome = results[place].outcome
        across = outcome.moments.across
        chains = int(across.chains[0])
        first, last = across.mean[0, [0, t]]
        if chains < 2 or not first > 0:
            return ChainEstimate(math.nan, math.inf, chains, outcome.chains - chains)
        spread = across.square[0][np.ix_([t, 0], [t, 0])]
        slope = np.array([1 / first, -last / first**2])
        variance = max(float(slope @ spread @ slope), 0.0)  # rounding, if the ratio is 1
        error = math.sqrt(variance / (chains * (chains - 1)))
        return ChainEstimate(float(last / first), error, chains, outcome.chains - chains)

    def predict(results: Results) -> float:
        mse = results[place].predictions.laws[law].mse[:, 0]
        return float(mse[t] / mse[0])

    return observe, predict


def limit_ratio(law: str, place: int = 0) -> Predict:
    """Return a reader of the limit of the risk over the risk of the first fit."""

    def predict(results: Results) -> float:
        prediction = results[place].predictions.laws[law]
        return float(prediction.limit[0] / prediction.mse[0, 0])

    return predict


def functional(name: str, law: str, t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of the mean of a functional."""

    def observe(results: Results) -> ChainEstimate:
        names = [functional.name for functional in results[place].condition.model.functionals]
        outcome = results[place].outcome
        return _estimate(outcome.moments.functional, (t, 0, names.index(name)), outcome)

    def predict(results: Results) -> float:
        return float(results[place].predictions.functionals[law].values[name][t, 0])

    return observe, predict


def parameter(k: int, t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of the mean of a parameter, by the first-order law."""

    def observe(results: Results) -> ChainEstimate:
        outcome = results[place].outcome
        found = _estimate(outcome.moments.error, (t, 0, k), outcome)
        return found._replace(value=found.value + float(results[place].condition.theta[k]))

    def predict(results: Results) -> float:
        return _centre(results[place].condition, results[place].predictions, t, k)

    return observe, predict


def settled_parameter(k: int, t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of the mean of a parameter, at t and where it settles by the law."""

    def predict(results: Results) -> float:
        one = results[place].condition
        return _centre(one, predict_condition(one, LONG), LONG, k)

    return parameter(k, t, place)[0], predict


def settled_floor(t: int, place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of ``||E e||^2``, at t and where it settles by the law."""

    def observe(results: Results) -> ChainEstimate:
        outcome = results[place].outcome
        error = outcome.moments.error
        mean, spread = error.mean[t, 0], error.standard_error()[t, 0]
        chains = int(error.chains[t, 0].min())
        most = float(2 * np.abs(mean) @ spread)  # whatever the correlations
        return ChainEstimate(float(mean @ mean), most, chains, outcome.chains - chains)

    def predict(results: Results) -> float:
        law = predict_condition(results[place].condition, LONG).laws["first_order"]
        mean = law.centre_errors[LONG, 0]
        return float(mean @ mean)

    return observe, predict


def settled_variance(place: int = 0) -> tuple[Observe, Predict]:
    """Return readers of n times the trace of the covariance, with n the rows of the first fit.

    They read the last generation of the chains, and where the law settles.
    """

    def observe(results: Results) -> ChainEstimate:
        condition, outcome, _ = results[place]
        errors = outcome.sample[:, 0].astype(float)
        errors = errors[np.isfinite(errors).all(1)]
        chains = len(errors)
        if chains < 2:
            return ChainEstimate(math.nan, math.inf, chains, len(outcome.sample) - chains)
        squares = condition.network.initial[0] * ((errors - errors.mean(0)) ** 2).sum(1)
        error = float(squares.std(ddof=1)) / math.sqrt(chains)
        value = float(squares.sum()) / (chains - 1)
        return ChainEstimate(value, error, chains, len(outcome.sample) - chains)

    def predict(results: Results) -> float:
        one = results[place].condition
        law = predict_condition(one, LONG).laws["first_order"]
        return float(one.network.initial[0] * np.trace(law.own_covariances[LONG, 0]))

    return observe, predict


def _centre(one: Condition, predictions: Predictions, t: int, k: int) -> float:
    return float(predictions.laws["first_order"].centre_errors[t, 0, k] + one.theta[k])


def _estimate(moments: Moments, index: tuple[int, ...], outcome: Outcome) -> ChainEstimate:
    chains = int(moments.chains[index])
    error = float(moments.standard_error()[index])
    return ChainEstimate(float(moments.mean[index]), error, chains, outcome.chains - chains)
