"""The collapse of every model: whether it grows, or settles, as a law predicts.

Let a and b be a model's mean squared error at generations T // 2 and T, and

    r = (T + T // 2) / (T - T // 2) (b - a) / (b + a)

its growth as a share of its level: 1 if the error grows in proportion to the generation, 0 if it is
constant. A model whose r is above 2/5 is seen to collapse, one whose r is below is seen to settle.
The claim is that r lies within the tolerance of the law's own r, and on its side of 2/5.

There must be enough generations for growth to dominate, or for transients to decay. If the law's
own r is not on the side of its verdict by a tenth at least, the claim cannot be verified, whatever
the chains; its note names the T from which on every T would tell, by the law. (The first T that
tells may be followed by others that do not, because T // 2 jumps.) It can be refuted, because an r
that is not the law's is wrong at any T. An asymptotic law whose allowance is a rule of thumb has
the same for r as for second moments.

The claim is about T generations. No simulation excludes that growth ends later, or begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.engine.powers import along
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.claims import Claim, mean_claim, never_verified
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.counts import count_chains
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.planning import NormalCells
from mcjax.verdicts.power import Amplification, Chance, mean_chances
from mcjax.verdicts.quadratic_forms import (
    Contribution,
    add_independent,
    contribution,
    cumulants_of_squares,
)
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.skewed_means import Tails
from mcjax.verdicts.tails import dominated

BOUNDARY, ROOM = 0.4, 0.1
FEWEST_GENERATIONS = 2
"""Smallest T at which growth can be told from a constant error."""
MOST_GENERATIONS, MOST_CENTRES, MOST_NUMBERS = 1024, 64, 1 << 22
"""Limits of the search for a T that would distinguish the two: generations, generations of a law
whose centres move (each takes an integration), and numbers."""
TOO_FEW_GENERATIONS = (
    "too few generations: by the law itself, the error has not yet grown, or settled, enough to"
    " distinguish collapse from stability"
)


@dataclass(frozen=True)
class CollapseCells(NormalCells):
    """Cells about r.

    Attributes
    ----------
    margin : ndarray of shape (N,)
        Distance of the law's r to the nearer edge of the claim; 0 if it cannot be verified.
    """

    margin: Float[np.ndarray, " N"]

    @np.errstate(divide="ignore")
    def chains(self, tolerance: float, level: float, miss: float) -> float:
        """Return the number of chains that verify every cell if the law is true."""
        scale = tolerance / self.margin
        cells = NormalCells(self.quantity, self.spread * scale, self.error * scale, self.allowance)
        return cells.chains(tolerance, level, miss)


class Collapse(Quantity):
    """Claims that r is the law's, and on its side of 2/5, for models with a predicted fate."""

    name = "collapse"
    unit = "growth as a share of the level"
    of_squares = True

    def silence(self, comparison: Comparison) -> str:
        """Return for which models the law gives no number to judge, and why."""
        if comparison.last < FEWEST_GENERATIONS:
            return (
                f"with T = {comparison.last} there are too few generations to tell growth from a"
                f" constant error; give {FEWEST_GENERATIONS} or more"
            )
        untold = np.flatnonzero(predicted_sides(comparison.prediction) == 0)
        models = [repr(comparison.condition.network.models[i]) for i in untold]
        return f"the law does not tell whether it grows for {', '.join(models)}" if models else ""

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim that r of every model with a predicted fate is the law's."""
        prediction, last = comparison.prediction, comparison.last
        shares, sides = growth_share(prediction.mse), predicted_sides(prediction)
        errors, decidable = _share_error(prediction), clear(prediction)
        low, high = _edges(prediction, comparison.tolerance)
        allowance = _allowance(comparison)
        heavy, notes = dominated(outcome)[last], _notes(comparison)
        for i in np.flatnonzero(sides).tolist():
            squared = outcome.moments.across.ends(i)
            share = _estimated_share(squared, outcome.moments.powers.ends[i], last)
            count = count_chains(
                int(squared.chains), outcome.chains, comparison.tolerance, heavy=heavy[i]
            )
            if not math.isfinite(shares[i]):
                note = "the law predicts no finite error at these generations"
                count = count._replace(note=note)
            elif not math.isfinite(share.value):
                count = count.unless("no finite estimate")
            claim = mean_claim(
                comparison.place(self.name, last, i),
                observed=share,
                predicted=float(shares[i]),
                judged=share.plus(0.0, float(errors[i]), len(prediction.versions)),
                margin=(float(low[i]), float(high[i])),
                count=count,
                allowance=float(allowance[i]),
                tails=Tails.MEASURED,
                true=float(shares[i]),
            )
            yield claim if decidable[i] else never_verified(claim, notes[i])

    def planned(self, comparison: Comparison) -> list[CollapseCells]:
        """Plan a cell for each model with a predicted fate."""
        prediction = comparison.prediction
        judged = predicted_sides(prediction) != 0
        share = growth_share(prediction.mse)
        low, high = _edges(prediction, comparison.tolerance)
        margin = np.where(clear(prediction), np.minimum(share - low, high - share), 0.0)
        return [
            CollapseCells(
                self.name,
                spread=share_of_chain(prediction).spread[judged],
                error=_share_error(prediction)[judged],
                allowance=_allowance(comparison)[judged],
                margin=margin[judged],
                tails=Tails.MEASURED,
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

        The errors at the two generations are taken to be independent, which overstates the spread.
        """
        prediction = comparison.prediction
        low, high = _edges(prediction, comparison.tolerance)
        true, judged = growth_share(truth.mse), predicted_sides(prediction) != 0
        beyond = np.maximum(low - true, true - high) - _allowance(comparison)
        share = share_of_chain(truth)
        return mean_chances(
            level,
            beyond=beyond[judged],
            side=np.where(true > high, 1, -1)[judged],
            spread=share.spread[judged],
            error=_share_error(prediction)[judged],
            skewness=share.skewness[judged],
            kurtosis=share.kurtosis[judged],
        )


def _allowance(comparison: Comparison) -> Float[np.ndarray, " M"]:
    """Return how far r may depart because samples are finite, (M,)."""
    last, mse = comparison.last, comparison.base.mse
    ends = [last // 2, last]
    with np.errstate(all="ignore"):  # a law may predict no error
        unknown = np.abs(share_slopes(mse[ends], last)) if last else np.zeros((2, 1))
        return comparison.allowed(
            lambda law: growth_share(law.mse),
            remainder=(unknown * (comparison.remainder * mse)[ends]).sum(0),
            otherwise=comparison.allowance[-1],
        )


def predicted_sides(prediction: Prediction) -> Int[np.ndarray, " M"]:
    """Return the side of the boundary on which a law places each model, shape (M,).

    The side is +1 if the law predicts that the model collapses, -1 if it predicts that it does not,
    and 0 if the law makes no statement or the study has too few generations for growth.
    """
    if len(prediction.mse) <= FEWEST_GENERATIONS:
        return np.zeros(prediction.mse.shape[1], int)
    settles = np.where(~np.isnan(prediction.limit), -1, 0)
    return np.where(~np.isnan(prediction.growth), 1, settles)


def clear(prediction: Prediction) -> Bool[np.ndarray, " M"]:
    """Return which models' r is clearly on the side of their verdict, by the law itself."""
    share = growth_share(prediction.mse)
    return np.asarray(predicted_sides(prediction) * (share - BOUNDARY) > ROOM)


def growth_share(mse: Float[np.ndarray, "T+1 M"]) -> Float[np.ndarray, " M"]:
    """Return r, shape (M,), of mean squared errors of shape (T + 1, M)."""
    last = len(mse) - 1
    middle = last // 2
    if last == middle:
        return np.full(mse.shape[1], np.nan)
    with np.errstate(all="ignore"):
        change = (mse[last] - mse[middle]) / (mse[last] + mse[middle])
    return (last + middle) / (last - middle) * change


def share_slopes(ends: Float[np.ndarray, " 2 *M"], last: int) -> Float[np.ndarray, " 2 *M"]:
    """Return the derivatives of r with respect to its two errors, shape (2, ...)."""
    (a, b), middle = ends, last // 2
    scale = 2 * (last + middle) / (last - middle) / (a + b) ** 2
    return np.array([-scale * b, scale * a])


def share_of_chain(law: Prediction) -> Contribution:
    """Return how one chain's contribution to r varies, shape (M,).

    The errors at the two generations are taken to be independent, which overstates the spread.
    """
    last = len(law.mse) - 1
    if not last:
        return Contribution(*np.zeros((3, law.mse.shape[1])))
    ends = [last // 2, last]
    with np.errstate(all="ignore"):  # a law may predict no finite error
        slopes = share_slopes(law.mse[ends], last)
        return contribution(add_independent(cumulants_of_squares(law)[:, ends], slopes))


def _share_error(law: Prediction) -> Float[np.ndarray, " M"]:
    """Return the standard error of a law's own r, shape (M,)."""
    return law.error_of(lambda version: growth_share(version.mse))


def _edges(prediction: Prediction, tolerance: float) -> Float[np.ndarray, "2 M"]:
    """Return the edges of the claims, shape (2, M): within the tolerance, and on one side of 2/5.

    Claims that cannot be verified have the tolerance alone.
    """
    share, side = growth_share(prediction.mse), predicted_sides(prediction)
    decidable = clear(prediction)
    low = np.where(
        decidable & (side > 0), np.maximum(share - tolerance, BOUNDARY), share - tolerance
    )
    high = np.where(
        decidable & (side < 0), np.minimum(share + tolerance, BOUNDARY), share + tolerance
    )
    return np.array([low, high])


def _notes(comparison: Comparison) -> list[str]:
    """Return why each model's claim cannot be verified, and which T would tell."""
    prediction = comparison.prediction
    wanted = (predicted_sides(prediction) != 0) & ~clear(prediction)
    if not wanted.any():
        return [""] * len(wanted)
    if prediction.longer is None or prediction.versions:
        return [TOO_FEW_GENERATIONS] * len(wanted)
    told, most = _telling(prediction, wanted)
    notes = []
    for model, t in zip(comparison.condition.network.models, told.tolist(), strict=True):
        note = TOO_FEW_GENERATIONS
        if t:
            note += f"; by the law, T = {t} and every larger T would tell for {model!r}"
        elif most // 2 > comparison.last:
            note += f"; T would have to be larger than {most // 2} to tell for {model!r}"
        notes.append(note)
    return notes


def _telling(
    prediction: Prediction, wanted: Bool[np.ndarray, " M"]
) -> tuple[Int[np.ndarray, " M"], int]:
    """Return the T from which on a law's verdict on each model is clear, and the last T tried.

    T is 0 for models for which there is none. As many generations again are tried beyond T.
    """
    assert prediction.longer is not None
    last = len(prediction.mse) - 1
    most = MOST_GENERATIONS if prediction.mean is None else MOST_CENTRES
    most = max(last, min(most, MOST_NUMBERS // prediction.covariance[0].size))
    begins, tried = np.full(len(wanted), last + 1), last  # where each is clear until the last tried
    while tried < most and (wanted & (2 * begins > tried)).any():
        further = min(2 * tried, most)
        later = prediction.longer(further)
        if later is None:
            break
        for t in range(tried + 1, further + 1):
            begins[~clear(replace(later, mse=later.mse[: t + 1]))] = t + 1
        tried = further
    return np.where(2 * begins <= tried, begins, 0), tried


def _estimated_share(ends: Moments, pairs: np.ndarray, last: int) -> Estimate:
    """Estimate one model's r from its squared errors at both generations, by the delta method."""
    chains = int(ends.chains)
    mse = np.zeros((last + 1, 1))
    mse[[last // 2, last], 0] = ends.mean
    value = float(growth_share(mse)[0]) if chains > 1 else math.nan
    if not math.isfinite(value):
        return Estimate(math.nan, math.inf)
    slopes = share_slopes(ends.mean, last)
    change, shape = along(ends, pairs, slopes)
    return Estimate(value, *map(float, (change.standard_error(), *shape)))


QUANTITY = Collapse()
