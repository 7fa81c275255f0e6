"""The bias of every model: whether its mean error is the one that a law predicts.

A law without bias predicts ``E e = 0``. The quantity is the departure of the mean error in units of
the spread, ``D = sqrt(m' C^-1 m)``, where m is the mean error minus the law's, and C is the
covariance of the model's errors. D is the largest bias of any linear combination of parameters,
relative to its standard deviation. The claim is ``D <= tolerance``.

For normal errors of n chains, with Hotelling's ``T^2 = n m' C^-1 m``, the statistic
``(n - p) / (p (n - 1)) T^2`` has the noncentral F distribution with (p, n - p) degrees of freedom
and noncentrality ``n D^2`` (Anderson, "An Introduction to Multivariate Statistical Analysis", 2003,
5.2). For other errors this holds approximately, by the central limit theorem. Plans take T^2 to be
noncentral chi-squared.

The first-order law around the truth leaves out biases of order 1/n, which are of order 1/sqrt(n)
in units of the spread. Where the second-order law knows them, the allowance is their D, and what
that law neglects: its remainder for variances, of order ``X^2``, over the root of X. Around centres
that are not the truth, the first-order law predicts these biases itself where it can
(:mod:`mcjax.laws.first_order.path_bias`), and the allowance is what it neglects of them. Elsewhere
it is the square root of the allowance for second moments.

The mean of a law that simulates has an error of its own, with covariance V over its draws. Then m
has the covariance C / n + V. This is at most C / n' with ``1 / n' = 1 / n + v``, where v is the
largest eigenvalue of ``C^-1 V``, and n' takes the place of n. That estimate has Welch's degrees of
freedom f, and ``(f + 1 - p) / (p f) T^2`` the F distribution with (p, f + 1 - p).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import chdtri, chndtr, chndtrix, ncfdtr, ndtr, ndtri

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import SMALLEST, Prediction
from mcjax.solvers.conditioning import condition_number
from mcjax.verdicts.claims import ALLOWED, LAW_ERROR, Claim, Interval, Place
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount, count_chains
from mcjax.verdicts.estimates import Estimate, welch
from mcjax.verdicts.further_chains import EXPECTED_POWER
from mcjax.verdicts.planning import VectorCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import own_blocks
from mcjax.verdicts.whitening import BEYOND, ROUNDING, range_of


class BiasCells(VectorCells):
    """Cells about D, for which T^2 is chi-squared if there is no bias."""

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains below which a study makes no claim at a level."""
        return self.p + 2.0

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, at which a claim is decided."""
        return -float(ndtri(level / 2)) + math.sqrt(float(chdtri(self.p, miss)))


class Bias(Quantity):
    """Claims about the mean error, one for each generation and model."""

    name = "bias"
    unit = "standard deviations"
    in_all_directions = True

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the mean error of every model is the predicted one, at every generation."""
        prediction, tolerance = comparison.prediction, comparison.tolerance
        mean = outcome.moments.error.mean
        departure = mean - prediction.bias
        second = own_blocks(outcome)
        allowance = allowance_of_means(comparison)
        ranks, blocks = prediction.rank, prediction.own_covariances
        chains, law_error = outcome.moments.squared.chains, error_of_mean(prediction)
        for t, i in np.ndindex(*prediction.mse.shape):
            count = count_chains(int(chains[t, i]), outcome.chains, tolerance)
            if prediction.mse[t, i] == 0:
                count = count._replace(note="the law predicts 0")
            off, centre, square = departure[t, i], mean[t, i], second[t, i]
            if 0 < ranks[t, i] < len(off):
                basis = range_of(blocks[t, i])
                off, centre, square = basis @ off, basis @ centre, basis @ square @ basis.T
                out = np.linalg.norm(departure[t, i] - basis.T @ off)
                if out > ROUNDING * np.sqrt(np.trace(blocks[t, i])):
                    count = count.unless(BEYOND)
            yield _claim(
                comparison.place(self.name, t, i),
                departure=off,
                mean=centre,
                second=square,
                tolerance=tolerance,
                count=count,
                allowance=float(allowance[t, i]),
                law_error=float(law_error[t, i]),
                batches=len(prediction.versions),
            )

    def planned(self, comparison: Comparison) -> list[BiasCells]:
        """Plan every cell; no number of chains suffices where nothing varies."""
        ranks = comparison.prediction.rank.ravel()
        spread = np.where(ranks > 0, 1.0, np.inf)
        return [
            BiasCells(
                self.name,
                spread=spread,
                error=error_of_mean(comparison.prediction).ravel(),
                allowance=allowance_of_means(comparison).ravel(),
                parameters=np.maximum(ranks, 1),
            )
        ]

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        blocks, departure = truth.own_covariances, truth.bias - comparison.prediction.bias
        edge = comparison.tolerance + allowance_of_means(comparison)
        law_error = error_of_mean(comparison.prediction)
        chances = []
        for t, i in np.ndindex(*edge.shape):
            if condition_number(blocks[t, i]) < 1e12:
                ahead = np.linalg.solve(blocks[t, i], departure[t, i])
                distance = float(departure[t, i] @ ahead)
                chances.append(
                    _hotelling(
                        blocks.shape[-1],
                        distance,
                        edge=float(edge[t, i]),
                        level=level,
                        law_error=float(law_error[t, i]),
                    )
                )
        return chances


