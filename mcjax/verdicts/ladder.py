"""An asymptotic law judged as one: on a ladder of sample sizes.

With every sample count multiplied by s, the ratio of the simulated to the predicted MSE departs
from its limit by terms of order 1/s and 1/s^2,

    r(s) = c + a / s + b / s^2 + ...,

and the law says c = 1. From three rungs or more, whose chains are independent, c, a and b are
fitted by least squares with the rungs' own variances; their covariance is that of the estimates,
``(X'WX)^-1``. The claim is that c lies within 1 +- tolerance. ``a`` is the *finite-sample cost*:
the departure at the file's own sample counts, to first order. With more than three rungs the fit
can be wrong, and a chi-squared test says so: then c is no limit and is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from mcjax.verdicts.claims import Claim, ratio_claim

QUANTITY = "mse_asymptote"
FEWEST = 3
MISFIT = 1e-4


@dataclass(frozen=True)
class Rung:
    """The claim about the MSE at one size. scale: what sample counts are multiplied by."""

    ladder: str
    scale: float
    claim: Claim


@dataclass(frozen=True)
class Ladder:
    """What one model's rungs at one generation come to.

    Attributes
    ----------
    intercept, cost: c and a, with their standard errors. curvature: b. rungs: how many.
    misfit: p-value of the fit, nan for three rungs.
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


def climb(rungs: Iterable[Rung], tolerance: float) -> tuple[list[Claim], list[Ladder]]:
    """A claim, and its fit, for each model, generation and law with enough rungs."""
    groups: dict[tuple[str, str, int, str], list[Rung]] = {}
    for rung in rungs:
        _, model, generation, _, law = rung.claim.place
        groups.setdefault((rung.ladder, model, generation, law), []).append(rung)
    claims, ladders = [], []
    for (name, model, generation, law), group in groups.items():
        if len({rung.scale for rung in group}) < FEWEST:
            continue
        note = next((rung.claim.note for rung in group if rung.claim.note), "")
        fit = np.full(3, math.nan), np.full((3, 3), math.nan), math.nan
        if not note:
            fit = _fit(group)
        found, covariance, misfit = fit
        errors = np.sqrt(np.diagonal(covariance))
        if misfit < MISFIT:
            note = "1 + a / n + b / n^2 does not fit the ladder; leave out the smallest sizes"
        claims.append(
            ratio_claim(
                (name, model, generation, QUANTITY, law),
                (float(found[0]), float(errors[0])),
                (1.0, 0.0),
                tolerance,
                min(rung.claim.chains for rung in group),
                max(rung.claim.lost for rung in group),
                f"a rung of the ladder: {note}" if note else "",
            )
        )
        ladders.append(
            Ladder(
                name,
                model,
                generation,
                law,
                intercept=float(found[0]),
                standard_error=float(errors[0]),
                cost=float(found[1]),
                cost_error=float(errors[1]),
                curvature=float(found[2]),
                rungs=len(group),
                misfit=misfit,
            )
        )
    return claims, ladders


def _fit(group: Sequence[Rung]) -> tuple[np.ndarray, np.ndarray, float]:
    """c, a, b; their covariance; p-value of the misfit."""
    x = np.array([1 / rung.scale for rung in group])
    ratio = np.array([rung.claim.ratio for rung in group])
    error = np.array([rung.claim.standard_error / rung.claim.predicted for rung in group])
    design = np.vander(x, 3, increasing=True) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    found = covariance @ design.T @ (ratio / error)
    left = float(np.sum((ratio / error - design @ found) ** 2))
    freedom = len(group) - 3
    return found, covariance, float(chdtrc(freedom, left)) if freedom else math.nan
