"""Judge an asymptotic law by its limit, on a ladder of sample sizes.

With every sample count multiplied by s, the ratio of the simulated to the predicted number departs
from its limit by terms of order 1/s and 1/s^2,

    r(s) = c + a / s + b / s^2 + ...,

and the law predicts c = 1. With three rungs or more, whose chains are independent, c, a and b are
fitted by weighted least squares, the weights W being the inverse variances of the rungs; the
covariance of the coefficients is ``(X'WX)^-1``. The claim is that c lies within 1 +- tolerance. The
coefficient a is the *finite-sample cost*: to first order, the departure at the sample counts of the
study file. With more than three rungs a chi-squared test checks the fit; if it fails, c is not the
limit and is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from mcjax.verdicts.claims import Claim, Estimate, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount

FEWEST_RUNGS = 3
MISFIT = 1e-4
"""P-value of the goodness of fit below which the limit is not judged."""


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
    """

    ladder: str
    scale: float
    claim: Claim


@dataclass(frozen=True)
class Ladder:
    """The fit of ``r(s)`` to the rungs of one model at one generation.

    Attributes
    ----------
    condition, model, generation, law
        Place of the rungs; ``condition`` is the name of the ladder.
    intercept, standard_error : float
        The limit c and its standard error.
    cost, cost_error : float
        The finite-sample cost a and its standard error.
    curvature : float
        The coefficient b.
    rungs : int
        Number of rungs.
    misfit : float
        P-value of the goodness of fit; nan for three rungs.
    """

    condition: str
    model: str
    generation: int
    law: str
    intercept: float
    standard_error: float
    cost: float
    cost_error: float
    curvature: float
    rungs: int
    misfit: float


def limit_of(quantity: str) -> str:
    """Return the name of the quantity that is a given quantity's limit on a ladder."""
    return f"{quantity}_asymptote"


def climb(rungs: Iterable[Rung], tolerance: float) -> tuple[list[Claim], list[Ladder]]:
    """Fit every ladder that has enough rungs, and make a claim about its limit.

    Returns
    -------
    claims : list of Claim
        One about each limit.
    ladders : list of Ladder
        The fits behind them, in the same order.
    """
    groups: dict[Place, list[Rung]] = {}
    for rung in rungs:
        place = rung.claim.place
        limit = place._replace(condition=rung.ladder, quantity=limit_of(place.quantity))
        groups.setdefault(limit, []).append(rung)
    claims, ladders = [], []
    for place, group in groups.items():
        if len({rung.scale for rung in group}) < FEWEST_RUNGS:
            continue
        note = next((rung.claim.count.note for rung in group if rung.claim.count.note), "")
        fit = np.full(3, math.nan), np.full((3, 3), math.nan), math.nan
        if not note:
            fit = _fit(group)
        coefficients, covariance, misfit = fit
        errors = np.sqrt(np.diagonal(covariance))
        if misfit < MISFIT:
            note = "c + a / s + b / s^2 does not fit the ladder; leave out the smallest scales"
        claims.append(
            ratio_claim(
                place,
                observed=Estimate(float(coefficients[0]), float(errors[0])),
                predicted=Estimate(1.0, 0.0),
                tolerance=tolerance,
                count=ChainCount(
                    min(rung.claim.count.counted for rung in group),
                    max(rung.claim.count.lost for rung in group),
                    f"a rung of the ladder: {note}" if note else "",
                ),
            )
        )
        ladders.append(
            Ladder(
                condition=place.condition,
                model=place.model,
                generation=place.generation,
                law=place.law,
                intercept=float(coefficients[0]),
                standard_error=float(errors[0]),
                cost=float(coefficients[1]),
                cost_error=float(errors[1]),
                curvature=float(coefficients[2]),
                rungs=len(group),
                misfit=misfit,
            )
        )
    return claims, ladders


def _fit(group: Sequence[Rung]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return c, a and b, their covariance, and the p-value of the goodness of fit."""
    x = np.array([1 / rung.scale for rung in group])
    ratio = np.array([rung.claim.ratio for rung in group])
    error = np.array([rung.claim.observed.error / rung.claim.predicted for rung in group])
    design = np.vander(x, 3, increasing=True) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    coefficients = covariance @ design.T @ (ratio / error)
    left = float(np.sum((ratio / error - design @ coefficients) ** 2))
    freedom = len(group) - 3
    return coefficients, covariance, float(chdtrc(freedom, left)) if freedom else math.nan
