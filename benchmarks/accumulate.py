"""Measure the cost of early and late generations where data accumulate.

    python benchmarks/accumulate.py [--out benchmarks/results/accumulate.json]

One model on its own output, 100 samples a generation. Where sums over rows suffice (linear,
gaussian, categorical) a generation costs the same whatever came before; where they do not
(logistic), all rows so far are drawn and fitted again. Chains run alone, without moments, in a
number that keeps the fits of each run the same; compilation is not counted, runs alternate.
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

GENERATIONS = (10, 100, 1000)
REPEATS = 5
FAMILIES: dict[str, tuple[Any, list[float], tuple[int, ...], int]] = {
    "linear": (mcjax.linear, [0.5] * 5, GENERATIONS, 2_000_000),
    "gaussian": (mcjax.gaussian, [0.0, 1.0], GENERATIONS, 500_000),
    "categorical": (mcjax.categorical, [0.1, 0.3, 0.6], GENERATIONS, 500_000),
    "logistic": (mcjax.logistic, [0.5, -0.5], (10, 20, 40), 10_000),
}
"""Truth, lengths of the chains, and fits of a run."""


def run(name: str, generations: int, seed: int) -> float:
    """Seconds a fit."""
    make, theta, _, fits = FAMILIES[name]
    network = mcjax.topologies.self_loop(samples=100, initial=100, memory="accumulate")
    condition = mcjax.condition(network, make(), theta, seed=seed)
    study = mcjax.Study((condition,), generations, chains=max(64, fits // generations))
    compiled = mcjax.compile_study(study)
    began = time.perf_counter()
    for _ in compiled.trajectories(compiled.programs[0], np.arange(study.chains)):
        pass
    return (time.perf_counter() - began) / (study.chains * (generations + 1))


def measure(name: str) -> list[dict[str, Any]]:
    """One family at all lengths, in alternation."""
    lengths = FAMILIES[name][2]
    for generations in lengths:
        run(name, generations, 0)
    seconds: dict[int, list[float]] = {generations: [] for generations in lengths}
    for repeat in range(REPEATS):
        for generations in lengths:
            seconds[generations].append(run(name, generations, 1 + repeat))
    first = seconds[lengths[0]]
    return [
        {
            "family": name,
            "generations": generations,
            "microseconds_a_fit": 1e6 * statistics.median(own),
            "lowest": 1e6 * min(own),
            "highest": 1e6 * max(own),
            "over_the_shortest": statistics.median(b / a for a, b in zip(first, own, strict=True)),
        }
        for generations, own in seconds.items()
    ]


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    results = []
    print("family        generations   microseconds a fit (range)    over the shortest")
    for name in FAMILIES:
        for r in measure(name):
            results.append(r)
            spread = f"({r['lowest']:.3f} to {r['highest']:.3f})"
            print(
                f"{name:12}{r['generations']:13}{r['microseconds_a_fit']:12.3f} {spread:22}"
                f"{r['over_the_shortest']:12.2f}"
            )
    if out is not None:
        keep(out, results)


if __name__ == "__main__":
    main()
