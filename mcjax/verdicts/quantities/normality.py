"""Normality: whether errors at the last generation have the predicted normal distribution.

An asymptotic law of M-estimators predicts more than moments: errors are normal. If the law is
right, each coordinate of a model's error, centred and whitened by the law's covariance, is standard
normal. The quantity is the Kolmogorov distance between the standard normal distribution function
and that of the chains, maximised over coordinates, and the claim is that it is at most the
tolerance. Its interval is that of Dvoretzky, Kiefer & Wolfowitz with Massart's constant (Annals of
Probability 18, 1990): except with probability ``2 exp(-2 n eps^2)``, the distribution function of n
chains is nowhere more than eps from the true one. (To first order, subtracting the mean makes the
error smaller, not larger.)

An asymptotic law has an allowance that depends on the place x. By Edgeworth's expansion, a
skewness g and an excess kurtosis k move the distribution function by ::

    -phi(x) (g He2(x) / 6 + k He3(x) / 24 + g^2 He5(x) / 72) ,

and a variance v by ``Phi(x / sqrt(v)) - Phi(x)``. Where the second-order law is known, v lies
between 1 and its own, and g between 0 and its own, up to its remainders, and k is at most
``3 (g^2 + X)`` in size. (In simulations of the four families it was at most 0.93 of that.) So a
distribution function may depart farther to one side than to the other. Elsewhere, with a the
allowance for second moments, v is at most 1 + a, or at least the inverse of that, g is at most
``2.4 sqrt(a)`` on either side, and the last two terms are left out. (Without data lost to
separation, at most ``2.3 sqrt(a)`` was necessary for logistic regression with three parameters and
50 and 200 rows, and less for other families.) A distribution function is refuted if it departs from
the normal one by more than the tolerance and the allowance at any x. A law for exactly normal
errors has no allowance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from mcjax.engine.outcome import Outcome, kept
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import ALLOWED, LAW_ERROR, Claim, Interval, Place
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.further_chains import EXPECTED_POWER, more_chains
from mcjax.verdicts.planning import VectorCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.whitening import FEWEST_WHITENED, Whitened, planned_spread, whiten

MOST_SKEWNESS = 2.4
"""Skewness that a rule of thumb allows, over the root of its allowance for second moments."""
MOST_EXCESS = 3.0
"""Excess kurtosis that is allowed, over ``g^2 + X`` of the second-order law."""
STEEPEST = 1 / math.sqrt(8 * math.pi * math.e)
"""Largest derivative of a normal distribution function in the relative change of its variance. It
is reached one standard deviation from the mean."""
SMALLEST_LEVEL = 1e-300
GRID = np.linspace(-6, 6, 1201)
"""Places at which distribution functions are compared before there are chains."""


class NormalityCells(VectorCells):
    """Cells about a Kolmogorov distance."""

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains below which a study makes no claim at a level."""
        return float(FEWEST_WHITENED)

    def standard_errors(self, level: float, miss: float) -> float:
        """Return the distance to the margin, in standard errors, at which a claim is decided."""
        return sum(math.sqrt(math.log(2 * self.p / rate) / 2) for rate in (level, miss))


