"""Claims about one number each, judged together.

A claim compares an observed number with a predicted one. The data place their distance in an
interval: the claim is *verified* when the interval lies inside the margin and *refuted* when it
lies wholly outside. For either verdict a claim knows the p-value of the null hypothesis that the
verdict would reject, and it knows its interval at any level; :func:`settle` assigns each claim its
level under one error budget.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from mcjax.laws.prediction import Prediction
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, Verdict, holm

Interval = tuple[float, float]
ALLOWED = (
    "outside the tolerance by no more than an asymptotic law may be off at this sample size; a"
    " ladder of sizes ([grid] scale) tells"
)
MOST_CHAINS_NEEDED = 2**53
"""No larger number of chains is announced for an undecided cell."""
NOTHING: Interval = (-math.inf, math.inf)


class Place(NamedTuple):
    """What a claim is about; no two claims of a study share a place."""

    condition: str
    model: str
    generation: int
    quantity: str
    law: str


class Estimate(NamedTuple):
    """A number with its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Cell:
    """One comparison, judged.

    Attributes
    ----------
    condition, model, generation, quantity, law
        What is compared, see :class:`Place`.
    empirical : float
        The observed number, a mean over chains.
    standard_error : float
        Standard error of ``empirical``, from the chains' own spread.
    predicted : float
        The number predicted by ``law``.
    ratio : float
        ``empirical / predicted``, where the quantity is judged as a ratio; otherwise nan.
    interval : tuple of float
        Interval of the ratio or, where there is none, of the quantity itself.
    verdict : Verdict
        Verified, refuted or inconclusive.
    chains, lost : int
        Chains that count here, and chains that have no estimate here.
    chains_needed : int or None
        Chains that would decide an inconclusive cell if the numbers stayed where they are.
    note : str
        Why a cell is not judged, or empty.
    """

    condition: str
    model: str
    generation: int
    quantity: str
    law: str
    empirical: float
    standard_error: float
    predicted: float
    ratio: float
    interval: Interval
    verdict: Verdict
    chains: int
    lost: int
    chains_needed: int | None
    note: str

    @property
    def place(self) -> Place:
        """What the cell is about."""
        return Place(self.condition, self.model, self.generation, self.quantity, self.law)


@dataclass(frozen=True)
class Claim:
    """A comparison that waits for its level.

    Attributes
    ----------
    place : Place
        What is compared.
    empirical, standard_error, predicted, ratio : float
        As in :class:`Cell`.
    within : float
        P-value of the null hypothesis that the truth lies outside the margin.
    beyond : float
        P-value of the null hypothesis that the truth lies inside the margin, widened by the
        allowance of an asymptotic law.
    interval : callable
        Maps a level to the interval.
    factor : callable
        Maps a level to the factor by which more chains would decide the claim if the numbers
        stayed where they are; infinite where none would, beyond the margin by no more than the
        allowance.
    chains, lost : int
        Chains that count, and chains that have no estimate.
    note : str
        Why the claim is not judged, or empty.
    """

    place: Place
    empirical: float
    standard_error: float
    predicted: float
    ratio: float
    within: float
    beyond: float
    interval: Callable[[float], Interval]
    factor: Callable[[float], float]
    chains: int
    lost: int = 0
    note: str = ""


def settle(claims: Sequence[Claim], confidence: float) -> tuple[Cell, ...]:
    """Judge claims so that the chance of any wrong verdict is at most ``1 - confidence`` (Holm)."""
    p_values = np.array([min(c.within, c.beyond, 1.0) for c in claims])
    levels, rejected = holm(p_values, 1 - confidence)
    return tuple(
        _judge(claim, float(level), bool(decided))
        for claim, level, decided in zip(claims, levels, rejected, strict=True)
    )


