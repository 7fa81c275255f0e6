"""The covariance of all models' errors at the last generation, whitened by a law's.

Let L_i be a Cholesky factor of the law's covariance of model i. If the law is right, the covariance
of ``w_i = L_i^-1 e_i`` is the identity, and that of w_i and w_k is ``R_ik = L_i^-1 C_ik L_k^-T``.
There are two claims.

``covariance`` of model i: every entry of the covariance of w_i is within the tolerance of the
identity's, and so are its variances in two further directions, those in which one half of the
chains varies most and least. The variances are estimated from the other half, so that the search
for extremes does not bias them. (They are close to the extreme eigenvalues if there are many more
chains than parameters squared over tolerance squared; they do not bound the eigenvalues.)

``cross_covariance`` of model i: every entry of its covariance with every other w_k is within the
tolerance of R_ik.

A claim about m numbers is verified if each number is verified at the level of the claim (an
intersection-union test, Berger 1982), and refuted if one of them is refuted at that level over m
(Bonferroni). Standard errors are those of means of products over chains, that is, they come from
fourth moments, and have Welch's degrees of freedom where the law has an error of its own. An
asymptotic law has an allowance for each number: how far the second-order law moves it, and what
that law neglects, or else the allowance for second moments. Mean errors are judged apart, see
:mod:`mcjax.verdicts.quantities.bias`, and
:mod:`mcjax.verdicts.quantities.covariance_power` predicts how likely a wrong covariance is to be
refuted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import NonNormality
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.verdicts.claims import ALLOWED, LAW_ERROR, Claim, Interval, Place
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate, welch
from mcjax.verdicts.further_chains import left_for_chains, more_for_power
from mcjax.verdicts.planning import NormalCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.covariance_power import covariance_chances
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import (
    Tails,
    factor_of_chains,
    p_above,
    p_below,
    reaches,
    shape_of,
)
from mcjax.verdicts.tails import ALIKE, HEAVY, dominated
from mcjax.verdicts.whitening import Whitened, planned_spread, whiten

CROSS = "cross_covariance"


@dataclass(frozen=True)
class CovarianceCells(NormalCells):
    """Cells about all entries of a whitened covariance, and its two extremes if it has them.

    Attributes
    ----------
    numbers : ndarray of shape (N,)
        How many numbers m each claim is about.
    """

    numbers: Int[np.ndarray, " N"]

    def fewest_chains(self, level: float) -> float:
        """Return the number of chains below which a study makes no claim at a level."""
        return 2 * Tails.MEASURED.fewest_chains(level)

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every entry of every cell."""
        return super().chains(tolerance, level, miss / float(self.numbers.max()))

    def refuted(self, tolerance: float, level: float, miss: float, chains: int) -> float:
        """Return the departure of one entry that a number of chains refutes in any one cell."""
        level /= float(self.numbers.max())
        if chains < self.fewest_chains(level):
            return math.inf
        return super().refuted(tolerance, level, miss, chains)


