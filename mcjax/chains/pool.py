"""The pool of all data that a model has read, as a table of samples that can be drawn again.

No rows are stored. A row is a function of its stream, its place and its parent's parameters, so a
chain carries its estimates of all generations instead, and the pool of generation t is a table of
the samples of generations 0 to t. Data that *accumulate* are drawn again as a whole for every fit,
which takes work in proportion to the rows so far. A *subsample* draws only the rows it takes, which
is constant work however large the pool.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int32, UInt32

from mcjax.chains.generation import feeds_at
from mcjax.chains.layout import Feeds, NetworkArrays
from mcjax.chains.observations import draw_single, of_rows
from mcjax.draws.permutation import permuted
from mcjax.draws.streams import design_streams, selection_stream
from mcjax.draws.threefry import threefry
from mcjax.estimators.estimator import Dataset
from mcjax.models.model import Model
from mcjax.network.memory import Memory
from mcjax.solvers.once import once


class Past(NamedTuple):
    """Estimates of all generations; those of generations to come are zero.

    Attributes
    ----------
    theta : Array
        Estimates, shape (T + 1, M, p).
    known : Array
        Whether a model had an estimate, bool, shape (T + 1, M).
    """

    theta: Float[Array, "T+1 M p"]
    known: Bool[Array, "T+1 M"]

    def with_generation(
        self, t: Int32[Array, ""], theta: Float[Array, "M p"], known: Bool[Array, " M"]
    ) -> Past:
        """Return a copy in which generation t is filled in."""
        return Past(self.theta.at[t].set(theta), self.known.at[t].set(known))


def pooled(
    network: NetworkArrays, t: Int32[Array, ""], memory: Memory
) -> tuple[Feeds, Int32[Array, " (T+1)*B"]]:
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
    factor: Float[Array, "q q"],
    parents: Float[Array, "(T+1)*M+S p"],
    pool: Feeds,
    key: UInt32[Array, " 2"],
    when: Int32[Array, " (T+1)*B"],
    t: Int32[Array, ""],
    reader: Int32[Array, ""],
    take: Int32[Array, ""],
    models: int,
    rows: int,
    design: UInt32[Array, " 2"] | None = None,
    mean: Float[Array, " q"] | None = None,
) -> Dataset:
    """Draw a simple random sample without replacement from a pool, padded to ``rows`` rows.

    Parameters
    ----------
    model, factor, parents : Array
        As in :func:`~mcjax.chains.dataset.draw_dataset`.
    pool : Feeds
        One model's row of the table of :func:`pooled`.
    key : Array
        Chain key, shape (2,).
    when : Array
        Generation of each slot of the pool.
    t : Array
        Generation of the fit, int32.
    reader : Array
        Number of the model that is fitted, int32.
    take : Array
        Number of rows to draw, int32.
    models : int
        Origins from this number on are real.
    rows : int
        Number N of rows, padding included.
    design : Array, optional
        Key of fixed designs, shape (2,); by default covariates are drawn anew each time.
    mean : Array, optional
        Mean of the covariates, shape (q,); 0 by default.

    Returns
    -------
    Dataset
        N rows; padding has weight 0 and zero x and y.
    """
    stamp = jnp.where(pool.renewed, when, 0).astype(jnp.uint32)
    chain = (key[0], key[1])
    streams = threefry(chain, (stamp, pool.stream))
    designs = streams if design is None else design_streams(design, pool.stream)
    selection = threefry(chain, (t.astype(jnp.uint32), selection_stream(reader.astype(jnp.uint32))))
    ends = jnp.cumsum(pool.samples)
    place = jnp.arange(rows, dtype=ends.dtype)

    def choose() -> tuple[Array, Array]:
        total = jnp.maximum(ends[-1], 1)  # the pool of a padding model is empty
        chosen = permuted(selection, jnp.minimum(place, total - 1), total)
        slot = jnp.searchsorted(ends, chosen, side="right", method="scan_unrolled")
        return slot, chosen - (ends - pool.samples)[slot]

    slot, row = once(t, choose)

    def draw() -> tuple[Array, Array]:
        origin = pool.origin[slot]
        keys, designed = ((words[0][slot], words[1][slot]) for words in (streams, designs))
        return draw_single(
            model,
            theta=parents.T[:, origin],
            factor=factor,
            real=origin >= models,
            keys=keys,
            designs=designed,
            row=row,
            mean=mean,
        )

    x, y = once(t, draw)
    valid = place < jnp.minimum(take, ends[-1])
    return Dataset(
        x=jnp.where(valid[None], x, 0),
        y=jnp.where(of_rows(valid, y), y, 0),
        weight=jnp.where(valid, pool.weight[slot], 0),
    )
