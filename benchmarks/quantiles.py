"""Quantile regression on the fast path beside the reference path, which takes interior points.

    python benchmarks/quantiles.py [--out benchmarks/results/quantiles.json]

A ring of four models, half real data, on one device. The paths take turns in one process. What
counts is the least time of a path, in seconds of processors, so that other work on the machine
matters little; the first run of each, which compiles, stands apart. How far estimates are apart is
of all generations, because chains pass on what the tolerance of interior points leaves.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.engine import engine
from mcjax.solvers.status import Status

CASES = [(5, 200, 0.5, 64), (10, 400, 0.9, 16)]
"""Parameters, rows of a fit, level and chains."""
GENERATIONS, TURNS, MODELS = 10, 4, 4


def runner(path: str, precision: str, case: tuple[int, int, float, int]) -> Callable[[], Any]:
    """Return a call that runs the chains of a case on a path."""
    p, rows, level, chains = case
    net = mcjax.topologies.ring(MODELS, samples=rows // 2, real=rows // 2, initial=rows)
    one = mcjax.condition(net, mcjax.quantile(level), [0.7] + [0.0] * (p - 1))
    settings: dict[str, Any] = {"path": path, "precision": precision}
    study = mcjax.Study((one,), generations=GENERATIONS, chains=chains, **settings)
    compiled = mcjax.compile_study(study)
    [shared], task = compiled.programs, compiled.task(0, np.arange(chains))

    def run() -> Any:
        [[(_, trajectory)]] = engine.trajectories([task], shared.program, chains)
        return trajectory

    return run


def timed(run: Callable[[], Any]) -> float:
    """Seconds of processors of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def measure(precision: str, case: tuple[int, int, float, int]) -> dict[str, Any]:
    """Time both paths on one case, and compare their estimates."""
    p, rows, level, chains = case
    runs = {
        name: runner(path, precision, case)
        for name, path in (("interior points", "reference"), ("vertices", "auto"))
    }
    first = {name: timed(run) for name, run in runs.items()}
    least = dict.fromkeys(runs, np.inf)
    for _ in range(TURNS):
        for name, run in runs.items():
            least[name] = min(least[name], timed(run))
    inside, vertices = (run() for run in runs.values())
    spread = inside.theta.std(0, keepdims=True)
    found: dict[str, Any] = {
        "p": p,
        "rows": rows,
        "level": level,
        "precision": precision,
        "apart_in_standard_errors": float((abs(inside.theta - vertices.theta) / spread).max()),
    }
    for name, trajectory in (("interior points", inside), ("vertices", vertices)):
        found[name] = {
            "microseconds": least[name] / (chains * MODELS * (GENERATIONS + 1)) * 1e6,
            "first_run_seconds": first[name] - least[name],
            "steps": float(trajectory.steps.mean()),
            "most_steps": int(trajectory.steps.max()),
            "failed": int((trajectory.status != Status.CONVERGED).sum()),
        }
    return found


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 1)
    results = []
    for case in CASES:
        for precision in ("float32", "mixed"):
            results.append(measure(precision, case))
            print(results[-1], flush=True)
            if out is not None:
                keep(out, results)


if __name__ == "__main__":
    main()
