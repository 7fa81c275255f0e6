"""Rows of a population, and the scores of their readers, drawn and differentiated by JAX.

Rows come in batches. Batch b of every population has the same random words, so that what two
populations differ by is not hidden by noise.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, UInt32

from mcjax.chains.observations import draw_labels, label_words, spare_words
from mcjax.chains.selected import Attempt, Drawn, Rows, attempt_keys
from mcjax.estimators.predictor import Params, Words
from mcjax.laws.first_order.drawn_covariates import DrawnNormals, DrawnRows
from mcjax.models.model import Model

PAIRS = 1 << 11
"""Pairs of rows in a batch."""


class Source(NamedTuple):
    """Generator of the rows of a population; a pytree.

    Attributes
    ----------
    model : Model
        The model, with the numbers of the origin.
    covariates : DrawnNormals or DrawnRows
        How covariates are drawn.
    keys : array, shape (B, 2)
        Keys of the batches.
    keep : Selection or None
        What readers keep.
    """

    model: Model
    covariates: DrawnNormals | DrawnRows
    keys: UInt32[Any, "B 2"]
    keep: Any


@partial(jax.jit, static_argnames="real")
def rows_of(source: Source, theta: Float[Array, " p"], real: bool) -> Drawn:
    """Return rows of an origin at ``theta``, with a leading axis of batches.

    ``real`` tells whether labels are those of real data.
    """
    return lax.map(partial(_batch, source, theta, real=real), source.keys)


@jax.jit
def mean_scores(
    model: Model, rows: Drawn, reader: Float[Array, " p"]
) -> tuple[Float[Array, "B p"], Float[Array, "B p p"]]:
    """Return the mean score of each batch of rows and its derivative in the reader.

    Rows that are not kept count as rows of score 0.
    """

    def one(rows: Drawn) -> tuple[Array, Array]:
        return _mean_score(model, rows, reader), jax.jacfwd(partial(_mean_score, model, rows))(
            reader
        )

    return lax.map(one, rows)


class Products(NamedTuple):
    """Means over the rows of each of B batches, for two readers.

    Attributes
    ----------
    first, second : array, shape (B, p)
        Their mean scores.
    product : array, shape (B, p, p)
        The mean product of their scores.
    largest : array, shape (B, p)
        The largest square of a score of the first reader, over the number of rows.
    """

    first: Float[Any, "B p"]
    second: Float[Any, "B p"]
    product: Float[Any, "B p p"]
    largest: Float[Any, "B p"]


@jax.jit
def score_products(
    model: Model, rows: Drawn, first: Float[Array, " p"], second: Float[Array, " p"]
) -> Products:
    """Return the mean products of the scores of two readers of each batch of rows."""

    def one(rows: Drawn) -> Products:
        a, b = (_scores(model, rows, reader) for reader in (first, second))
        count = a.shape[1]
        return Products(a.mean(1), b.mean(1), a @ b.T / count, (a**2).max(1) / count)

    return lax.map(one, rows)


@partial(jax.jit, static_argnames="real")
def differences(
    source: Source,
    theta: Float[Array, " p"],
    reader: Float[Array, " p"],
    steps: Float[Array, " p"],
    real: bool,
) -> Float[Array, "p p"]:
    """Return central differences of a mean score in the parameters of the origin.

    What is differentiated is the mean score of a reader of the rows that are kept, less that of a
    reader at ``theta`` of all rows, with common random words. No sampler is differentiated.

    Returns
    -------
    Array
        Shape (p, p), by score and parameter.
    """

    def apart(at: Array, key: Array) -> Array:
        every = _batch(source._replace(keep=None), at, key, real=real)
        kept = every if source.keep is None else _batch(source, at, key, real=real)
        return _mean_score(source.model, kept, reader) - _mean_score(source.model, every, theta)

    def along(step: Array) -> Array:
        def one(key: Array) -> Array:
            return apart(theta + step, key) - apart(theta - step, key)

        return lax.map(one, source.keys).mean(0)

    return lax.map(along, jnp.diag(steps)).T / (2 * steps)[None]


def _batch(source: Source, theta: Array, key: Array, real: bool) -> Drawn:
    model, rows = _in_precision(source.model, theta), 2 * PAIRS
    pairs = jnp.arange(PAIRS, dtype=jnp.uint32)
    every = jnp.ones(rows, bool)

    def attempt(k: Any) -> Attempt:
        keys = attempt_keys((key[0], key[1]), jnp.uint32(k))
        x = _covariates(source, keys, pairs, theta)
        return Attempt(x, label_words(keys, pairs), spare_words(keys, pairs))

    def label(attempt: Attempt, at: Array, numbers: Params) -> Array:
        return draw_labels(model, at, attempt.x, every & real, words=attempt.words, params=numbers)

    def of_rows(numbers: Array) -> Array:
        return jnp.broadcast_to(numbers, (*numbers.shape[:-1], rows))

    drawn = Rows(
        model,
        of_rows(theta[:, None]),
        params=model.params,
        attempt=attempt,
        label=label,
        wanted=every,
        origins=theta[:, None],
        of_rows=of_rows,
    )
    if source.keep is None:
        first = attempt(0)
        return Drawn(first.x, drawn.labels(first), every)
    kept: Drawn = source.keep.draw(drawn)
    return kept


def _covariates(source: Source, keys: Words, pairs: Array, like: Array) -> Array:
    """Return the covariates of a batch, (q, N)."""
    if source.model.covariates == 0:
        return jnp.zeros((0, 2 * len(pairs)), like.dtype)
    return source.covariates.draw(keys, pairs)


def _mean_score(model: Model, rows: Drawn, reader: Array) -> Array:
    """Return the mean score of a batch, (p,)."""

    def mean(at: Array) -> Array:
        losses = jax.vmap(partial(loss_at, model, at), (1, -1))(rows.x, rows.y)
        return jnp.where(rows.kept, losses, 0).mean()

    return jax.grad(mean)(reader)


def _scores(model: Model, rows: Drawn, reader: Array) -> Array:
    """Return the scores of a batch, (p, N)."""
    slope = jax.grad(partial(loss_at, model))
    return jnp.where(rows.kept, jax.vmap(slope, (None, 1, -1), 1)(reader, rows.x, rows.y), 0)


def loss_at(model: Model, at: Array, x: Array, y: Array) -> Array:
    """Return the loss of one row at parameters (p,)."""
    return model.loss(_in_precision(model, at).params, model.parameters(at), x, y)


def _in_precision(model: Model, like: Array) -> Model:
    precise: Model = jax.tree.map(lambda leaf: jnp.asarray(leaf, like.dtype), model)
    return precise
