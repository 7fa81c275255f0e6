"""Claims about means over chains of contrasts between measures.

A contrast is one number of each chain, such as a slope, so that whatever goes together within a
chain is part of its spread. P-values are those of Student's t, widened for skewness as in
:mod:`mcjax.verdicts.skewed_means`. There may be few chains, because training is expensive: measures
are functions of many rows, and a contrast of them is nearly normal. A chain whose measures are not
finite is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mcjax.engine.powers import NonNormality
from mcjax.verdicts.claims import Claim, Place
from mcjax.verdicts.counts import ChainCount, count_chains
from mcjax.verdicts.estimates import Estimate, estimate_mean
from mcjax.verdicts.skewed_means import p_above, p_below, reaches

FEWEST = 4
"""Fewest chains of a claim."""
TOO_FEW = f"has fewer than {FEWEST} chains"
SATURATED = (
    "has changed little since the transient, although the model collapses by the law: it may be"
    " saturated, which is not stability, so that another measure or an earlier end has to tell"
)
Chains = Float[np.ndarray, " C"]


class Sides(NamedTuple):
    """P-values of the hypotheses that a mean is at least, or at most, zero."""

    least: float
    most: float


def differs_from_zero(place: Place, contrast: Chains, drawn: int, still: str = "") -> Claim:
    """Claim that the mean of a contrast is not zero; it cannot be refuted.

    Parameters
    ----------
    place : Place
        What is claimed.
    contrast : ndarray
        One number for each chain that is not lost.
    drawn : int
        Chains that were simulated.
    still : str, optional
        Why no number of chains decides the claim.
    """
    sides = _sides(contrast)
    return _claim(
        place,
        contrast,
        within=2 * min(sides),
        beyond=1.0,
        count=_count(contrast, drawn),
        factor=(lambda level: math.inf) if still else lambda level: _chains_for(contrast, level),
        predicted=math.nan,
        hopeless=still,
    )


def within_share(place: Place, contrast: Chains, whole: Chains, share: float, drawn: int) -> Claim:
    """Claim that the mean of a contrast is at most a share of that of another, but for signs.

    Parameters
    ----------
    place : Place
        What is claimed.
    contrast, whole : ndarray
        Two numbers for each chain that is not lost.
    share : float
        The share.
    drawn : int
        Chains that were simulated.

    Notes
    -----
    With s the sign of the mean U of ``whole``, the claim is that ``v - share s u`` and
    ``-v - share s u`` have negative means. It holds if both hypotheses to the contrary are
    rejected, and is refuted if one mean is certainly positive.
    """
    unit = share * math.copysign(1.0, float(whole.mean()) if len(whole) else 1.0) * whole
    edges = [_sides(sign * contrast - unit) for sign in (1, -1)]
    within = 2 * max(edge.least for edge in edges)
    beyond = 2 * min(edge.most for edge in edges)

    def factor(level: float) -> float:
        return max(_chains_for(sign * contrast - unit, level) for sign in (1, -1))

    return _claim(
        place,
        contrast,
        within=within,
        beyond=beyond,
        count=_count(contrast, drawn),
        factor=factor,
        predicted=0.0,
        ratio=float(contrast.mean() / whole.mean()) if len(whole) and whole.mean() else math.nan,
    )


def exactly(
    place: Place, observed: int | None, predicted: int | None, chains: int, note: str
) -> Claim:
    """Claim that two numbers without noise are equal; with a note, it is not judged.

    None stands for no number, and is nan in the claim.
    """
    equal = observed == predicted
    seen, told = (math.nan if one is None else float(one) for one in (observed, predicted))
    return Claim(
        place=place,
        observed=Estimate(seen, 0.0),
        predicted=told,
        within=0.0 if equal else 1.0,
        beyond=1.0 if equal or note else 0.0,
        interval=lambda level: (seen, seen),
        factor=lambda level: math.inf,
        count=ChainCount(chains, 0, note),
    )


def _claim(
    place: Place,
    contrast: Chains,
    *,
    within: float,
    beyond: float,
    count: ChainCount,
    factor: Callable[[float], float],
    predicted: float,
    ratio: float = math.nan,
    hopeless: str = "",
) -> Claim:
    observed = estimate_mean(contrast)
    shape = NonNormality(observed.skewness, observed.excess)

    def interval(level: float) -> tuple[float, float]:
        down, up = reaches(level, len(contrast) - 1, shape)
        return observed.value - float(down) * observed.error, observed.value + float(
            up
        ) * observed.error

    judged = not count.note
    return Claim(
        place=place,
        observed=observed,
        predicted=predicted,
        within=min(1.0, within) if judged else 1.0,
        beyond=min(1.0, beyond) if judged else 1.0,
        interval=interval,
        factor=factor,
        count=count,
        ratio=ratio,
        hopeless=hopeless,
    )


def _count(contrast: Chains, drawn: int) -> ChainCount:
    alike = len(contrast) > 1 and not np.ptp(contrast)
    count = count_chains(len(contrast), drawn, 1.0, alike=alike)
    return count.unless(TOO_FEW if len(contrast) < FEWEST else "")


def _sides(contrast: Chains) -> Sides:
    mean = estimate_mean(contrast)
    if not 0 < mean.error < math.inf:
        return Sides(1.0, 1.0)
    t, shape = mean.value / mean.error, NonNormality(mean.skewness, mean.excess)
    freedom = len(contrast) - 1
    return Sides(float(p_below(t, freedom, shape)), float(p_above(t, freedom, shape)))


def _chains_for(contrast: Chains, level: float) -> float:
    """Return the factor of chains with which a mean is told from zero, if it stays the same."""
    mean = estimate_mean(contrast)
    if not 0 < mean.error < math.inf or not mean.value:
        return math.inf
    down, up = reaches(level, len(contrast) - 1, NonNormality(mean.skewness, mean.excess))
    reach = float(down if mean.value > 0 else up)
    return (reach * mean.error / mean.value) ** 2


def finite(*contrasts: Float[np.ndarray, " C"]) -> Bool[np.ndarray, " C"]:
    """Return which chains have finite numbers in all contrasts."""
    return np.logical_and.reduce([np.isfinite(contrast) for contrast in contrasts])
