"""Whole studies in this tree and in another one, in alternation, and the memory of long runs.

    git worktree add /tmp/before COMMIT
    python benchmarks/two_trees.py --other /tmp/before [--out benchmarks/results/two_trees.json]

Each turn is a process of its own, which simulates a study of the same shapes first, so that compile
time is apart, and says what the study then took: seconds, seconds of processors, and the peak of
its memory. On a machine that does other work as well, compare seconds of processors; the kept
results are of such a machine, three rounds, with commit 1a81cb6 as the other tree. Without
``--other``, this tree is measured alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROUNDS = 5
LINEAR = {"family": "linear", "models": 4, "p": 5, "generations": 20}
CASES: dict[str, dict[str, Any]] = {
    "linear, M=4, p=5": {**LINEAR, "chains": 16_384},
    "linear, M=4, p=5, two devices": {**LINEAR, "chains": 16_384, "devices": 2},
    "linear, M=10, p=10": {**LINEAR, "models": 10, "p": 10, "generations": 10, "chains": 2048},
    "linear, M=1, p=2": {**LINEAR, "models": 1, "p": 2, "chains": 65_536},
    "logistic, M=4, p=5": {**LINEAR, "family": "logistic", "generations": 10, "chains": 2048},
}
MEMORY = {f"{chains:,} chains": {**LINEAR, "chains": chains} for chains in (2048, 262_144)}


def work(family: str, models: int, p: int, generations: int, chains: int, devices: int = 1) -> None:
    """Be one turn: print what a study takes."""
    import resource

    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", devices)
    import mcjax

    net = mcjax.topologies.ring(models, samples=100, real=100, initial=200)
    one = mcjax.condition(net, getattr(mcjax, family)(), [0.7] + [0.0] * (p - 1))

    def simulate(count: int) -> None:
        mcjax.simulate(mcjax.Study((one,), generations=generations, chains=count))

    simulate(min(chains, 2048))
    wall, processors = time.perf_counter(), time.process_time()
    simulate(chains)
    found = {
        "seconds": time.perf_counter() - wall,
        "processors": time.process_time() - processors,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


def turn(tree: Path, case: dict[str, Any]) -> dict[str, float]:
    """Run one turn with the package of a tree."""
    done = subprocess.run(
        [sys.executable, __file__, "--here", json.dumps(case)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(trees: dict[str, Path], case: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Let the trees take turns; medians of each in microseconds per fit, and of the ratios."""
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            turns[name].append(turn(tree, case))
    fits = case["chains"] * case["models"] * (case["generations"] + 1)
    results: dict[str, Any] = {}
    for kind in ("seconds", "processors"):
        for name, found in turns.items():
            results[f"{name}_{kind}"] = statistics.median(t[kind] for t in found) / fits * 1e6
        if "other" in trees:
            pairs = zip(turns["other"], turns["this"], strict=True)
            results[f"ratio_{kind}"] = statistics.median(a[kind] / b[kind] for a, b in pairs)
    for name, found in turns.items():
        results[f"{name}_peak_mib"] = max(t["peak_mib"] for t in found)
    return results


def main() -> None:
    """Measure, print and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--other", type=Path, help="root of another tree")
    parser.add_argument("--only", nargs="*", help="cases, by the beginning of their names")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        work(**json.loads(args.here))
        return
    trees = {"this": Path(__file__).resolve().parents[1]}
    if args.other is not None:
        trees = {"other": args.other.resolve(), **trees}
    results = {}
    for name, case in {**CASES, **MEMORY}.items():
        if args.only and not any(name.startswith(begin) for begin in args.only):
            continue
        results[name] = compare(trees, case, 1 if name in MEMORY else args.rounds)
        shown = "  ".join(f"{key} {value:.3f}" for key, value in results[name].items())
        print(f"{name}: {shown}", flush=True)
    if args.out is not None:
        from machine import keep

        keep(args.out, results)


if __name__ == "__main__":
    main()
