"""Relative efficiency of every model: the MSE of the estimator that holds all real data over its
own.

The former is a law's number, of least squares or the M-estimator on all real samples of a
generation in one pool, its bias included where truths differ; the latter is simulated. The claim is
about their quotient, as a ratio to the law's, with the standard error ``eff se(mse) / mse``.
"""

from __future__ import annotations

import math

import numpy as np

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, lost_note, ratio_claim
from mcjax.verdicts.tails import ALIKE, HEAVY, alike, dominated


def efficiency_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """One for each model and generation, if the law knows the pooled estimator."""
    if law.pooled is None:
        return []
    squared = outcome.moments.squared
    allowed = np.broadcast_to(law.allowance, law.mse.shape)
    errors, heavy = squared.standard_error(), dominated(outcome) > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # of a law that predicts no error
        told = law.pooled / law.mse
        theirs = told * law.standard_error / law.mse
    same, claims = alike(squared), []
    for t, i in np.ndindex(*law.mse.shape):
        chains, mse = int(squared.chains[t, i]), float(squared.mean[t, i])
        seen = law.pooled / mse if chains and mse > 0 else math.nan
        note = lost_note(chains, outcome.chains, tolerance)
        if not note and same[t, i]:
            note = ALIKE
        claims.append(
            ratio_claim(
                (condition, models[i], t, "efficiency", law.law),
                (seen, seen * float(errors[t, i]) / mse if mse > 0 else math.inf),
                (float(told[t, i]), float(theirs[t, i])),
                tolerance,
                chains,
                outcome.chains - chains,
                note or (HEAVY if heavy[t, i] else ""),
                float(allowed[t, i]),
            )
        )
    return claims
