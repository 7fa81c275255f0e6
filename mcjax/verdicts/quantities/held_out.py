"""The excess of the loss on held-out rows, by laws of errors.

To second order the excess is a squared error in the metric of the held-out loss, see
:mod:`mcjax.study.held_out`. With ``mu = theta* + D`` a centre, m the mean departure of order 1/n
and C the covariance, a law says that its mean is

    L(mu) - L(theta*) - L'(theta*)'D + (L'(mu) - L'(theta*))'m + tr(H C) / 2 ,     H = L''(mu) .

Every claim about mean squared errors is thus one about held-out losses too, and is judged in the
same way: their level at each generation, their growth, and whether they grow or settle.

The loss itself has the mean of the excess, and that of its linear part, which is no error: it may
have either sign. It is shown, and not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from mcjax.engine.moments import Moments
from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.study.held_out import EXCESS, HeldOut
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.planning import PlannedCells, UnplannedCells
from mcjax.verdicts.power import Amplification, Chance
from mcjax.verdicts.quantities.collapse import QUANTITY as COLLAPSE
from mcjax.verdicts.quantities.growth import QUANTITY as GROWTH
from mcjax.verdicts.quantities.mse import QUANTITY as MSE
from mcjax.verdicts.quantities.quantity import Quantity
from mcjax.verdicts.tails import own_blocks

NO_ROWS = "no rows are held out; give data.held_out"


class HeldOutExcess(Quantity):
    """Claims of a quantity of squared errors, about the excess of the held-out loss.

    Parameters
    ----------
    name : str
        Name in a study.
    squares : Quantity
        The quantity whose claims are made.
    """

    of_squares = True

    def __init__(self, name: str, squares: Quantity):
        self.name, self.unit, self._squares = name, squares.unit, squares

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of the claims by their names."""
        own = self._squares.units(model).items()
        return {self._named(quantity): unit for quantity, unit in own}

    def silence(self, comparison: Comparison) -> str:
        """Return why nothing is claimed, or an empty string."""
        if comparison.condition.held_out is None:
            return NO_ROWS
        return self._squares.silence(comparison)

    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterator[Claim]:
        """Claim of the excess what the quantity claims of squared errors."""
        held_out = comparison.condition.held_out
        if held_out is None:
            return
        among, measured = self._within(comparison), outcome_within(comparison, outcome)
        for claim in self._squares.claims(among, measured):
            name = self._named(claim.place.quantity)
            yield replace(claim, place=claim.place._replace(quantity=name))

    def planned(self, comparison: Comparison) -> Sequence[PlannedCells | UnplannedCells]:
        """Return the cells of the quantity, under their names here."""
        if comparison.condition.held_out is None:
            return []
        cells: Sequence[Any] = self._squares.planned(self._within(comparison))
        return [replace(cell, quantity=self._named(cell.quantity)) for cell in cells]

    def chances(
        self,
        comparison: Comparison,
        truth: Any,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell."""
        held_out = comparison.condition.held_out
        if held_out is None:
            return []
        true = law_within(held_out, comparison.condition, truth)
        return self._squares.chances(self._within(comparison), true, level, ladder=ladder)

    def _named(self, quantity: str) -> str:
        """Return the name of a claim: the quantity's own, or that of another kind of claim."""
        return self.name if quantity == self._squares.name else f"held_out_{quantity}"

    def _within(self, comparison: Comparison) -> Comparison:
        held_out, condition = comparison.condition.held_out, comparison.condition
        assert held_out is not None, "it has been asked"
        return replace(
            comparison, prediction=law_within(held_out, condition, comparison.prediction)
        )


def law_within(held_out: HeldOut, condition: Condition, law: Prediction) -> Prediction:
    """Return a law of the errors in the metric of the held-out loss, whose MSE is the excess."""
    truth = condition.theta
    begin, away = held_out.around(truth), law.centre_errors
    roots, (times, size) = _roots(held_out, truth + away), law.mse.shape
    small = law.small_samples
    departure = law.bias - away
    excess = np.zeros(law.mse.shape)
    for t, i in np.ndindex(times, size):
        there, moved = held_out.around(truth + away[t, i]), away[t, i]
        spread = np.sum(there.curvature * law.own_covariances[t, i]) / 2
        excess[t, i] = there.loss - begin.loss - begin.slope @ moved + spread
        excess[t, i] += (there.slope - begin.slope) @ departure[t, i]
    if not isinstance(small, str):
        small = small._replace(mean=np.einsum("tiab,tib->tia", roots, small.mean))
    blocks = law.covariance.reshape(times, size, law.p, size, law.p)
    blocks = np.einsum("tiab,tibjc,tjdc->tiajd", roots, blocks, roots)
    later = law.longer

    def longer(generations: int) -> Prediction | None:
        found = None if later is None else later(generations)
        return None if found is None else law_within(held_out, condition, found)

    step = excess[-1] - excess[max(times - 2, 0)]
    made = Prediction.of(
        blocks.reshape(law.covariance.shape),
        size,
        None if law.mean is None else np.einsum("tiab,tib->tia", roots, law.mean),
        mse=excess,
        # their presence is what tells growing models from those that settle
        growth=np.where(np.isfinite(law.growth), step, law.growth),
        limit=np.where(np.isnan(law.limit), np.nan, excess[-1]),
        asymptotic=law.asymptotic,
        allowance=law.allowance,
        versions=[law_within(held_out, condition, one) for one in law.versions],
    )
    return replace(made, law=law.law, small_samples=small, longer=None if later is None else longer)


def outcome_within(comparison: Comparison, outcome: Outcome) -> Outcome:
    """Return an outcome whose squared errors are the excess of the held-out loss."""
    condition, prediction = comparison.condition, comparison.prediction
    held_out = condition.held_out
    assert held_out is not None, "it has been asked"
    k = [functional.name for functional in condition.functionals].index(EXCESS)
    moments, ends = outcome.moments, outcome.moments.ends
    roots = _roots(held_out, condition.theta + prediction.centre_errors)
    blocks = roots @ own_blocks(outcome) @ np.swapaxes(roots, -1, -2)
    powers = moments.powers._replace(
        squared=moments.powers.functional[..., k, 0], ends=ends.powers[:, k]
    )
    measured = moments._replace(
        squared=Moments(*(part[..., k] for part in moments.functional)),
        across=Moments(ends.chains[:, k], ends.mean[:, k], ends.square[:, k]),
        product=moments.product._replace(mean=blocks),
        powers=powers,
    )
    return outcome._replace(moments=measured, largest=outcome.highest[..., k])


def _roots(
    held_out: HeldOut, centres: Float[np.ndarray, "T+1 M p"]
) -> Float[np.ndarray, "T+1 M p p"]:
    """Return roots F with ``F'F = H / 2`` at centres; no loss is taken to bend downwards."""
    roots = np.zeros((*centres.shape, centres.shape[-1]))
    for place in np.ndindex(*centres.shape[:2]):
        values, vectors = np.linalg.eigh(held_out.around(centres[place]).curvature / 2)
        roots[place] = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return roots


LEVEL = HeldOutExcess("held_out", MSE)
GROWS = HeldOutExcess("held_out_growth", GROWTH)
COLLAPSES = HeldOutExcess("held_out_collapse", COLLAPSE)
