"""Judge an asymptotic law by its limit, on a ladder of sample sizes.

With every sample count multiplied by s, the ratio of the simulated to the predicted number tends to
a limit c, and the law predicts c = 1. With three rungs or more, whose chains are independent, c is
extrapolated from the rungs (:mod:`mcjax.verdicts.extrapolation`), and the claim is that it lies
within 1 +- tolerance. The coefficient a of the first power is the *finite-sample cost*: to first
order, the departure at the sample counts of the study file.

Where a law of the next order applies, it predicts a (:mod:`mcjax.verdicts.ladder_costs`).

The error of c has a part that chains alone do not reduce to 0, because a few rungs do not determine
the form of the departure. Where that part alone keeps the claim from a verdict, it is inconclusive,
and its note names rungs that would decide it. A law that simulates has an error of its own, which
the rungs have in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from mcjax.verdicts.claims import Claim, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.extrapolation import (
    Limit,
    extrapolate,
    further_scales,
    limit_errors,
    size_with,
)
from mcjax.verdicts.further_chains import EXPECTED_POWER
from mcjax.verdicts.ladder_costs import Departure, Slope, cost_claim, cost_of, predicted_cost
from mcjax.verdicts.planning import fewest

FEWEST_RUNGS = 3
MISFIT = 1e-4
"""P-value of the goodness of fit below which the limit is not judged."""
TYPICAL_LEVEL = 1e-3
"""Level of the claim for which further rungs are named."""
MOST_FURTHER_CHAINS = 2.0**40
"""Largest factor of chains that is tried to decide a claim."""
SMALLEST_ERROR = 1e-9
"""Smallest standard error of a rung in a fit."""
NO_FIT = "no curve in powers of the sample size fits the ladder; leave out the smallest scales"


UNKNOWN = Limit(*[math.nan] * 9)


@dataclass(frozen=True)
class Rung:
    """A claim about a ratio at one sample size of a ladder.

    Attributes
    ----------
    ladder : str
        Name of the ladder.
    scale : float
        Factor s of the sample counts.
    claim : Claim
        Claim about the ratio at this sample size.
    power : float
        The power of ``1 / s`` in which the ratio approaches its limit.
    departure : Departure, optional
        What a law of the next order says of the ratio.
    """

    ladder: str
    scale: float
    claim: Claim
    power: float = 1.0
    departure: Departure | None = None


@dataclass(frozen=True)
class Ladder:
    """The fit of ``r(s)`` to the rungs of one model at one generation.

    Attributes
    ----------
    condition, model, generation, law
        Place of the rungs; ``condition`` is the name of the ladder.
    intercept, standard_error : float
        The limit c and its standard error.
    form_error : float
        The part of the standard error that is due to the unknown form of the departure.
    cost, cost_error : float
        The finite-sample cost a and its standard error.
    curvature : float
        The coefficient of the second power.
    power : float
        The power of ``1 / s`` in which the ratio approaches its limit.
    rungs : int
        Number of rungs.
    misfit : float
        P-value of the goodness of fit.
    predicted_cost, predicted_cost_error : float
        The cost that a law of the next order predicts, and its standard error; nan without one.
    """

    condition: str
    model: str
    generation: int
    law: str
    intercept: float
    standard_error: float
    form_error: float
    cost: float
    cost_error: float
    curvature: float
    power: float
    rungs: int
    misfit: float
    predicted_cost: float = math.nan
    predicted_cost_error: float = math.nan


def limit_of(quantity: str) -> str:
    """Return the name of the quantity that is a given quantity's limit on a ladder."""
    return f"{quantity}_asymptote"


def too_short(ladders: Mapping[str, Iterable[float]]) -> tuple[str, ...]:
    """Say of ladders with two scales that they are none, and what to add.

    Parameters
    ----------
    ladders : mapping of str to iterable of float
        Scales by name of the ladder.
    """
    sets = {tuple(sorted(set(scales))) for scales in ladders.values()}
    return tuple(
        f"The scales {low:g} and {high:g} form no ladder, so each is judged by itself; add"
        f" {high * math.ceil(high / low):g}, for asymptotic laws to be judged by their limit."
        for low, high in sorted(scales for scales in sets if len(scales) == 2)
    )


