"""Sizes of blocks and of chunks: how many chains are computed together."""

from __future__ import annotations

import jax
import numpy as np

from mcjax.chains.fast_rows import padded
from mcjax.chains.program import Program
from mcjax.chains.statistic_sums import WRITTEN_OUT
from mcjax.engine.moments import TILE, size_of_moments
from mcjax.engine.platforms import limits_on
from mcjax.engine.task import Task
from mcjax.solvers.cholesky import UNROLLED

SMALLEST_BLOCK, RESULTS_COPIES = 64, 4
"""On an accelerator: the smallest block, and how many copies there are of its results on the way to
moments."""

FAST_BYTES, FAST_FITS, MATRIX_FITS = 2**19, 128, 64
"""On the fast path, the rows of a block and what is computed from them fit the second-level cache
of a core. A block has few fits, because all wait for the slowest: if a network collapses, that one
takes ten times as many passes as most. For large matrices, where vectors run over fits, a block has
at least ``MATRIX_FITS`` fits."""

TOGETHER = 64
"""Where sums of sufficient statistics are computed model by model, those of each fit the cache; but
a block holds the random numbers of all, which may take so many times as much memory."""


def chunk_within(memory: float, task: Task, program: Program) -> int:
    """Return how many chains a chunk may have if two, with summaries, fit into ``memory`` bytes."""
    models, p = len(task.arrays.network.frozen), task.arrays.truth.shape[1]
    steps = program.generations + 1
    results = steps * models * (np.dtype(program.fit_dtype).itemsize * p + 8)
    results += 8 * size_of_moments(steps, models, p) // TILE
    inputs = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(task.arrays))
    return max(1, int(memory // (2 * (results + inputs))))


def block_size(task: Task, program: Program, lanes: int) -> int:
    """Return the number of lanes of a block: the largest power of two within the limits.

    On a CPU it depends on the shape of the program alone, never on the chunk or the number of
    chains. On an accelerator it is at most the number of ``lanes``, rounded up to a power of two.
    """
    models, p = len(task.arrays.network.frozen), task.arrays.truth.shape[1]
    results = (program.generations + 1) * models * (p + 1) * 8
    if not program.path.draws_rows:
        slots = task.arrays.network.feeds.samples[0].size
        lane = slots * p * (p + 6) * 8
    else:
        lane = models * 2 * program.pairs * (4 * p + 8) * 8
    platform = jax.local_devices()[0].platform
    limits = limits_on(platform)
    few = not program.path.draws_rows and p <= WRITTEN_OUT
    block = limits.lanes_without_rows if few else limits.lanes
    limit = limits.bytes
    if platform == "cpu":
        if program.path.fits_together:
            row = (p + 1) * np.dtype(program.draw_dtype).itemsize
            fits = FAST_BYTES // (2 * padded(program.pairs) * row)
            least = MATRIX_FITS if p > UNROLLED else 1
            lane, limit = models, min(max(fits, least), FAST_FITS)
        elif not program.path.draws_rows and not few:
            lane //= min(models, TOGETHER)  # whose sums are computed one after the other
    else:
        block = min(block, 1 << (lanes - 1).bit_length())
        lane = max(lane, RESULTS_COPIES * results)
    while block > 1 and block * lane > limit:
        block //= 2
    return block
