"""Microseconds per model-generation (draw the data, draw the labels, fit), compile time apart.

    python benchmarks/throughput.py [--out benchmarks/results/throughput.json]

A ring of four models, half real data, ten generations, in this process, one family after the
other, five timed repeats each after one that is not counted. The outcome of the fits stands beside
the time: a fast fit that did not converge is worth nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import jax
from machine import keep

import mcjax
from mcjax.solvers.status import Status

SETTINGS = [(200, 5), (2000, 3)]  # rows a fit, parameters
GENERATIONS = 10
REPEATS = 5
FAMILIES = {
    "linear": mcjax.linear,
    "logistic": mcjax.logistic,
    "poisson": mcjax.poisson,
    "huber": mcjax.huber,
}


def measure(name: str, rows: int, p: int, chains: int) -> dict[str, Any]:
    """Time one family at one size."""
    network = mcjax.topologies.ring(4, samples=rows // 2, real=rows // 2, initial=rows)
    theta = [0.7] + [0.0] * (p - 1)

    def study(seed: int) -> mcjax.Study:
        condition = mcjax.condition(network, FAMILIES[name](), theta, seed=seed)
        return mcjax.Study((condition,), generations=GENERATIONS, chains=chains)

    began = time.perf_counter()
    mcjax.simulate(study(0))
    first = time.perf_counter() - began
    seconds = []
    for repeat in range(REPEATS):
        began = time.perf_counter()
        tally = mcjax.simulate(study(1 + repeat))[0]
        seconds.append(time.perf_counter() - began)
    fits = chains * 4 * (GENERATIONS + 1)
    converged = int(tally.outcome.fits[..., Status.CONVERGED].sum())
    median = statistics.median(seconds)
    return {
        "family": name,
        "rows": rows,
        "parameters": p,
        "chains": chains,
        "microseconds": median / fits * 1e6,
        "fastest": min(seconds) / fits * 1e6,
        "slowest": max(seconds) / fits * 1e6,
        "compile_seconds": first - median,
        "converged": converged / fits,
        "gradients_a_fit": tally.outcome.steps / fits,
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    results = []
    print("family    rows  p   us/model-generation  (range)        compile s  converged")
    for rows, p in SETTINGS:
        for name in FAMILIES:
            r = measure(name, rows, p, chains=1024 * 200 // rows)
            results.append(r)
            spread = f"({r['fastest']:.1f} to {r['slowest']:.1f})"
            print(
                f"{name:9}{rows:5}{p:3}{r['microseconds']:15.1f}       {spread:16}"
                f"{r['compile_seconds']:8.1f}{r['converged']:11.4f}"
            )
    if out is not None:
        keep(out, results)


if __name__ == "__main__":
    main()
