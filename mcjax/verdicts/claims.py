"""Claims, each about one number, that are judged together.

A claim compares an observed number with a predicted one, and has a confidence interval for the
distance between them. The claim is *verified* if the interval lies inside the margin and *refuted*
if it lies wholly outside. For either verdict the claim holds the p-value of the null hypothesis
that the verdict would reject, and it gives its interval at any level.
:func:`mcjax.verdicts.cells.settle` assigns each claim its level under one error budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from mcjax.calls import explained
from mcjax.engine.powers import NonNormality
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.further_chains import left_for_chains, more_for_power
from mcjax.verdicts.skewed_means import (
    Tails,
    factor_of_chains,
    p_above,
    p_below,
    reaches,
)

Interval = tuple[float, float]
ALLOWED = (
    "outside the tolerance, but by no more than an asymptotic law may be off at this sample size; a"
    " ladder of sample sizes ([grid] scale) would decide"
)
LAW_ERROR = (
    "the law's own simulation is not precise enough for this tolerance, and more chains do not"
    " help; give a larger tolerance"
)
INCOMPLETE = (
    "the mean error does not vanish as samples grow, and the law leaves out a term of the mean"
    " square that is as large as the variance{why}; judge bias and covariance instead"
)
NOT_FINITE = "no finite estimate or prediction"
DOUBTFUL = (
    "the law is a mean over simulated designs that a few of them dominate, so neither it nor its"
    " standard error is credible; give more rows, or fewer generations"
)
SATURATED = (
    "the law holds while t is much smaller than n: by then, samples have lost a share of their"
    " variance that is larger than the tolerance, because classes die out; an exact law is judged"
    " instead where there is one"
)


class Place(NamedTuple):
    """The subject of a claim; every claim of a study has a place of its own."""

    condition: str
    model: str
    generation: int
    quantity: str
    law: str


@explained
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
    expected : callable
        Maps a level to the factor by which the number of chains must grow to verify the claim with
        a probability of 90% if the law is true; nan if the departure from the law is significant at
        that level.
    fewest : callable
        Maps a level to the number of chains below which there is no claim at that level.
    hopeless : str
        Why no number of chains decides the claim, for where ``factor`` is infinite.
    deviations : tuple of float
        Relative deviations of the predicted number over the draws of a law that simulates, see
        :meth:`mcjax.laws.prediction.Prediction.deviations`; used on ladders.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.verdicts.claims import Place
    >>> claim = mcjax.ratio_claim(
    ...     Place("", "a", 2, "mse", "mine"),
    ...     observed=mcjax.Estimate(1.02, 0.01),
    ...     predicted=mcjax.Estimate(1.0, 0.0),
    ...     tolerance=0.1,
    ...     count=mcjax.count_chains(4096, 4096, 0.1),
    ... )
    >>> claim.within < 0.01
    True
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
    expected: Callable[[float], float] = lambda level: math.nan
    fewest: Callable[[float], float] = lambda level: 0.0
    hopeless: str = ALLOWED
    deviations: tuple[float, ...] = ()


@explained
def ratio_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: Estimate,
    tolerance: float,
    count: ChainCount,
    allowance: float = 0.0,
    tails: Tails = Tails.UNKNOWN,
) -> Claim:
    """Claim that ``observed / predicted`` lies within 1 +- tolerance.

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
    tails : Tails, optional
        What is known of the values whose mean is observed.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.verdicts.claims import Place
    >>> claim = mcjax.ratio_claim(
    ...     Place("", "a", 2, "mse", "mine"),
    ...     observed=mcjax.Estimate(1.02, 0.01),
    ...     predicted=mcjax.Estimate(1.0, 0.0),
    ...     tolerance=0.1,
    ...     count=mcjax.count_chains(4096, 4096, 0.1),
    ... )
    >>> claim.ratio
    1.02
    """
    if predicted.value:
        ratio = observed.times(1 / predicted.value)
        error = abs(ratio.value / predicted.value) * predicted.error
        ratio = ratio.plus(0.0, error, predicted.batches)
    else:
        ratio = Estimate(math.nan, math.inf)
        count = count.unless("the law predicts 0")
    if not all(map(math.isfinite, (*ratio, predicted.value))):
        count = count.unless(NOT_FINITE)
    return mean_claim(
        place,
        observed=observed,
        predicted=predicted.value,
        ratio=ratio.value,
        judged=ratio,
        margin=(1 - tolerance, 1 + tolerance),
        count=count,
        allowance=allowance,
        tails=tails,
    )


@explained
def mean_claim(
    place: Place,
    *,
    observed: Estimate,
    predicted: float,
    judged: Estimate,
    margin: Interval,
    count: ChainCount,
    ratio: float = math.nan,
    allowance: float = 0.0,
    tails: Tails = Tails.UNKNOWN,
    true: float | None = None,
) -> Claim:
    """Claim that a mean lies within a margin, see :mod:`mcjax.verdicts.skewed_means`.

    Parameters
    ----------
    place : Place
        What is compared.
    observed : Estimate
        The observed number.
    predicted : float
        The predicted number.
    judged : Estimate
        The mean that is judged.
    margin : tuple of float
        Smallest and largest value for which the claim is true; may be infinite.
    count : ChainCount
        The chains behind ``observed``.
    ratio : float, optional
        ``observed / predicted`` if the quantity is judged as a ratio.
    allowance : float, optional
        Largest departure beyond the margin that does not refute the claim.
    tails : Tails, optional
        What is known of the values whose mean is judged.
    true : float, optional
        The mean if the law is true; the middle of the margin unless given.

    Examples
    --------
    >>> import mcjax
    >>> from mcjax.verdicts.claims import Place
    >>> observed = mcjax.Estimate(0.002, 0.01)
    >>> claim = mcjax.mean_claim(
    ...     Place("", "a", 2, "mse", "mine"),
    ...     observed=observed,
    ...     predicted=0.0,
    ...     judged=observed,
    ...     margin=(-0.1, 0.1),
    ...     count=mcjax.count_chains(4096, 4096, 0.1),
    ... )
    >>> claim.within < 0.01
    True
    """
    if count.counted < 2 or not all(map(math.isfinite, judged)):
        count = count.unless(NOT_FINITE)
    value, spread = float(judged.value), max(float(judged.error), 1e-300)
    freedom = judged.freedom(count.counted)
    fixed = min(float(judged.fixed), spread)
    shape = NonNormality(float(judged.skewness), float(judged.excess))
    low, high = margin
    true = (low + high) / 2 if true is None else true
    outer = low - allowance, high + allowance
    smallest = tails.smallest_level(count.counted)
    decidable = low < value < high or not outer[0] <= value <= outer[1]

    def below(edge: float) -> float:
        """Return the p-value of the hypothesis that the mean is at least the edge."""
        return float(p_below((value - edge) / spread, freedom, shape))

    def above(edge: float) -> float:
        return float(p_above((value - edge) / spread, freedom, shape))

    def shown(p: float) -> float:
        return min(1.0, max(2 * p, smallest))

    within = beyond = 1.0
    if not count.note:
        within, beyond = max(below(high), above(low)), min(below(outer[0]), above(outer[1]))

    def interval(level: float) -> Interval:
        down, up = reaches(level, freedom, shape)
        return value - float(down) * spread, value + float(up) * spread

    def needed(level: float, mean: float, edge: float, side: float) -> float:
        """Return the factor with which the interval around a mean only touches the edge."""
        most = max(freedom, math.ceil(tails.fewest_chains(level)) - 1)
        distance, part = side * (edge - mean) / spread, 1.0
        if fixed:
            distance, part = left_for_chains(distance, fixed / spread, level, freedom)
        return float(part * factor_of_chains(level, most, shape, distance, above=side > 0))

    def verifying(level: float, mean: float) -> float:
        return max(needed(level, mean, low, -1), needed(level, mean, high, 1))

    def factor(level: float) -> float:
        refuting = needed(level, value, outer[0], 1), needed(level, value, outer[1], -1)
        return min(verifying(level, value), *refuting)

    def expected(level: float) -> float:
        least, most = interval(level)
        return verifying(level, true) * more_for_power(level) if least <= true <= most else math.nan

    return Claim(
        place=place,
        observed=observed,
        predicted=predicted,
        within=shown(within),
        beyond=shown(beyond),
        interval=interval,
        factor=factor,
        count=count,
        ratio=ratio,
        expected=expected,
        fewest=tails.fewest_chains,
        hopeless=LAW_ERROR if fixed and (decidable or not low < true - fixed) else ALLOWED,
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

    def expected(level: float) -> float:
        """Return that no chains verify it, unless the departure from the law is significant."""
        return math.nan if math.isnan(claim.expected(level)) else math.inf

    settled = replace(claim, within=1.0, hopeless=note, expected=expected)
    return settled if claim.beyond < 1 else replace(settled, factor=lambda level: math.inf)
