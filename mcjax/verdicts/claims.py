"""Claims, each about one number, that are judged together.

A claim compares an observed number with a predicted one, and has a confidence interval for the
distance between them. The claim is *verified* if the interval lies inside the margin and *refuted*
if it lies wholly outside. For either verdict the claim holds the p-value of the null hypothesis
that the verdict would reject, and it gives its interval at any level. :func:`settle` assigns each
claim its level under one error budget.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, Verdict, holm

Interval = tuple[float, float]
ALLOWED = (
    "outside the tolerance, but by no more than an asymptotic law may be off at this sample size; a"
    " ladder of sample sizes ([grid] scale) would decide"
)
INCOMPLETE = (
    "the mean error does not vanish as samples grow, and the law leaves out a term of the mean"
    " square that is as large as the variance; judge bias and covariance instead"
)
DOUBTFUL = (
    "the law is a mean over simulated designs that a few of them dominate, so neither it nor its"
    " standard error is credible; give more rows, or fewer generations"
)
SATURATED = (
    "the law holds while t is much smaller than n: by then, samples have lost a share of their"
    " variance that is larger than the tolerance, because classes die out; an exact law is judged"
    " instead where there is one"
)
MOST_CHAINS_NEEDED = 2**53
"""Largest number of chains that is announced for an undecided cell."""
UNBOUNDED: Interval = (-math.inf, math.inf)


class Place(NamedTuple):
    """The subject of a claim; every claim of a study has a place of its own."""

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
    """A judged comparison.

    Attributes
    ----------
    condition, model, generation, quantity, law
        What is compared, see :class:`Place`.
    empirical : float
        Observed number, a mean over chains.
    standard_error : float
        Standard error of ``empirical``, estimated from the spread of the chains.
    predicted : float
        Number predicted by ``law``.
    ratio : float
        ``empirical / predicted`` if the quantity is judged as a ratio, otherwise nan.
    interval : tuple of float
        Confidence interval of the ratio or, if there is none, of the quantity itself.
    verdict : {"verified", "refuted", "inconclusive"}
        The verdict.
    chains, lost : int
        Chains that contribute to the cell, and chains that have no estimate there.
    chains_needed : int or None
        Chains that would decide an inconclusive cell if the observed numbers did not change.
    note : str
        Why the cell is not judged; empty if it is.
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
        """Place of the claim that was judged."""
        return Place(
            condition=self.condition,
            model=self.model,
            generation=self.generation,
            quantity=self.quantity,
            law=self.law,
        )


@dataclass(frozen=True)
class Claim:
    """A comparison that has not been assigned a level yet.

    Attributes
    ----------
    place : Place
        What is compared.
    observed : Estimate
        Observed number.
    predicted : float
        Number predicted by the law.
    within : float
        P-value of the null hypothesis that the truth lies outside the margin.
    beyond : float
        P-value of the null hypothesis that the truth lies inside the margin, widened by the
        allowance of an asymptotic law.
    interval : callable
        Maps a level to the confidence interval.
    factor : callable
        Maps a level to the factor by which the number of chains must grow to decide the claim if
        the observed numbers do not change; infinite if no number of chains decides it, because the
        departure exceeds the margin by no more than the allowance.
    count : ChainCount
        The chains behind ``observed``; its note says why the claim is not judged.
    ratio : float
        ``observed / predicted`` if the quantity is judged as a ratio, otherwise nan.
    hopeless : str
        Why no number of chains decides the claim, for where ``factor`` is infinite.
    deviations : tuple of float
        Relative deviations of the predicted number over the draws of a law that simulates, see
        :meth:`mcjax.laws.prediction.Prediction.deviations`; used on ladders.
    """

    place: Place
    observed: Estimate
    predicted: float
    within: float
    beyond: float
    interval: Callable[[float], Interval]
    factor: Callable[[float], float]
    count: ChainCount
    ratio: float = math.nan
    hopeless: str = ALLOWED
    deviations: tuple[float, ...] = ()


def settle(claims: Sequence[Claim], confidence: float) -> tuple[Cell, ...]:
    """Judge claims under one error budget.

    Parameters
    ----------
    claims : sequence of Claim
        Claims that share the budget.
    confidence : float
        The probability of any wrong verdict is at most ``1 - confidence``, by Holm's procedure
        (:func:`~mcjax.verdicts.equivalence.holm`).

    Returns
    -------
    tuple of Cell
        One for each claim, in their order.
    """
    p_values = np.array([min(c.within, c.beyond, 1.0) for c in claims])
    levels, rejected = holm(p_values, 1 - confidence)
    return tuple(
        _judge(claim, float(level), bool(decided))
        for claim, level, decided in zip(claims, levels, rejected, strict=True)
    )


def _judge(claim: Claim, level: float, decided: bool) -> Cell:
    verdict: Verdict = INCONCLUSIVE
    chains, lost, note = claim.count
    needed = None
    if decided and not note:
        verdict = VERIFIED if claim.within < claim.beyond else REFUTED
    interval = UNBOUNDED if note else claim.interval(level)
    if verdict == INCONCLUSIVE and not note:
        factor = claim.factor(level)
        note = "" if math.isfinite(factor) else claim.hopeless
        if chains * factor < MOST_CHAINS_NEEDED:
            needed = math.ceil(chains * factor)
    return Cell(
        **claim.place._asdict(),
        empirical=claim.observed.value,
        standard_error=claim.observed.error,
        predicted=claim.predicted,
        ratio=claim.ratio,
        interval=interval,
        verdict=verdict,
        chains=chains,
        lost=lost,
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
    """Claim that ``observed / predicted`` lies within 1 +- tolerance, by Student's interval.

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
        Largest departure beyond the tolerance that does not refute the claim.
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
    """Claim that a mean lies within a margin, by Student's interval.

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
        Distance of the centre beyond the margin; negative inside.
    count : ChainCount
        The chains behind ``observed``.
    ratio : float, optional
        ``observed / predicted`` if the quantity is judged as a ratio.
    allowance : float, optional
        Largest departure beyond the margin that does not refute the claim.
    """
    if count.counted < 2 or not all(map(math.isfinite, judged)):
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
        observed=observed,
        predicted=predicted,
        within=p_value(-excess),
        beyond=p_value(excess - allowance),
        interval=lambda level: (judged.value - half(level), judged.value + half(level)),
        factor=lambda level: more_chains(half(level), max(-excess, excess - allowance)),
        count=count,
        ratio=ratio,
    )


def unjudged(claim: Claim, note: str) -> Claim:
    """Return the claim without a verdict, and with a note that says why, unless it has one."""
    return replace(claim, count=claim.count.unless(note), within=1.0, beyond=1.0)


def never_refuted(claim: Claim) -> Claim:
    """Return the claim with an infinite allowance, so that it cannot be refuted."""
    if claim.within < 1:
        return replace(claim, beyond=1.0)
    return replace(claim, beyond=1.0, factor=lambda level: math.inf)


def never_verified(claim: Claim, note: str) -> Claim:
    """Return the claim without a chance to be verified, and with a note that says why."""
    settled = replace(claim, within=1.0, hopeless=note)
    return settled if claim.beyond < 1 else replace(settled, factor=lambda level: math.inf)


def more_chains(reach: float, distance: float) -> float:
    """Return the factor of chains by which an interval's half-width shrinks to a distance."""
    return square(reach / distance) if distance > 0 else math.inf


def square(value: float) -> float:
    """Return the square, or the largest finite number if the square overflows."""
    return min(value * value, sys.float_info.max)
