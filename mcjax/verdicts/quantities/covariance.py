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
fourth moments. Mean errors are judged apart, see :mod:`mcjax.verdicts.quantities.bias`, and
:mod:`mcjax.verdicts.quantities.covariance_power` predicts how likely a wrong covariance is to be
refuted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from scipy.special import stdtr, stdtrit

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.verdicts.claims import Claim, Estimate, Interval, Place, more_chains
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.planning import VectorCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.covariance_power import covariance_chances
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import ALIKE, HEAVY, dominated
from mcjax.verdicts.whitening import Whitened, whiten

CROSS = "cross_covariance"


class CovarianceCells(VectorCells):
    """Cells about all entries of a whitened covariance and its two extremes."""

    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every entry of every cell."""
        return super().chains(tolerance, level, miss / (self.p * (self.p + 1) / 2 + 2))


class Covariance(Quantity):
    """Claims about covariances, two for each model, or one if there is only one model."""

    name = "covariance"
    unit = "from the whitened identity"

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
                numbers = np.full((3, 1), math.nan)
                if not whitened.chains.note:
                    numbers = entries(whitened, i, comparison.prediction)
                if not (numbers[2] > 0).all():
                    count = count.unless(ALIKE)
                yield _claim(
                    comparison.place(name, last, i),
                    numbers,
                    tolerance=comparison.tolerance,
                    count=count,
                    allowance=float(comparison.allowance[last, i]),
                )

    def planned(self, comparison: Comparison) -> list[CovarianceCells]:
        """Plan all entries with the spread of the extremes, which half the chains estimate."""
        prediction = comparison.prediction
        ranks = prediction.rank[-1]
        alike = (ranks == ranks[0]) & (ranks > 0)
        spread = 2 * np.where(alike, 1.0, np.inf)
        models = len(spread)
        kinds = 1 if models == 1 else 2
        return [
            CovarianceCells(
                self.name,
                spread=np.tile(spread, kinds),
                error=np.tile(prediction.relative_error[-1], kinds),
                allowance=np.tile(comparison.allowance[-1], kinds),
                parameters=np.tile(np.maximum(ranks, 1), kinds),
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
        edge = comparison.tolerance + comparison.allowance[-1]
        return covariance_chances(comparison.prediction, truth, edge, level)


def _own(whitened: Whitened, model: int, law: Prediction) -> np.ndarray:
    """Return the entries and extremes of one model's whitened covariance.

    The rows of the result, shape (3, m), are observed numbers, predicted numbers, and standard
    errors of the differences.
    """
    w = whitened.errors[:, model]
    half, p = len(w) // 2, w.shape[1]
    _, directions = np.linalg.eigh(w[:half].T @ w[:half])
    ends = directions[:, [0, -1]] if p > 1 else np.empty((1, 0))
    rows, columns = np.tril_indices(p)

    def predicted(version: Prediction) -> np.ndarray:
        block = whitened.covariance_of(version)[model, :, model]
        return np.append(block[rows, columns], np.einsum("ak,ab,bk->k", ends, block, ends))

    entries = _means(w[:, rows] * w[:, columns], (rows == columns).astype(float))
    extremes = _means((w[half:] @ ends) ** 2, np.ones(ends.shape[1]))
    return _with_error(np.hstack([entries, extremes]), law.error_of(predicted))


def _cross(whitened: Whitened, model: int, law: Prediction) -> np.ndarray:
    """Return the entries of one model's whitened covariances with all others, as in `_own`."""
    w = whitened.errors
    others = np.delete(np.arange(w.shape[1]), model)

    def predicted(version: Prediction) -> np.ndarray:
        return whitened.covariance_of(version)[model][:, others].swapaxes(0, 1).ravel()

    products = [(w[:, model, :, None] * w[:, k, None, :]).reshape(len(w), -1) for k in others]
    return _with_error(_means(np.hstack(products), predicted(law)), law.error_of(predicted))


def _with_error(numbers: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Add the law's own error to the standard errors in the last row."""
    return np.stack([*numbers[:2], np.hypot(numbers[2], error)])


def _means(products: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    error = products.std(0, ddof=1) / math.sqrt(len(products))
    return np.stack([products.mean(0), predicted, error])


def _claim(
    place: Place, numbers: np.ndarray, *, tolerance: float, count: ChainCount, allowance: float
) -> Claim:
    """Claim that all m numbers lie within the tolerance; ``numbers`` is a result of `_own`."""
    observed, predicted, error = numbers
    departure = observed - predicted
    m = len(departure)
    # the variances in extreme directions come from half the chains
    spread, freedom = np.maximum(error, 1e-300), max(count.counted // 2 - 1, 1)
    worst = 0 if count.note else int(np.argmax((np.abs(departure) - tolerance) / spread))
    inside = tolerance - np.abs(departure)
    beyond = -inside - allowance

    def p_values(distance: np.ndarray) -> np.ndarray:
        tail = 2 * stdtr(freedom, -np.abs(distance) / spread)
        return np.where(distance > 0, tail, 1.0)

    one_outside = min(1.0, m * float(p_values(beyond).min()))
    all_inside = float(p_values(inside).max())

    def halves(level: float) -> np.ndarray:
        return -stdtrit(freedom, level / 2) * spread

    def interval(level: float) -> Interval:
        if one_outside < level:
            half = halves(level / m)[worst]
            return float(departure[worst] - half), float(departure[worst] + half)
        half = halves(level if all_inside < level else level / m)
        return float((departure - half).min()), float((departure + half).max())

    def factor(level: float) -> float:
        if (beyond > 0).any():
            pairs = zip(halves(level / m), beyond, strict=True)
            return min(more_chains(float(reach), float(room)) for reach, room in pairs)
        pairs = zip(halves(level), inside, strict=True)
        return max(more_chains(float(reach), float(room)) for reach, room in pairs)

    return Claim(
        place=place,
        observed=Estimate(float(observed[worst]), float(error[worst])),
        predicted=float(predicted[worst]),
        within=1.0 if count.note else all_inside,
        beyond=1.0 if count.note else one_outside,
        interval=interval,
        factor=factor,
        count=count,
    )


QUANTITY = Covariance()
