"""Equivalence verdicts: verified, refuted or inconclusive, under one error budget.

For each cell, the ratio r of the simulated to the predicted value has a confidence interval. The
law is *verified* in the cell if the whole interval lies inside 1 +- delta, *refuted* if it lies
wholly outside, and *inconclusive* otherwise. Either verdict can be wrong: each rejects a null
hypothesis that compares |r - 1| with delta. Holm's step-down procedure (Scandinavian Journal of
Statistics 6, 1979) bounds the probability of any wrong verdict in the family by 1 - confidence.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

Verdict = Literal["verified", "refuted", "inconclusive"]
VERIFIED: Final = "verified"
REFUTED: Final = "refuted"
INCONCLUSIVE: Final = "inconclusive"


def holm(
    p_values: Float[np.ndarray, " N"], alpha: float
) -> tuple[Float[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
    """Reject hypotheses by Holm's step-down procedure.

    Of N hypotheses, the one with the k-th smallest p-value has level ``alpha / (N - k + 1)``. The
    procedure stops at the first hypothesis that is not rejected; all later ones have its level.

    Parameters
    ----------
    p_values : ndarray of shape (N,)
        The p-value of each hypothesis.
    alpha : float
        Bound on the probability that any true hypothesis is rejected.

    Returns
    -------
    levels : ndarray of shape (N,)
        The level of each hypothesis.
    rejected : ndarray of bool, shape (N,)
        Which hypotheses are rejected.
    """
    level = np.empty(len(p_values))
    rejected = np.zeros(len(p_values), bool)
    reached = 0.0
    undecided = False
    for k, cell in enumerate(np.argsort(p_values, kind="stable")):
        if not undecided:
            reached = alpha / (len(p_values) - k)
            undecided = bool(p_values[cell] >= reached)
        level[cell] = reached
        rejected[cell] = not undecided
    return level, rejected


def worst(verdicts: Shaped[np.ndarray, " N"]) -> Verdict:
    """Return "refuted" if any verdict is, "verified" if all are, otherwise "inconclusive".

    Without any verdict the result is "inconclusive".
    """
    if (verdicts == REFUTED).any():
        return REFUTED
    return VERIFIED if len(verdicts) and (verdicts == VERIFIED).all() else INCONCLUSIVE
