"""Chains per second of one process on one core, and of two processes on a core each.

    python benchmarks/processes.py [--out benchmarks/results/processes.json]

Both run the same study of logistic regressions (a ring of 4 with a real source, 200 rows a fit,
p = 5, 20 generations) with moments and all, alternately, three times each; compile time is apart.
Also one process that has both cores to itself, with one device and with two.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import keep

CHAINS, ROUNDS = 16_384, 3
SETUPS = {
    "one process, one core": [({0}, 1)],
    "two processes, a core each": [({0}, 1), ({1}, 1)],
    "one process, two cores, one device": [({0, 1}, 1)],
    "one process, two cores, two devices": [({0, 1}, 2)],
}


def work(spec: str) -> None:
    """Be one of the processes; print the seconds that the study took."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import numpy as np

    import mcjax
    from mcjax.engine import processes

    if spec:
        processes.start(spec)
    net = mcjax.topologies.ring(4, samples=100, real=100, initial=200)
    one = mcjax.condition(net, mcjax.logistic(), np.full(5, 0.3))
    study = mcjax.Study((one,), generations=20, chains=CHAINS)
    mcjax.simulate(replace(study, chains=4096))
    processes.exchange(None)
    began = time.perf_counter()
    [tally] = mcjax.simulate(study)
    seconds = time.perf_counter() - began
    mean = float(tally.outcome.moments.squared.mean.sum()).hex()
    print(json.dumps({"seconds": seconds, "digits": mean}))


def run(setup: list[tuple[set[int], int]]) -> dict[str, Any]:
    """Start a setup's processes together; what the first of them says."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = []
    for k, (cores, devices) in enumerate(setup):
        spec = f"localhost:{port},{k},{len(setup)}" if len(setup) > 1 else ""
        started.append(
            subprocess.Popen(
                [sys.executable, __file__, "--work", spec],
                env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
                stdout=subprocess.PIPE,
                text=True,
                preexec_fn=lambda own=cores: os.sched_setaffinity(0, own),
            )
        )
    said = [process.communicate()[0] for process in started]
    return dict(json.loads(said[0].splitlines()[-1]))


def main() -> None:
    """Measure, print, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(options.work)
        return
    rates: dict[str, list[float]] = {name: [] for name in SETUPS}
    digits = set()
    for _ in range(ROUNDS):
        for name, setup in SETUPS.items():
            found = run(setup)
            rates[name].append(CHAINS / found["seconds"])
            digits.add(found["digits"])
            print(f"{name}: {rates[name][-1]:,.0f} chains a second", flush=True)
    one, two, *_ = (statistics.median(values) for values in rates.values())
    print(f"two processes: {two / one:.2f} times one; the same digits: {len(digits) == 1}")
    if options.out is not None:
        found = {"chains_per_second": rates, "ratio": two / one, "same_digits": len(digits) == 1}
        keep(options.out, {"chains": CHAINS, **found})


if __name__ == "__main__":
    main()
