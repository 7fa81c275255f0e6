"""The parameters that fit a whole file, which are the truth of the samples drawn from it.

Imports JAX.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from jaxtyping import Float

from mcjax.data.data import Data
from mcjax.draws.settings import double_precision, own_settings
from mcjax.errors import InputError
from mcjax.estimators.estimator import Dataset, Estimator, Fit
from mcjax.estimators.newton import Newton
from mcjax.estimators.objective import gradient_and_hessian
from mcjax.faults import users_code
from mcjax.models.dispersion_scores import DispersionScores
from mcjax.models.model import Model
from mcjax.models.row_slopes import row_slopes
from mcjax.numbers import how_many
from mcjax.solvers.conditioning import condition_number
from mcjax.solvers.status import Status

FIELD = "data"
SINGULAR = 1e14
"""Condition number from which the slope of the score counts as singular."""
_SEPARATED = (
    "a plane separates the labels, or the loss falls for ever as parameters grow, so no estimate"
    " exists; set penalty = { ridge = 0.01 } in [family], because more samples or a Firth penalty"
    " do not move the population"
)
_NO_DISPERSION = (
    "the counts seem no more spread than their means, which is a dispersion of 0; set name ="
    ' "poisson" in [family], or penalty = { ridge = 0.01 }'
)
STEPS = 20
"""Largest number of Newton steps after the fit, to a root that is exact to rounding."""


def fit_to_file(model: Model, data: Data) -> Float[np.ndarray, " q"]:
    """Return the parameters that minimise the mean loss over a file.

    A ridge is part of the loss of a row. Firth's penalty vanishes as samples grow, whatever the
    file, so it is left out.

    Raises
    ------
    InputError
        If the model has no labels like these, or no parameters fit the file.
    """
    if model.covariates == 0:
        raise InputError(FIELD, f"has covariates, which {model.name} has not; leave it out")
    held_out = np.zeros(0) if data.held_out is None else data.held_out.y
    for labels in (data.y, np.concatenate([data.y, held_out])):  # which may lack classes
        wrong = "" if model.labels is None else model.labels(labels)
        if wrong:
            raise InputError("data.target", wrong)
    by_rows = model.penalty is not None and model.penalty.by_rows
    return _fitted(_Problem(replace(model, penalty=None) if by_rows else model, data))


class _Problem:
    """A model and a file, equal to others of the same numbers and functions."""

    def __init__(self, model: Model, data: Data):
        self.model, self.data = model, data
        about = model.name, model.variant, model.params, model.penalty, model.estimator
        self._key = data.digest, repr(about), id(model.loss)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Problem) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=64)  # of the files and scales of a grid
def _fitted(problem: _Problem) -> Float[np.ndarray, " q"]:
    model, data = problem.model, problem.data
    estimator = Newton() if model.estimator is None else model.estimator
    with own_settings(), double_precision(), users_code("loss", model.loss):
        rows = Dataset(jnp.asarray(data.x.T), jnp.asarray(data.y), jnp.ones(len(data.y)))
        start = jnp.zeros(model.parameters_for(data.x.shape[1]))
        fit = _fit(estimator, model, rows, start)
        theta = np.array(ravel_pytree(fit.theta)[0], float)
        status = Status(int(fit.status))
        if status == Status.CONVERGED:
            theta = _polished(model, data, theta)
    if status != Status.CONVERGED:
        advice = status.advice
        if status == Status.SEPARATED:
            alike = isinstance(model.scores, DispersionScores)
            advice = _NO_DISPERSION if alike and data.y.any() else _SEPARATED
        told = "its only row" if len(data.y) == 1 else f"all {how_many(len(data.y), 'row')}"
        raise InputError(FIELD, f"has no fit of {model.name} to {told} ({status.reason}): {advice}")
    theta.setflags(write=False)
    return theta


def _polished(model: Model, data: Data, theta: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    """Return a root of the mean score over a file that is exact to rounding, near an estimate.

    Estimators stop where steps are short beside a standard error, and steps to minima of losses
    with straight parts use a curvature that is not quite theirs. Where the score has no slope, as
    for a quantile, the estimate is the answer.
    """
    ridge = float(model.shrinkage)
    rows = Dataset(*map(jnp.asarray, (data.x.T, data.y, np.ones(len(data.y)))))

    def equation(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if model.predictor is None:
            parts = _derivatives(model, rows, model.parameters(jnp.asarray(at)))
            return np.asarray(parts[0]), np.asarray(parts[1])
        slopes = row_slopes(model.predictor, model.params, data.x @ at, data.y)
        mean = data.x.T @ slopes.first / len(data.y) + ridge * at
        return mean, (data.x.T * slopes.second) @ data.x / len(data.y) + ridge * np.eye(len(at))

    mean, slope = equation(theta)
    for _ in range(STEPS):
        if not condition_number(slope) < SINGULAR:
            break
        ahead = theta - np.linalg.solve(slope, mean)
        new_mean, new_slope = equation(ahead)
        if not np.abs(new_mean).max() < np.abs(mean).max():
            break
        theta, mean, slope = ahead, new_mean, new_slope
    return theta


@jax.jit
def _derivatives(model: Model, rows: Dataset, theta: Any) -> tuple[Array, Array]:
    return gradient_and_hessian(model, rows, theta)


def _fit(estimator: Estimator, model: Model, rows: Dataset, start: Array) -> Fit:
    def fit(model: Model, rows: Dataset, start: Array) -> Fit:
        return estimator.fit(model, rows, model.parameters(start), jax.random.key(0))

    found: Fit = jax.jit(fit)(model, rows, start)
    return found