def _judge(claim: Claim, level: float, decided: bool) -> Cell:
    verdict: Verdict = INCONCLUSIVE
    needed, note = None, claim.note
    if decided and not note:
        verdict = VERIFIED if claim.within < claim.beyond else REFUTED
    interval = NOTHING if note else claim.interval(level)
    if verdict == INCONCLUSIVE and not note:
        factor = claim.factor(level)
        note = "" if math.isfinite(factor) else ALLOWED
        if claim.chains * factor < MOST_CHAINS_NEEDED:
            needed = math.ceil(claim.chains * factor)
    return Cell(
        **claim.place._asdict(),
        empirical=claim.empirical,
        standard_error=claim.standard_error,
        predicted=claim.predicted,
        ratio=claim.ratio,
        interval=interval,
        verdict=verdict,
        chains=claim.chains,
        lost=claim.lost,
        chains_needed=needed,
        note=note,
    )


def ratio_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: Estimate,
    tolerance: float,
    count: ChainCount,
    allowance: float = 0.0,
) -> Claim:
    """Claim that observed / predicted lies within 1 +- tolerance, by Student's interval.

    Parameters
    ----------
    place : Place
        What is compared.
    observed, predicted : Estimate
        The two numbers.
    tolerance : float
        Margin of the ratio.
    count : ChainCount
        The chains behind ``observed``.
    allowance : float, optional
        Departure beyond the tolerance that is no refutation.

    Returns
    -------
    Claim
    """
    if predicted.value:
        ratio = observed.value / predicted.value
        error = math.hypot(observed.error, ratio * predicted.error) / abs(predicted.value)
    else:
        ratio, error = math.nan, math.inf
        count = count.unless("the law predicts 0")
    if not all(map(math.isfinite, (ratio, error, predicted.value))):
        count = count.unless("no finite estimate or prediction")
    return student_claim(
        place,
        observed=observed,
        predicted=predicted.value,
        ratio=ratio,
        judged=Estimate(ratio, error),
        excess=abs(ratio - 1) - tolerance,
        count=count,
        allowance=allowance,
    )


def student_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: float,
    judged: Estimate,
    excess: float,
    count: ChainCount,
    ratio: float = math.nan,
    allowance: float = 0.0,
) -> Claim:
    """Claim something of a mean, by Student's interval.

    Parameters
    ----------
    place : Place
        What is compared.
    observed : Estimate
        The observed number.
    predicted : float
        The predicted number.
    judged : Estimate
        Centre of the interval and its standard error.
    excess : float
        How far the centre lies beyond the margin; negative inside.
    count : ChainCount
        The chains behind ``observed``.
    ratio : float, optional
        ``observed / predicted``, where the quantity is judged as a ratio.
    allowance : float, optional
        Departure beyond the margin that is no refutation.

    Returns
    -------
    Claim
    """
    if count.counted < 2:
        count = count.unless("no finite estimate or prediction")
    spread, freedom = max(judged.error, 1e-300), max(count.counted - 1, 1)

    def p_value(distance: float) -> float:
        if count.note or not distance > 0:
            return 1.0
        return float(2 * stdtr(freedom, -distance / spread))

    def half(level: float) -> float:
        return -float(stdtrit(freedom, level / 2)) * spread

    return Claim(
        place=place,
        empirical=observed.value,
        standard_error=observed.error,
        predicted=predicted,
        ratio=ratio,
        within=p_value(-excess),
        beyond=p_value(excess - allowance),
        interval=lambda level: (judged.value - half(level), judged.value + half(level)),
        factor=lambda level: more_chains(half(level), max(-excess, excess - allowance)),
        chains=count.counted,
        lost=count.lost,
        note=count.note,
    )


def never_refuted(claim: Claim) -> Claim:
    """Return the claim with every departure beyond the margin allowed."""
    if claim.within < 1:
        return replace(claim, beyond=1.0)
    return replace(claim, beyond=1.0, factor=lambda level: math.inf)


def more_chains(reach: float, distance: float) -> float:
    """Return the factor of chains that shrinks an interval's half-width to a distance."""
    return square(reach / distance) if distance > 0 else math.inf


def square(value: float) -> float:
    """Return the square, or the largest number where it is beyond all."""
    return min(value * value, sys.float_info.max)


def allowances(prediction: Prediction) -> np.ndarray:
    """Return a law's allowance for every generation and model, shape (T + 1, M)."""
    return np.broadcast_to(prediction.allowance, prediction.mse.shape)
