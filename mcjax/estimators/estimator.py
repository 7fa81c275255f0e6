"""The interface between a model, its data and the estimator that fits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int32, Key

from mcjax.calls import explained
from mcjax.errors import InputError
from mcjax.estimators.predictor import Params
from mcjax.solvers.status import Status

if TYPE_CHECKING:
    from mcjax.estimators.penalty import Penalty
    from mcjax.estimators.predictor import LinearPredictor
    from mcjax.estimators.predictors import Predictors
    from mcjax.estimators.sufficient_statistics import Statistics

Loss = Callable[[Params, Any, Float[Array, " q"], Float[Array, "*label"]], Float[Array, ""]]
"""The loss of one observation, ``(params, theta, x, y) -> scalar``."""

TOLERANCE = {"float64": 1e-5, "float32": 2e-3}
"""Largest last Newton step of a converged fit, in standard errors, by the precision of the fit."""


MOST_STEPS = 2**31 - 1
"""Largest number of steps, which 32 bits count."""


@explained
class Dataset(NamedTuple):
    """The N rows that one model is fitted to; rows of weight 0 are padding.

    Attributes
    ----------
    x : Array
        Covariates, shape (q, N). Rows come last so that the long axis is contiguous.
    y : Array
        Labels, shape (..., N).
    weight : Array
        Weight of each row in the loss, shape (N,).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> rows = mcjax.Dataset(x=jnp.ones((2, 5)), y=jnp.zeros(5), weight=jnp.ones(5))
    >>> rows.x.shape
    (2, 5)
    """

    x: Float[Array, "q N"]
    y: Float[Array, "*label N"]
    weight: Float[Array, " N"]


@explained
class Fit(NamedTuple):
    """The outcome of one fit.

    Attributes
    ----------
    theta : pytree of Array
        The estimate, with the structure of ``start``; NaN unless the status is ``CONVERGED``.
    status : Array
        A :class:`~mcjax.solvers.status.Status` code, int32: a scalar, or shape (F,) for F fits.
    steps : Array
        Gradients evaluated, int32, of the same shape.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> fit = mcjax.Fit(jnp.zeros(2), jnp.int32(mcjax.Status.CONVERGED), jnp.int32(3))
    >>> int(fit.steps)
    3
    """

    theta: Any
    status: Int32[Array, "*F"]
    steps: Int32[Array, "*F"]


class Problem(Protocol):
    """The part of a model that estimators use; :class:`mcjax.models.model.Model` provides it."""

    @property
    def params(self) -> Params:
        """Return the numbers of the model, such as a threshold."""

    @property
    def predictor(self) -> LinearPredictor | None:
        """Return the loss as a function of ``eta = x'theta``, or None if it is not one."""

    @property
    def predictors(self) -> Predictors | None:
        """Return the form of a loss of more than one predictor, or None if it has none."""

    @property
    def statistics(self) -> Statistics | None:
        """Return the sums over rows that suffice for the estimate, or None if there are none."""

    @property
    def least_squares(self) -> object | None:
        """Return the noise of a model fitted by least squares, or None for other models."""

    @property
    def penalty(self) -> Penalty | None:
        """Return what is added to the weighted mean loss, or None for nothing."""

    @property
    def loss(self) -> Loss:
        """Return the loss of one row, ``(params, theta, x, y) -> scalar``."""


class Estimator(Protocol):
    """A way to fit a model.

    Implementations are frozen dataclasses, so that two equal ones share a compiled program. A data
    set without rows (all weights 0) must not be fitted; its status is ``NOT_FITTED``.

    Attributes
    ----------
    minimises : bool
        Whether the estimate minimises the loss, as the laws of M-estimators assume.
    penalises : bool, optional
        Whether fits add the penalty of the model to its weighted mean loss, as
        :func:`mcjax.estimators.objective.mean_loss` does. Models with a penalty refuse estimators
        that do not say so.
    start, base : optional
        Where fits begin, see :mod:`mcjax.estimators.starts`; without them at the weighted mean of
        the parameters behind the data.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import mcjax
    >>> class Mean:
    ...     minimises = False
    ...     def fit(self, model, data, start, key):
    ...         mean = jnp.sum(data.weight * data.y) / jnp.sum(data.weight)
    ...         status = jnp.int32(mcjax.Status.CONVERGED)
    ...         return mcjax.Fit(jnp.full_like(start, mean), status, jnp.int32(0))
    ...
    >>> rows = mcjax.Dataset(jnp.ones((1, 3)), jnp.array([1.0, 2.0, 6.0]), jnp.ones(3))
    >>> Mean().fit(mcjax.linear(), rows, jnp.zeros(1), jax.random.key(0)).theta.tolist()
    [3.0]
    """

    minimises: bool

    def fit(self, model: Problem, data: Dataset, start: Any, key: Key[Array, ""]) -> Fit:
        """Fit ``model`` to one data set.

        Parameters
        ----------
        model : Problem
            The model to fit.
        data : Dataset
            Rows and weights, in the precision of the fit.
        start : pytree of Array
            Where iterations begin: any finite parameters.
        key : Array
            JAX random key of this fit, for estimators that draw batches or initial values.

        Returns
        -------
        Fit
            Estimate, status and number of steps.
        """


def check_hash(estimator: Estimator | None) -> None:
    """Raise InputError for an estimator without a hash, which programs are known by."""
    try:
        hash(estimator)
    except TypeError as error:
        name = type(estimator).__name__
        problem = f"cannot be hashed ({error}); make {name} a frozen dataclass"
        raise InputError("estimator", problem) from error


def rows_of(data: Dataset) -> Float[Array, ""]:
    """Return the number of rows that are not padding, in the dtype of the weights."""
    return jnp.sum(data.weight > 0).astype(data.weight.dtype)


def code(status: Status) -> Int32[Array, ""]:
    """Return a status as an int32 scalar, for compiled code."""
    return jnp.asarray(int(status), jnp.int32)


def first_that_holds(
    *cases: tuple[Bool[Array, "*F"], Status], otherwise: Status = Status.RUNNING
) -> Int32[Array, "*F"]:
    """Return the status of the first case that holds, or ``otherwise`` if none does."""
    result = code(otherwise)
    for holds, status in reversed(cases):
        result = jnp.where(holds, code(status), result)
    return result


def finished(theta: Any, status: Int32[Array, ""], steps: Int32[Array, ""]) -> Fit:
    """Return a :class:`Fit` whose estimate is NaN unless the fit converged."""
    converged = status == Status.CONVERGED
    kept = jax.tree.map(lambda leaf: jnp.where(converged, leaf, jnp.nan), theta)
    return Fit(kept, status, steps)
