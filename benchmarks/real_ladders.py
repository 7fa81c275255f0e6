"""Ladders of sample sizes on real data: means, covariances and mean squares by the law of the rows.

    python benchmarks/real_ladders.py [--chains 4096] [--out RESULT.json]

A model that reads itself, and one that reads itself and as many rows of the file, on engel (least
squares) and digits (logistic regression, five principal components), with 250 rows a fit and 2, 4
and 8 times as many. Reported are the verdicts by quantity and scale; on a ladder, mean squares are
judged by their limit.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import jax
from machine import keep

import mcjax

jax.config.update("jax_enable_x64", True)

FEEDS = [("lone", "lone", 250), ("half real", "half real", 125), ("real", "half real", 125)]
SCALES = (1, 2, 4, 8)
CASES = {
    "engel": (
        mcjax.linear(sigma=110.0),
        mcjax.Data.from_file("statsmodels:engel", "foodexp", standardise=True),
    ),
    "digits": (
        mcjax.logistic(),
        mcjax.Data.from_file(
            "sklearn:digits", positive=(5, 6, 7, 8, 9), standardise=True, components=5
        ),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chains", type=int, default=4096)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    network = mcjax.build_network(["lone", "half real"], FEEDS, 250)
    results = {}
    for name, (model, data) in CASES.items():
        begin = time.process_time()
        base = mcjax.condition(network, model, data=data, label=name)
        study = mcjax.Study(
            mcjax.ladder(base, SCALES),
            generations=2,
            chains=given.chains,
            tolerance=0.25,
            quantities=("mse", "bias", "covariance"),
        )
        cells = mcjax.verify(study).cells
        counts = Counter(f"{c.quantity}, {c.condition}: {c.verdict}" for c in cells)
        seconds = round(time.process_time() - begin)
        results[name] = {"processor_seconds": seconds, "verdicts": dict(sorted(counts.items()))}
        print(name, results[name], flush=True)
    if given.out is not None:
        keep(given.out, {"chains": given.chains, "tolerance": 0.25} | results)


if __name__ == "__main__":
    main()
