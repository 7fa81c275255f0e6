"""A grid of 5 topologies x 4 families x 6 sample sizes: programs, time, memory.

    python benchmarks/grid.py [--out benchmarks/results/grid.json]

The whole grid runs once with 2,048 chains over 20 generations, through the command line and with
results kept. Peak memory is compared between 2,048 and 32,768 chains of all 120 conditions, over
one generation. Programs compiled are counted by JAX's own monitoring.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import keep

TOPOLOGIES = ("self_loop", "chain", "ring", "star", "complete")
SIZES = (1, 2, 3, 4, 6, 8)


def write(folder: Path, generations: int) -> Path:
    """The study file and its networks."""
    for name in TOPOLOGIES:
        models = "" if name == "self_loop" else "models = 3\n"
        (folder / f"{name}.toml").write_text(
            f'[network]\ntopology = "{name}"\n{models}samples = 25\n'
            "real_samples = 25\ninitial = 50\n"
        )
    networks = ", ".join(f'"{name}.toml"' for name in TOPOLOGIES)
    file = folder / "grid.toml"
    file.write_text(
        f"""[family]
name = "linear"
theta = [0.5, -0.5]
[run]
generations = {generations}
chains = 2048
tolerance = 0.2
[grid]
network = [{networks}]
family = ["linear", "logistic", "poisson", "huber"]
scale = [{", ".join(map(str, SIZES))}]
"""
    )
    return file


def work(file: Path, chains: int) -> None:
    """Run the study as the command line does; print programs, seconds and peak memory."""
    import jax

    from mcjax.cli import main

    count = 0

    def listen(name: str, seconds: float, **_: Any) -> None:
        nonlocal count
        count += name == "/jax/core/compile/backend_compile_duration" and seconds > 0.2

    jax.monitoring.register_event_duration_secs_listener(listen)
    out = file.parent / f"out-{chains}"
    sys.argv = ["mcjax", "verify", str(file), "--chains", str(chains), "--out", str(out)]
    began = time.perf_counter()
    try:
        main.run()
    except SystemExit as stop:
        status = stop.code
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    numbers = {"seconds": time.perf_counter() - began, "peak_bytes": peak, "status": status}
    print(json.dumps(numbers | {"chains": chains, "programs": count}))


def main() -> None:
    """Measure, print, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(Path(options.work[0]), int(options.work[1]))
        return
    found = []
    for generations, chains in ((1, 2048), (1, 32_768), (20, 2048)):
        with tempfile.TemporaryDirectory() as folder:
            file = write(Path(folder), generations)
            run = [sys.executable, __file__, "--work", str(file), str(chains)]
            said = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout
        numbers = json.loads(said.splitlines()[-1]) | {"generations": generations}
        print(numbers, flush=True)
        found.append(numbers)
    if options.out is not None:
        keep(options.out, {"conditions": 120, "runs": found})


if __name__ == "__main__":
    main()
