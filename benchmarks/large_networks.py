"""Time and memory of ``mcjax diagnose`` for networks of a thousand to a million models.

    python benchmarks/large_networks.py [--out benchmarks/results/large_networks.json] [--most 1e6]

Networks grow by preferential attachment, two feeds to a model, of which one in a thousand is turned
round, or as trees of lineages in which 50 models also read one of their readers. Of a hundred roots
half read themselves alone, a quarter real data, and a quarter nothing. One model in twenty reads
real data. Each file is diagnosed by a process of its own, whose processor time (user and system)
and peak memory are kept, its start included. Edge lists have all sizes; GraphML, node-link JSON and
edge lists are compared at one size. ``nanoseconds_per_n_log_n`` is the time over n times the
natural logarithm of n, the number of models: it does not grow from 10,000 models on.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from machine import keep

SIZES, COMPARED, ROOTS = (10**3, 10**4, 10**5, 10**6), 3 * 10**4, 100
REAL = -1
Edges = tuple[np.ndarray, np.ndarray]
"""Origins, of which -1 is real data, and readers."""


def roots() -> Edges:
    """The feeds of the roots."""
    own, fed = np.arange(ROOTS // 2), np.arange(ROOTS // 2, 3 * ROOTS // 4)
    return np.append(own, np.full(len(fed), REAL)), np.append(own, fed)


def attached(size: int, rng: np.random.Generator) -> Edges:
    """Feeds by preferential attachment."""
    reader = np.repeat(np.arange(ROOTS, size), 2)
    ends, origin = list(range(ROOTS)), []
    for i, share in zip(reader.tolist(), rng.random(len(reader)).tolist(), strict=True):
        origin.append(ends[int(share * len(ends))])
        ends += [origin[-1], i]
    turned = rng.random(len(reader)) < 1e-3
    first = np.array(origin)
    return np.where(turned, reader, first), np.where(turned, first, reader)


def lineages(size: int, rng: np.random.Generator) -> Edges:
    """Feeds along trees, and a few that close loops."""
    child = np.arange(ROOTS, size)
    parent = (rng.random(len(child)) * child).astype(int)
    back = rng.integers(0, len(child), 50)
    return np.append(parent, child[back]), np.append(child, parent[back])


def write(path: Path, edges: Edges, size: int, rng: np.random.Generator) -> int:
    """Write an edge list with the feeds of roots and of real data; return their number."""
    fed = ROOTS + rng.choice(size - ROOTS, size // 20, replace=False)
    parts = [roots(), edges, (np.full(len(fed), REAL), fed)]
    origin, reader = (np.concatenate(ends) for ends in zip(*parts, strict=True))
    samples = rng.integers(10, 1000, len(origin)).tolist()
    with path.open("w") as file:
        file.write("from,to,samples\n")
        for j, i, count in zip(origin.tolist(), reader.tolist(), samples, strict=True):
            file.write(f"{'real' if j == REAL else f'm{j}'},m{i},{count}\n")
    return len(origin)


def measured(path: Path, models: int) -> dict[str, Any]:
    """Diagnose a file in a process of its own."""
    code = (
        "import resource, sys, subprocess\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss, done.stdout.splitlines()[0])\n"
    )
    command = [sys.executable, "-m", "mcjax", "diagnose", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    seconds, peak, verdict = done.stdout.strip().split(" ", 2)
    return {
        "processor_seconds": round(float(seconds), 2),
        "nanoseconds_per_n_log_n": round(1e9 * float(seconds) / (models * math.log(models))),
        "peak_megabytes": int(peak) // 1024,
        "verdict": verdict,
    }


def converted(path: Path, folder: Path) -> dict[str, Path]:
    """Write the network of an edge list in other formats."""
    graph = nx.MultiDiGraph()
    for line in path.read_text().splitlines()[1:]:
        origin, reader, samples = line.split(",")
        graph.add_edge(origin, reader, samples=int(samples))
    named = {"GraphML": folder / "net.graphml", "node-link JSON": folder / "net.json"}
    nx.write_graphml(graph, named["GraphML"])
    named["node-link JSON"].write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    return {"edge list": path, **named}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kept = Path(__file__).parent / "results" / "large_networks.json"
    parser.add_argument("--out", type=Path, default=kept)
    parser.add_argument("--most", type=float, default=SIZES[-1])
    options = parser.parse_args()
    kinds: dict[str, Callable[[int, np.random.Generator], Edges]] = {
        "preferential attachment": attached,
        "lineages": lineages,
    }
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, made in kinds.items():
            for size in (size for size in SIZES if size <= options.most):
                rng, path = np.random.default_rng(size), folder / "net.csv"
                feeds = write(path, made(size, rng), size, rng)
                about = {"kind": kind, "format": "edge list", "models": size, "feeds": feeds}
                results.append(about | measured(path, size))
                print(results[-1], flush=True)
        rng, path = np.random.default_rng(0), folder / "net.csv"
        feeds = write(path, attached(COMPARED, rng), COMPARED, rng)
        for form, other in converted(path, folder).items():
            about = {"kind": "preferential attachment", "format": form, "models": COMPARED}
            results.append(about | {"feeds": feeds} | measured(other, COMPARED))
            print(results[-1], flush=True)
    keep(options.out, results)


if __name__ == "__main__":
    main()
