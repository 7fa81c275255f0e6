"""Ladders of sample sizes on real data: means, covariances and mean squares by two laws.

    python benchmarks/real_ladders.py [--cases engel ...] [--out RESULT.json]

A model that reads itself, one that reads itself and as many rows of the file, and one that reads
rows of the file alone, on five data sets with seven models, with 250 rows a fit and multiples of
that. Beside the law of the rows, one is judged that takes real labels to be as the model describes
them. Reported are the verdicts by law, quantity and scale, with the range of the numbers that they
are about, and the fits that fail; on a ladder, mean squares are judged by their limit. Cases that
are not run keep the results that the file has.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.laws.first_order.population_path import Populations
from mcjax.verdicts.cells import Cell

jax.config.update("jax_enable_x64", True)

MODELS = ("lone", "half real", "all real")
SHARES = np.diag([1.0, 0.5, 0.0])  # of a model's rows that it generates itself
ROWS, GENERATIONS, TOLERANCE = 250, 2, 0.25
FEEDS = [("lone", "lone", ROWS), ("half real", "half real", ROWS // 2)]
REAL = [("real", "half real", ROWS // 2), ("real", "all real", ROWS)]
NETWORK = mcjax.build_network(MODELS, FEEDS + REAL, ROWS)
TRUSTING = "of the model"
rows_of = mcjax.Data.from_file
CASES = {
    "engel": (
        mcjax.linear(sigma=110.0),
        rows_of("statsmodels:engel", "foodexp", standardise=True),
        (1, 2, 4, 8),
        4096,
    ),
    "stackloss": (
        mcjax.huber(threshold=2.0, sigma=2.0),
        rows_of("statsmodels:stackloss", standardise=True),
        (1, 4, 16, 64),
        4096,
    ),
    "randhie": (
        mcjax.poisson(),
        rows_of("statsmodels:randhie", standardise=True),
        (2, 4, 8, 16),
        4096,
    ),
    "anes96": (
        mcjax.multinomial(classes=7),
        rows_of("statsmodels:anes96", covariates=("selfLR", "educ"), standardise=True),
        (2, 4, 8, 16),
        4608,
    ),
    "vote": (
        mcjax.probit(),
        rows_of("statsmodels:anes96", "vote", covariates=("selfLR", "educ"), standardise=True),
        (1, 2, 4, 8),
        4096,
    ),
    "visits": (
        mcjax.nb2(),
        rows_of("statsmodels:randhie", covariates=("lncoins", "idp", "hlthp"), standardise=True),
        (2, 4, 8),
        4096,
    ),
    "digits": (
        mcjax.logistic(),
        rows_of("sklearn:digits", positive=(5, 6, 7, 8, 9), standardise=True, components=5),
        (1, 2, 4, 8),
        4096,
    ),
}


def of_model(condition: Any, generations: int) -> tuple[None, np.ndarray]:
    """Return the law of real labels that are as the model at theta* describes them."""
    centres = np.tile(condition.theta, (len(MODELS), 1))
    scores = Populations(condition).of(0, centres)
    inverse = np.linalg.inv(scores.score(condition.theta).by_reader)
    spread = inverse @ scores.covariance(condition.theta, condition.theta) @ inverse
    [rows, *_] = condition.network.initial
    fit = np.kron(np.eye(len(MODELS)), spread / rows)
    carried = np.kron(SHARES, np.eye(len(spread)))
    law = [fit]
    for _ in range(generations):
        law.append(carried @ law[-1] @ carried.T + fit)
    return None, np.array(law)


def verdicts(cells: Iterable[Cell]) -> dict[str, dict[str, Any]]:
    """Return counts of verdicts and the range of departures, by law, quantity and rung.

    Departures are ratios of mean squares to a law's, less 1, and differences of other numbers.
    """
    groups = defaultdict(list)
    for cell in cells:
        groups[f"{cell.law}: {cell.quantity}, {cell.condition}"].append(cell)
    found = {}
    for name, group in sorted(groups.items()):
        scale = [c.predicted if c.quantity == "mse" else 1.0 for c in group]
        off = [(c.empirical - c.predicted) / s for c, s in zip(group, scale, strict=True)]
        counts = Counter(cell.verdict for cell in group)
        found[name] = dict(sorted(counts.items())) | {
            "departures": [round(e, 3) for e in (min(off), max(off)) if np.isfinite(off).all()]
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    results: dict[str, Any] = {"tolerance": TOLERANCE}
    if given.out is not None and given.out.is_file():
        results = json.loads(given.out.read_text())["results"]
    for name in given.cases:
        begin = time.process_time()
        model, data, scales, chains = CASES[name]
        base = mcjax.condition(NETWORK, model, data=data, label=name)
        study = mcjax.Study(
            mcjax.ladder(base, scales),
            generations=GENERATIONS,
            chains=chains,
            tolerance=TOLERANCE,
            quantities=("mse", "bias", "covariance"),
        )
        found = mcjax.verify(study, laws=[mcjax.user_law(of_model, name=TRUSTING)])
        results[name] = {
            "chains": chains,
            "processor_seconds": round(time.process_time() - begin),
            "failed_fits": found.failures,
            "cells": verdicts(found.cells),
        }
        print(name, results[name]["processor_seconds"], "s")
        for place, counts in results[name]["cells"].items():
            print(f"  {place:50}", counts, flush=True)
    if given.out is not None:
        keep(given.out, results)


if __name__ == "__main__":
    main()
