"""Equivalence verdicts: verified, refuted or inconclusive, under one error budget.

For each cell the ratio r of the simulated to the predicted value has an interval. The law is
*verified* in the cell when the whole interval lies inside 1 +- delta, *refuted* when it lies
wholly outside, *inconclusive* otherwise. Both verdicts are claims that can be wrong: each rejects
a null hypothesis about |r - 1| against delta. Holm's step-down procedure (Scandinavian Journal of
Statistics 6, 1979) bounds the probability of any wrong claim in the family by 1 - confidence.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

Verdict = Literal["verified", "refuted", "inconclusive"]
VERIFIED: Final = "verified"
REFUTED: Final = "refuted"
INCONCLUSIVE: Final = "inconclusive"


def decide(
    estimate: np.ndarray,
    error: np.ndarray,
    chains: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    confidence: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Judge a family of claims that each estimate's mean lies between two bounds.

    Each interval is Student's, two-sided, at the level that Holm's procedure gives the cell, see
    :func:`holm`; so interval and verdict always agree.

    Parameters
    ----------
    estimate, error : ndarray of shape (K,)
        Estimates and their standard errors; a cell that is not finite is inconclusive, with an
        infinite interval.
    chains : ndarray of shape (K,)
        Chains behind each estimate; its error has one degree of freedom less.
    lower, upper : ndarray of shape (K,)
        Bounds, of which one may be infinite.
    confidence : float
        Of all claims together.

    Returns
    -------
    verdicts : ndarray of str, shape (K,)
        One of each claim.
    low, high : ndarray of shape (K,)
        Ends of the intervals.
    """
    alpha = 1 - confidence
    usable = np.isfinite(estimate) & np.isfinite(error) & (chains >= 2)
    freedom = np.maximum(chains - 1, 1)
    centre = np.where(usable, estimate, 1.0)
    spread = np.where(usable, np.maximum(error, 1e-300), np.inf)
    distance = np.minimum(np.abs(centre - lower), np.abs(centre - upper))
    level, _ = holm(np.where(usable, 2 * stdtr(freedom, -distance / spread), 1.0), alpha)
    half = -stdtrit(freedom, level / 2) * spread
    low = np.where(usable, centre - half, -np.inf)
    high = np.where(usable, centre + half, np.inf)
    inside = (low > lower) & (high < upper)
    outside = (high < lower) | (low > upper)
    verdicts = np.where(inside, VERIFIED, np.where(outside, REFUTED, INCONCLUSIVE))
    return verdicts, low, high


def holm(p_values: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Reject hypotheses by Holm's step-down procedure.

    The hypothesis of rank k by p-value (the smallest first) has level ``alpha / (K - k + 1)``, and
    from the first that is not rejected on all keep its level.

    Parameters
    ----------
    p_values : ndarray of shape (K,)
        One of each hypothesis.
    alpha : float
        Bound on the probability that any true hypothesis is rejected.

    Returns
    -------
    levels : ndarray of shape (K,)
        The level of each hypothesis.
    rejected : ndarray of bool, shape (K,)
        Which of them are rejected.
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


def worst(verdicts: np.ndarray) -> Verdict:
    """Return refuted if any is, verified if all are, else inconclusive (also if there are none)."""
    if (verdicts == REFUTED).any():
        return REFUTED
    return VERIFIED if len(verdicts) and (verdicts == VERIFIED).all() else INCONCLUSIVE
