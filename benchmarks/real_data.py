"""Memory and time that a large file of real data takes, from reading it to a verdict.

    python benchmarks/real_data.py [--rows 100000] [--columns 50] [--out RESULT.json]

A CSV file of skewed columns and binary labels, which no logistic model describes, is read, fitted
as a whole but for a fifth that is held out, and put in the place of the real source of a model that
reads itself. Reported are seconds of a processor, and the largest memory of the process so far,
after each stage. Chains run three times, each time four times as many, to tell what a chain takes
from what the file takes: all gather rows from one copy.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

import mcjax

sys.path.insert(0, str(Path(__file__).parent))
from machine import keep

jax.config.update("jax_enable_x64", True)
CHOICES: dict[str, Any] = {"standardise": True, "held_out": 0.2}


def frame(rows: int, columns: int) -> pd.DataFrame:
    """Return columns of which half are skewed, and labels with an interaction."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    x[:, ::2] = np.exp(x[:, ::2] / 2)
    slope = rng.normal(size=columns) / np.sqrt(columns)
    odds = x @ slope + 0.5 * x[:, 0] * x[:, 1]
    table = pd.DataFrame(x.round(6), columns=[f"x{k}" for k in range(columns)])
    return table.assign(y=(rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int))


class Stages:
    """Stages with the time they took and the memory there was after them."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, float]] = {}

    def run(self, name: str, stage: Callable[[], Any]) -> Any:
        begin, wall = time.process_time(), time.monotonic()
        result = stage()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.results[name] = {
            "processor_seconds": round(time.process_time() - begin, 2),
            "seconds": round(time.monotonic() - wall, 2),
            "peak_MiB": round(peak),
        }
        print(f"{name:24}", self.results[name], flush=True)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--chains", type=int, default=16)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    stages = Stages()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.csv")
        stages.run("begin", lambda: frame(given.rows, given.columns).to_csv(file, index=False))
        size = file.stat().st_size / 2**20
        data = stages.run("read", lambda: mcjax.Data.from_file(file, "y", **CHOICES))
    loop = mcjax.topologies.self_loop(
        samples=given.samples, real=given.samples, initial=2 * given.samples
    )
    condition = stages.run(
        "fit to the whole file", lambda: mcjax.condition(loop, mcjax.logistic(), data=data)
    )
    study = mcjax.Study((condition,), generations=2, chains=given.chains, tolerance=0.3)
    stages.run("law", lambda: mcjax.predict(study))
    for chains in (given.chains, 4 * given.chains, 16 * given.chains):
        more = replace(study, chains=chains)
        stages.run(f"{chains} chains", partial(mcjax.simulate, more))
    about = {"rows": given.rows, "columns": given.columns, "file_MiB": round(size)}
    about |= {"samples": given.samples, "chains": given.chains}
    if given.out is not None:
        keep(given.out, about | {"stages": stages.results})


if __name__ == "__main__":
    main()
