"""The covariance of all models' errors at the last generation, whitened by a law's.

With L_i a root of the law's covariance of model i, ``w_i = L_i^-1 e_i`` has the identity as its own
covariance, and ``R_ik = L_i^-1 C_ik L_k^-T`` with another model, if the law is right. Two claims:

``covariance`` of model i: every entry of the covariance of w_i is within the tolerance of the
identity's, and so are its variances in two further directions: those in which one half of the
chains spread most and least, with the variance of the other half, so that looking for an extreme
does not make one. (They are close to the extreme eigenvalues where there are many more chains than
parameters squared over tolerance squared, and no bound on them.)

``cross_covariance`` of model i: every entry of its covariance with every other w_k is within the
tolerance of R_ik.

A claim about all of several numbers is verified when each of them is, at the same level (an
intersection-union test, Berger 1982), and refuted when one of m is at that level over m
(Bonferroni). Standard errors are those of means of products over chains, that is, from fourth
moments. Mean errors are no part of this; see :mod:`mcjax.verdicts.bias`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtr, stdtrit

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Interval, lost_note, more_chains
from mcjax.verdicts.tails import ALIKE, HEAVY, dominated

FEWEST = 30
"""Chains without which no covariance is judged."""


def covariance_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """Two claims for each model, or one if there is but one model."""
    last = len(law.mse) - 1
    w, between, note = whitened(law, outcome)
    note = note or lost_note(len(w), len(outcome.sample), tolerance)
    heavy = np.where(dominated(outcome)[last] > 0, HEAVY, "")
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = law.standard_error[last] / law.mse[last]  # relative, of the prediction
    claims = []
    for i, model in enumerate(models):
        quantities = {"covariance": heavy[i]}
        if len(models) > 1:
            quantities["cross_covariance"] = max(heavy)
        for quantity, tail in quantities.items():
            numbers = np.full((3, 1), math.nan)
            if not note:
                numbers = _own(w[:, i]) if quantity == "covariance" else _cross(w, between, i)
            error = theirs[i] if quantity == "covariance" else theirs.max()
            numbers[2] = np.hypot(numbers[2], np.abs(numbers[1]) * error)
            why = note or str(tail) or ("" if (numbers[2] > 0).all() else ALIKE)
            place = (condition, model, last, quantity, law.law)
            allowed = float(np.broadcast_to(law.allowance, law.mse.shape)[last, i])
            claims.append(_claim(place, numbers, len(w), outcome, tolerance, why, allowed))
    return claims


def whitened(law: Prediction, outcome: Outcome) -> tuple[np.ndarray, np.ndarray, str]:
    """Errors of the kept chains whitened model by model, less their mean, (K, M, p); R,
    (M, p, M, p); and why there is none."""
    _, size, p = outcome.sample.shape
    predicted = law.covariance[-1].reshape(size, p, size, p)
    own = np.einsum("iaib->iab", predicted)
    sample = outcome.sample[np.isfinite(outcome.sample).all((1, 2))].astype(float)
    if not (np.isfinite(own).all() and (np.linalg.cond(own) < 1e12).all()):
        return sample, predicted, "the covariance of the law is singular or infinite"
    if len(sample) < FEWEST:
        return sample, predicted, f"fewer than {FEWEST} chains have every estimate"
    inverse = np.linalg.inv(np.linalg.cholesky(own))
    w = np.einsum("iab,kib->kia", inverse, sample)
    between = np.einsum("iab,ibkc,kdc->iakd", inverse, predicted, inverse, optimize=True)
    return w - w.mean(0), between, ""


def _own(w: np.ndarray) -> np.ndarray:
    """Entries of one model's covariance and its extremes: seen, told, standard errors, (3, m)."""
    half, p = len(w) // 2, w.shape[1]
    _, directions = np.linalg.eigh(w[:half].T @ w[:half])
    extremes = w[half:] @ directions[:, [0, -1]]
    rows, columns = np.tril_indices(p)
    entries = _mean(w[:, rows] * w[:, columns], (rows == columns).astype(float))
    return entries if p == 1 else np.hstack([entries, _mean(extremes**2, np.ones(2))])


def _cross(w: np.ndarray, between: np.ndarray, i: int) -> np.ndarray:
    """The same of one model's covariances with the others."""
    found = [
        _mean((w[:, i, :, None] * w[:, k, None, :]).reshape(len(w), -1), between[i, :, k].ravel())
        for k in range(w.shape[1])
        if k != i
    ]
    return np.hstack(found)


def _mean(products: np.ndarray, told: np.ndarray) -> np.ndarray:
    error = products.std(0, ddof=1) / math.sqrt(len(products))
    return np.stack([products.mean(0), told, error])


def _claim(
    place: tuple[str, str, int, str, str],
    numbers: np.ndarray,
    chains: int,
    outcome: Outcome,
    tolerance: float,
    note: str,
    allowed: float,
) -> Claim:
    seen, told, error = numbers
    off = seen - told
    spread, freedom = np.maximum(error, 1e-300), max(chains // 2 - 1, 1)
    worst = int(np.argmax((np.abs(off) - tolerance) / spread)) if not note else 0
    inside = tolerance - np.abs(off)
    beyond = -inside - allowed

    def p_values(distance: np.ndarray) -> np.ndarray:
        tail = 2 * stdtr(freedom, -np.abs(distance) / spread)
        return np.where(distance > 0, tail, 1.0)

    outside = min(1.0, len(off) * float(p_values(beyond).min()))

    every = float(p_values(inside).max())

    def halves(level: float) -> np.ndarray:
        return -stdtrit(freedom, level / 2) * spread

    def interval(level: float) -> Interval:
        if outside < level:
            half = halves(level / len(off))[worst]
            return float(off[worst] - half), float(off[worst] + half)
        half = halves(level if every < level else level / len(off))
        return float((off - half).min()), float((off + half).max())

    def factor(level: float) -> float:
        if (beyond > 0).any():
            reach = zip(halves(level / len(off)), beyond, strict=True)
            return min(more_chains(float(a), float(b)) for a, b in reach)
        reach = zip(halves(level), inside, strict=True)
        return max(more_chains(float(a), float(b)) for a, b in reach)

    return Claim(
        place=place,
        empirical=float(seen[worst]),
        standard_error=float(error[worst]),
        predicted=float(told[worst]),
        ratio=math.nan,
        within=1.0 if note else every,
        beyond=1.0 if note else outside,
        interval=interval,
        factor=factor,
        chains=chains,
        lost=len(outcome.sample) - chains,
        note=note,
    )
