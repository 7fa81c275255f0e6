"""Programs that reduce tiles of 128 chains where the chains ran, and merge them: for accelerators.

A program of its own takes the arrays of a chunk as they are, so that it changes no bit of them. On
each device it goes through the tiles that lie there, a fixed number at a time: the loop that it
compiles to has the same body for any number of tiles, hence the same rounding. Another program
merges rows in the order of the tiles, one by one. All numbers are in double precision, whatever the
precision of the chains and the user's settings; on a TPU, double precision is pairs of single
precision.

On a CPU none of this is used, because these programs would take longer to compile than most studies
to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float, Float32, Int32

from mcjax.chains.program import Program, Trajectory
from mcjax.draws.settings import double_precision, own_settings
from mcjax.engine.arrays import chains_last, library
from mcjax.engine.moments import TILE, Tile
from mcjax.engine.platforms import REDUCTION_OPTIONS, TILING
from mcjax.engine.task import Task
from mcjax.engine.tiles import Numbers, Reduction

Row = tuple[Any, ...]
"""Numbers in few arrays: all small ones in one, as each has a cost, then the large ones."""
LARGE = 4096
"""An array of more numbers stays by itself in a row, as copies have a cost too."""


class Shape(NamedTuple):
    """Shape of the chains of a condition: T + 1, M, p, and the number F of functionals."""

    steps: int
    models: int
    p: int
    functionals: int


def shape_of(task: Task, program: Program) -> Shape:
    """Return the shape of the chains of a task."""
    p, functionals = task.arrays.truth.shape[1], len(task.functionals)
    return Shape(program.generations + 1, task.models, p, functionals)


class Plan(NamedTuple):
    """Which tiles each of D devices reduces, in slots for S of them.

    Attributes
    ----------
    starts, counts : ndarray
        The first lane of each tile, of those on the device, and its number of chains.
    truth : ndarray
        Its condition's parameters.
    groups : ndarray
        Number of groups of slots that are taken on each device.
    """

    starts: Int32[np.ndarray, "D S"]
    counts: Int32[np.ndarray, "D S"]
    truth: Float[np.ndarray, "D S p"]
    groups: Int32[np.ndarray, " D"]


def example(shape: Shape) -> Tile:
    """Return the shapes and types of a tile's arrays."""
    steps, models, p, functionals = shape
    fits = (steps, models)

    def like(*sizes: int, dtype: Any = np.float64) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, dtype)

    whole = partial(like, *fits, TILE, dtype=np.int32)
    theta, values = like(*fits, p, TILE), like(*fits, functionals, TILE)
    arrays: Any = (theta, whole(), whole(), values, like(TILE, dtype=np.bool_), like(p))
    return Tile(*arrays)


@cache
def layout(reduction: Reduction[Any], shape: Shape) -> Numbers:
    """Return the shapes of the numbers that a reduction makes of a tile."""
    with own_settings(), double_precision():
        return jax.eval_shape(reduction.of, example(shape))


def packed(numbers: Numbers, like: Numbers) -> Row:
    """Return numbers with any leading axes, of NumPy or of a program, as rows.

    ``like`` tells the shapes that they have without leading axes, axes of length 1 included.
    """
    leaves, shapes = jax.tree.leaves(numbers), jax.tree.leaves(like)
    of, lead = library(leaves[0]), leaves[0].shape[: leaves[0].ndim - shapes[0].ndim]
    whole = [of.broadcast_to(a, (*lead, *b.shape)) for a, b in zip(leaves, shapes, strict=True)]
    large = [_alone(shape) for shape in shapes]
    small = [a.reshape(*lead, -1) for a, alone in zip(whole, large, strict=True) if not alone]
    return (of.concatenate(small, -1), *(a for a, alone in zip(whole, large, strict=True) if alone))


def unpacked(row: Row, like: Numbers) -> Numbers:
    """Return the numbers of rows with any leading axes."""
    leaves, structure = jax.tree.flatten(like)
    (small, *large), begin, parts = row, 0, []
    for leaf in leaves:
        if _alone(leaf):
            parts.append(large.pop(0))
            continue
        end = begin + prod(leaf.shape)
        parts.append(small[..., begin:end].reshape((*small.shape[:-1], *leaf.shape)))
        begin = end
    return jax.tree.unflatten(structure, parts)


def _alone(leaf: Any) -> bool:
    return prod(leaf.shape) > LARGE


def row_at(rows: Row, place: int) -> Row:
    """Return one of the rows on a device."""
    with own_settings(), double_precision():
        return tuple(leaf[place] for leaf in rows)


def numbers_of(rows: Row, reduction: Reduction[Any], shape: Shape) -> Numbers:
    """Return the numbers of rows on a device in NumPy arrays."""
    return unpacked(tuple(map(np.asarray, rows)), layout(reduction, shape))


def at_once(shape: Shape, tiles: int) -> int:
    """Return how many of so many tiles are reduced at a time: a power of two."""
    entries = shape.p + shape.functionals
    fits = TILING.numbers // (TILE * shape.steps * shape.models * entries)
    return 1 << min(max(1, fits).bit_length() - 1, (min(tiles, TILING.tiles) - 1).bit_length())


