"""Choose by the kind of device: sizes of blocks, stages of programs, compiler options.

Everything else in a program is the same on all platforms, precision included: programs hold numbers
of the precision that a study asks for, and matrix products ask for the highest precision. Compiler
options apply only to the outermost program, so the engine owns its top-level programs.
"""

from __future__ import annotations

from typing import NamedTuple

from mcjax.chains.program import Path
from mcjax.solvers.once import Boundary, barrier, conditional, fused


class Limits(NamedTuple):
    """Limits of a block.

    Attributes
    ----------
    lanes : int
        Largest number of lanes.
    lanes_without_rows : int
        The same where chains draw sufficient statistics of few parameters, see
        :mod:`mcjax.chains.statistics`.
    bytes : int
        Largest size of the data of a block.
    """

    lanes: int
    lanes_without_rows: int
    bytes: int


CPU = Limits(lanes=64, lanes_without_rows=128, bytes=8 * 2**20)
"""A block must stay in cache: with 2,000 rows per fit, a fit costs 2.6 times as much in a block of
64 lanes as in one of 8."""
ACCELERATOR = Limits(lanes=65_536, lanes_without_rows=65_536, bytes=4 * 2**30)
"""A block must fill the device. Its size counts the copies of its results on the way to moments."""


def limits_on(platform: str) -> Limits:
    """Return the limits of a block on a platform."""
    return CPU if platform == "cpu" else ACCELERATOR


class Tiling(NamedTuple):
    """How many tiles of chains are reduced at a time.

    Attributes
    ----------
    numbers : int
        Largest number of their estimates' entries, but for a single tile.
    tiles : int
        Largest number of tiles.
    """

    numbers: int
    tiles: int


TILING = Tiling(2**24, 1024)
"""They must fill a device."""


def works_on_host(platform: str) -> bool:
    """Return whether the host does the work beside that of chains, or programs on the devices do.

    That is to spread conditions over lanes, to reduce tiles of chains and to merge them. On a CPU
    NumPy does it as quickly as a program, which would have to be compiled first.
    """
    return platform == "cpu"


REDUCTION_OPTIONS = {
    # sums are of 128 numbers, which gain nothing from a tree of three reductions
    "xla_disable_hlo_passes": "tree_reduction_rewriter,gpu-tree-reduction-rewriter"
}
"""Options of the program that reduces tiles; the second pass is that of a GPU."""


def stage_boundary(path: Path, platform: str) -> Boundary:
    """Return what keeps stages of a program apart, see :mod:`mcjax.solvers.once`.

    On an accelerator it is nothing, because there a condition costs a round trip to the host.
    Chains without rows need conditionals: behind barriers, bits depend on the number of devices.
    """
    if platform != "cpu":
        return fused
    return barrier if path.has_barriers else conditional


def compiler_options(path: Path, platform: str) -> dict[str, bool | int | str]:
    """Return the options for one path on one platform.

    There are none on an accelerator, where the defaults are right, and none for the reference path,
    which must not depend on compiler options.
    """
    if path.plain or platform != "cpu":
        return {}
    if not path.reorders_sums:
        off = ("cpu-parallel-task-assigner", "cse_barrier_expander")
        return {
            "xla_cpu_prefer_vector_width": 512,
            "xla_disable_hlo_passes": ",".join(off[: 1 + path.has_barriers]),
        }
    return {
        # allow sums to be reordered; otherwise sums over rows are not vectorised (7 times as slow)
        "xla_cpu_enable_fast_math": True,
        # but preserve NaN and infinity, which tell how a fit ended, and keep division and functions
        # exact
        "xla_cpu_fast_math_honor_nans": True,
        "xla_cpu_fast_math_honor_infs": True,
        "xla_cpu_fast_math_honor_division": True,
        "xla_cpu_fast_math_honor_functions": True,
        # use the longest vector registers, not half of that length (2 times as slow)
        "xla_cpu_prefer_vector_width": 512,
        # Passes that cost more than they gain. Without the first, a reduction over the fits of
        # a block is one loop and not a tree of three (2% of the time); reductions over rows, where
        # rounding matters, are not trees in either case. Without the second, a loop is one task:
        # blocks are so small that two halves on two cores take a fifth longer than the whole on
        # one. Several cores are used as several devices instead. The third would drop the barriers
        # between stages.
        "xla_disable_hlo_passes": ",".join(
            ("tree_reduction_rewriter", "cpu-parallel-task-assigner", "cse_barrier_expander")
        ),
    }


def one_device_reason(text: str) -> str | None:
    """Return why a CPU program must not be spread over several devices, or None if it may be.

    Parameters
    ----------
    text : str
        The lowered program.

    Returns
    -------
    str or None
        The reason.

    Notes
    -----
    The devices of a CPU share the threads on which jaxlib runs batched LAPACK calls. If all threads
    wait inside such calls for another thread, the program deadlocks. Calls are detected in the
    lowered program, because a user's function may make them.
    """
    if "@lapack_" not in text:
        return None
    return "it calls LAPACK, which may deadlock if a CPU has several devices"
