"""Tiles of 64 chains, reduced to rows of numbers on the devices where the chains ran.

A program of its own takes the arrays of a chunk as they are, so that it changes no bit of them. On
each device it goes through the tiles that lie there, a fixed number at a time: the loop that it
compiles to has the same body for any number of tiles, hence the same rounding. Another program
merges rows in the order of the tiles, one by one. All numbers are in double precision, whatever the
precision of the chains and the user's settings; on a TPU, double precision is pairs of single
precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from math import prod
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Bool, Float, Float32, Int32

from mcjax.chains.program import Trajectory
from mcjax.draws.settings import double_precision, own_settings
from mcjax.engine.moments import TILE, Tile
from mcjax.engine.platforms import reduction_options, tiling_on

Summary = TypeVar("Summary")
Numbers = Any
"""A tree of arrays in double precision that describes a set of chains, inside a program."""
Row = tuple[Any, ...]
"""The same in few arrays: all small ones in one, as each has a cost, then the large ones."""
LARGE = 4096
"""An array of more numbers stays by itself in a row, as copies have a cost too."""


class Reduction(Protocol[Summary]):
    """What sets of chains are reduced to; equal ones have equal hashes."""

    def __hash__(self) -> int:
        """Return the same for equal ones."""

    def of(self, tile: Tile) -> Numbers:
        """Reduce the chains of a tile that count, in a program."""

    def merged(self, first: Numbers, second: Numbers) -> Numbers:
        """Return the numbers of two sets of chains together, in a program."""

    def sample(self, tile: Tile) -> Float32[Array, "C M p"]:
        """Return what is kept of each of the first chains themselves, in a program."""

    def kept(self, numbers: Numbers, sample: Float32[np.ndarray, "K M p"]) -> Summary:
        """Return the summary that is kept of such numbers, in NumPy arrays."""

    def numbers(self, summary: Summary) -> tuple[Numbers, Float32[np.ndarray, "K M p"]]:
        """Return the numbers that a summary was made from, and what it keeps of chains."""


class Shape(NamedTuple):
    """Shape of the chains of a condition: T + 1, M, p, and the number F of functionals."""

    steps: int
    models: int
    p: int
    functionals: int


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


def packed(numbers: Numbers) -> Row:
    """Return numbers as a row, of a program or of NumPy's."""
    leaves = jax.tree.leaves(numbers)
    of = np if isinstance(leaves[0], np.ndarray) else jnp
    small = [of.ravel(leaf) for leaf in leaves if not _alone(leaf)]
    return (of.concatenate(small), *(leaf for leaf in leaves if _alone(leaf)))


def unpacked(row: Row, like: Numbers) -> Numbers:
    """Return the numbers of a row."""
    leaves, structure = jax.tree.flatten(like)
    (small, *large), begin, parts = row, 0, []
    for leaf in leaves:
        if _alone(leaf):
            parts.append(large.pop(0))
            continue
        end = begin + prod(leaf.shape)
        parts.append(small[begin:end].reshape(leaf.shape))
        begin = end
    return jax.tree.unflatten(structure, parts)


def _alone(leaf: Any) -> bool:
    return prod(leaf.shape) > LARGE


def row_at(rows: Row, place: Any) -> Row:
    """Return some of the rows, in NumPy arrays."""
    return tuple(np.asarray(leaf)[place] for leaf in rows)


def at_once(shape: Shape, platform: str) -> int:
    """Return how many tiles are reduced at a time: a power of two."""
    most, entries = tiling_on(platform), shape.p + shape.functionals
    fits = most.numbers // (TILE * shape.steps * shape.models * entries)
    return 1 << (min(max(1, fits), most.tiles).bit_length() - 1)


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
        program = _compiled(devices[0].platform)
        return program(chains, values, plan, reduction, shape=shape, devices=tuple(devices))


@cache
def _compiled(platform: str) -> Any:
    return jax.jit(
        partial(_reduced, platform=platform),
        static_argnames=("reduction", "shape", "devices"),
        compiler_options=reduction_options(platform) or None,
    )


def _reduced(
    chains: Trajectory,
    values: Array,
    plan: Plan,
    reduction: Reduction[Any],
    *,
    shape: Shape,
    devices: tuple[jax.Device, ...],
    platform: str,
) -> tuple[Row, Array]:
    """Reduce tiles as :func:`reduced` does."""
    blocks = PartitionSpec("blocks")
    share = partial(_share, reduction=reduction, shape=shape, count=at_once(shape, platform))
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

    def of(*parts: Array) -> tuple[Row, Array]:
        *fits, counted, truth = parts
        # chains last, in one transposition each: as long rows, which all that follows reads
        turned = (a.reshape(TILE, prod(a.shape[1:])).T.reshape(*a.shape[1:], TILE) for a in fits)
        theta, status, steps, values = turned
        values = jnp.where(counted[None, None, None], values, jnp.nan)
        tile = Tile(theta, status, steps, values, counted=counted, truth=truth)
        return packed(reduction.of(tile)), reduction.sample(tile)

    def group(k: Array, found: tuple[Row, Array]) -> tuple[Row, Array]:
        first, *rest = (
            lax.dynamic_slice_in_dim(a, k * count, count) for a in (starts, counts, truth)
        )
        counted = jnp.arange(TILE, dtype=jnp.int32)[None] < rest[0][:, None]
        # behind a barrier, as the arithmetic must not depend on where the chains come from
        parts = lax.optimization_barrier((*lax.map(tile_at, first), counted, rest[1]))
        made = jax.vmap(of)(*parts)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, k * count, 0),
            found,
            made,
        )

    made = (
        jax.eval_shape(packed, layout(reduction, shape)),
        jax.eval_shape(reduction.sample, example(shape)),
    )
    nothing = jax.tree.map(lambda a: jnp.zeros((len(starts), *a.shape), a.dtype), made)
    # the number of groups is data, so that the loop is one for any number
    return lax.fori_loop(0, plan.groups[0], group, nothing)


def fold(
    total: Row | None,
    rows: Row,
    places: np.ndarray,
    *,
    reduction: Reduction[Any],
    shape: Shape,
    device: jax.Device,
) -> Row:
    """Merge some rows, in order, after those that are in ``total``; on one device."""
    order = np.zeros(len(rows[0]), np.int32)
    order[: len(places)] = places
    started, count = np.bool_(total is not None), np.int32(len(places))
    with own_settings(), double_precision():
        if total is None:
            total = tuple(np.zeros(leaf.shape[1:]) for leaf in rows)
        total, rows = jax.device_put((total, rows), device)
        like = layout(reduction, shape)
        about = {"started": started, "reduction": reduction, "like": like}
        return _fold(total, rows, order, count, **about)


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

    def merge(k: Array, total: Numbers) -> Numbers:
        return reduction.merged(total, unpacked(row(k), like))

    first = tuple(jnp.where(started, *both) for both in zip(total, row(0), strict=True))
    begin = 1 - started.astype(jnp.int32)
    return packed(lax.fori_loop(begin, count, merge, unpacked(first, like)))
