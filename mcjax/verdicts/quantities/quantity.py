"""The contract of a quantity: what chains and laws are compared by."""

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
    """A number, or several, that both the chains and a law give for a condition.

    A quantity makes claims that the two agree, and says what a plan needs to know about them. It
    never simulates. A subclass states ``name`` and ``unit`` and implements :meth:`claims` and
    :meth:`planned`; nothing else is assumed on its behalf.

    Claims are made by :func:`~mcjax.verdicts.claims.ratio_claim` and
    :func:`~mcjax.verdicts.claims.student_claim`, of chains that
    :func:`~mcjax.verdicts.counts.count_chains` counts.

    To use a quantity of your own, pass an instance of your subclass to
    ``Study(..., quantities=("mse", my_quantity))``. To build one in, write it in a module of this
    package that defines ``QUANTITY``, and list its name in :mod:`mcjax.study.quantities`; the tests
    in ``tests/verdicts/test_quantity_contract.py`` then ask for an error that it must refute.

    Attributes
    ----------
    name : str
        What a study calls it; also the ``quantity`` of its cells unless :meth:`units` lists others.
    unit : str
        What the intervals of its cells are measured in, for tables.
    subject : {"errors", "functionals"}
        Which predictions it is about: those in ``Predictions.laws`` or in
        ``Predictions.functionals``.
    has_ladder : bool
        Whether asymptotic laws are judged on ladders of sample sizes instead of size by size.
        Claims must then be about ratios, and be planned as
        :class:`~mcjax.verdicts.planning.RatioCells`.
    """

    name: str
    unit: str
    subject: Literal["errors", "functionals"] = "errors"
    has_ladder: bool = False

    def speaks(self, prediction: Any) -> bool:
        """Return whether a law predicts this quantity."""
        return True

    def units(self, model: Model) -> Mapping[str, str]:
        """Return the units of all claims about a condition of this model, by their quantity."""
        return {self.name: self.unit}

    @abstractmethod
    def claims(
        self, condition: Condition, prediction: Any, outcome: Outcome, tolerance: float
    ) -> Sequence[Claim]:
        """Claim that the chains agree with a law.

        Parameters
        ----------
        condition : Condition
            The condition that was simulated.
        prediction : Prediction or FunctionalPrediction
            What one law predicts for it, as ``subject`` says; one that :meth:`speaks` accepts.
        outcome : Outcome
            What its chains did.
        tolerance : float
            Margin of every claim, in ``unit``.

        Returns
        -------
        sequence of Claim
            Each with a place of its own.
        """

    @abstractmethod
    def planned(
        self, condition: Condition, prediction: Any, tolerance: float
    ) -> Sequence[PlannedCells | UnplannedCells]:
        """Return the cells that :meth:`claims` will make, as a plan sees them.

        :class:`~mcjax.verdicts.planning.UnplannedCells` says that nothing tells how many chains
        they take; they share the error budget all the same.
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
            Of the judged law and of the true one.
        tolerance, level : float
            Margin and level of each claim.
        ladder : float, optional
            For a ladder of sample sizes in place of single cells: the standard error of its limit
            over that of a rung.

        Returns
        -------
        list of Chance
            Empty if none is announced, as here.
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
        """Return the place of a claim; its quantity defaults to ``name``."""
        return Place(
            condition=condition.name,
            model=condition.network.models[model],
            generation=generation,
            quantity=self.name if quantity is None else quantity,
            law=prediction.law,
        )
