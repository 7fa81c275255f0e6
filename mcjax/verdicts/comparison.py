"""A law's prediction for one condition, to be compared with chains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Estimate, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.skewed_means import Tails


@dataclass(frozen=True)
class Comparison:
    """A law's prediction for one condition, and the margin of claims about it.

    Attributes
    ----------
    condition : Condition
        The condition.
    prediction : Prediction or FunctionalPrediction
        One law's prediction for it.
    tolerance : float
        Margin of every claim, in the unit of its quantity.
    """

    condition: Condition
    prediction: Any
    tolerance: float

    @property
    def last(self) -> int:
        """Last generation T of a law of errors."""
        return len(self.prediction.mse) - 1

    @property
    def allowance(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance of a law of errors for second moments, shape (T + 1, M)."""
        return np.broadcast_to(self.prediction.allowance, self.prediction.mse.shape)

    def place(self, quantity: str, generation: int, model: int) -> Place:
        """Return the place of a claim; ``model`` is a position in the network."""
        return Place(
            condition=self.condition.name,
            model=self.condition.network.models[model],
            generation=generation,
            quantity=quantity,
            law=self.prediction.law,
        )

    def ratio_claim(
        self,
        quantity: str,
        generation: int,
        model: int,
        *,
        observed: Estimate,
        predicted: Estimate,
        count: ChainCount,
        tails: Tails = Tails.UNKNOWN,
    ) -> Claim:
        """Claim that ``observed / predicted`` is within the tolerance of 1.

        See :func:`~mcjax.verdicts.claims.ratio_claim`. The claim has the law's allowance.
        """
        return ratio_claim(
            self.place(quantity, generation, model),
            observed=Estimate(*map(float, observed)),
            predicted=Estimate(
                float(predicted.value),
                float(predicted.error),
                batches=len(self.prediction.versions),
            ),
            tolerance=self.tolerance,
            count=count,
            tails=tails,
            allowance=float(self.allowance[generation, model]),
        )