def allowance_of_means(comparison: Comparison) -> Float[np.ndarray, "T+1 M"]:
    """Return how large D may be because samples are finite, (T + 1, M)."""
    if not isinstance(comparison.prediction.small_samples, str):
        return comparison.prediction.small_samples.allowance
    if comparison.finer is None or comparison.validity is None:
        return np.sqrt(comparison.allowance)
    base, validity = comparison.base, comparison.validity
    off = (comparison.finer.bias - base.bias)[..., None]
    square = (off * np.linalg.solve(base.own_covariances, off)).sum((-2, -1))
    return np.asarray(np.sqrt(np.maximum(square, 0)) + validity.of_odd_moments)


def error_of_mean(prediction: Prediction) -> Float[np.ndarray, "T+1 M"]:
    """Return the root of v: the law's error in the direction in which it is largest, (T + 1, M).

    It is in units of the standard deviation that the law predicts for that direction.
    """
    deviations = prediction.deviations(lambda law: law.bias)
    if not deviations.any():
        return np.zeros(prediction.mse.shape)
    covariance = np.einsum("ktia,ktib->tiab", deviations, deviations)
    blocks = prediction.own_covariances
    known = np.isfinite(blocks).all((-2, -1), keepdims=True)
    inverse = np.linalg.pinv(np.where(known, blocks, 0.0), SMALLEST, hermitian=True)
    return np.sqrt(np.maximum(np.linalg.eigvals(inverse @ covariance).real, 0).max(-1))


def _claim(
    place: Place,
    *,
    departure: np.ndarray,
    mean: np.ndarray,
    second: np.ndarray,
    tolerance: float,
    count: ChainCount,
    allowance: float,
    law_error: float,
    batches: int,
) -> Claim:
    p, chains = len(departure), count.counted
    statistic = math.nan
    if chains > p + 1 and not count.note:
        spread = (second - np.outer(mean, mean)) * chains / (chains - 1)
        values = np.linalg.eigvalsh(spread) if np.isfinite(spread).all() else np.zeros(1)
        # if all chains are alike, the difference above is rounding error, relative to the moments
        if values[0] > 1e-12 * max(values[-1], np.trace(second)):
            statistic = float(departure @ np.linalg.solve(spread, departure))
    if not math.isfinite(statistic):
        count = count.unless(
            "too few chains to estimate the covariance of the errors, or the covariance is singular"
        )

    def below(distance: float, more: float = 1.0) -> float:
        """Return the probability that the statistic is at most the observed one.

        The probability is for D equal to ``distance`` and ``more`` times as many chains.
        """
        n = more * chains
        worth = _worth(n, law_error)
        freedom = float(welch(1 - worth / n, n - 1, batches))
        left = max(freedom + 1 - p, 1.0)
        observed, noncentral = worth * left / (p * freedom) * statistic, worth * distance**2
        value = float(ncfdtr(p, left, noncentral, observed))
        return value if math.isfinite(value) else _patnaik(p, noncentral, p * observed)

    def within(more: float = 1.0) -> float:
        return 1.0 if count.note else min(1.0, 2 * below(tolerance, more))

    def beyond(more: float = 1.0) -> float:
        return 1.0 if count.note else min(1.0, 2 * (1 - below(tolerance + allowance, more)))

    # without bias, T^2 / n is p / (n - p) on average
    worth = _worth(chains, law_error)
    excess = p / max(worth - p, 1)
    estimate = math.nan if count.note else math.sqrt(max(0.0, statistic - excess))

    def factor(level: float) -> float:
        p_value = within if math.sqrt(statistic) < tolerance else beyond
        most = next((2.0**k for k in range(1, 31) if p_value(2.0**k) < level), math.inf)
        if math.isinf(most):
            return math.inf
        return float(brentq(lambda more: p_value(more) - level, 1.0, most))

    interval = _interval(below, estimate)

    def expected(level: float) -> float:
        if count.note or interval(level)[0] > 0:
            return math.nan
        reach = -float(ndtri(level / 2)) + math.sqrt(float(chdtri(p, 1 - EXPECTED_POWER)))
        room = (tolerance / reach) ** 2 - law_error**2
        return 1 / (chains * room) if room > 0 else math.inf

    return Claim(
        place=place,
        observed=Estimate(estimate, 1 / math.sqrt(max(worth, 1))),
        predicted=0.0,
        within=within(),
        beyond=beyond(),
        interval=interval,
        factor=factor,
        count=count,
        expected=expected,
        hopeless=LAW_ERROR if law_error else ALLOWED,
    )


def _worth(chains: float, law_error: float) -> float:
    """Return n', the chains after whose number a law without error would be known as well."""
    return chains / (1 + chains * law_error**2)


def _patnaik(freedom: int, noncentral: float, x: float) -> float:
    """Return the noncentral chi-squared distribution function in its far tails.

    Uses Patnaik's moment approximation (Biometrika 36, 1949) with Fisher's square root, because
    SciPy's noncentral F distribution is not finite there.
    """
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


def _hotelling(p: int, distance: float, *, edge: float, level: float, law_error: float) -> Chance:
    """Return the chance that D is found to lie beyond an edge if D^2 is ``distance``."""

    def chance(n: float) -> float:
        # farther out SciPy's functions are not finite
        n = min(_worth(n, law_error), 1e6 / max(distance, edge**2))
        critical = float(chndtrix(1 - level / 2, p, n * edge**2))
        value = 1 - float(chndtr(critical, p, n * distance))
        return value if math.isfinite(value) else 0.0

    return chance


QUANTITY = Bias()
