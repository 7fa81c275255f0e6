"""Seen and predicted growth of every model's error over the second half of the generations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, lost_note, ratio_claim
from mcjax.verdicts.tails import HEAVY, dominated


@dataclass(frozen=True)
class Growth:
    """Slope of a model's MSE per generation, from generation T // 2 to T.

    Attributes
    ----------
    empirical: its estimate; standard_error: from the chains, which both ends share.
    predicted: the same slope by ``law``.
    """

    condition: str
    model: str
    law: str
    empirical: float
    standard_error: float
    predicted: float


def growth_of(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome
) -> list[Growth]:
    """The slopes of one condition by one law; none if there is but one generation.

    The variance of a difference of two generations needs their covariance over chains, because a
    chain that is far off stays far off.
    """
    across = outcome.moments.across
    first, last = _ends(law)
    if last == first:
        return []
    found = []
    for i, model in enumerate(models):
        chains = int(across.chains[i])
        spread = across.square[i]
        variance = spread[last, last] + spread[first, first] - 2 * spread[first, last]
        error = math.sqrt(max(variance, 0.0) / (chains * (chains - 1))) if chains > 1 else math.inf
        seen = across.mean[i, last] - across.mean[i, first] if chains else np.nan
        predicted = law.mse[last, i] - law.mse[first, i]
        steps = last - first
        found.append(
            Growth(
                condition,
                model,
                law.law,
                float(seen / steps),
                error / steps,
                float(predicted / steps),
            )
        )
    return found


def growth_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """The slope of every model that collapses by the law, as a ratio."""
    first, last = _ends(law)
    heavy = dominated(outcome)[last] > 0
    allowed = np.broadcast_to(law.allowance, law.mse.shape)[last]
    claims = []
    for i, slope in enumerate(growth_of(condition, models, law, outcome)):
        if math.isnan(law.growth[i]):
            continue
        # the errors of the two ends of a prediction, as if they were independent
        theirs = math.hypot(*law.standard_error[[first, last], i]) / (last - first)
        chains = int(outcome.moments.across.chains[i])
        claims.append(
            ratio_claim(
                (condition, slope.model, last, "growth", law.law),
                (slope.empirical, slope.standard_error),
                (slope.predicted, theirs),
                tolerance,
                chains,
                outcome.chains - chains,
                lost_note(chains, outcome.chains, tolerance) or (HEAVY if heavy[i] else ""),
                float(allowed[i]),
            )
        )
    return claims


def _ends(law: Prediction) -> tuple[int, int]:
    last = len(law.mse) - 1
    return last // 2, last
