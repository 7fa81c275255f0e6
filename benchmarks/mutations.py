"""Is an error of 10% in each number that a quantity reads of a law refuted as often as announced?

    python benchmarks/mutations.py [--only QUANTITY ...] [--runs 400] \
        [--out benchmarks/results/mutations.json]

The plants are those of ``tests/verdicts/plants.py``: each makes one number wrong in a law that is
otherwise true. Chains are normal errors with the law's covariance (for functionals, the values
themselves), so the true law is exact. The number of chains is the one with which ``--plan``
announces a power of 80%. Announced is the chance of the claim in which a refutation is likeliest,
at the first level of Holm's procedure; counted are the runs in which that claim is refuted at that
level, and those in which any claim refutes the law. With ``--only``, the numbers of all other
quantities that ``--out`` holds stay as they are.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import jax
from machine import keep

from mcjax.verdicts.quantities.registry import QUANTITIES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "verdicts"))
from plants import PLANTS, Plant
from reached import refutations

POWER = 0.8


def measure(plant: Plant, runs: int) -> dict[str, Any]:
    """Compare the announced power against one plant with the rate at which it is refuted."""
    found = refutations(plant, POWER, runs)
    rate = found.rate
    return {
        "quantity": found.quantity,
        "planted": plant.words,
        "size": plant.size,
        "unit": plant.unit or "of itself",
        "inputs": plant.inputs,
        "margin": plant.margin,
        "chains": found.chains,
        "announced": found.announced,
        "refuted": rate,
        "standard_error": math.sqrt(max(rate * (1 - rate), 1 / runs) / runs),
        "refuted_by_any": found.by_any,
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--only", nargs="*", default=QUANTITIES, choices=list(QUANTITIES))
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    kept = []
    if options.out is not None and options.out.exists():
        kept = json.loads(options.out.read_text())["results"]["plants"]
    rows = {(row["specimen"], row["planted"]): row for row in kept}
    for plant in PLANTS:
        if plant.quantity not in options.only:
            continue
        began = time.perf_counter()
        row = measure(plant, options.runs)
        rows[plant.specimen, plant.words] = {"specimen": plant.specimen} | row
        announced = "not announced" if row["announced"] is None else f"{row['announced']:.1%}"
        print(
            f"{plant.specimen}, {plant.words} ({row['quantity']}): {row['chains']:,} chains,"
            f" {announced}, refuted {row['refuted']:.1%} ± {row['standard_error']:.1%}, by any"
            f" claim {row['refuted_by_any']:.1%}; {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    if options.out is not None:
        ordered = [rows[p.specimen, p.words] for p in PLANTS if (p.specimen, p.words) in rows]
        keep(options.out, {"runs": options.runs, "power": POWER, "plants": ordered})


if __name__ == "__main__":
    main()
