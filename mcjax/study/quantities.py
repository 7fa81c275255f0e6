"""The quantities that a study can ask for by name.

The names are listed here, and not beside the code that judges, so that a study can be checked
without importing that code or JAX. The quantity NAME is the object ``QUANTITY`` of the module
``mcjax/verdicts/quantities/NAME.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcjax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from mcjax.models.model import Model

QUANTITIES = {
    "mse": None,
    "collapse": None,
    "growth": None,
    "bias": None,
    "covariance": None,
    "normality": None,
    "efficiency": None,
    "homogenisation": None,
    "functional": "functionals",
}
"""Names, each with the attribute of a model that it needs, or None if it needs none."""


def name_of(quantity: Any) -> str:
    """Return the name of a quantity, which may be given by name or as an object."""
    return quantity if isinstance(quantity, str) else quantity.name


def check_quantities(quantities: Sequence[Any], models: Sequence[Model]) -> None:
    """Check the quantities of a study.

    Parameters
    ----------
    quantities : sequence of str or Quantity
        Names of built-in quantities, and objects of subclasses of :class:`mcjax.Quantity`.
    models : sequence of Model
        The models of the study's conditions.

    Raises
    ------
    InputError
        If there is no quantity, a name is unknown, repeated or not supported by any of the models,
        or an object is not a quantity or has the name of a built-in one.
    """
    field, known = "run.quantities", tuple(QUANTITIES)
    for quantity in quantities:
        if isinstance(quantity, str):
            if quantity not in QUANTITIES:
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
        if quantity.name in QUANTITIES:
            raise InputError(
                field, f"has an object with the built-in name {quantity.name!r}; rename it"
            )
    names = [name_of(quantity) for quantity in quantities]
    for name in names:
        if names.count(name) > 1:
            raise InputError(field, f"has {name!r} twice; drop one")
    if not names:
        raise InputError(field, "is empty; name at least 'mse'")
    for name in names:
        needed = QUANTITIES.get(name)
        if needed is not None and models and not any(getattr(m, needed) for m in models):
            unable = ", ".join(sorted({model.name for model in models}))
            raise InputError(field, f"has {name!r}, but {unable} has no {needed}; drop it")
