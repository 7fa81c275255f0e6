"""A law's prediction for one condition, to be compared with chains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from mcjax.laws.functional_prediction import FunctionalPrediction
from mcjax.laws.prediction import Prediction
from mcjax.laws.validity import Validity
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
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

    Examples
    --------
    >>> import mcjax
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, tolerance=0.3)
    >>> [prediction] = mcjax.predict(study)
    >>> law = prediction.laws["first_order"]
    >>> mcjax.Comparison(condition, law, study.tolerance).last
    2
    """

    condition: Condition
    prediction: Any
    tolerance: float

    @property
    def last(self) -> int:
        """Last generation T of a law of errors."""
        return len(self.prediction.mse) - 1

    @cached_property
    def finer(self) -> Prediction | None:
        """Prediction of departures of finite samples from an asymptotic law; None without one."""
        if isinstance(self.prediction, FunctionalPrediction):
            return None
        finer: Prediction | str = self.prediction.finer
        return finer if isinstance(finer, Prediction) else None

    @property
    def base(self) -> Prediction:
        """Prediction from which departures are counted: the first order of :attr:`finer`.

        It is the judged law's own prediction if that is right, and is not read from it, because
        corrections to a wrong law must not hide that it is wrong. If the law is the finer one, or
        if there is none, it is the judged law.
        """
        if self.finer is None or self.finer is self.prediction or self.finer.leading is None:
            judged: Prediction = self.prediction
            return judged
        return self.finer.leading

    @property
    def validity(self) -> Validity | None:
        """Range in which departures from the law are known; None if they are not."""
        return None if self.finer is None else self.finer.validity

    @cached_property
    def allowance(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance of a law of errors for mean squared errors, relative to them, (T + 1, M)."""
        return self.allowed(
            lambda law: law.mse / self.base.mse,
            remainder=self.remainder,
            otherwise=np.broadcast_to(self.prediction.allowance, self.prediction.mse.shape),
        )

    @property
    def of_squares(self) -> Float[np.ndarray, "T+1 M"]:
        """Allowance for mean squared errors where they hold those of centres, (T + 1, M).

        It is :attr:`allowance` unless the law knows the bias of small samples apart.
        """
        known = self.prediction.small_samples
        return self.allowance if isinstance(known, str) else known.of_squares

    @cached_property
    def remainder(self) -> Float[np.ndarray, "T+1 M"]:
        """Bound on unknown departures from the law, relative to its mean squared errors.

        Its shape is (T + 1, M). It is 0 if there is no prediction of departures.
        """
        if self.finer is None:
            return np.zeros(self.prediction.mse.shape)
        return np.asarray(self.finer.allowance * self.finer.mse / self.base.mse)

    def allowed(
        self,
        number: Callable[[Prediction], Float[np.ndarray, "*shape"]],
        *,
        remainder: Float[np.ndarray, "*shape"],
        otherwise: Float[np.ndarray, "*shape"],
    ) -> Float[np.ndarray, "*shape"]:
        """Return how far a number may be from a law's because samples are finite.

        Parameters
        ----------
        number : callable
            Computes the number, or an array, from a prediction.
        remainder : ndarray
            What may be added to the departure that the next order in 1/n predicts.
        otherwise : ndarray
            The result where no next order is known: the allowance by a rule of thumb.
        """
        if self.finer is None:
            return otherwise
        with np.errstate(all="ignore"):  # where the finer law is no law either
            moved = np.abs(number(self.finer) - number(self.base)) + remainder
        return np.where(np.isnan(moved), np.inf, moved)

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
        allowance: float | None = None,
    ) -> Claim:
        """Claim that ``observed / predicted`` is within the tolerance of 1.

        See :func:`~mcjax.verdicts.claims.ratio_claim`. Unless another one is given, the allowance
        is that for mean squared errors.
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
            allowance=(
                float(self.allowance[generation, model]) if allowance is None else allowance
            ),
        )