class Normality(Quantity):
    """Claims about the distribution of errors, one for each model."""

    name = "normality"
    unit = "between distribution functions"
    in_all_directions = True

    def speaks(self, prediction: Prediction) -> bool:
        """Return whether a law predicts normal errors, or a normal limit."""
        return prediction.asymptotic or prediction.normal

    def silence(self, comparison: Comparison) -> str:
        """Return that errors need not be normal, or an empty string."""
        return "" if self.speaks(comparison.prediction) else "the law predicts no distribution"

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that the errors of every model are normal at the last generation."""
        tolerance, last = comparison.tolerance, comparison.last
        whitened = whiten(comparison, outcome)
        law_error = _error_of_variances(whitened, comparison.prediction)
        for i, allowance in enumerate(_allowances(comparison)):
            yield _claim(
                comparison.place(self.name, last, i),
                whitened.errors[:, i],
                tolerance=tolerance,
                count=whitened.chains,
                allowance=allowance,
                law_error=float(law_error[i]),
            )

    def planned(self, comparison: Comparison) -> list[NormalityCells]:
        """Plan a cell for each model; no number of chains suffices if covariances are not alike."""
        ranks, spread = comparison.prediction.rank[-1], planned_spread(comparison.prediction)
        return [
            NormalityCells(
                self.name,
                spread=spread,
                error=np.zeros(len(spread)),
                allowance=np.array([a.at(GRID[:, None]).max() for a in _allowances(comparison)]),
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
        """Return the chances of refuting a law if another one is true, cell by cell.

        They are those at the likeliest place of the likeliest coordinate, which understates them.
        The chances are not known where a covariance is singular.
        """
        judged, true = (law.own_covariances[-1] for law in (comparison.prediction, truth))
        if not (np.linalg.cond(judged) < 1e12).all():
            return []
        roots = np.linalg.inv(np.linalg.cholesky(judged))
        variances = np.einsum("iab,ibc,iac->ia", roots, true, roots)
        most = kept(variances.size)
        return [
            _chance(variance, comparison.tolerance, allowance, level=level, most=most)
            for variance, allowance in zip(variances, _allowances(comparison), strict=True)
        ]


class Allowance(NamedTuple):
    """Allowance for the distance of each coordinate of an error from the standard normal law.

    Attributes
    ----------
    variance : ndarray, shape (2, r)
        Smallest and largest variance.
    skewness : ndarray, shape (2, r)
        Smallest and largest skewness.
    excess, square : ndarray, shape (r,)
        Largest excess kurtosis, and the squared skewness of the term of the same order.
    """

    variance: Float[np.ndarray, "2 r"]
    skewness: Float[np.ndarray, "2 r"]
    excess: Float[np.ndarray, " r"]
    square: Float[np.ndarray, " r"]

    def at(self, x: Float[np.ndarray, " K *r"]) -> Float[np.ndarray, " 2 K r"]:
        """Return how far each distribution function may lie above the normal one, and below it."""
        density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        spread = np.stack([ndtr(x / np.sqrt(v)) - ndtr(x) for v in self.variance])
        skewed = np.stack([g * (1 - x**2) * density / 6 for g in self.skewness])
        either = (
            self.excess * np.abs(x**3 - 3 * x) / 24
            + self.square * np.abs(x**5 - 10 * x**3 + 15 * x) / 72
        ) * density
        sides = [
            np.maximum((side * spread).max(0), 0) + np.maximum((side * skewed).max(0), 0) + either
            for side in (1, -1)
        ]
        return np.array(sides)


def _allowances(comparison: Comparison) -> list[Allowance]:
    """Return what each model is allowed at the last generation."""
    finer, validity = comparison.finer, comparison.validity
    if finer is None or validity is None:
        both, nothing = np.array([[-1.0], [1.0]]), np.zeros(1)
        return [
            Allowance(
                np.maximum((1 + a) ** both, np.finfo(float).tiny),
                MOST_SKEWNESS * np.sqrt(a) * both,
                nothing,
                nothing,
            )
            for a in comparison.allowance[-1]
        ]
    base, true = (law.own_covariances[-1] for law in (comparison.base, finer))
    maps = np.linalg.inv(np.linalg.cholesky(base))
    variances = np.einsum("iab,ibc,iac->ia", maps, true, maps)
    unknown, odd, indicator = (
        each[-1][:, None]
        for each in (validity.directed_remainder, validity.of_odd_moments, validity.directed)
    )
    skewness = validity.third.of(maps)
    least = np.maximum(np.minimum(variances, 1) - unknown, np.finfo(float).tiny)
    ends = np.minimum(skewness, 0) - odd, np.maximum(skewness, 0) + odd
    parts = (
        np.stack([least, np.maximum(variances, 1) + unknown], 1),
        np.stack(ends, 1),
        MOST_EXCESS * (skewness**2 + indicator),
        skewness**2,
    )
    return [Allowance(*(part[i] for part in parts)) for i in range(len(maps))]


def _chance(
    variance: Float[np.ndarray, " p"],
    tolerance: float,
    allowance: Allowance,
    *,
    level: float,
    most: int,
) -> Chance:
    """Return the chance that the distribution of whitened errors is found not to be normal.

    ``variance`` holds the true variances of the whitened coordinates.
    """
    true = ndtr(GRID[:, None] / np.sqrt(variance))
    departure = true - ndtr(GRID)[:, None]
    above, below = allowance.at(GRID[:, None])
    beyond = np.maximum(departure - above, -departure - below) - tolerance
    spread = np.sqrt(true * (1 - true))

    def chance(n: float) -> float:
        n = min(n, most)
        if n < FEWEST_WHITENED:
            return 0.0
        half = math.sqrt(math.log(2 * len(variance) / level) / (2 * n))
        return float(ndtr((beyond - half) * math.sqrt(n) / spread).max())

    return chance


def _error_of_variances(whitened: Whitened, law: Prediction) -> Float[np.ndarray, " M"]:
    """Return the largest standard error of a law's variances of each model's whitened errors."""
    variances = law.error_of(lambda one: np.einsum("iaia->ia", whitened.covariance_of(one)))
    return np.asarray(variances.max(-1))


def _claim(
    place: Place,
    errors: np.ndarray,
    *,
    tolerance: float,
    count: ChainCount,
    allowance: Allowance,
    law_error: float,
) -> Claim:
    chains, p = errors.shape
    distance, excess = math.nan, math.nan
    if not count.note:
        distance = float(kolmogorov(errors).max())
        excess = float(kolmogorov(errors, allowance).max()) - tolerance

    def of_law(level: float) -> float:
        """Return how far a distribution function is off by the law's own error, at a level."""
        return STEEPEST * law_error * -float(ndtri(level / 2))

    def half(level: float) -> float:
        return math.sqrt(math.log(2 * p / level) / (2 * chains)) + of_law(level)

    def p_value(beyond: float) -> float:
        if count.note or not beyond > 0:
            return 1.0
        if not law_error:
            return min(1.0, 2 * p * math.exp(-2 * chains * beyond**2))
        if half(1.0) >= beyond:
            return 1.0
        if half(SMALLEST_LEVEL) <= beyond:
            return SMALLEST_LEVEL
        return float(brentq(lambda level: half(level) - beyond, SMALLEST_LEVEL, 1.0))

    def interval(level: float) -> Interval:
        return max(0.0, distance - half(level)), distance + half(level)

    def expected(level: float) -> float:
        if not distance <= half(level):
            return math.nan
        reach = sum(math.sqrt(math.log(2 * p / rate) / 2) for rate in (level, 1 - EXPECTED_POWER))
        return more_chains(reach / math.sqrt(chains), tolerance - of_law(level))

    return Claim(
        place=place,
        observed=Estimate(distance, 0.5 / math.sqrt(max(chains, 1))),
        predicted=0.0,
        within=p_value(tolerance - distance),
        beyond=p_value(excess),
        interval=interval,
        factor=lambda level: more_chains(
            half(level) - of_law(level), max(tolerance - distance, excess) - of_law(level)
        ),
        count=count,
        expected=expected,
        hopeless=LAW_ERROR if law_error else ALLOWED,
    )


def kolmogorov(
    errors: Float[np.ndarray, "C p"], allowance: Allowance | None = None
) -> Float[np.ndarray, " p"]:
    """Return the Kolmogorov distance of each column from the standard normal distribution.

    With an ``allowance``, it is the largest distance beyond what is allowed at any place.
    """
    x = np.sort(errors, axis=0)
    expected = ndtr(x)
    above = np.arange(1, len(errors) + 1)[:, None] / len(errors)
    sides = np.array([above - expected, expected - (above - 1 / len(errors))])
    return (sides if allowance is None else sides - allowance.at(x)).max((0, 1))


QUANTITY = Normality()
