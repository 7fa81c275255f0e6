"""The quantities that a study can ask for by name.

They are listed here, and not beside the code that judges, so that a study can be checked without
importing that code or JAX.
"""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any

from mcjax.errors import InputError, did_you_mean

PLACES = {
    "mse": "mcjax.verdicts.quantities.mse:QUANTITY",
    "collapse": "mcjax.verdicts.quantities.collapse:QUANTITY",
    "growth": "mcjax.verdicts.quantities.growth:QUANTITY",
    "bias": "mcjax.verdicts.quantities.bias:QUANTITY",
    "covariance": "mcjax.verdicts.quantities.covariance:QUANTITY",
    "normality": "mcjax.verdicts.quantities.normality:QUANTITY",
    "efficiency": "mcjax.verdicts.quantities.efficiency:QUANTITY",
    "homogenisation": "mcjax.verdicts.quantities.homogenisation:QUANTITY",
    "functional": "mcjax.verdicts.quantities.functional:QUANTITY",
    "held_out": "mcjax.verdicts.quantities.held_out:LEVEL",
    "held_out_growth": "mcjax.verdicts.quantities.held_out:GROWS",
    "held_out_collapse": "mcjax.verdicts.quantities.held_out:COLLAPSES",
}
"""Modules and objects of the built-in quantities, by name."""


def name_of(quantity: Any) -> str:
    """Return the name of a quantity, which may be given by name or as an object."""
    return quantity if isinstance(quantity, str) else quantity.name


def needs_pooled(quantities: Sequence[Any]) -> bool:
    """Return whether any quantity is about the pooled estimator, which must then be simulated."""
    chosen = (resolve_name(PLACES[q]) if isinstance(q, str) else q for q in quantities)
    return any(getattr(quantity, "of_pooled", False) for quantity in chosen)


def check_quantities(quantities: Sequence[Any]) -> None:
    """Check the quantities of a study.

    Parameters
    ----------
    quantities : sequence of str or Quantity
        Names of built-in quantities, and objects of subclasses of :class:`mcjax.Quantity`.

    Raises
    ------
    InputError
        If there is no quantity, a name is unknown or repeated, or an object is not a quantity or
        has the name of a built-in one.
    """
    field, known = "run.quantities", tuple(PLACES)
    for quantity in quantities:
        if isinstance(quantity, str):
            if quantity not in PLACES:
                hint = did_you_mean(quantity, known)
                raise InputError(field, f"has {quantity!r}, not one of {known}{hint}")
            continue
        texts = (getattr(quantity, "name", None), getattr(quantity, "unit", None))
        if isinstance(quantity, type) or not all(isinstance(text, str) and text for text in texts):
            raise InputError(
                field,
                f"has {quantity!r}, which is neither a name nor a quantity; give an object of a"
                " subclass of mcjax.Quantity that has a name and a unit",
            )
        if quantity.name in PLACES:
            raise InputError(
                field, f"has an object with the built-in name {quantity.name!r}; rename it"
            )
    names = [name_of(quantity) for quantity in quantities]
    for name in names:
        if names.count(name) > 1:
            raise InputError(field, f"has {name!r} twice; drop one")
    if not names:
        raise InputError(field, "is empty; name at least 'mse'")
