"""Seconds of processors to compile a study, by family, parameters and precision.

    python benchmarks/compile_time.py [--p 5 10 20] [--before CHECKOUT] [--out results/NAME.json]

A ring of four models, half real data, in a process of its own for each number, with nothing read
from a disk. Tracing and lowering stand apart from compilation. Beside them are microseconds of
processors of a fit once the program is compiled, and a digest of all estimates. ``--before`` is
another checkout of the repository, measured in alternation: where digests agree, so do chains, to
the last bit. All are medians over ``--turns`` processes; the kept results are of one each, on a
machine that did much other work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CASES = (
    ("logistic", "mixed"),
    ("poisson", "mixed"),
    ("huber", "mixed"),
    ("logistic", "float32"),
    ("linear", "mixed"),
)
GENERATIONS, CHAINS, RUNS = 10, 64, 3


def measure(family: str, p: int, precision: Any) -> dict[str, Any]:
    """Compile one study in this process, and run it."""
    import jax
    import numpy as np

    import mcjax
    from mcjax.draws.streams import chain_keys
    from mcjax.engine import engine
    from mcjax.engine.blocks import block_size

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_enable_compilation_cache", False)
    jax.config.update("jax_num_cpu_devices", 1)
    half = max(100, 20 * p)
    net = mcjax.topologies.ring(4, samples=half, real=half, initial=2 * half)
    one = mcjax.condition(net, getattr(mcjax, family)(), [0.7] + [0.0] * (p - 1))
    study = mcjax.Study((one,), generations=GENERATIONS, chains=CHAINS, precision=precision)
    compiled = mcjax.compile_study(study)
    [shared], task = compiled.programs, compiled.task(0, np.arange(CHAINS))
    block = min(block_size(task, shared.program, CHAINS), CHAINS)

    def blocks(leaf: Any) -> Any:
        return np.broadcast_to(leaf, (CHAINS // block, block, *np.shape(leaf)))

    arrays: Any = jax.tree.map(blocks, task.arrays)
    if shared.program.draw_dtype == shared.program.fit_dtype == "float32":
        arrays = jax.tree.map(engine.single, arrays)
    keys = chain_keys(task.seed, task.word, task.chains).reshape(-1, block, 2)
    devices = tuple(jax.local_devices())
    jax.block_until_ready(jax.jit(lambda x: x + 1)(1.0))
    clock = [time.process_time()]
    traced = engine.trace(arrays, keys, shared.program, devices=devices, platform="cpu")
    lowered = traced.lower()
    clock.append(time.process_time())
    run = lowered.compile()
    clock.append(time.process_time())
    result = jax.block_until_ready(run(arrays, keys, rates=()))
    seconds = []
    for _ in range(RUNS):
        began = time.process_time()
        jax.block_until_ready(run(arrays, keys, rates=()))
        seconds.append(time.process_time() - began)
    leaves = [np.asarray(leaf).tobytes() for leaf in result]
    return {
        "path": shared.route.path,
        "lower": clock[1] - clock[0],
        "compile": clock[2] - clock[1],
        "microseconds": min(seconds) / (CHAINS * 4 * (GENERATIONS + 1)) * 1e6,
        "digest": hashlib.sha256(b"".join(leaves)).hexdigest()[:16],
    }


def in_process(checkout: Path, *case: Any) -> dict[str, Any]:
    """Measure one case of a checkout in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", *map(str, case)]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several runs, which must agree in everything but time."""
    times = ("lower", "compile", "microseconds")
    assert len({run["digest"] for run in runs}) == 1, "runs of the same program differ"
    return runs[0] | {name: statistics.median(run[name] for run in runs) for name in times}


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--p", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        family, p, precision = args.one
        print(json.dumps(measure(family, int(p), precision)))
        return
    checkouts = {"now": Path(__file__).resolve().parents[1]}
    if args.before is not None:
        checkouts["before"] = args.before.resolve()
    results = []
    for family, precision in CASES:
        for p in args.p:
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
            for _ in range(args.turns):
                for name, checkout in checkouts.items():
                    runs[name].append(in_process(checkout, family, p, precision))
            found = {name: median(runs[name]) for name in checkouts}
            results.append({"family": family, "p": p, "precision": precision, **found})
            print(json.dumps(results[-1]), flush=True)
            if args.out is not None:
                from machine import keep

                keep(args.out, results)


if __name__ == "__main__":
    main()
