"""The contract of a quantity, by which chains and laws are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.planning import PlannedCells, UnplannedCells
from mcjax.verdicts.power import Amplification, Chance

Subject = Literal["errors", "functionals"]


class Quantity(ABC):
    """A number, or several, that chains and a law both give for a condition.

    A quantity makes claims that the two agree, and describes those claims to a plan. It never
    simulates. A subclass defines ``name`` and ``unit`` and implements :meth:`claims` and
    :meth:`planned`; everything else has a default.

    Use :meth:`Comparison.ratio_claim() <mcjax.verdicts.comparison.Comparison.ratio_claim>` and
    :func:`~mcjax.verdicts.claims.mean_claim` to make claims, and
    :func:`~mcjax.verdicts.counts.count_chains` to count the chains behind them.

    To use a quantity of your own, pass an instance of your subclass to
    ``Study(..., quantities=("mse", my_quantity))``. To add a built-in quantity, write a module of
    this package that defines ``QUANTITY``, and list it in :mod:`mcjax.study.quantities`; the
    tests in ``tests/verdicts/test_quantity_contract.py`` then require a planted error that it must
    refute.

    Attributes
    ----------
    name : str
        Name in a study; also the ``quantity`` of its cells, unless :meth:`units` lists others.
    unit : str
        Unit of the intervals of its cells, for tables.
    subject : {"errors", "functionals"}
        Whether it is about the predictions in ``Predictions.laws`` or in
        ``Predictions.functionals``.
    needs : str or None
        Attribute of a model without which there is nothing to judge, such as ``functionals``.
    of_squares : bool
        Whether claims are about mean squared errors. They are not judged where a law knows these
        only in part, see ``mse_complete`` of :class:`~mcjax.laws.prediction.Prediction`.
    of_pooled : bool
        Whether claims are about the estimator that fits all real data of a network, too. Chains
        then simulate it.
    in_all_directions : bool
        Whether claims depend on errors in the direction in which a law is least accurate.
    of_all_models : bool
        Whether claims about a model depend on others, too.
    has_ladder : bool
        Whether asymptotic laws are judged by their limit on a ladder of sample sizes. Claims must
        then be about ratios, and be planned as :class:`~mcjax.verdicts.planning.RatioCells`.

    Examples
    --------
    >>> import mcjax
    >>> class Worst(mcjax.Quantity):
    ...     name = "worst"
    ...     unit = "observed / predicted"
    ...     def claims(self, comparison, outcome):
    ...         worst = comparison.prediction.mse[-1].argmax()
    ...         squares = (outcome.sample[:, worst].astype(float) ** 2).sum(axis=1)
    ...         yield comparison.ratio_claim(
    ...             self.name,
    ...             comparison.last,
    ...             int(worst),
    ...             observed=mcjax.estimate_mean(squares),
    ...             predicted=mcjax.Estimate(comparison.prediction.mse[-1, worst], 0.0),
    ...             count=mcjax.count_chains(len(squares), len(squares), comparison.tolerance),
    ...         )
    ...     def planned(self, comparison):
    ...         return [mcjax.UnplannedCells(self.name, count=1)]
    ...
    >>> network = mcjax.topologies.self_loop(samples=50, real=50, initial=100)
    >>> condition = mcjax.condition(network, mcjax.linear(), theta=[1.0, -1.0])
    >>> study = mcjax.Study((condition,), generations=2, chains=512, quantities=[Worst()])
    >>> study.quantities[0].name
    'worst'
    """

    name: str
    unit: str
    subject: Subject = "errors"
    needs: str | None = None
    of_squares: bool = False
    of_pooled: bool = False
    in_all_directions: bool = False
    of_all_models: bool = False
    has_ladder: bool = False

    def speaks(self, prediction: Any) -> bool:
        """Return whether a law predicts this quantity."""
        return True

    def silence(self, comparison: Comparison) -> str:
        """Return why a law leaves this quantity unjudged in a condition, or an empty string."""
        return "" if self.speaks(comparison.prediction) else "the law does not predict it"

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of all claims about conditions with a model, by their quantity."""
        return {self.name: self.unit}

    def outside(self, comparison: Comparison) -> Bool[np.ndarray, "T+1 M"]:
        """Return where no departure is evidence against a law, for claims about each model."""
        validity = comparison.validity
        if validity is None:
            return np.zeros((1, 1), bool)
        judged = validity.directed_judged if self.in_all_directions else validity.judged
        if self.of_all_models:
            judged = np.broadcast_to(judged.all(1, keepdims=True), judged.shape)
        return ~judged

    def moved(self, finer: Prediction) -> Float[np.ndarray, "T+1 M"] | None:
        """Return how far terms of the next order in 1/n move ratios on a ladder from 1.

        Parameters
        ----------
        finer : Prediction
            A law of that order, with its leading terms.

        Returns
        -------
        ndarray or None
            One for each generation and model; None (the default) if it is not known.
        """
        return None

    @abstractmethod
    def claims(self, comparison: Comparison, outcome: Outcome) -> Iterable[Claim]:
        """Claim that the chains agree with a law.

        Parameters
        ----------
        comparison : Comparison
            The condition and a law's prediction for it, for which :meth:`speaks` returns True.
        outcome : Outcome
            Outcome of the condition's chains.

        Returns
        -------
        iterable of Claim
            Claims, each with a place of its own.
        """

    @abstractmethod
    def planned(self, comparison: Comparison) -> Sequence[PlannedCells | UnplannedCells]:
        """Return the cells that :meth:`claims` will make, for a plan.

        Numbers of chains that do not exist are infinite or nan; NumPy does not warn of them.

        Parameters
        ----------
        comparison : Comparison
            As for :meth:`claims`.

        Returns
        -------
        sequence of PlannedCells or UnplannedCells
            :class:`~mcjax.verdicts.planning.UnplannedCells` are cells whose number of chains cannot
            be planned, but which share the error budget.
        """

    def chances(
        self,
        comparison: Comparison,
        truth: Any,
        level: float,
        ladder: Amplification | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell.

        Parameters
        ----------
        comparison : Comparison
            The condition and the judged law's prediction for it.
        truth : Prediction or FunctionalPrediction
            Prediction of the true law.
        level : float
            Level of each claim.
        ladder : ndarray of shape (N,), optional
            Given for a ladder of sample sizes: the standard errors of the N limits over those of
            their rungs.

        Returns
        -------
        list of Chance
            One for each planned cell, in the order of :meth:`planned`, or an empty list (the
            default) if chances are not known.
        """
        return []