def climb(rungs: Iterable[Rung], tolerance: float) -> tuple[list[Claim], list[Ladder]]:
    """Fit every ladder that has enough rungs, and make a claim about its limit.

    Returns
    -------
    claims : list of Claim
        One about each limit, and one about each cost that a judged law predicts.
    ladders : list of Ladder
        The fits behind them, in the same order.
    """
    groups: dict[Place, list[Rung]] = {}
    for rung in rungs:
        place = rung.claim.place
        about = place._replace(condition=rung.ladder, quantity=limit_of(place.quantity))
        groups.setdefault(about, []).append(rung)
    claims, ladders = [], []
    for place, group in groups.items():
        if len({rung.scale for rung in group}) < FEWEST_RUNGS:
            continue
        unjudged = next((rung for rung in group if rung.claim.count.note), None)
        fit, note = UNKNOWN if unjudged else _extrapolated(group), ""
        scales = _scales(group)
        if unjudged:
            where = f"{unjudged.claim.place.quantity} at scale {unjudged.scale:g} of the ladder"
            note = f"{where}: {unjudged.claim.count.note}"
        elif fit.misfit < MISFIT:
            note = NO_FIT
        claims.append(_claim(place, group, fit, tolerance=tolerance, note=note))
        predicted = predicted_cost([rung.departure for rung in group], scales)
        if predicted is not None and predicted.law:
            about_cost = place._replace(quantity=cost_of(group[0].claim.place.quantity))
            claims.append(
                cost_claim(
                    about_cost._replace(law=predicted.law),
                    Slope(scales, *_seen(group), fit.power),
                    predicted,
                    tolerance=tolerance,
                    count=_count(group, note),
                )
            )
        ladders.append(
            Ladder(
                condition=place.condition,
                model=place.model,
                generation=place.generation,
                law=place.law,
                intercept=fit.value,
                standard_error=fit.error,
                form_error=fit.form_error,
                cost=fit.slope,
                cost_error=fit.slope_error,
                curvature=fit.curvature,
                power=fit.power,
                rungs=len(group),
                misfit=fit.misfit,
                predicted_cost=math.nan if predicted is None else predicted.value,
                predicted_cost_error=math.nan if predicted is None else predicted.error,
            )
        )
    return claims, ladders


def _extrapolated(group: Sequence[Rung]) -> Limit:
    """Extrapolate the ratios of rungs."""
    ratios, sampling, law = _seen(group)
    return extrapolate(_scales(group), ratios, sampling + law, min(rung.power for rung in group))


def _seen(group: Sequence[Rung]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ratios of K rungs, and their covariances over chains and draws of the law."""
    return np.array([rung.claim.ratio for rung in group]), *_covariances(group)


def _scales(group: Sequence[Rung]) -> Float[np.ndarray, " K"]:
    return np.array([rung.scale for rung in group])


def _covariances(group: Sequence[Rung]) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariances of the ratios of K rungs over chains and over draws of the law."""
    error = np.array([rung.claim.observed.error / rung.claim.predicted for rung in group])
    moved = [rung.claim.ratio * np.asarray(rung.claim.deviations) for rung in group]
    draws = np.zeros((len(group), max(map(len, moved))))
    for row, deviations in zip(draws, moved, strict=True):
        row[: len(deviations)] = deviations
    return np.diag(np.maximum(error, SMALLEST_ERROR) ** 2), draws @ draws.T


def _claim(
    place: Place, group: Sequence[Rung], limit: Limit, *, tolerance: float, note: str
) -> Claim:
    """Claim that a limit lies within the tolerance of 1."""
    claim = ratio_claim(
        place,
        observed=Estimate(limit.value, limit.error),
        predicted=Estimate(1.0, 0.0),
        tolerance=tolerance,
        count=_count(group, note),
    )
    if note:
        return claim
    distance, scales = abs(abs(limit.value - 1) - tolerance), _scales(group)
    sampling, law = _covariances(group)

    def more_chains(distance: float, reach: float) -> float:
        """Return how many times as many chains bring the limit's errors within a distance."""

        def enough(more: float) -> bool:
            covariance, size = sampling / more + law, np.array([size_with(limit, scales, more)])
            error = limit_errors(scales, limit.power, covariance[None], size)
            return reach * math.hypot(float(error[0]), limit.gap) < distance

        return fewest(enough, MOST_FURTHER_CHAINS)

    def factor(level: float) -> float:
        return more_chains(distance, -float(ndtri(level / 2)))

    def expected(level: float) -> float:
        z = -float(ndtri(level / 2))
        if abs(limit.value - 1) > z * limit.error:
            return math.nan
        return more_chains(tolerance, z + float(ndtri(EXPECTED_POWER)))

    reach = distance / -float(ndtri(TYPICAL_LEVEL / 2))
    remedy = _remedy(limit, scales, reach)
    return replace(claim, factor=factor, expected=expected, hopeless=remedy)


def _count(group: Sequence[Rung], note: str) -> ChainCount:
    """Return the chains behind what is fitted to rungs."""
    return ChainCount(
        min(rung.claim.count.counted for rung in group),
        max(rung.claim.count.lost for rung in group),
        note,
    )


def _remedy(limit: Limit, scales: Float[np.ndarray, " K"], reach: float) -> str:
    more = further_scales(limit, scales, reach)
    added = ", ".join(f"{scale:.5g}" for scale in more) or "that are much larger"
    return (
        "the rungs leave open how the limit is approached; add"
        f" {'scales' if len(more) != 1 else 'the scale'} {added}"
    )
