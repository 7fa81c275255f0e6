"""Estimates from sums over rows, for families in which sums suffice.

Sums of several generations add up, so a model that fits all data it was ever fed keeps only these.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.fits.fit import Fit
from mcjax.fits.objective import Dataset
from mcjax.models.model import Model
from mcjax.solvers.status import Status


class Sums(NamedTuple):
    """Of one model's data; K numbers suffice."""

    total: Array  # (K,), weighted, about a pivot
    mass: Array  # scalar, of the weights
    squares: Array  # scalar, of the weights' squares


def fits_sums(model: Model, memory: str) -> bool:
    """Whether chains fit sums, not rows. With covariates, fits of one generation's rows are the
    solver's, whose status tells more."""
    return model.summary is not None and (memory == "accumulate" or not model.covariates)


def no_sums(model: Model, pivot: Array, models: int) -> Sums:
    """Of no data, with a leading axis of models. ``pivot``: shape (p,)."""
    assert model.summary is not None  # such families alone have sums
    x = pivot if model.covariates else pivot[:0]
    size = jax.eval_shape(model.summary, model.params, pivot, x, pivot[0]).shape[0]
    none = jnp.zeros(models, pivot.dtype)
    return Sums(jnp.zeros((models, size), pivot.dtype), none, none)


def sums_of(model: Model, pivot: Array, data: Dataset) -> Sums:
    """The sums over one data set."""
    assert model.summary is not None
    each = jax.vmap(model.summary, (None, None, 1, 0), 1)(model.params, pivot, data.x, data.y)
    # not by a product of matrices: where no row is in a class, its sum is 0 to the last bit
    total = jnp.sum(each * data.weight[None, :], axis=1)
    return Sums(total, data.weight.sum(), jnp.sum(data.weight**2))


def fit_sums(model: Model, pivot: Array, sums: Sums, active: Array) -> Fit:
    """The estimate from sums; an inactive one has ``NOT_FITTED``."""
    assert model.estimate is not None
    mass, squares = (jnp.where(active, part, 1) for part in (sums.mass, sums.squares))
    theta, determined = model.estimate(model.params, pivot, sums.total, mass, mass**2 / squares)
    finite = jnp.isfinite(sums.total).all() & (jnp.isfinite(theta).all() | ~determined)
    status = jnp.full((), int(Status.CONVERGED), jnp.int32)
    for holds, code in (
        (~determined, Status.RANK_DEFICIENT),
        (~finite, Status.OVERFLOW),
        (~active, Status.NOT_FITTED),
    ):
        status = jnp.where(holds, int(code), status)
    theta = jnp.where(status == Status.CONVERGED, theta, jnp.nan)
    return Fit(theta, status, jnp.zeros((), jnp.int32))
