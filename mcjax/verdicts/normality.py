"""Whether errors at the last generation have the normal distribution that a law says.

An asymptotic law of M-estimators says more than moments: errors are normal. Whitened by its
covariance and less their mean, each coordinate of a model's error has the standard normal
distribution function, if the law is right; the quantity is the largest distance between that and
the chains' own (Kolmogorov), over coordinates. The claim is that it is at most the tolerance. Its
interval is that of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (Annals of Probability 18,
1990): the chains' distribution function is nowhere more than eps from the true one, but with
probability ``2 exp(-2 K eps^2)`` for K chains. (That the mean is taken off makes it narrower than
told, not wider, to first order.) Skewness is of the order of 1/sqrt(n), so an asymptotic law is
allowed the root of what it is allowed for second moments.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Interval, lost_note, more_chains
from mcjax.verdicts.covariance import whitened


def normality_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """One for each model, if the law is about a normal limit."""
    if not law.asymptotic:
        return []
    w, _, note = whitened(law, outcome)
    note = note or lost_note(len(w), len(outcome.sample), tolerance)
    last = len(law.mse) - 1
    allowed = np.sqrt(np.broadcast_to(law.allowance, law.mse.shape)[last])
    return [
        _claim(
            (condition, model, last, "normality", law.law),
            w[:, i],
            outcome,
            tolerance,
            note,
            float(allowed[i]),
        )
        for i, model in enumerate(models)
    ]


def _claim(
    place: tuple[str, str, int, str, str],
    w: np.ndarray,
    outcome: Outcome,
    tolerance: float,
    note: str,
    allowed: float,
) -> Claim:
    chains, p = w.shape
    distance = math.nan if note else float(kolmogorov(w).max())
    off = distance - tolerance

    def p_value(beyond: float) -> float:
        if note or not beyond > 0:
            return 1.0
        return min(1.0, 2 * p * math.exp(-2 * chains * beyond**2))

    def half(level: float) -> float:
        return math.sqrt(math.log(2 * p / level) / (2 * chains))

    def interval(level: float) -> Interval:
        return max(0.0, distance - half(level)), distance + half(level)

    return Claim(
        place=place,
        empirical=distance,
        standard_error=0.5 / math.sqrt(max(chains, 1)),
        predicted=0.0,
        ratio=math.nan,
        within=p_value(-off),
        beyond=p_value(off - allowed),
        interval=interval,
        factor=lambda level: more_chains(half(level), max(-off, off - allowed)),
        chains=chains,
        lost=len(outcome.sample) - chains,
        note=note,
    )


def kolmogorov(w: np.ndarray) -> np.ndarray:
    """Largest distance of each column's distribution function from the normal one."""
    expected = ndtr(np.sort(w, axis=0))
    above = np.arange(1, len(w) + 1)[:, None] / len(w)
    return np.maximum(above - expected, expected - (above - 1 / len(w))).max(0)
