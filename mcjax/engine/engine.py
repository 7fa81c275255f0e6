"""Batching: lanes over conditions and chains, in blocks, in chunks of bounded size.

A *lane* is one chain of one condition; each lane carries its network, truth and model as data. A
*block* is the fixed batch that ``vmap`` sees. A *chunk* is the set of blocks that one call runs,
one after the other. The size of a block does not depend on the chunk, so the arithmetic of a lane
is the same in any chunk. Memory is bounded by the block.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Integer, UInt32

from mcjax.chains import fast
from mcjax.chains.files import FileArrays
from mcjax.chains.program import ConditionArrays, Path, Program, Trajectory
from mcjax.chains.reference import run_chain
from mcjax.chains.statistics import run_statistics
from mcjax.draws.settings import as_here, own_settings
from mcjax.draws.streams import chain_keys
from mcjax.engine.blocks import SMALLEST_BLOCK, block_size
from mcjax.engine.platforms import compiler_options, one_device_reason, stage_boundary
from mcjax.engine.rates import Rates, joined, split
from mcjax.engine.spread import Spread
from mcjax.engine.task import Task
from mcjax.errors import InputError
from mcjax.numbers import how_many
from mcjax.solvers.once import Boundary, stages

CHUNK = 1024

Report = Callable[[int, Callable[[], list[Any]]], None]
"""Called with the number of chains that a chunk added, and a function that returns the tallies."""


def run_blocks(
    conditions: ConditionArrays,
    keys: UInt32[Any, "blocks lanes 2"],
    program: Program,
    devices: tuple[jax.Device, ...],
    files: FileArrays | None = None,
) -> Trajectory:
    """Run blocks, spread over devices, each of which runs its share one after the other.

    Every array has leading axes (blocks, lanes), but for files, of which each device has a copy.
    Devices do not communicate. A program that must
    not be spread over several devices runs all blocks on the first, with the same results.
    """
    platform = devices[0].platform
    program, rates = split(program)
    with own_settings():
        if len(devices) > 1 and platform == "cpu":
            leaves, structure = jax.tree.flatten((conditions, keys, files, rates))
            shapes = tuple(map(jax.typeof, leaves))
            if _runs_alone(structure, shapes, program, devices):
                devices = devices[:1]
        return _compiled(program.path, platform)(
            conditions, keys, program, devices, files=files, rates=rates
        )


def trace(
    conditions: ConditionArrays,
    keys: UInt32[Any, "blocks lanes 2"],
    program: Program,
    devices: Sequence[jax.Device],
    platform: str,
) -> Any:
    """Trace a program as it is for a platform, which need not be here; see :func:`run_blocks`."""
    program, rates = split(program)
    with own_settings():
        run = _compiled(program.path, platform)
        return run.trace(conditions, keys, program, tuple(devices), rates=rates)


@cache  # jit keeps the lowered program for the call that compiles it
def _runs_alone(
    structure: Any,
    shapes: tuple[Any, ...],
    program: Program,
    devices: tuple[jax.Device, ...],
) -> bool:
    """Return True if a program must run on one device, as it could deadlock on several of a CPU."""
    conditions, keys, files, rates = jax.tree.unflatten(structure, shapes)
    run = _compiled(program.path, devices[0].platform)
    lowered = run.lower(conditions, keys, program, devices, files=files, rates=rates)
    return one_device_reason(lowered.as_text()) is not None


@cache
def _compiled(path: Path, platform: str) -> Any:
    options = compiler_options(path, platform)
    run = partial(_run_blocks, boundary=stage_boundary(path, platform))
    return jax.jit(run, static_argnames=("program", "devices"), compiler_options=options or None)


def _run_blocks(
    conditions: ConditionArrays,
    keys: Any,
    program: Program,
    devices: tuple[jax.Device, ...],
    files: FileArrays | None = None,
    rates: Rates = (),
    *,
    boundary: Boundary,
) -> Trajectory:
    """Run blocks as :func:`run_blocks` does; ``boundary`` keeps stages apart."""
    form = program

    def share(
        conditions: ConditionArrays, keys: Any, files: FileArrays | None, rates: Rates
    ) -> Trajectory:
        program = joined(form, rates)
        if program.path.fits_together:
            return fast.run_chains(conditions, keys, program)
        batch = partial(run_statistics, program=program)
        if program.path.draws_rows:
            batch = jax.vmap(partial(run_chain, program=program, files=files))
        return lax.map(lambda block: batch(*block), (conditions, keys))

    mesh, blocks = Mesh(np.array(devices), "blocks"), PartitionSpec("blocks")
    spread = jax.shard_map(
        share,
        mesh=mesh,
        in_specs=(blocks, blocks, PartitionSpec(), PartitionSpec()),
        out_specs=blocks,
        check_vma=False,
    )
    with stages(boundary):
        return spread(conditions, keys, files, rates)


class Chunk(NamedTuple):
    """The lanes of one call, as they are on the devices.

    Attributes
    ----------
    begin : int
        Number of the first lane.
    owner : ndarray
        Position of each lane's task, without the copies at the end.
    chains : Trajectory
        What came out, with leading axes (blocks, lanes); equal shares lie on the devices.
    devices : tuple of Device
        The devices.
    """

    begin: int
    owner: Integer[np.ndarray, " lanes"]
    chains: Trajectory
    devices: tuple[jax.Device, ...]

    @property
    def share(self) -> int:
        """Number of lanes on each device."""
        blocks, lanes = self.chains.status.shape[:2]
        return int(blocks * lanes // len(self.devices))

    def on_host(self, *names: str) -> list[np.ndarray]:
        """Wait for arrays, by name; return them in NumPy, with one axis of lanes."""
        leaves = (np.asarray(getattr(self.chains, name)) for name in names)
        return [leaf.reshape(-1, *leaf.shape[2:])[: len(self.owner)] for leaf in leaves]


Result = TypeVar("Result")


def trajectories(
    tasks: Sequence[Task],
    program: Program,
    chunk: int = CHUNK,
    devices: Sequence[jax.Device] | None = None,
) -> Iterator[list[tuple[int, Trajectory]]]:
    """Run all tasks, and yield their chains chunk by chunk.

    Yields
    ------
    list of (int, Trajectory)
        For each chunk, positions of tasks and the next chains of each in order, in NumPy arrays.
    """
    return chunks(
        tasks, program, chunk, lambda chunk: partial(by_task, chunk, tasks), devices=devices
    )


def chunks(
    tasks: Sequence[Task],
    program: Program,
    chunk: int,
    start: Callable[[Chunk], Callable[[], Result]],
    devices: Sequence[jax.Device] | None = None,
) -> Iterator[Result]:
    """Run all tasks, chunk by chunk.

    Parameters
    ----------
    tasks : sequence of Task
        The tasks, whose arrays have the same shapes and the same structure of the model.
    program : Program
        Settings of the run.
    chunk : int
        Largest number of chains in one call.
    start : callable
        Called with each chunk as soon as it is under way, in another thread, one chunk at a time;
        returns what waits for its result, which is called in the thread of the caller. Called again
        with the same lanes, in smaller chunks, if memory was short.
    devices : sequence of Device, optional
        Where chains run; defaults to all devices of this process.

    Yields
    ------
    object
        The result of each chunk.

    Raises
    ------
    InputError
        If the program needs float64 and JAX has it switched off.
    """
    if "float64" in (program.draw_dtype, program.fit_dtype) and not jax.config.read(
        "jax_enable_x64"
    ):
        raise InputError(
            "run.precision",
            "needs 64-bit numbers: call jax.config.update('jax_enable_x64', True) first,"
            " or choose precision = 'float32'",
        )
    ends = np.cumsum([len(task.chains) for task in tasks])
    if not ends[-1]:
        return
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(t.arrays for t in tasks))
    files = tasks[0].files
    if program.draw_dtype == program.fit_dtype == "float32":
        stacked, files = jax.tree.map(single, (stacked, files))
    files = jax.tree.map(jnp.asarray, files)  # on the device once, and not with every chunk
    devices = tuple(jax.local_devices() if devices is None else devices)
    spread = Spread(stacked, devices)
    block = block_size(tasks[0], program, -(-int(ends[-1]) // len(devices)))
    row = block * len(devices)
    rows = max(1, min(chunk, _round_up(int(ends[-1]), row)) // row)

    def run(begin: int) -> Chunk:
        """Start the chunk of lanes from ``begin`` on."""
        # the last chunk is filled up with copies of the last lane, which are dropped afterwards
        lane = np.minimum(np.arange(begin, begin + rows * row), ends[-1] - 1)
        owner = np.searchsorted(ends, lane, side="right")
        running = range(owner[0], owner[-1] + 1)  # of what may be thousands
        some = [tasks[i] for i in running]
        edges = np.searchsorted(owner, [*running, running.stop])
        own_keys = [
            chain_keys(t.seed, t.word, t.chains[lane[low:high] - (ends[i] - len(t.chains))])
            for i, t, (low, high) in zip(running, some, pairwise(edges), strict=True)
        ]
        blocks = [a.reshape(-1, block, *a.shape[1:]) for a in (owner, np.concatenate(own_keys))]
        conditions = spread.over(blocks[0])
        if any(task.drawn is not None for task in tasks):
            pairs = zip(some, own_keys, strict=True)
            orders = np.concatenate([task.orders(keys) for task, keys in pairs])
            network = conditions.network._replace(order=orders.reshape(-1, block, orders.shape[1]))
            conditions = conditions._replace(network=network)
        found = run_blocks(conditions, blocks[1], program, devices, files=files)
        where = devices[: len(found.status.devices())]  # one, if it must not be spread
        return Chunk(begin, owner[: ends[-1] - begin], found, where)

    @as_here
    def started(begin: int) -> Callable[[], Result]:
        return start(run(begin))

    begin = 0
    waiting: deque[tuple[int, Future[Callable[[], Result]]]] = deque()
    with ExitStack() as stack:
        # a thread, because starting a chunk may wait until the device has ended another one
        launcher = ThreadPoolExecutor(1)
        stack.callback(launcher.shutdown, cancel_futures=True)  # of chunks that nobody waits for
        while begin < ends[-1] or waiting:
            try:
                # the device computes one chunk while the results of the previous one are read
                while begin < ends[-1] and len(waiting) < 2:
                    waiting.append((begin, launcher.submit(started, begin)))
                    begin += rows * row
                part = waiting[0][1].result()()
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                for _, future in waiting:
                    future.cancel()
                wait(future for _, future in waiting)  # they read `rows`, `row` and `block`
                before = rows * row
                if rows > 1:
                    rows //= 2
                elif block > SMALLEST_BLOCK and devices[0].platform != "cpu":
                    block, row = block // 2, row // 2
                else:
                    raise InputError(
                        "run.chunk",
                        f"exceeds the memory of a device even at {how_many(row, 'chain')}; use a"
                        " device with more, fewer samples or fewer generations",
                    ) from error
                begin = waiting[0][0]
                waiting.clear()
                warnings.warn(
                    f"a device ran out of memory; continuing with {how_many(rows * row, 'chain')}"
                    f" at a time instead of {before:,}",
                    RuntimeWarning,
                    stacklevel=2,
                )
                continue
            waiting.popleft()
            yield part


def single(leaf: Any) -> Any:
    """Return an array in single precision if it is in double precision.

    A program in single precision is thus free of the double precision in which conditions are.
    """
    return leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf


def _round_up(count: int, step: int) -> int:
    return -(-count // step) * step


def by_task(chunk: Chunk, tasks: Sequence[Task]) -> list[tuple[int, Trajectory]]:
    """Split the lanes of a chunk by task and remove the padding."""
    flat, owner = chunk.on_host(*Trajectory._fields), chunk.owner
    parts = []
    for task in range(owner[0], owner[-1] + 1):
        begin, end = np.searchsorted(owner, (task, task + 1))  # lanes are in the order of tasks
        own = (leaf[begin:end, :, : tasks[task].models] for leaf in flat)
        parts.append((task, Trajectory(*own)))
    return parts
