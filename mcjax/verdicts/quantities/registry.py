"""The registry of quantities, and the comparisons that a study makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pkgutil import resolve_name
from typing import NamedTuple

from mcjax.errors import InputError
from mcjax.laws.prediction import Predictions
from mcjax.study.quantities import PLACES
from mcjax.study.study import Study
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.ladder import limit_of
from mcjax.verdicts.ladder_costs import UNIT, cost_of
from mcjax.verdicts.quantities.quantity import Quantity, Subject

QUANTITIES: dict[str, Quantity] = {name: resolve_name(place) for name, place in PLACES.items()}
"""The built-in quantities by name."""
SUBJECTS: dict[Subject, str] = {"errors": "laws", "functionals": "functionals"}
"""Attribute of :class:`Predictions` that holds the predictions, by the subject of a quantity."""


class Question(NamedTuple):
    """A quantity of one condition that a law predicts.

    Attributes
    ----------
    position : int
        Position of the condition in its study.
    comparison : Comparison
        The condition and the law's prediction for it.
    quantity : Quantity
        The quantity to compare.
    """

    position: int
    comparison: Comparison
    quantity: Quantity


def quantities_of(study: Study) -> tuple[Quantity, ...]:
    """Return the quantities that a study judges.

    Raises
    ------
    InputError
        If an entry is not a :class:`Quantity`, has an unknown subject, is not supported by any of
        the models, makes claims of the same name as another, or if several have ladders.
    """
    field = "run.quantities"
    chosen = tuple(QUANTITIES[q] if isinstance(q, str) else q for q in study.quantities)
    for quantity in chosen:
        if not isinstance(quantity, Quantity):
            raise InputError(
                field, f"has {quantity!r}, which is not a quantity; derive it from mcjax.Quantity"
            )
        if quantity.subject not in SUBJECTS:
            raise InputError(
                field,
                f"has {quantity.name!r} with subject {quantity.subject!r}; it must be one of"
                f" {tuple(SUBJECTS)}",
            )
        needed, models = quantity.needs, [condition.model for condition in study.conditions]
        if needed is not None and not any(getattr(model, needed) for model in models):
            unable = ", ".join(sorted({model.name for model in models}))
            raise InputError(field, f"has {quantity.name!r}, but {unable} has no {needed}; drop it")
    laddered = [quantity.name for quantity in chosen if quantity.has_ladder]
    if len(laddered) > 1:  # the fits of a ladder do not name their quantity
        raise InputError(
            field, f"has {laddered}, but only one quantity can be judged on a ladder; keep one"
        )
    owners: dict[str, str] = {}
    for quantity in chosen:
        for name in _units(quantity, study):
            if owners.setdefault(name, quantity.name) != quantity.name:
                raise InputError(
                    field,
                    f"has {owners[name]!r} and {quantity.name!r}, which both make claims named"
                    f" {name!r}; rename one",
                )
    return chosen


def questions(study: Study, predictions: Sequence[Predictions]) -> Iterator[Question]:
    """Yield the comparisons of a study in the order of its claims.

    Quantities of errors come first, then those of functionals.
    """
    chosen = quantities_of(study)
    for subject, attribute in SUBJECTS.items():
        about = [quantity for quantity in chosen if quantity.subject == subject]
        pairs = zip(study.conditions, predictions, strict=True)
        for position, (condition, laws) in enumerate(pairs):
            for prediction in getattr(laws, attribute).values():
                for quantity in about:
                    if quantity.speaks(prediction):
                        comparison = Comparison(condition, prediction, study.tolerance)
                        yield Question(position, comparison, quantity)


def units_of(study: Study) -> dict[str, str]:
    """Return the unit of intervals, by the quantity of a cell."""
    return {
        name: unit
        for quantity in quantities_of(study)
        for name, unit in _units(quantity, study).items()
    }


def _units(quantity: Quantity, study: Study) -> dict[str, str]:
    """Return the units of one quantity by name: its own, those on ladders and of its claims."""
    units = {quantity.name: quantity.unit}
    if quantity.has_ladder:
        units[limit_of(quantity.name)] = quantity.unit
        units[cost_of(quantity.name)] = UNIT
    for condition in study.conditions:
        units |= quantity.units(condition.model)
    return units


def limits_of(study: Study) -> set[str]:
    """Return the quantities of cells about the limits of ladders of sample sizes."""
    return {limit_of(quantity.name) for quantity in quantities_of(study) if quantity.has_ladder}


def on_ladders(study: Study) -> set[str]:
    """Return the quantities of cells about whole ladders of sample sizes."""
    costs = {cost_of(quantity.name) for quantity in quantities_of(study) if quantity.has_ladder}
    return limits_of(study) | costs
