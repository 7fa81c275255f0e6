"""Say why a quantity of a study is not judged by a law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcjax.laws.prediction import Predictions
from mcjax.study.study import Study
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.quantities.registry import SUBJECTS, quantities_of


@dataclass(frozen=True)
class Unjudged:
    """A quantity that a law leaves unjudged in a condition, in part or as a whole.

    Attributes
    ----------
    condition, quantity : str
        Their names.
    law : str
        Name of the law; empty if it is so by every law.
    reason : str
        Why the quantity is not judged.
    """

    condition: str
    law: str
    quantity: str
    reason: str


def unjudged_of(study: Study, predictions: Sequence[Predictions]) -> tuple[Unjudged, ...]:
    """Return what a study asks for and the laws that apply leave unjudged.

    Laws that do not apply give their reasons themselves.
    """
    found = []
    for quantity in quantities_of(study):
        for condition, laws in zip(study.conditions, predictions, strict=True):
            needed, model = quantity.needs, condition.model
            if needed is not None and not getattr(model, needed):
                reason = f"the {model.name} family has no {needed}"
                found.append(Unjudged(condition.name, "", quantity.name, reason))
                continue
            for name, prediction in getattr(laws, SUBJECTS[quantity.subject]).items():
                reason = quantity.silence(Comparison(condition, prediction, study.tolerance))
                if reason:
                    found.append(Unjudged(condition.name, name, quantity.name, reason))
    return tuple(found)
