"""The mean squared error of every model at every generation, as a ratio to a law's."""

from __future__ import annotations

import math

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, lost_note, ratio_claim
from mcjax.verdicts.tails import ALIKE, HEAVY, alike, dominated


def mse_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """One claim for each model and generation."""
    squared = outcome.moments.squared
    allowed = np.broadcast_to(law.allowance, law.mse.shape)
    error, heavy = squared.standard_error(), dominated(outcome) > 0
    same, claims = alike(squared), []
    for t in range(len(law.mse)):
        for i, model in enumerate(models):
            chains = int(squared.chains[t, i])
            note = lost_note(chains, outcome.chains, tolerance)
            if not note and same[t, i]:
                note = ALIKE
            claims.append(
                ratio_claim(
                    (condition, model, t, "mse", law.law),
                    (float(squared.mean[t, i]) if chains else math.nan, float(error[t, i])),
                    (float(law.mse[t, i]), float(law.standard_error[t, i])),
                    tolerance,
                    chains,
                    outcome.chains - chains,
                    note or (HEAVY if heavy[t, i] else ""),
                    float(allowed[t, i]),
                )
            )
    return claims
