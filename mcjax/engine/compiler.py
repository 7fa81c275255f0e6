"""Compiler options of the engine's programs, with reasons.

Options apply only to the outermost program, so the engine owns its top-level programs.
"""

from __future__ import annotations

from mcjax.chains.program import Path


def compiler_options(path: Path, platform: str) -> dict[str, bool | int | str]:
    """Return the options for one path on one platform.

    There are none on an accelerator, where the defaults are right, and none for the reference path,
    which must not depend on compiler options.
    """
    if path == "reference" or platform != "cpu":
        return {}
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
        # Two passes that cost more than they gain. Without the first, a reduction over the fits of
        # a block is one loop and not a tree of three (2% of the time); reductions over rows, where
        # rounding matters, are not trees in either case. Without the second, a loop is one task:
        # blocks are so small that two halves on two cores take a fifth longer than the whole on
        # one. Several cores are used as several devices instead.
        "xla_disable_hlo_passes": "tree_reduction_rewriter,cpu-parallel-task-assigner",
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
