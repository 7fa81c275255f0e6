"""The contract of a selection: what a reader keeps of the data of a feed."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from mcjax.chains.selected import Attempt, Drawn, Rows
from mcjax.estimators.predictor import Params, Words, linear_predictor
from mcjax.laws.first_order.population import AnyOrigin, Population
from mcjax.laws.law import Inapplicable
from mcjax.numbers import how_many

if TYPE_CHECKING:
    from mcjax.models.model import Model


def is_number(value: Any) -> bool:
    """Return whether a value is a finite real number, and not true or false."""
    plain = value.item() if isinstance(value, np.generic) else value
    real = isinstance(plain, int | float) and not isinstance(plain, bool)
    return real and abs(plain) <= sys.float_info.max


Count = Literal["accepted", "raw"]
"""Meaning of the samples of a feed: rows that are kept, or rows that are looked at."""


def count_problem(count: Any) -> str:
    """Return what is wrong with a count, or an empty string; see :meth:`Selection.problem`."""
    choices = get_args(Count)
    return "" if count in choices else f"count is {count!r}, not one of {choices}"


def as_tuple(values: Any) -> Any:
    """Return a list or an array of numbers as a tuple, which can be hashed; others as they are."""
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    return tuple(plain) if isinstance(plain, list) else plain


def numbers_problem(field: str, values: Any) -> str:
    """Return what is wrong with a list of numbers, or an empty string; see `Selection.problem`."""
    if not (isinstance(values, tuple) and values and all(map(is_number, values))):
        return f"{field} is {values!r}; give finite numbers, as many as theta has"
    return ""


def theta_problem(field: str, values: Sequence[float], theta: Float[np.ndarray, " p"]) -> str:
    """Return what is wrong with the length of a list of numbers, or an empty string."""
    if len(values) != len(theta):
        return f"{field} has {how_many(len(values), 'number')}; give {len(theta)}, as theta"
    return ""


class Selection(ABC):
    """Rule for the rows that a reader keeps of a feed: the field ``keep`` of :class:`mcjax.Feed`.

    Implementations are frozen dataclasses, registered as pytrees
    (:func:`jax.tree_util.register_dataclass`) whose leaves are their numbers, so that conditions
    that differ in these share a program. The first field names the kind in study files.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import mcjax
    >>> @dataclass(frozen=True)
    ... class Everything(mcjax.Selection):
    ...     def problem(self, model, theta, real):
    ...         return ""
    ...     def draw(self, rows):
    ...         raise NotImplementedError
    ...
    >>> Everything().values()
    ''
    """

    relabels: ClassVar[bool] = False
    """True if it is a :class:`Relabelling`."""
    fast: bool = False
    """True if chains may run on the fast path."""

    def values(self) -> str:
        """Return what is wrong with the values, whatever the model, or an empty string.

        Study files are checked for it even where they have no model. :meth:`problem` asks it first
        and says the same, in the same form.
        """
        return ""

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

    def population(self, origin: AnyOrigin, model: Model) -> Population:
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


class Relabelling(Selection):
    """A selection that keeps every row, with a label generated in another way.

    Labels are generated at other parameters, and then changed.
    """

    relabels = True
    fast = True

    def parameters(self, model: Model, params: Params, theta: Any) -> tuple[Params, Any]:
        """Return numbers and parameters at which labels are generated.

        Parameters
        ----------
        model : Model
            The model.
        params : dict
            Its numbers.
        theta : array
            Parameters of origins, shape (p, ...), in JAX or NumPy.
        """
        return params, theta

    def changed(self, y: Array, spare: Words) -> Array:
        """Return labels as the reader gets them.

        Parameters
        ----------
        y : Array
            Labels as they are generated, of any shape.
        spare : tuple of Array
            Two random words for each.
        """
        return y

    def draw(self, rows: Rows) -> Drawn:
        """Draw rows as the reader gets them."""
        attempt = rows.attempt(0)
        params, theta = self.parameters(rows.model, rows.params, rows.origins)
        y = self.changed(rows.label(attempt, rows.of_rows(theta), params), attempt.spare)
        return Drawn(attempt.x, y, jnp.ones_like(rows.wanted))


class Filter(Selection):
    """A selection that keeps rows according to a judge's linear predictor and the label.

    Attributes
    ----------
    count : {"accepted", "raw"}
        Whether the samples of the feed are rows that are kept, or rows that are looked at.
    """

    count: Count

    @property
    def fast(self) -> bool:  # type: ignore[override]  # a setting of others
        """True if chains may run on the fast path, which has no rows of weight 0."""
        return self.count == "accepted"

    @abstractmethod
    def judge(self) -> Float[Array, " p"]:
        """Return the judge's parameters, c."""

    @abstractmethod
    def accepts(self, eta: Array, y: Array, spare: Words) -> Bool[Array, "*shape"]:
        """Return which rows are kept.

        Parameters
        ----------
        eta : Array
            The judge's predictors ``x'c``, of any shape.
        y : Array
            Labels.
        spare : tuple of Array
            Two random words for each row.
        """

    def draw(self, rows: Rows) -> Drawn:
        """Draw rows as the reader gets them."""
        at = self.judge()

        def kept(attempt: Attempt, y: Array) -> Bool[Array, " N"]:
            return self.accepts(linear_predictor(attempt.x, at), y, attempt.spare)

        return rows.tried(0, kept) if self.count == "raw" else rows.until(kept)
