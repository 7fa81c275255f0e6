"""All data that a model was ever fed, as one table of samples that are drawn again when needed.

No rows are kept: a row is a function of its stream, its place and its parent's parameters, so a
chain carries its estimates of all generations instead, and the pool of generation t is a table of
the samples of generations 0 to t. What *accumulates* is drawn again as a whole at each fit: work in
proportion to the rows so far. A *subsample* draws only the rows that it takes: constant work,
however large the pool.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from mcjax.chains.dataset import design_streams, once
from mcjax.chains.layout import Feeds, NetworkArrays, feeds_at
from mcjax.chains.observations import draw_single, of_rows
from mcjax.draws.permutation import permuted
from mcjax.draws.streams import selection_stream
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset
from mcjax.models.model import Model
from mcjax.network.memory import Memory


class Past(NamedTuple):
    """Of all generations; those to come are zero."""

    theta: Array  # (T + 1, M, p)
    known: Array  # (T + 1, M) bool

    def with_generation(self, t: Array, theta: Array, known: Array) -> Past:
        """With generation t filled in."""
        return Past(self.theta.at[t].set(theta), self.known.at[t].set(known))


def pooled(network: NetworkArrays, t: Array, memory: Memory) -> tuple[Feeds, Array]:
    """Return one table of all samples in the pool of generation t.

    Returns
    -------
    feeds : Feeds
        Entries of shape (M, (T + 1) B), in which the origin ``s M + j`` is model j as it was at
        generation s, and ``(T + 1) M + s`` real source s.
    generations : Array
        Of each slot, shape ((T + 1) B,).
    """
    generations = jnp.arange(len(network.order), dtype=jnp.int32)
    # one generation after the other along the slots
    every = jax.vmap(feeds_at, (None, 0), 1)(network, generations)
    table = jax.tree.map(lambda entry: entry.reshape(len(entry), -1), every)
    models, slots = network.feeds.samples.shape[-2:]
    when = jnp.repeat(generations, slots)
    parent = table.origin + (when - 1)[None] * models  # a generation before
    real = table.origin + (len(generations) - 1) * models
    return table._replace(
        samples=jnp.where(memory.keeps(when, t)[None], table.samples, 0),
        origin=jnp.where(table.origin < models, parent, real),
    ), when


def draw_subsample(
    model: Model,
    factor: Array,
    parents: Array,
    pool: Feeds,
    key: Array,
    when: Array,
    t: Array,
    reader: Array,
    take: Array,
    models: int,
    rows: int,
    design: Array | None = None,
) -> Dataset:
    """Rows drawn from a pool without replacement, each with the same chance, padded to ``rows``.

    Parameters
    ----------
    pool: one model's row of the table of :func:`pooled`; when: each slot's generation.
    t: generation of the fit. reader: the model, int32. take: how many rows, int32.
    models: origins from which on they are real. Others: as for
        :func:`~mcjax.chains.dataset.draw_dataset`.
    """
    stamp = jnp.where(pool.renewed, when, 0).astype(jnp.uint32)
    chain = (key[0], key[1])
    streams = threefry(chain, (stamp, pool.stream))
    designs = streams if design is None else design_streams(design, pool.stream)
    selection = threefry(chain, (t.astype(jnp.uint32), selection_stream(reader.astype(jnp.uint32))))
    ends = jnp.cumsum(pool.samples)
    place = jnp.arange(rows, dtype=ends.dtype)

    def choose() -> tuple[Array, Array]:
        total = jnp.maximum(ends[-1], 1)  # padding models have no rows to choose from
        chosen = permuted(selection, jnp.minimum(place, total - 1), total)
        slot = jnp.searchsorted(ends, chosen, side="right", method="scan_unrolled")
        return slot, chosen - (ends - pool.samples)[slot]

    slot, row = once(t, choose)

    def draw() -> tuple[Array, Array]:
        origin = pool.origin[slot]
        keys, designed = ((words[0][slot], words[1][slot]) for words in (streams, designs))
        return draw_single(
            model, parents.T[:, origin], factor, origin >= models, keys, designed, row
        )

    x, y = once(t, draw)
    valid = place < jnp.minimum(take, ends[-1])
    return Dataset(
        x=jnp.where(valid[None], x, 0),
        y=jnp.where(of_rows(valid, y), y, 0),
        weight=jnp.where(valid, pool.weight[slot], 0),
    )
