"""mcjax beside its peers: the same chains and the same fits, in one process, in alternation.

    python benchmarks/speed.py [--quick] [--only NAME ...] [--out benchmarks/results/speed.json]

Each section runs in a process of its own, pinned to one core or to two; in it contestants take
turns, and what counts is the median of their turns. Peers that are not installed are left out:
``pip install 'mcjax[bench]'`` brings them, and a C compiler the reference in C. Whether their
solutions agree stands beside the times. All tables are written beside the JSON, and a figure into
``figures/``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SHOWN = {"logistic, 1 core", "logistic, 2 cores", "curves"}
"""Sections of the figure."""


def sections() -> dict[str, tuple[int, str, dict[str, Any]]]:
    """Cores, function and arguments of every section."""

    def chains(model: str, cores: int, precision: str = "float32", **given: Any) -> Any:
        return (
            cores,
            "chains",
            {"model": model, "p": 5, "precision": precision, "devices": cores, **given},
        )

    found = {
        f"{model}, {cores} core{'s'[: cores - 1]}": chains(model, cores)
        for cores in (1, 2)
        for model in ("logistic", "poisson", "huber")
    }
    found["logistic mixed, 1 core"] = chains("logistic", 1, "mixed")
    found["logistic p=10, 1 core"] = chains("logistic", 1, p=10)
    found["logistic p=20, 1 core"] = chains("logistic", 1, p=20)
    for rows in (200, 1000):
        found[f"linear N={rows}, 1 core"] = chains("linear", 1, rows=rows)
    for model in ("logistic", "poisson", "huber"):
        found[f"fits alone, {model}"] = (1, "fits", {"model": model})
    found["parts"] = (1, "parts", {})
    for cores in (1, 2):
        found[f"compile, {cores} core{'s'[: cores - 1]}"] = (cores, "compile", {})
    found["curves"] = (1, "curves", {})
    found["study"] = (2, "study", {})
    return found


def run_here(cores: int, kind: str, given: dict[str, Any]) -> Any:
    """One section, in this process."""
    os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:cores]))
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(cores)
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", cores)
    sys.path.insert(0, str(HERE))
    import races

    return getattr(races, f"{kind}_section")(**given)


def main() -> None:
    """Run the sections, print and keep what they found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few chains, few turns")
    parser.add_argument("--only", nargs="*", help="sections, by the beginning of their names")
    parser.add_argument(
        "--out",
        type=Path,
        help="where to keep the results; those of other sections that it has stay",
    )
    parser.add_argument("--here", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        print(json.dumps(run_here(*json.loads(args.here))))
        return
    sys.path.insert(0, str(HERE))
    from machine import keep
    from report import draw, table

    results: dict[str, Any] = {}
    if args.out is not None and args.only and args.out.exists():
        results = json.loads(args.out.read_text(encoding="utf-8"))["results"]
    for name, (cores, kind, given) in sections().items():
        if args.only and not any(name.startswith(begin) for begin in args.only):
            continue
        asked = json.dumps([cores, kind, {**given, "quick": args.quick}])
        command = [sys.executable, __file__, "--here", asked]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        print(table(name, results[name]), flush=True)
        if args.out is not None:
            keep(args.out, results)
    if args.out is not None:
        tables = "\n".join(table(name, found) for name, found in results.items())
        args.out.with_suffix(".md").write_text(tables, encoding="utf-8")
        if results.keys() >= SHOWN:
            draw(results, HERE.parent / "figures")


if __name__ == "__main__":
    main()