class Covariance(Quantity):
    """Claims about covariances, two for each model, or one if there is only one model."""

    name = "covariance"
    unit = "from the whitened identity"
    in_all_directions = True
    of_all_models = True

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of both claims, by their quantity."""
        return {self.name: self.unit, CROSS: "from the whitened prediction"}

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that whitened covariances at the last generation are the predicted ones."""
        last, models = comparison.last, comparison.condition.network.size
        whitened = whiten(comparison, outcome)
        heavy = dominated(outcome)[last]
        for i in range(models):
            kinds = {self.name: (_own, heavy[i])}
            if models > 1:
                kinds[CROSS] = _cross, heavy.any()
            for name, (entries, tail) in kinds.items():
                count = whitened.chains.unless(HEAVY if tail else "")
                numbers = np.full((7, 1), math.nan)
                if not whitened.chains.note:
                    numbers = entries(whitened, i, comparison)
                if not (numbers[2] > 0).all():
                    count = count.unless(ALIKE)
                yield _claim(
                    comparison.place(name, last, i),
                    numbers,
                    tolerance=comparison.tolerance,
                    count=count,
                    batches=len(comparison.prediction.versions),
                )

    def planned(self, comparison: Comparison) -> list[CovarianceCells]:
        """Plan all entries with the spread of the extremes, which half the chains estimate."""
        prediction = comparison.prediction
        ranks = prediction.rank[-1]
        spread = 2 * planned_spread(prediction)
        models, p = len(spread), int(max(ranks.max(), 1))
        kinds = 1 if models == 1 else 2
        own, cross = p * (p + 1) // 2 + (2 if p > 1 else 0), (models - 1) * p**2
        return [
            CovarianceCells(
                self.name,
                spread=np.tile(spread, kinds),
                error=np.tile(prediction.relative_error[-1], kinds),
                allowance=np.tile(_largest_allowance(comparison), kinds),
                numbers=np.repeat([own, cross][:kinds], models),
            )
        ]

    def chances(
        self,
        comparison: Comparison,
        truth: Prediction,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, claim by claim."""
        edge = comparison.tolerance + _largest_allowance(comparison)
        return covariance_chances(comparison.prediction, truth, edge, level)


def _largest_allowance(comparison: Comparison) -> Float[np.ndarray, " M"]:
    """Return how far variances of whitened errors may depart because samples are finite, (M,)."""
    if comparison.finer is None or comparison.validity is None:
        return comparison.allowance[-1]
    base, finer = (law.own_covariances[-1] for law in (comparison.base, comparison.finer))
    inverse = np.linalg.inv(np.linalg.cholesky(base))
    moved = np.linalg.eigvalsh(inverse @ (finer - base) @ np.swapaxes(inverse, 1, 2))
    return np.asarray(np.abs(moved).max(1) + comparison.validity.directed_remainder[-1])


def _allowances(
    comparison: Comparison, predicted: Callable[[Prediction], np.ndarray], models: Any
) -> np.ndarray:
    """Return how far numbers that depend on some models may depart because samples are finite."""
    shape, unknown = predicted(comparison.prediction).shape, 0.0
    if comparison.validity is not None:
        unknown = comparison.validity.directed_remainder[-1][models].max()
    rule = comparison.allowance[-1][models].max() if comparison.finer is None else 0.0
    return comparison.allowed(
        predicted, remainder=np.full(shape, unknown), otherwise=np.full(shape, rule)
    )


def _own(whitened: Whitened, model: int, comparison: Comparison) -> np.ndarray:
    """Return the entries and extremes of one model's whitened covariance.

    The rows of the result, shape (7, m), are observed numbers, predicted numbers, and standard
    errors, skewness and excess of the differences; the law's own standard errors; and allowances.
    """
    w = _unbiased(whitened)[:, model]
    half, p = len(w) // 2, w.shape[1]
    _, directions = np.linalg.eigh(w[:half].T @ w[:half])
    ends = directions[:, [0, -1]] if p > 1 else np.empty((1, 0))
    rows, columns = np.tril_indices(p)

    def predicted(version: Prediction) -> np.ndarray:
        block = whitened.covariance_of(version)[model, :, model]
        return np.append(block[rows, columns], np.einsum("ak,ab,bk->k", ends, block, ends))

    entries = _means(w[:, rows] * w[:, columns], (rows == columns).astype(float))
    extremes = _means((w[half:] @ ends) ** 2, np.ones(ends.shape[1]))
    return np.vstack(
        [
            _with_error(np.hstack([entries, extremes]), comparison.prediction.error_of(predicted)),
            _allowances(comparison, predicted, [model]),
        ]
    )


def _cross(whitened: Whitened, model: int, comparison: Comparison) -> np.ndarray:
    """Return the entries of one model's whitened covariances with all others, as in `_own`."""
    w = _unbiased(whitened)
    others = np.delete(np.arange(w.shape[1]), model)

    def predicted(version: Prediction) -> np.ndarray:
        return whitened.covariance_of(version)[model][:, others].swapaxes(0, 1).ravel()

    products = [(w[:, model, :, None] * w[:, k, None, :]).reshape(len(w), -1) for k in others]
    law = comparison.prediction
    return np.vstack(
        [
            _with_error(_means(np.hstack(products), predicted(law)), law.error_of(predicted)),
            _allowances(comparison, predicted, slice(None)),
        ]
    )


def _with_error(numbers: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Add the law's own error, which is normal, to the standard errors."""
    observed, predicted, spread, skewness, excess = numbers
    total = np.hypot(spread, error)
    share = np.divide(spread, total, out=np.ones_like(spread), where=total > 0)
    shapes = skewness * share**3, excess * share**4
    return np.stack([observed, predicted, total, *shapes, np.broadcast_to(error, total.shape)])


def _unbiased(whitened: Whitened) -> np.ndarray:
    """Return centred errors whose mean products are not biased by the centring."""
    chains = len(whitened.errors)
    return whitened.errors * math.sqrt(chains / (chains - 1))


def _means(products: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    error = products.std(0, ddof=1) / math.sqrt(len(products))
    return np.stack([products.mean(0), predicted, error, *shape_of(products)])


@np.errstate(over="ignore", invalid="ignore")  # far beyond every margin
def _claim(
    place: Place, numbers: np.ndarray, *, tolerance: float, count: ChainCount, batches: int
) -> Claim:
    """Claim that all m numbers lie within the tolerance; ``numbers`` is a result of `_own`."""
    observed, predicted, error, skewness, excess, law_error, allowance = numbers
    departure, m = observed - predicted, numbers.shape[1]
    # the variances in extreme directions come from half the chains
    half = count.counted // 2
    spread, shape = np.maximum(error, 1e-300), NonNormality(skewness, excess)
    freedom = welch(np.minimum(np.square(law_error / spread), 1.0), max(half - 1, 1), batches)
    worst = 0 if count.note else int(np.argmax((np.abs(departure) - tolerance) / spread))
    outer = tolerance + allowance
    smallest = Tails.MEASURED.smallest_level(half)

    def below(edge: float) -> np.ndarray:
        """Return p-values of the hypotheses that the departures are at least the edge."""
        return np.asarray(p_below((departure - edge) / spread, freedom, shape))

    def above(edge: float) -> np.ndarray:
        return np.asarray(p_above((departure - edge) / spread, freedom, shape))

    def within() -> float:
        largest = np.maximum(below(tolerance), above(-tolerance)).max()
        return min(1.0, max(2 * float(largest), smallest))

    def beyond() -> float:
        least = np.minimum(above(outer), below(-outer)).min()
        return min(1.0, m * max(2 * float(least), smallest))

    all_inside, one_outside = (1.0, 1.0) if count.note else (within(), beyond())

    def interval(level: float) -> Interval:
        one = one_outside < level
        down, up = reaches(level if all_inside < level and not one else level / m, freedom, shape)
        low, high = departure - down * spread, departure + up * spread
        if one:
            return float(low[worst]), float(high[worst])
        return float(low.min()), float(high.max())

    def needed(
        departure: np.ndarray, edge: float, level: float, *, above: bool
    ) -> Float[np.ndarray, " m"]:
        """Return the factors of chains with which intervals around departures touch an edge."""
        distance, part = (edge - departure if above else departure - edge) / spread, 1.0
        if law_error.any():
            fixed = np.minimum(law_error / spread, 1.0)
            distance, part = left_for_chains(distance, fixed, level, freedom)
        return np.asarray(part * factor_of_chains(level, freedom, shape, distance, above=above))

    def verifying(departure: np.ndarray, level: float) -> float:
        low = needed(departure, -tolerance, level, above=False)
        return float(np.maximum(low, needed(departure, tolerance, level, above=True)).max())

    def factor(level: float) -> float:
        low = needed(departure, -outer, level / m, above=True)
        high = needed(departure, outer, level / m, above=False)
        least = 2 * Tails.MEASURED.fewest_chains(level / m) / max(count.counted, 1)
        return min(verifying(departure, level), float(max(min(low.min(), high.min()), least)))

    def expected(level: float) -> float:
        down, up = reaches(level / m, freedom, shape)
        if count.note or not ((-up * spread <= departure) & (departure <= down * spread)).all():
            return math.nan
        return verifying(0 * departure, level) * more_for_power(level / m)

    return Claim(
        place=place,
        observed=Estimate(float(observed[worst]), float(error[worst])),
        predicted=float(predicted[worst]),
        within=all_inside,
        beyond=one_outside,
        interval=interval,
        factor=factor,
        count=count,
        expected=expected,
        fewest=lambda level: 2 * Tails.MEASURED.fewest_chains(level),
        hopeless=LAW_ERROR if law_error.any() else ALLOWED,
    )


QUANTITY = Covariance()
