"""Estimate the information of a model that does not state it.

Derivatives are computed by automatic differentiation, expectations by Monte Carlo. Batches of draws
give the error that this leaves in a prediction.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from mcjax.chains.observations import draw_labels, draw_normals, label_words
from mcjax.draws.streams import chain_keys
from mcjax.laws.law import Inapplicable
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model

BATCHES = 32
PAIRS = 1 << 13
SEED = 0x1F0
"""The estimate belongs to the law and not to the simulation, so its draws never change."""


class _Batch(NamedTuple):
    """Means over one batch of the score (p,), score score' (p, p) and the Hessian (p, p)."""

    score: Any
    outer: Any
    hessian: Any


def estimate_information(
    model: Model, theta: Float[np.ndarray, " p"], factor: Float[np.ndarray, "q q"]
) -> tuple[Information, list[Information]]:
    """Estimate ``H = E grad^2 loss`` and ``V = Cov(grad loss)`` from 2^19 observations.

    Parameters
    ----------
    model : Model
        Its loss, and its samplers of real and synthetic labels.
    theta : ndarray, shape (p,)
        The truth.
    factor : ndarray, shape (p, p)
        Covariates are N(0, factor factor').

    Returns
    -------
    information : Information
        The estimate.
    versions : list of Information
        One estimate without each of the batches, see :mod:`mcjax.laws.jackknife`.

    Raises
    ------
    Inapplicable
        If the mean score at theta is not zero within five standard errors, since theta is then not
        what the loss aims at; or if derivatives are not finite.
    """
    kinds = {}
    for real in (True, False):
        batches = _batches(model, jnp.asarray(theta), jnp.asarray(factor), real)
        kinds[real] = _Batch(*(np.asarray(leaf, float) for leaf in batches))
        _check(kinds[real], "sample_real" if real else "sample")

    def information(keep: np.ndarray) -> Information:
        return Information(real=_batch(kinds[True], keep), synthetic=_batch(kinds[False], keep))

    everything = np.ones(BATCHES, bool)
    without = [information(np.arange(BATCHES) != b) for b in range(BATCHES)]
    return information(everything), without


@partial(jax.jit, static_argnames="real")
def _batches(model: Model, theta: Array, factor: Array, real: bool) -> _Batch:
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), model)

    def one(key: Array) -> _Batch:
        pairs = jnp.arange(PAIRS, dtype=jnp.uint32)
        rows = 2 * PAIRS
        x = jnp.zeros((0, rows), theta.dtype)
        if model.covariates != 0:
            z = draw_normals((key[0], key[1]), pairs, len(factor), theta.dtype)
            x = factor @ jnp.concatenate([z.real, z.imag], axis=1)
        parent = jnp.broadcast_to(theta[:, None], (len(theta), rows))
        words = label_words((key[0], key[1]), pairs)
        y = draw_labels(model, parent, x, real=jnp.full(rows, real), words=words)

        def loss(at: Array, x: Array, y: Array) -> Array:
            return model.loss(model.params, model.parameters(at), x, y)

        scores = jax.vmap(jax.grad(loss), (None, 1, -1), 1)(theta, x, y)
        hessians = jax.vmap(jax.hessian(loss), (None, 1, -1))(theta, x, y)
        return _Batch(scores.mean(1), scores @ scores.T / rows, hessians.mean(0))

    keys = chain_keys(SEED, int(real), np.arange(BATCHES))
    return lax.map(one, jnp.asarray(keys))


def _batch(batches: _Batch, keep: np.ndarray) -> BatchInformation:
    score, outer, hessian = (leaf[keep].mean(0) for leaf in batches)
    return BatchInformation(hessian, outer - np.outer(score, score))


def _check(batches: _Batch, function: str) -> None:
    if not all(np.isfinite(leaf).all() for leaf in batches):
        raise Inapplicable(f"the loss or its derivatives are not finite under `{function}`")
    mean = batches.score.mean(0)
    error = batches.score.std(0, ddof=1) / np.sqrt(BATCHES)
    distance = np.abs(mean) / np.where(error > 0, error, np.inf)
    if distance.max() > 5:
        raise Inapplicable(
            f"the loss is not minimised at theta under `{function}`: the mean score there is"
            f" {distance.max():.0f} standard errors from zero"
        )
