"""The contract of a selection: what a reader keeps of the data of a feed."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, get_args

from mcjax.chains.selected import Drawn, Rows
from mcjax.laws.first_order.population import Origin, Population
from mcjax.laws.law import Inapplicable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

    from mcjax.models.model import Model


def is_number(value: Any) -> bool:
    """Return whether a value is a finite real number, and not true or false."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value)


Count = Literal["accepted", "raw"]
"""Whether the samples of a feed are rows that are kept, or rows that are looked at."""


def count_problem(count: Any) -> str:
    """Return what is wrong with a count, or an empty string; see :meth:`Selection.problem`."""
    choices = get_args(Count)
    return "" if count in choices else f"count is {count!r}, not one of {choices}"


def theta_problem(field: str, values: Any, theta: Float[np.ndarray, " p"]) -> str:
    """Return what is wrong with parameters, or an empty string; see :meth:`Selection.problem`."""
    if not (isinstance(values, tuple) and all(map(is_number, values))):
        return f"{field} is {values!r}; give {len(theta)} finite numbers"
    if len(values) != len(theta):
        return f"{field} has {len(values)} numbers; give {len(theta)}, as theta"
    return ""


class Selection(ABC):
    """What a reader keeps of the data of a feed, as the field ``keep`` of :class:`mcjax.Feed`.

    Implementations are frozen dataclasses, registered as pytrees
    (:func:`jax.tree_util.register_dataclass`) whose leaves are their numbers, so that conditions
    that differ in these share a program. The first field names the kind in study files.
    """

    @abstractmethod
    def problem(self, model: Model, theta: Float[np.ndarray, " p"], real: bool) -> str:
        """Return what is wrong with the selection for a model, or an empty string.

        Parameters
        ----------
        model : Model
            The model that generates the data and is fitted to them.
        theta : ndarray, shape (p,)
            The truth.
        real : bool
            Whether the feed comes from a real source.

        Returns
        -------
        str
            The name of a field, a blank, and the rest of a sentence that says what is wrong and
            what would be right.
        """

    @abstractmethod
    def draw(self, rows: Rows) -> Drawn:
        """Draw rows as the reader gets them, in compiled code."""

    def population(self, origin: Origin, model: Model) -> Population:
        """Return the population of the rows that the reader gets.

        Parameters
        ----------
        origin : Origin
            Whoever generates the rows.
        model : Model
            The model.

        Raises
        ------
        Inapplicable
            If no law is known.
        """
        raise Inapplicable(f"no law is known of what {type(self).__name__} keeps")
