"""Another theory of a study: a study with the same conditions, for which laws predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcjax.errors import InputError
from mcjax.numbers import how_many
from mcjax.study.study import Condition, Study


def theory_for(study: Study, theory: Study) -> Study:
    """Return ``theory`` with the generations of ``study``, to make predictions for it.

    Raises
    ------
    InputError
        If the conditions, the models or the true parameters of the two studies differ.

    Notes
    -----
    Chains and laws are compared by their errors, and an error is a distance from the truth. Two
    studies with different truths have no errors that can be compared.
    """
    ours, theirs = (
        [c.name or "that without [grid]" for c in s.conditions] for s in (study, theory)
    )
    _check_names("condition", ours, theirs)
    for own, other in zip(study.conditions, theory.conditions, strict=True):
        where = f" in the condition {own.name!r}" if own.name else ""
        _check_names("model", own.network.models, other.network.models, where)
        _check_truth(own, other)
    return replace(theory, generations=study.generations)


def _check_names(what: str, ours: Sequence[str], theirs: Sequence[str], where: str = "") -> None:
    """Raise an input error if a theory has other conditions or models than the study."""
    if list(ours) == list(theirs):
        return
    lacking, further = (
        [name for name in one if name not in other]
        for one, other in ((ours, theirs), (theirs, ours))
    )
    problem = f"lacks {_listed(what, lacking)}" if lacking else ""
    if further:
        problem += f"{' and ' * bool(problem)}has {_listed(what, further)}, which the study lacks"
    problem = problem or f"has the {what}s of the study in another order"
    raise InputError("theory", f"{problem}{where}; give both the same {what}s, in one order")


def _listed(what: str, names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:3])) + f" and {len(names) - 3} more" * (len(names) > 3)
    return f"the {what}{'s' * (len(names) > 1)} {shown}"


def _check_truth(own: Condition, other: Condition) -> None:
    """Raise an input error if the condition of a theory has another truth than the study's."""
    ours, theirs = own.theta, other.theta
    if np.array_equal(ours, theirs):
        return
    if ours.shape != theirs.shape:
        problem = f"has {how_many(len(theirs), 'number')}, and the study's has {len(ours)}"
    else:
        k = int(np.argmax(ours != theirs))
        problem = f"has {theirs[k]:.12g} at position {k}, and the study's has {ours[k]:.12g}"
    where = f" in the condition {own.name!r}" if own.name else ""
    raise InputError(
        "family.theta",
        f"{problem}{where}; errors are distances from the truth, so give both the same",
    )
