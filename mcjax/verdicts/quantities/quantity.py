"""The contract of a quantity, by which chains and laws are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mcjax.engine.outcome import Outcome
from mcjax.laws.prediction import Prediction
from mcjax.models.model import Model
from mcjax.study.study import Condition
from mcjax.verdicts.claims import Claim, Place
from mcjax.verdicts.planning import PlannedCells, UnplannedCells
from mcjax.verdicts.power import Chance


class Quantity(ABC):
    """A number, or several, that chains and a law both give for a condition.

    A quantity makes claims that the two agree, and describes those claims to a plan. It never
    simulates. A subclass defines ``name`` and ``unit`` and implements :meth:`claims` and
    :meth:`planned`; everything else has a default.

    Use :func:`~mcjax.verdicts.claims.ratio_claim` and
    :func:`~mcjax.verdicts.claims.student_claim` to make claims, and
    :func:`~mcjax.verdicts.counts.count_chains` to count the chains behind them.

    To use a quantity of your own, pass an instance of your subclass to
    ``Study(..., quantities=("mse", my_quantity))``. To add a built-in quantity, write a module of
    this package that defines ``QUANTITY``, and list its name in :mod:`mcjax.study.quantities`; the
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
    has_ladder : bool
        Whether asymptotic laws are judged by their limit on a ladder of sample sizes. Claims must
        then be about ratios, and be planned as :class:`~mcjax.verdicts.planning.RatioCells`.
    """

    name: str
    unit: str
    subject: Literal["errors", "functionals"] = "errors"
    has_ladder: bool = False

    def speaks(self, prediction: Any) -> bool:
        """Return whether a law predicts this quantity."""
        return True

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of all claims about conditions with a model, by their quantity."""
        return {self.name: self.unit}

    @abstractmethod
    def claims(
        self, condition: Condition, prediction: Any, outcome: Outcome, tolerance: float
    ) -> Sequence[Claim]:
        """Claim that the chains agree with a law.

        Parameters
        ----------
        condition : Condition
            The simulated condition.
        prediction : Prediction or FunctionalPrediction
            One law's prediction for the condition, of the kind that ``subject`` names, for which
            :meth:`speaks` returns True.
        outcome : Outcome
            Outcome of the condition's chains.
        tolerance : float
            Margin of every claim, in ``unit``.

        Returns
        -------
        sequence of Claim
            Claims, each with a place of its own.
        """

    @abstractmethod
    def planned(
        self, condition: Condition, prediction: Any, tolerance: float
    ) -> Sequence[PlannedCells | UnplannedCells]:
        """Return the cells that :meth:`claims` will make, for a plan.

        Parameters
        ----------
        condition : Condition
            The condition that will be simulated.
        prediction : Prediction or FunctionalPrediction
            One law's prediction for it.
        tolerance : float
            Margin of every claim, in ``unit``.

        Returns
        -------
        sequence of PlannedCells or UnplannedCells
            :class:`~mcjax.verdicts.planning.UnplannedCells` are cells whose number of chains cannot
            be planned, but which share the error budget.
        """

    def chances(
        self,
        prediction: Prediction,
        truth: Prediction,
        tolerance: float,
        level: float,
        ladder: float | None = None,
    ) -> list[Chance]:
        """Return the chances of refuting a law if another one is true, cell by cell.

        Parameters
        ----------
        prediction, truth : Prediction
            Predictions of the judged law and of the true one.
        tolerance, level : float
            Margin and level of each claim.
        ladder : float, optional
            Given for a ladder of sample sizes: the standard error of its limit over that of a rung.

        Returns
        -------
        list of Chance
            One for each cell, or an empty list (the default) if chances are not known.
        """
        return []

    def place(
        self,
        condition: Condition,
        model: int,
        generation: int,
        prediction: Any,
        quantity: str | None = None,
    ) -> Place:
        """Return the place of a claim.

        Parameters
        ----------
        condition : Condition
            The condition.
        model, generation : int
            Position of the model, and the generation.
        prediction : Prediction or FunctionalPrediction
            The law's prediction.
        quantity : str, optional
            Quantity of the cell; defaults to ``name``.

        Returns
        -------
        Place
        """
        return Place(
            condition=condition.name,
            model=condition.network.models[model],
            generation=generation,
            quantity=self.name if quantity is None else quantity,
            law=prediction.law,
        )
