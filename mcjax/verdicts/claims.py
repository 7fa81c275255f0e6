"""Claims about one quantity each, judged together.

A claim compares a number seen with a number predicted. What the data say of it is a distance with
an interval: *verified* when the interval lies inside the margin, *refuted* when it lies wholly
outside. A claim knows, for both, the p-value of the null hypothesis that a verdict would reject,
and its interval at any level; :func:`settle` gives each its level under one error budget.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from mcjax.verdicts.equivalence import INCONCLUSIVE, REFUTED, VERIFIED, holm

Interval = tuple[float, float]
LOST_SHARE = 0.1
"""A cell is judged only if the share of chains it lost is below this part of the tolerance."""
NO_ESTIMATE = "chains have no estimate"
ALLOWED = (
    "outside the tolerance by no more than an asymptotic law may be off at this sample size; a"
    " ladder of sizes ([grid] scale) tells"
)
MOST = 2**53
"""Chains needed beyond which no number is told."""
NOTHING: Interval = (-math.inf, math.inf)


@dataclass(frozen=True)
class Cell:
    """One comparison, judged.

    Attributes
    ----------
    empirical: seen over chains; standard_error: of it, from the chains' own spread.
    predicted: by ``law``. ratio: empirical / predicted, where the quantity is judged as a ratio.
    interval: of the ratio; of a quantity that is none, of the quantity itself.
    chains: that count here; lost: that have no estimate here.
    chains_needed: that would decide an inconclusive cell, if the numbers stayed where they are.
    note: why a cell is not judged, or empty.
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
    verdict: str
    chains: int
    lost: int
    chains_needed: int | None
    note: str


@dataclass(frozen=True)
class Claim:
    """A comparison that waits for its level.

    Attributes
    ----------
    place: condition, model, generation, quantity, law.
    within, beyond: p-values of the nulls that the truth lies outside, and inside, the margin; the
        latter with what the law allows for at these sample counts.
    interval: at a level.
    factor: at a level, by how much more chains would decide it, if the numbers stayed where they
        are; infinite where none would, beyond the margin by no more than allowed.
    """

    place: tuple[str, str, int, str, str]
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
    """Judge claims: the chance of any wrong verdict is at most ``1 - confidence`` (Holm)."""
    p_values = np.array([min(c.within, c.beyond, 1.0) for c in claims])
    levels, claimed = holm(p_values, 1 - confidence)
    cells = []
    for claim, level, decided in zip(claims, levels, claimed, strict=True):
        verdict = INCONCLUSIVE
        if decided and not claim.note:
            verdict = VERIFIED if claim.within < claim.beyond else REFUTED
        interval = NOTHING if claim.note else claim.interval(float(level))
        needed, note = None, claim.note
        if verdict == INCONCLUSIVE and not claim.note:
            factor = claim.factor(float(level))
            note = note or ("" if math.isfinite(factor) else ALLOWED)
            needed = math.ceil(claim.chains * factor) if claim.chains * factor < MOST else None
        cells.append(
            Cell(
                *claim.place,
                claim.empirical,
                claim.standard_error,
                claim.predicted,
                claim.ratio,
                interval,
                verdict,
                claim.chains,
                claim.lost,
                needed,
                note,
            )
        )
    return tuple(cells)


def ratio_claim(
    place: tuple[str, str, int, str, str],
    seen: tuple[float, float],
    told: tuple[float, float],
    tolerance: float,
    chains: int,
    lost: int = 0,
    note: str = "",
    allowed: float = 0.0,
) -> Claim:
    """The claim that seen / told lies within 1 +- tolerance, by Student's interval.

    Parameters
    ----------
    seen, told: numbers with their standard errors.
    allowed: beyond the tolerance, what is no refutation.
    """
    (empirical, own), (predicted, theirs) = seen, told
    ratio = empirical / predicted if predicted else math.nan
    error = math.hypot(own, ratio * theirs) / abs(predicted) if predicted else math.inf
    if not note and predicted == 0:
        note = "the law predicts 0"
    known = all(map(math.isfinite, (ratio, error, predicted)))
    if not note and not known:
        note = "no finite estimate or prediction"
    return student_claim(
        place,
        seen,
        (predicted, ratio),
        (ratio, error),
        abs(ratio - 1) - tolerance,
        chains,
        lost,
        note,
        allowed,
    )


def student_claim(
    place: tuple[str, str, int, str, str],
    seen: tuple[float, float],
    told: tuple[float, float],
    judged: tuple[float, float],
    off: float,
    chains: int,
    lost: int,
    note: str,
    allowed: float,
) -> Claim:
    """A claim about a mean, by Student's interval.

    Parameters
    ----------
    seen: with its standard error. told: prediction and ratio. judged: centre of the interval, with
        its standard error.
    off: how far the centre is beyond the margin; negative inside.
    allowed: beyond the margin, what is no refutation.
    """
    centre, error = judged
    if not note and chains < 2:
        note = "no finite estimate or prediction"
    spread, freedom = max(error, 1e-300), max(chains - 1, 1)

    def p_value(distance: float) -> float:
        return float(2 * stdtr(freedom, -distance / spread)) if distance > 0 and not note else 1.0

    def half(level: float) -> float:
        return -float(stdtrit(freedom, level / 2)) * spread

    return Claim(
        place=place,
        empirical=seen[0],
        standard_error=seen[1],
        predicted=told[0],
        ratio=told[1],
        within=p_value(-off),
        beyond=p_value(off - allowed),
        interval=lambda level: (centre - half(level), centre + half(level)),
        factor=lambda level: more_chains(half(level), max(-off, off - allowed)),
        chains=chains,
        lost=lost,
        note=note,
    )


def never_refuted(claim: Claim) -> Claim:
    """The claim where nothing beyond the margin is a refutation."""
    if claim.within < 1:
        return replace(claim, beyond=1.0)
    return replace(claim, beyond=1.0, factor=lambda level: math.inf)


def lost_note(chains: int, drawn: int, tolerance: float) -> str:
    """Why a quantity with so few of the drawn chains is not judged, or nothing."""
    if drawn - chains > LOST_SHARE * tolerance * drawn:
        return f"{drawn - chains} of {drawn} {NO_ESTIMATE}"
    return ""


def more_chains(reach: float, distance: float) -> float:
    """What shrinks an interval that reaches so far to a distance, by the root of the chains."""
    return square(reach / distance) if distance > 0 else math.inf


def square(value: float) -> float:
    """Return the square, or the largest number where it is beyond all."""
    return min(value * value, sys.float_info.max)
