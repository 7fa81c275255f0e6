"""Chains of linear models a second: drawn row by row, and by sufficient statistics.

    python benchmarks/without_rows.py [--out benchmarks/results/without_rows.json]

The same study both ways in this process, in alternation: a ring of four models, half real data,
ten generations, moments included. Compilation is not counted. Both ways have one law, and the mean
squared errors of the two stand beside the times with how many standard errors they differ by.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax

SETTINGS = [(20, 5, 8192), (100, 5, 8192), (1000, 1, 4096), (1000, 5, 4096), (1000, 10, 2048)]
"""Rows a fit, parameters, chains by rows; statistics get four times as many."""
GENERATIONS = 10
REPEATS = 5


def study(rows: int, p: int, chains: int, sampling: str, seed: int) -> mcjax.Study:
    """The study one way."""
    network = mcjax.topologies.ring(4, samples=rows // 2, real=rows // 2, initial=rows)
    condition = mcjax.condition(network, mcjax.linear(), [0.5] * p, seed=seed)
    return mcjax.Study((condition,), generations=GENERATIONS, chains=chains, sampling=sampling)


def measure(rows: int, p: int, chains: int) -> dict[str, Any]:
    """Both ways at one size."""
    ways = {"rows": chains, "auto": 4 * chains}
    for way, count in ways.items():
        mcjax.simulate(study(rows, p, count, way, 0))
    rates: dict[str, list[float]] = {way: [] for way in ways}
    last = {}
    for repeat in range(REPEATS):
        for way, count in ways.items():
            began = time.perf_counter()
            [tally] = mcjax.simulate(study(rows, p, count, way, 1 + repeat))
            rates[way].append(count / (time.perf_counter() - began))
            last[way] = tally.outcome.moments.squared
    gap = (last["rows"].mean - last["auto"].mean) / np.hypot(
        *(last[way].standard_error() for way in ways)
    )
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    return {
        "rows": rows,
        "parameters": p,
        "chains_per_second_by_rows": statistics.median(rates["rows"]),
        "chains_per_second_by_statistics": statistics.median(rates["auto"]),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
        "largest_gap_in_standard_errors": float(np.abs(gap).max()),
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    results = []
    print(" rows   p   chains/s by rows   by statistics   ratio  (range)          largest gap")
    for setting in SETTINGS:
        r = measure(*setting)
        results.append(r)
        spread = f"({r['lowest_ratio']:.1f} to {r['highest_ratio']:.1f})"
        print(
            f"{r['rows']:5}{r['parameters']:4}{r['chains_per_second_by_rows']:19,.0f}"
            f"{r['chains_per_second_by_statistics']:16,.0f}{r['ratio']:8.1f}  {spread:16}"
            f"{r['largest_gap_in_standard_errors']:6.1f} s.e."
        )
    if out is not None:
        keep(out, results)


if __name__ == "__main__":
    main()