def reduced(
    chains: Trajectory,
    values: Float[Any, "blocks lanes T+1 M F"],
    plan: Plan,
    reduction: Reduction[Any],
    *,
    shape: Shape,
    devices: Sequence[jax.Device],
) -> tuple[Row, Float32[Array, "slots C M p"]]:
    """Reduce tiles on the devices that hold their chains.

    Parameters
    ----------
    chains : Trajectory
        Chains of equal shares of the devices, with leading axes (blocks, lanes). Models beyond
        those in ``shape`` are left out.
    values : array
        Values of functionals, not finite where there is none.
    plan : Plan
        The tiles.
    reduction : Reduction
        What they are reduced to.
    shape : Shape
        Shape of the chains.
    devices : sequence of Device
        The devices.

    Returns
    -------
    rows, sample : array
        Numbers of the tile in each slot, and what is kept of its chains.
    """
    with own_settings(), double_precision():
        return reducing(chains, values, plan, reduction, shape=shape, devices=tuple(devices))


@partial(
    jax.jit,
    static_argnames=("reduction", "shape", "devices"),
    compiler_options=REDUCTION_OPTIONS,
)
def reducing(
    chains: Trajectory,
    values: Array,
    plan: Plan,
    reduction: Reduction[Any],
    *,
    shape: Shape,
    devices: tuple[jax.Device, ...],
) -> tuple[Row, Array]:
    """Reduce tiles as :func:`reduced` does, in double precision."""
    count = at_once(shape, plan.starts.shape[1])
    share = partial(_share, reduction=reduction, shape=shape, count=count)
    blocks = PartitionSpec("blocks")
    return jax.shard_map(
        share,
        mesh=Mesh(np.array(devices), "blocks"),
        in_specs=blocks,
        out_specs=blocks,
        check_vma=False,
    )(chains, values, plan)


def _share(
    chains: Trajectory,
    values: Array,
    plan: Plan,
    *,
    reduction: Reduction[Any],
    shape: Shape,
    count: int,
) -> tuple[Row, Array]:
    """Reduce the tiles of one device."""
    lanes = values.shape[0] * values.shape[1]
    leaves = [leaf.reshape(lanes, *leaf.shape[2:]) for leaf in (*chains, values)]
    starts, counts, truth = (leaf[0] for leaf in plan[:3])

    def tile_at(start: Array) -> list[Array]:
        return [lax.dynamic_slice_in_dim(a, start, TILE)[:, :, : shape.models] for a in leaves]

    def group(k: Array, found: tuple[Row, Array]) -> tuple[Row, Array]:
        first, *rest = (
            lax.dynamic_slice_in_dim(a, k * count, count) for a in (starts, counts, truth)
        )
        counted = jnp.arange(TILE, dtype=jnp.int32)[None] < rest[0][:, None]
        theta, status, steps, values = map(chains_last, jax.vmap(tile_at)(first))
        values = jnp.where(counted[:, None, None, None], values, jnp.nan)
        tile = Tile(theta, status, steps, values, counted=counted, truth=rest[1])
        made = packed(reduction.of(tile), like), reduction.sample(tile)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, k * count, 0),
            found,
            made,
        )

    like = layout(reduction, shape)
    made = (
        jax.eval_shape(partial(packed, like=like), like),
        jax.eval_shape(reduction.sample, example(shape)),
    )
    nothing = jax.tree.map(lambda a: jnp.zeros((len(starts), *a.shape), a.dtype), made)
    # the number of groups is data, so that the loop is one for any number
    return lax.fori_loop(0, plan.groups[0], group, nothing)


def fold(
    total: Numbers | Row | None,
    rows: Row,
    places: np.ndarray,
    *,
    reduction: Reduction[Any],
    shape: Shape,
) -> Row:
    """Merge some rows, in order, after ``total``; on the device where they are."""
    # few lengths, each of which is compiled; one of 1 would be no loop, and might round otherwise
    order = np.zeros(max(2, 1 << (len(places) - 1).bit_length()), np.int32)
    order[: len(places)] = places
    started, count = np.bool_(total is not None), np.int32(len(places))
    like = layout(reduction, shape)
    with own_settings(), double_precision():
        if total is None:
            total = tuple(np.zeros(leaf.shape[1:]) for leaf in rows)
        elif not isinstance(jax.tree.leaves(total)[0], Array):
            total = packed(total, like)
        [device] = rows[0].devices()
        about = {"started": started, "reduction": reduction, "like": like}
        return _fold(jax.device_put(total, device), rows, order, count, **about)


@partial(jax.jit, static_argnames=("reduction", "like"))
def _fold(
    total: Row,
    rows: Row,
    order: Array,
    count: Array,
    started: Bool[Array, ""],
    *,
    reduction: Reduction[Any],
    like: Numbers,
) -> Row:
    def row(k: Any) -> Row:
        parts = tuple(lax.dynamic_index_in_dim(leaf, order[k], keepdims=False) for leaf in rows)
        return lax.optimization_barrier(parts)

    # Passed on as rows, merged numbers are few arrays, each made by one kernel. The length of the
    # loop is known, so that a GPU need not ask the host after each pass whether to go on.
    def merge(k: Array, total: Row) -> Row:
        own = row(k)
        merged = packed(reduction.merged(unpacked(total, like), unpacked(own, like)), like)
        merged = _where((k > 0) | started, merged, own)
        return _where(k < count, merged, total)

    return lax.fori_loop(0, len(order), merge, total)


def _where(condition: Array, row: Row, other: Row) -> Row:
    return tuple(jnp.where(condition, *both) for both in zip(row, other, strict=True))
