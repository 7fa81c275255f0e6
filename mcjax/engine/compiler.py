"""What the engine asks of the compiler, and why. Options count for the outermost program alone, so
the engine owns its top-level programs."""

from __future__ import annotations


def compiler_options(path: str, platform: str) -> dict[str, bool | int | str]:
    """Options for one path on one platform; none where the defaults are right: on a GPU, and for
    the reference, which is to be the same whatever the compiler is told."""
    if path == "reference" or platform != "cpu":
        return {}
    return {
        # sums may be reordered: without it no sum over rows becomes a vector loop (7 times as slow)
        "xla_cpu_enable_fast_math": True,
        # but not-a-number and infinity remain what they are, for they tell how a fit ended, and
        # division and functions exact
        "xla_cpu_fast_math_honor_nans": True,
        "xla_cpu_fast_math_honor_infs": True,
        "xla_cpu_fast_math_honor_division": True,
        "xla_cpu_fast_math_honor_functions": True,
        # the longest vectors a processor has; the compiler stops at half of them (2 times as slow)
        "xla_cpu_prefer_vector_width": 512,
        # Two passes that cost more than they bring. A reduction over a block's fits as one loop,
        # not as a tree of three (2% of the time); those over rows, whose rounding counts, are no
        # trees anyway. And a loop as one task: its halves, on two cores, take a fifth longer than
        # the whole on one, for blocks are small. Several cores are several devices here.
        "xla_disable_hlo_passes": "tree_reduction_rewriter,cpu-parallel-task-assigner",
    }


def one_device_reason(text: str) -> str | None:
    """Return why a program of a CPU must not be spread over several devices; None if it may be.

    Parameters
    ----------
    text : str
        The lowered program.

    Notes
    -----
    The devices of a CPU share the threads on which jaxlib runs batched calls of LAPACK. When all
    threads wait inside such calls for one more, the program never ends. The program itself tells
    whether it makes such calls, for a user's function may.
    """
    if "@lapack_" not in text:
        return None
    return "it calls LAPACK, which need not return where a CPU has several devices"
