"""Estimate the information of a model that does not state it.

Derivatives are computed by automatic differentiation, expectations by Monte Carlo. Batches of draws
give the error that this leaves in a prediction.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from mcjax.chains.observations import draw_labels, draw_normals, label_words
from mcjax.draws.settings import own_settings
from mcjax.draws.streams import chain_keys
from mcjax.laws.first_order.score_tests import (
    BatchMeans,
    infinite_variance,
    not_finite,
    not_smallest,
)
from mcjax.laws.law import Inapplicable
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model

BATCHES = 32
PAIRS = 1 << 13
TOPS = 64
"""Number of the largest scores of each batch that are kept."""
SEED = 0x1F0
"""The estimate belongs to the law and not to the simulation, so its draws never change."""


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
        If the mean score at theta is not zero, since theta is then not what the loss aims at; if
        the variance of the score is not finite; or if derivatives are not.
    """
    kinds = {}
    for real in (True, False):
        kinds[real] = drawn = draw_moments(model, theta, factor, real)
        wrong = not_finite(drawn) or infinite_variance(drawn) or not_smallest(drawn, theta)
        if wrong:
            own = real and model.sample_real is not None
            raise Inapplicable(f"under `{'sample_real' if own else 'sample'}` {wrong}")

    def information(keep: np.ndarray) -> Information:
        return Information(real=_batch(kinds[True], keep), synthetic=_batch(kinds[False], keep))

    everything = np.ones(BATCHES, bool)
    without = [information(np.arange(BATCHES) != b) for b in range(BATCHES)]
    return information(everything), without


def draw_moments(
    model: Model, theta: Float[np.ndarray, " p"], factor: Float[np.ndarray, "q q"], real: bool
) -> BatchMeans:
    """Return moments of 2^19 draws, of real labels or of those that the model generates.

    They are kept, because a model is checked before its information is asked for.
    """
    leaves, structure = jax.tree.flatten(model)
    arrays = tuple(np.asarray(leaf).tobytes() for leaf in (*leaves, theta, factor))
    key = structure, arrays, real
    if key not in _KEPT:
        keys = jnp.asarray(chain_keys(SEED, int(real), np.arange(BATCHES)))
        own = real and model.sample_real is not None  # otherwise one program serves both
        with own_settings():
            batches = _batches(model, jnp.asarray(theta), jnp.asarray(factor), keys, real=own)
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = BatchMeans(*(np.asarray(leaf, float) for leaf in batches))
    return _KEPT[key]


_KEPT: dict[Hashable, BatchMeans] = {}
MOST_KEPT = 64


def draw_slopes(
    model: Model,
    theta: Float[np.ndarray, " p"],
    factor: Float[np.ndarray, "q q"],
    real: bool,
    moves: Float[np.ndarray, "K p"],
) -> Float[np.ndarray, "B K p"]:
    """Return half of what each of K moves of theta adds to the mean slope, there less back.

    The draws are those of :func:`draw_moments`, at the same theta, batch by batch.
    """
    keys = jnp.asarray(chain_keys(SEED, int(real), np.arange(BATCHES)))
    own = real and model.sample_real is not None
    with own_settings():
        at, root, by = map(jnp.asarray, (theta, factor, moves))
        return np.asarray(_slopes(model, at, root, keys, moves=by, real=own), float)


@partial(jax.jit, static_argnames="real")
def _slopes(
    model: Model, theta: Array, factor: Array, keys: Array, moves: Array, real: bool
) -> Array:
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), model)

    def one(key: Array) -> Array:
        x, y = _rows(model, theta, factor, key, real=real)

        def loss(at: Array, x: Array, y: Array) -> Array:
            return model.loss(model.params, model.parameters(at), x, y)

        def slope(move: Array) -> Array:
            return jax.vmap(jax.grad(loss), (None, 1, -1))(theta + move, x, y).mean(0)

        there_and_back = lax.map(slope, jnp.concatenate([moves, -moves]))
        return (there_and_back[: len(moves)] - there_and_back[len(moves) :]) / 2

    return lax.map(one, keys)


def _rows(model: Model, theta: Array, factor: Array, key: Array, real: bool) -> tuple[Array, Array]:
    """Return the covariates and labels of a batch of draws at theta."""
    pairs = jnp.arange(PAIRS, dtype=jnp.uint32)
    rows = 2 * PAIRS
    x = jnp.zeros((0, rows), theta.dtype)
    if model.covariates != 0:
        z = draw_normals((key[0], key[1]), pairs, len(factor), theta.dtype)
        x = factor @ jnp.concatenate([z.real, z.imag], axis=1)
    parent = jnp.broadcast_to(theta[:, None], (len(theta), rows))
    words = label_words((key[0], key[1]), pairs)
    return x, draw_labels(model, parent, x, real=jnp.full(rows, real), words=words)


@partial(jax.jit, static_argnames="real")
def _batches(model: Model, theta: Array, factor: Array, keys: Array, real: bool) -> BatchMeans:
    model = jax.tree.map(lambda leaf: jnp.asarray(leaf, theta.dtype), model)

    def one(key: Array) -> BatchMeans:
        rows = 2 * PAIRS
        x, y = _rows(model, theta, factor, key, real=real)

        def loss(at: Array, x: Array, y: Array) -> Array:
            return model.loss(model.params, model.parameters(at), x, y)

        losses, scores = jax.vmap(jax.value_and_grad(loss), (None, 1, -1), (0, 1))(theta, x, y)
        hessians = jax.vmap(jax.hessian(loss), (None, 1, -1))(theta, x, y)
        finite = jnp.isfinite(losses) & jnp.isfinite(scores).all(0)
        finite &= jnp.isfinite(hessians).all((1, 2))
        return BatchMeans(
            score=scores.mean(1),
            outer=scores @ scores.T / rows,
            hessian=hessians.mean(0),
            largest=lax.top_k(jnp.abs(scores), TOPS)[0],
            finite=finite.mean(dtype=theta.dtype),
        )

    return lax.map(one, keys)


def _batch(batches: BatchMeans, keep: np.ndarray) -> BatchInformation:
    score, outer, hessian = (leaf[keep].mean(0) for leaf in batches[:3])
    return BatchInformation(hessian, outer - np.outer(score, score))
