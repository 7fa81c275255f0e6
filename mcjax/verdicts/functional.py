"""Means of a family's functionals, against laws that say what they are.

A departure is measured as the functional's scale says, in units of what the law tells: a ratio in
that itself; a chance too, but one below 1/10 in tenths, for which a tolerance of 5% asks to be
right within half a per cent; a logarithm in ones, a difference of logarithms being a share. The
claim is that ``1 + (seen - told) / unit`` lies within 1 +- tolerance.

Classes that are still there, or gone, in all chains seen have no spread to make an interval of, and
rare ones too little: n chains without an event do not show that there is none. Where values differ
by at most R, the interval is Student's and ``R log(2 / level) / n`` more on either side. If all n
chains are alike that is exact: another value is then no likelier than ``1 - (level / 2)^(1/n)``.
Else it is, but for constants, what Bernstein's inequality adds for rare events (Maurer & Pontil
2009), and wider than the exact binomial interval for chances. Values without such a bound are not
judged where all are alike, nor where one chain makes too much of their spread and is farther off
than the square of a normal variable would be (:mod:`mcjax.verdicts.tails`).
"""

from __future__ import annotations

import math
import sys

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, ndtri, stdtr, stdtrit

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.families.family import Functional
from mcjax.laws.prediction import FunctionalPrediction
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, lost_note, square
from mcjax.verdicts.tails import ALIKE, LARGE_SHARE, alike
from mcjax.verdicts.tails import RARE as ODDS

RARE = 0.1
"""A chance below this is judged as if it were this."""
HEAVY = (
    f"heavy tail: a single chain makes more than {LARGE_SHARE:.0%} of the spread of this"
    " functional, so the standard error is not credible"
)
ENDLESS = "chains have no finite value of this functional"


def functional_claims(
    condition: Condition, law: FunctionalPrediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """One for each functional that the law tells, model and generation."""
    moments, squared = outcome.moments.functional, outcome.moments.squared
    error = moments.standard_error()
    p = len(condition.theta)
    claims = []
    for k, functional in enumerate(condition.family.functionals):
        if functional.name not in law.values:
            continue
        told, span = law.values[functional.name], functional.span(p)
        for t, i in np.ndindex(*told.shape):
            chains = int(moments.chains[t, i, k])
            note = lost_note(int(squared.chains[t, i]), outcome.chains, tolerance)
            if not note and chains < squared.chains[t, i]:
                note = f"{squared.chains[t, i] - chains} {ENDLESS}"
            if not note and math.isinf(span):
                own = Moments(*(part[t, i, k] for part in moments))
                note = _tail(own, float(outcome.highest[t, i, k]), functional.scale)
            claims.append(
                functional_claim(
                    (
                        condition.name,
                        condition.network.models[i],
                        t,
                        f"functional:{functional.name}",
                        law.law,
                    ),
                    (float(moments.mean[t, i, k]) if chains else math.nan, float(error[t, i, k])),
                    float(told[t, i]),
                    unit_of(functional, float(told[t, i])),
                    span,
                    tolerance,
                    chains,
                    outcome.chains - chains,
                    note,
                )
            )
    return claims


def unit_of(functional: Functional, told: float) -> float:
    """What a departure from the law's number is measured in."""
    if functional.scale == "logarithm":
        return 1.0
    return max(told, RARE) if functional.scale == "chance" else abs(told)


def _tail(moments: Moments, highest: float, scale: str) -> str:
    """Why the spread of one functional is not credible, or nothing."""
    if moments.chains < 2 or alike(moments):
        return ALIKE
    if scale != "ratio":  # logarithms have light tails
        return ""
    share = (highest - moments.mean) ** 2 / moments.square
    odds = moments.chains * chdtrc(1, highest / moments.mean)
    return HEAVY if share > LARGE_SHARE and odds < ODDS else ""


def functional_claim(
    place: tuple[str, str, int, str, str],
    seen: tuple[float, float],
    told: float,
    unit: float,
    span: float,
    tolerance: float,
    chains: int,
    lost: int = 0,
    note: str = "",
) -> Claim:
    """The claim that a mean is what a law tells, within the tolerance times a unit."""
    if not note and unit == 0:
        note = "the law predicts 0"
    if not note and not (chains > 1 and all(map(math.isfinite, (*seen, told)))):
        note = "no finite estimate or prediction"
    off, spread = (0.0, 1.0) if note else ((seen[0] - told) / unit, seen[1] / unit)
    rare = 0.0 if note or math.isinf(span) else span / unit / chains
    freedom = max(chains - 1, 1)

    def student(level: float) -> float:
        # at very small levels a quantile of few chains is infinite, and times no spread no number
        return -float(stdtrit(freedom, level / 2)) * spread if spread else 0.0

    def half(level: float) -> float:
        return student(level) + rare * math.log(2 / level)

    def p_value(distance: float) -> float:
        """The level from which on the interval does not reach so far."""
        if note or not distance > 0:
            return 1.0
        if rare == 0:
            return float(2 * stdtr(freedom, -distance / spread))
        if half(1.0) >= distance:
            return 1.0
        lowest = -700.0  # exp of it is about the smallest number there is
        while math.isinf(half(math.exp(lowest))):  # an infinite end misleads the search
            lowest /= 2
        if half(math.exp(lowest)) <= distance:
            return math.exp(lowest)
        return math.exp(brentq(lambda log: half(math.exp(log)) - distance, lowest, 0.0))

    inside = tolerance - abs(off)

    def factor(level: float) -> float:
        distance = max(abs(inside), sys.float_info.min)
        few = rare * math.log(2 / level)
        # student / sqrt(f) + few / f = distance
        normal = student(level)
        root = (normal + math.hypot(normal, 2 * math.sqrt(distance * few))) / (2 * distance)
        return square(root)

    return Claim(
        place=place,
        empirical=seen[0],
        standard_error=seen[1],
        predicted=told,
        ratio=1 + off if unit == abs(told) and not note else math.nan,
        within=p_value(inside),
        beyond=p_value(-inside),
        interval=lambda level: (1 + off - half(level), 1 + off + half(level)),
        factor=factor,
        chains=chains,
        lost=lost,
        note=note,
    )


def chance_chains(told: np.ndarray, tolerance: float, level: float, each: float) -> float:
    """Chains that verify chances (K,), each with the probability ``1 - each``, if they are true."""
    unit = np.maximum(told, RARE)
    z = -float(ndtri(level / 2)) - float(ndtri(each))
    student = z * np.sqrt(told * (1 - told)) / unit
    few = math.log(2 / level) / unit
    return float(
        np.max(((student + np.sqrt(student**2 + 4 * tolerance * few)) / (2 * tolerance)) ** 2)
    )


def chance_reach(
    told: np.ndarray, tolerance: float, level: float, miss: float, chains: int
) -> float:
    """The departure of any one chance (K,) that so many chains refute with the probability
    ``1 - miss``, in its unit."""
    unit = np.maximum(told, RARE)
    z = -float(ndtri(level / 2)) - float(ndtri(miss))
    student = z * np.sqrt(told * (1 - told) / chains) / unit
    return float(np.max(tolerance + student + math.log(2 / level) / unit / chains))
