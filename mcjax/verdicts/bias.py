"""Whether estimates are centred where a law says.

A law without bias says ``E e = 0``. What is judged is how far the mean is off, in units of the
spread: ``D = sqrt(m' C^-1 m)`` for the mean m, less the law's, and the covariance C of a model's
errors, the largest bias of any linear combination of parameters as a share of its standard
deviation. The claim is ``D <= tolerance``.

Hotelling's ``T^2 = n m' C^-1 m`` of n chains is, for normal errors, such that
``(n - p) / (p (n - 1)) T^2`` has the noncentral F distribution with (p, n - p) degrees of freedom
and noncentrality ``n D^2`` (Anderson, "An Introduction to Multivariate Statistical Analysis", 2003,
5.2); for others, by the central limit theorem. Biases are of the order of 1/n and spreads of
1/sqrt(n), so an asymptotic law is allowed the root of what it is allowed for second moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq
from scipy.special import ncfdtr, ndtr

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, Interval, lost_note
from mcjax.verdicts.tails import own_blocks


def bias_claims(
    condition: str, models: tuple[str, ...], law: Prediction, outcome: Outcome, tolerance: float
) -> list[Claim]:
    """Of every model at every generation."""
    mean = outcome.moments.error.mean
    told = np.zeros_like(mean) if law.mean is None else law.mean
    second = own_blocks(outcome)
    allowed = np.sqrt(np.broadcast_to(law.allowance, law.mse.shape))
    chains = outcome.moments.squared.chains
    return [
        _claim(
            (condition, model, t, "bias", law.law),
            mean[t, i] - told[t, i],
            mean[t, i],
            second[t, i],
            int(chains[t, i]),
            outcome.chains,
            tolerance,
            float(allowed[t, i]),
            "the law predicts 0" if law.mse[t, i] == 0 else "",
        )
        for t in range(len(law.mse))
        for i, model in enumerate(models)
    ]


def _claim(
    place: tuple[str, str, int, str, str],
    off: np.ndarray,
    mean: np.ndarray,
    second: np.ndarray,
    chains: int,
    drawn: int,
    tolerance: float,
    allowed: float,
    silent: str,
) -> Claim:
    p = len(off)
    statistic, note = math.nan, silent or lost_note(chains, drawn, tolerance)
    if chains > p + 1 and not note:
        spread = (second - np.outer(mean, mean)) * chains / (chains - 1)
        values = np.linalg.eigvalsh(spread) if np.isfinite(spread).all() else np.zeros(1)
        # of chains that are all alike the difference above is rounding, a share of the moments
        if values[0] > 1e-12 * max(values[-1], np.trace(second)):
            statistic = float(off @ np.linalg.solve(spread, off))
    if not note and not math.isfinite(statistic):
        note = "too few chains for the covariance of the errors, or a singular one"

    def below(distance: float, more: float = 1.0) -> float:
        """Probability of a statistic no larger than that seen, if D were ``distance``, with so many
        times the chains."""
        n = more * chains
        seen, noncentral = n * (n - p) / (p * (n - 1)) * statistic, n * distance**2
        found = float(ncfdtr(p, n - p, noncentral, seen))
        return found if math.isfinite(found) else _patnaik(p, noncentral, p * seen)

    def within(more: float = 1.0) -> float:
        return 1.0 if note else min(1.0, 2 * below(tolerance, more))

    def beyond(more: float = 1.0) -> float:
        return 1.0 if note else min(1.0, 2 * (1 - below(tolerance + allowed, more)))

    # without bias, T^2 / n is p / (n - p) on average
    estimate = math.sqrt(max(0.0, statistic - p / max(chains - p, 1))) if not note else math.nan

    def factor(level: float) -> float:
        p_value = within if math.sqrt(statistic) < tolerance else beyond
        most = next((2.0**k for k in range(1, 31) if p_value(2.0**k) < level), math.inf)
        if math.isinf(most):
            return math.inf
        return float(brentq(lambda more: p_value(more) - level, 1.0, most))

    return Claim(
        place=place,
        empirical=estimate,
        standard_error=1 / math.sqrt(max(chains, 1)),
        predicted=0.0,
        ratio=math.nan,
        within=within(),
        beyond=beyond(),
        interval=_interval(below, estimate),
        factor=factor,
        chains=chains,
        lost=drawn - chains,
        note=note,
    )


def _patnaik(freedom: int, noncentral: float, x: float) -> float:
    """Noncentral chi-squared distribution function, by moments (Patnaik, Biometrika 36, 1949) and
    Fisher's root: for the far tails, in which scipy's noncentral F has no value."""
    mean, share = freedom + noncentral, (freedom + 2 * noncentral) / (freedom + noncentral)
    return float(ndtr(math.sqrt(2 * x / share) - math.sqrt(max(2 * mean / share - 1, 0))))


def _interval(below: Callable[[float], float], estimate: float) -> Callable[[float], Interval]:
    def bound(probability: float) -> float:
        high = max(2 * estimate, 1e-3)
        while below(high) > probability:
            high *= 2
        return float(brentq(lambda d: below(d) - probability, 0.0, high, xtol=1e-9))

    def interval(level: float) -> Interval:
        low = 0.0 if below(0.0) <= 1 - level / 2 else bound(1 - level / 2)
        high = 0.0 if below(0.0) <= level / 2 else bound(level / 2)
        return low, high

    return interval
