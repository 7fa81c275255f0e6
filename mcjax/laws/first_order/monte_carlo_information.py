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
from mcjax.laws.first_order.tail_index import LARGEST, has_mean
from mcjax.laws.law import Inapplicable
from mcjax.models.information import BatchInformation, Information
from mcjax.models.model import Model

BATCHES = 32
PAIRS = 1 << 13
TOP = 4 * LARGEST // BATCHES
"""Largest values of a batch that are kept; the ``LARGEST`` of all batches are among them."""
SEED = 0x1F0
"""The estimate belongs to the law and not to the simulation, so its draws never change."""


class _Batch(NamedTuple):
    """Means over one batch, and of each row what the tails are judged by.

    Attributes
    ----------
    score, outer, hessian : Array
        Means of the score, (p,), of score score', (p, p), and of the Hessian, (p, p).
    squares, curvatures : Array
        The largest squares of each entry of the score, and the largest sizes of each entry of the
        diagonal of the Hessian, (p, ``TOP``).
    """

    score: Any
    outer: Any
    hessian: Any
    squares: Any
    curvatures: Any


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
        One estimate without each of the batches. Whatever is computed from the information has the
        jackknife standard error of its values on these.

    Raises
    ------
    Inapplicable
        If the mean score at theta is not zero within five standard errors, since theta is then not
        what the loss aims at; if derivatives are not finite; or if the draws do not show that
        their second moments exist (:mod:`mcjax.laws.first_order.tail_index`).
    """
    kinds = {}
    for real in (True, False):
        batches = _batches(model, jnp.asarray(theta), jnp.asarray(factor), real)
        kinds[real] = _Batch(*(np.asarray(leaf, float) for leaf in batches))
        own = real and model.sample_real is not None
        _check(kinds[real], "sample_real" if own else "sample")

    def information(keep: np.ndarray) -> Information:
        return Information(real=_batch(kinds[True], keep), synthetic=_batch(kinds[False], keep))

    everything = np.ones(BATCHES, bool)
    without = [information(np.arange(BATCHES) != b) for b in range(BATCHES)]
    return information(everything), without


def jackknife_error(values: Float[np.ndarray, " batches *shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the standard error from the values without each batch, along the first axis."""
    count = len(values)
    return np.sqrt((count - 1) / count * ((values - values.mean(0)) ** 2).sum(0))


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
        curvatures = jnp.abs(jnp.diagonal(hessians, axis1=1, axis2=2)).T
        means = scores.mean(1), scores @ scores.T / rows, hessians.mean(0)
        return _Batch(*means, *(lax.top_k(size, TOP)[0] for size in (scores**2, curvatures)))

    keys = chain_keys(SEED, int(real), np.arange(BATCHES))
    return lax.map(one, jnp.asarray(keys))


def _batch(batches: _Batch, keep: np.ndarray) -> BatchInformation:
    score, outer, hessian = (leaf[keep].mean(0) for leaf in batches[:3])
    return BatchInformation(hessian, outer - np.outer(score, score))


def _check(batches: _Batch, function: str) -> None:
    if not all(np.isfinite(leaf).all() for leaf in batches):
        raise Inapplicable(f"the loss or its derivatives are not finite under `{function}`")
    for what, sizes in (
        ("score has no finite covariance", batches.squares),
        ("second derivative of the loss has no finite mean", batches.curvatures),
    ):
        if not all(has_mean(entry.ravel()) for entry in np.moveaxis(sizes, 1, 0)):
            raise Inapplicable(
                f"the {what} under `{function}`, or none that {BATCHES * 2 * PAIRS:,} draws show:"
                " its tail is too heavy"
            )
    mean = batches.score.mean(0)
    error = batches.score.std(0, ddof=1) / np.sqrt(BATCHES)
    distance = np.abs(mean) / np.where(error > 0, error, np.inf)
    if distance.max() > 5:
        raise Inapplicable(
            f"the loss is not minimised at theta under `{function}`: the mean score there is"
            f" {distance.max():.0f} standard errors from zero"
        )
