"""The data that one model fits in one generation, drawn from the streams of its feeds."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int32, UInt32

from mcjax.chains.files import FileArrays
from mcjax.chains.layout import Feeds
from mcjax.chains.observations import (
    draw_labels,
    draw_normals,
    label_words,
    of_rows,
    spare_words,
)
from mcjax.chains.selected import Attempt, Rows, attempt_keys
from mcjax.draws.streams import COPY, design_streams
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset
from mcjax.estimators.predictor import Params, Words
from mcjax.faults import users_code
from mcjax.models.model import Model
from mcjax.solvers.once import once


class SourceArrays(NamedTuple):
    """Properties in which the S real sources differ; the first entry is for ``real`` and models.

    Attributes
    ----------
    factor : array or None
        Roots of the covariances of x, shape (S, p, p), or (M + S, p, p) if models differ too; None
        if all are equal.
    sigma : array or None
        Noise scales, shape (S,); None if all are equal.
    """

    factor: Float[Any, "K p p"] | None
    sigma: Float[Any, " S"] | None


def draw_dataset(
    model: Model,
    factor: Float[Array, "q q"],
    parents: Float[Array, "M+S p"],
    feeds: Feeds,
    key: UInt32[Array, " 2"],
    generation: Int32[Array, "*B"],
    models: int,
    pairs: int,
    design: UInt32[Array, " 2"] | None = None,
    sources: SourceArrays | None = None,
    selections: tuple[Any, ...] = (),
    files: FileArrays | None = None,
    mean: Float[Array, " q"] | None = None,
) -> Dataset:
    """Draw the rows of all feeds of one model, feed after feed, padded to ``pairs`` pairs.

    Parameters
    ----------
    model : Model
        The model that generates the labels, in the precision of the draws.
    factor : Array
        A root of the covariance of the covariates, shape (q, q).
    parents : Array
        Parameters of the models, then of the real sources, shape (M + S, p).
    feeds : Feeds
        One model's row of the table, each entry of shape (B,).
    key : Array
        Chain key, shape (2,).
    generation : Array
        Generation in which each feed is drawn, int32, scalar or shape (B,).
    models : int
        Number M of models; origins from this number on are real.
    pairs : int
        Number H of pairs of rows, padding included.
    design : Array, optional
        Key of fixed designs, shape (2,); by default covariates are drawn anew each time.
    sources : SourceArrays, optional
        Properties in which the real sources differ.
    selections : tuple of Selection, optional
        What readers keep; ``feeds.selection`` gives their numbers.
    files : FileArrays, optional
        The files that rows are drawn from; by default all covariates are normal.
    mean : Array, optional
        Mean of normal covariates, shape (q,); 0 by default.

    Returns
    -------
    Dataset
        N = 2H rows, the even ones first; padding has weight 0 and zero x and y, and so have rows
        that are not kept. Without covariates, x has shape (0, N).
    """
    stamp = jnp.where(feeds.renewed, generation, 0).astype(jnp.uint32)
    streams = threefry(sample_keys((key[0], key[1]), feeds), (stamp, feeds.stream))
    designs = streams if design is None else design_streams(design, feeds.stream)
    # (B,) pairs of each feed, and where they end; then for each of the H pairs its feed and its
    # place in the feed's sample
    taken = (feeds.samples + 1) // 2
    ends = jnp.cumsum(taken)
    place = jnp.arange(pairs, dtype=ends.dtype)
    slot = jnp.minimum(jnp.sum(place[:, None] >= ends[None, :], axis=1), len(ends) - 1)
    within = place - (ends - taken)[slot]

    def gather() -> tuple[Array, ...]:
        origin = feeds.origin[slot]
        keys = (word[slot] for word in (*streams, *designs))
        return *keys, origin >= models, parents.T[:, origin]

    *keys, real, theta = once(generation, gather)
    pair = within.astype(jnp.uint32)
    sigma, roots = None, None
    if sources is not None:
        source = jnp.maximum(feeds.origin - models, 0)
        if sources.factor is not None:
            given = jnp.asarray(sources.factor, parents.dtype)
            count = len(given) - (len(parents) - models)  # M, or 0 if models are like `real`
            row = source
            if count:  # the same model may have a number for each generation
                row = jnp.where(feeds.origin < models, feeds.origin % count, count + source)
            roots = jnp.moveaxis(given[row], 0, -1)
        if sources.sigma is not None:
            sigma = _both(jnp.asarray(sources.sigma, parents.dtype)[source][slot])

    def normals(designed: Words) -> Array:
        """Return normal x, (q, N), from the stream keys of the designs."""
        if model.covariates == 0:
            return jnp.zeros((0, 2 * pairs), parents.dtype)
        z = once(generation, lambda: draw_normals(designed, pair, len(factor), parents.dtype))
        normals = _halves(z.real, z.imag)
        if roots is None:
            x = jnp.matmul(factor, normals, precision="highest")
        else:
            x = once(generation, lambda: (_both(roots[:, :, slot]) * normals[None]).sum(1))
        return x if mean is None else x + mean[:, None]

    params = model.params
    if sigma is not None and model.noise_scale is not None:
        params = params | {model.noise_scale: sigma}

    def attempt_with(own: Words, designed: Words) -> Attempt:
        words = label_words(own, pair), spare_words(own, pair)
        if files is None:
            return Attempt(normals(designed), *words)
        place = files.places(designed, pair, origins)
        x = jnp.asarray(files.x, parents.dtype)[place].T
        if files.mean is not None:
            normal = normals(designed) + jnp.asarray(files.mean, parents.dtype)[origins].T
            x = jnp.where(jnp.asarray(files.file)[origins] < 0, normal, x)
        return Attempt(x, *words, given=jnp.asarray(files.y, parents.dtype)[place])

    if files is not None:
        origins = _both(files.origins(feeds.origin[slot], models))

    def label(attempt: Attempt, at: Array, numbers: Params) -> Array:
        y = draw_labels(model, at, attempt.x, _both(real), words=attempt.words, params=numbers)
        if files is None or attempt.given is None:
            return y
        return jnp.where(jnp.asarray(files.labelled)[origins], attempt.given, y)

    def attempt(k: Any) -> Attempt:
        own = attempt_keys((keys[0], keys[1]), k)
        return attempt_with(own, own)

    first = attempt_with((keys[0], keys[1]), (keys[2], keys[3]))
    x = first.x
    y = once(generation, lambda: label(first, _both(theta), params))
    row = _halves(2 * within, 2 * within + 1)
    valid = (row < _both(feeds.samples[slot])) & _both(place < ends[-1])
    if selections:  # no attempt is made at a row without weight, which may not be to be had
        valid &= _both(feeds.weight[slot] != 0)

    def of_feeds(numbers: Array) -> Array:
        """Return numbers of the feeds, (..., B), row by row, (..., N)."""
        return once(generation, lambda: _both(numbers[..., slot]))

    for number, selection in enumerate(selections, 1):
        assert feeds.selection is not None, "a network with selections has their numbers"
        chosen = _both(feeds.selection[slot] == number)
        rows = Rows(
            model,
            theta=_both(theta),
            params=params,
            attempt=attempt,
            label=label,
            wanted=valid & chosen,
            # where params have a number for each row, so must theta
            origins=parents.T[:, feeds.origin] if sigma is None else _both(theta),
            of_rows=of_feeds if sigma is None else lambda numbers: numbers,
        )
        with users_code("keep", selection):
            drawn = selection.draw(rows)
            x = jnp.where(chosen[None], drawn.x, x)
            y = jnp.where(of_rows(chosen, y), drawn.y, y)
            valid = valid & (drawn.kept | ~chosen)
    return Dataset(
        x=jnp.where(valid[None, :], x, 0),
        y=jnp.where(of_rows(valid, y), y, 0),
        weight=jnp.where(valid, _both(feeds.weight[slot]), 0),
    )


def sample_keys(chain: Words, feeds: Feeds) -> Words:
    """Return the chain key of each feed's sample, two words that broadcast against the feeds."""
    if feeds.copy is None:
        return chain
    further = threefry(chain, (feeds.copy, jnp.full_like(feeds.copy, COPY)))
    first, second = (
        jnp.where(feeds.copy == 0, own, new) for own, new in zip(chain, further, strict=True)
    )
    return first, second


def _halves(even: Array, odd: Array) -> Array:
    """Concatenate even rows and odd rows along the last axis."""
    return jnp.concatenate([even, odd], axis=-1)


def _both(pairs: Array) -> Array:
    """Repeat the value of each pair for its even and its odd row: (..., H) to (..., 2H)."""
    return _halves(pairs, pairs)
