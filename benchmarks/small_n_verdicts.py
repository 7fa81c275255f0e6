"""Verdicts on the second-order law at one small sample size, at a tolerance of 5%.

    python benchmarks/small_n_verdicts.py [--cases NAME ...] [--chains 131072] [--out FILE]

For each case and number of rows: the verdict on all mean squared errors; how many of them are
verified, undecided, or outside the limits within which the law is judged; the range of simulated
over predicted errors, and the largest indicator and allowance. Cases are networks of
``tests/laws/second_order_cases.py``, and the weighted loop of He, Xu & Cheng (2025): 100 fresh real
rows of weight w and 100 of the model's own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jax
from machine import keep

import mcjax

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "laws"))
from second_order_cases import case

NAMED = {"log2a": 8, "log2w": 6, "hub2t": 6, "hring": 6, "poi1r": 6, "ring2s": 6}
"""Generations by name."""
ROWS = 100, 200
WEIGHTS = 0.5, 0.62, 0.8
FAMILIES = "linear", "logistic", "poisson"
THETAS = (0.5, -0.5), (1.0, 1.0)
GENERATIONS, TOLERANCE = 6, 0.05
LAW = "second_order"


def weighted_loop(family: str, theta: tuple[float, ...], weight: float) -> mcjax.Condition:
    """Return the loop of 100 real rows of a weight and 100 of the model's own."""
    feeds = [("real", "model", 100, weight), ("model", "model", 100, 1 - weight)]
    network = mcjax.build_network(["model"], feeds, 100)
    return mcjax.condition(network, getattr(mcjax, family)(), list(theta))


def cases() -> dict[str, tuple[mcjax.Condition, int]]:
    """Return conditions and generations by name."""
    found = {
        f"{name}, n = {rows}": (case(name, rows), generations)
        for name, generations in NAMED.items()
        for rows in ROWS
    }
    for family in FAMILIES:
        for theta in THETAS:
            for weight in WEIGHTS:
                name = f"weighted {family}, theta = {theta}, w = {weight}"
                found[name] = weighted_loop(family, theta, weight), GENERATIONS
    return found


def judged(one: mcjax.Condition, generations: int, chains: int) -> dict[str, Any]:
    """Return what the verdicts on one condition say."""
    study = mcjax.Study((one,), generations, chains, tolerance=TOLERANCE, quantities=("mse",))
    begin = time.perf_counter()
    found = mcjax.verify(study, laws=[LAW])
    cells = [cell for cell in found.cells if cell.law == LAW]
    law = mcjax.predict(study, [LAW])[0].laws[LAW]
    assert law.validity is not None
    verdicts = Counter(cell.verdict for cell in cells)
    worst = next(v for v in ("refuted", "inconclusive", "verified") if v in verdicts)
    return {
        "verdict": worst,
        "cells": dict(verdicts),
        "not_judged": int((~law.validity.judged).sum()),
        "ratio": [round(f(cell.ratio for cell in cells), 4) for f in (min, max)],
        "standard_error": round(max(cell.standard_error / cell.predicted for cell in cells), 4),
        "indicator": round(float(law.validity.indicator.max()), 3),
        "leverage": round(float(law.validity.leverage.max()), 3),
        "allowance": round(float(law.validity.remainder.max()), 3),
        "notes": sorted({cell.note for cell in cells if cell.note}),
        "chains": chains,
        "seconds": round(time.perf_counter() - begin, 1),
    }


def main() -> None:
    """Judge the cases, print a line for each, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="*")
    parser.add_argument("--chains", type=int, default=131_072)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    for name, (one, generations) in cases().items():
        if given.cases and not any(name.startswith(wanted) for wanted in given.cases):
            continue
        results.append({"case": name, **judged(one, generations, given.chains)})
        print(results[-1], flush=True)
        if given.out is not None:
            keep(given.out, results)


if __name__ == "__main__":
    main()
