"""Fits of many parameters, by Newton's method and by L-BFGS, beside products of matrices.

    python benchmarks/large_p.py [--p 20 30 60 100 200] [--out benchmarks/results/large_p.json]

Logistic regression on 40 p rows, half of them real, in mixed precision, on one device. All numbers
are of seconds of processors, and so comparable on a machine that does other work as well: the
median of three runs in alternation. The matrix of Newton's method is the product of a p x 40 p
matrix with its own transpose, which JAX and NumPy (one thread of its BLAS) compute here as well,
and which is compared with the product of two square matrices. The share is the time of the
products of textbook Newton steps in double precision, one in every pass of the reference path, at
the rate of square matrices, over the time of a whole fit, its draws included. It may exceed 1: fits
take fewer products, in single precision.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import jax.numpy as jnp
import numpy as np
from machine import keep

import mcjax
from mcjax.engine import engine
from mcjax.solvers.status import Status

ROWS, GENERATIONS, TURNS, SIDE = 40, 1, 3, 1024
MANY, CHAINS, CHAINS_OF_FEW = 20, 4, 64
"""Above so many parameters a block has few chains, and none of them is padding."""


def processors(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of processors of each call, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        jax.block_until_ready(call())
    for _ in range(TURNS):
        for name, call in calls.items():
            began = time.process_time()
            jax.block_until_ready(call())
            seconds[name].append(time.process_time() - began)
    return {name: statistics.median(found) for name, found in seconds.items()}


def fits(p: int) -> dict[str, Any]:
    """Microseconds a fit by each solver, and how far their estimates are apart."""
    half, chains = ROWS * p // 2, CHAINS if p > MANY else CHAINS_OF_FEW
    net = mcjax.build_network("a", [("a", "a", half), ("real", "a", half)], 2 * half)
    one = mcjax.condition(net, mcjax.logistic(), [0.7] + [0.0] * (p - 1))
    calls, about = {}, {}
    for solver, path in (("newton", "auto"), ("textbook", "reference"), ("lbfgs", "auto")):
        study = mcjax.Study(
            (one,),
            generations=GENERATIONS,
            chains=chains,
            solver="lbfgs" if solver == "lbfgs" else "newton",
            path=path,
        )
        compiled = mcjax.compile_study(study)
        [shared], task = compiled.programs, compiled.task(0, np.arange(chains))

        def run(task: Any = task, program: Any = shared.program) -> Any:
            [[(_, trajectory)]] = engine.trajectories([task], program, chains)
            return trajectory

        calls[solver], about[solver] = run, (run(), shared.route.path)
    seconds = processors(calls)
    exact = about["textbook"][0].theta
    apart = np.abs(about["newton"][0].theta - exact).max() / exact.std(0).mean()
    found: dict[str, Any] = {"apart_in_standard_errors": float(apart)}
    for solver, (trajectory, path) in about.items():
        found[solver] = {
            "path": path,
            "microseconds": seconds[solver] / (chains * (GENERATIONS + 1)) * 1e6,
            "passes": float(trajectory.steps.mean()),
            "converged": float((trajectory.status == Status.CONVERGED).mean()),
        }
    return found


def products(p: int) -> dict[str, float]:
    """Billions of operations a second of a processor, in double precision."""
    rng = np.random.default_rng(0)
    x, square = rng.standard_normal((p, ROWS * p)), rng.standard_normal((SIDE, SIDE))
    product = jax.jit(lambda a, b: jnp.matmul(a, b.T, precision="highest"))
    on_device, big = jax.device_put(x), jax.device_put(square)
    times = max(1, 2 * SIDE**3 // (2 * ROWS * p**3))
    seconds = processors(
        {
            "jax": lambda: [product(on_device, on_device + 0) for _ in range(times)],
            "numpy": lambda: [np.matmul(x, x.T.copy()) for _ in range(times)],
            "jax_square": lambda: product(big, big),
            "numpy_square": lambda: square @ square,
        }
    )
    small, large = 2 * ROWS * p**3 * times, 2 * SIDE**3
    return {
        name: (large if name.endswith("square") else small) / spent / 1e9
        for name, spent in seconds.items()
    }


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--p", type=int, nargs="+", default=[20, 30, 60, 100, 200])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", 1)
    results = []
    for p in args.p:
        found = {"p": p, "rows": ROWS * p, "fits": fits(p), "products": products(p)}
        newton, textbook = found["fits"]["newton"], found["fits"]["textbook"]
        least = textbook["passes"] * 2 * ROWS * p**3 / found["products"]["jax_square"] / 1e3
        found["share_of_square_products"] = least / newton["microseconds"]
        results.append(found)
        print(found, flush=True)
        if args.out is not None:
            keep(args.out, results)


if __name__ == "__main__":
    main()
