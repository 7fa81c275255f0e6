"""Rules of one generation that all paths share: which models are fitted and which keep an estimate.

A model without feeds keeps its estimate (``NOT_FITTED``). A model that reads another one without an
estimate has none either (``PARENT_FAILED``). Paths differ in how they draw data and fit, and in the
order of their axes. The rules here act elementwise or along the axis of feeds.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int32, Integer

from mcjax.estimators.estimator import first_that_holds
from mcjax.solvers.status import Status


def status_before_fit(
    reads: Bool[Array, "*slots"], parent_known: Bool[Array, "*slots"], axis: int
) -> Int32[Array, "*fits"]:
    """Return the status in which models enter a generation.

    ``reads`` says whether a slot of the table holds a feed, and ``parent_known`` whether the origin
    of that feed has an estimate; slots are along ``axis``. The status is ``RUNNING`` for models to
    fit, otherwise ``NOT_FITTED`` or ``PARENT_FAILED``.
    """
    # one reduction answers both: 0 reads nothing, 1 only known models, 2 one without an estimate
    worst = jnp.where(reads, jnp.where(parent_known, 1, 2), 0).max(axis)
    return first_that_holds((worst == 0, Status.NOT_FITTED), (worst == 2, Status.PARENT_FAILED))


def shares_of(
    samples: Integer[Array, "*feeds"], weight: Float[Array, "*feeds"], axis: int
) -> tuple[Float[Array, "*feeds"], Float[Array, "*feeds"]]:
    """Return the weights of observations and of feeds as shares of a fit's total weight.

    ``samples`` are the numbers of observations of each feed, and ``weight`` is that of one
    observation, in the precision of the fit; feeds are along ``axis``.
    """
    mass = samples.astype(weight.dtype) * weight
    total = mass.sum(axis, keepdims=True)
    total = jnp.where(total > 0, total, 1)
    return weight / total, mass / total


def known_after(
    status: Int32[Array, "*fits"], known_before: Bool[Array, "*fits"]
) -> Bool[Array, "*fits"]:
    """Return True for models with an estimate after a generation whose fits end with ``status``."""
    return jnp.where(status == Status.NOT_FITTED, known_before, status == Status.CONVERGED)
