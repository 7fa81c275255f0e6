"""How long it takes to read a network of many models, in every format.

    python benchmarks/reading.py [--models 5000] [--doublings 3] [--out RESULT.json]

One network, in which each model reads one before it and every fifth real data, is written in every
format with N models, 2 N, 4 N, and so on. Reported are seconds of a processor, and the slope of
their logarithm against that of N, which is 1 where time is in proportion to the file.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import networkx as nx
import numpy as np

from mcjax.study.networks import read_content

sys.path.insert(0, str(Path(__file__).parent))


def pairs(size: int) -> list[tuple[str, str]]:
    """Return who feeds whom."""
    rng = np.random.default_rng(0)
    feeds = [(f"m{int(rng.integers(k))}", f"m{k}") for k in range(1, size)]
    return [*feeds, *(("real", f"m{k}") for k in range(0, size, 5))]


def graph(size: int) -> nx.DiGraph:
    """Return the network as a graph."""
    result = nx.DiGraph()
    for origin, reader in pairs(size):
        result.add_edge(origin, reader, samples=100)
    return result


def in_bytes(write, size: int) -> str:
    """Return what a writer of networkx writes."""
    held = io.BytesIO()
    write(graph(size), held)
    return held.getvalue().decode()


def toml(size: int) -> str:
    feeds = "\n".join(
        f'[[network.feeds]]\nfrom = "{j}"\nto = "{i}"\nsamples = 100' for j, i in pairs(size)
    )
    names = json.dumps([f"m{k}" for k in range(size)])
    return f"[network]\nmodels = {names}\ninitial = 100\n{feeds}\n"


def triples(size: int) -> list[tuple[str, str, str]]:
    """Return statements on models, and on data sets that these have generated."""
    said = [("subject", "relation", "object")]
    for origin, reader in pairs(size):
        said.append((reader, "trained_on", f"text of {origin}"))
        if origin != "real":
            said.append((f"text of {origin}", "generated_by", origin))
    return said


FORMATS = {
    "TOML": toml,
    "edge list": lambda n: "from,to\n" + "".join(f"{j},{i}\n" for j, i in pairs(n)),
    "GraphML": lambda n: in_bytes(nx.write_graphml, n),
    "GEXF": lambda n: in_bytes(nx.write_gexf, n),
    "GML": lambda n: "\n".join(nx.generate_gml(graph(n))),
    "node-link": lambda n: json.dumps(nx.node_link_data(graph(n), edges="edges")),
    "triples in CSV": lambda n: "\n".join(map(",".join, triples(n))),
    "triples in JSON": lambda n: json.dumps(triples(n)[1:]),
}


def write_cards(folder: Path, size: int) -> None:
    """Write a card for each model, fifty to a folder."""
    reads: dict[str, list[str]] = {f"m{k}": [] for k in range(size)}
    for origin, reader in pairs(size):
        reads[reader].append(origin)
    for k, (name, origins) in enumerate(reads.items()):
        place = folder / f"lab{k // 50}"
        place.mkdir(exist_ok=True, parents=True)
        lines = "".join(f"- {origin}\n" for origin in origins)
        fields = f"license: mit\nlanguage: [en, de]\ndatasets:\n{lines}" if origins else ""
        (place / f"{name}.md").write_text(f"---\n{fields}---\n# {name}\n")


def seconds(path: Path) -> float:
    """Return the time of a processor that reading takes."""
    begun = time.process_time()
    read_content(path)
    return time.process_time() - begun


def main() -> None:
    """Measure all formats and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=5000)
    parser.add_argument("--doublings", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sizes = [options.models * 2**k for k in range(options.doublings + 1)]
    results = {}
    for name in [*FORMATS, "model cards"]:
        times = []
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "network")
                if name in FORMATS:
                    path.write_text(FORMATS[name](size), encoding="utf-8")
                else:
                    write_cards(path, size)
                times.append(seconds(path))
        slope = math.log(times[-1] / times[1]) / math.log(sizes[-1] / sizes[1])
        results[name] = {"models": sizes, "seconds": times, "slope": slope}
        told = "  ".join(f"{spent:7.3f}" for spent in times)
        print(f"{name:16} {told}   slope {slope:.2f}", flush=True)
    if options.out:
        from machine import keep

        keep(options.out, results)


if __name__ == "__main__":
    main()
