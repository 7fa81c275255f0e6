"""How often a true law of any quantity is refuted with few chains.

    python benchmarks/few_chains_of_quantities.py [--out FILE] [--studies 500]

Each study is simulated and judged as `mcjax.verify` does it, with a seed of its own, by an exact
law: four models with three parameters, two of which collapse, for quantities of errors; and loops
of labels 0 and 1, for functionals. Claims of different names have an error budget each. For
covariances and slopes two further laws put the truth on an edge of the margin, where verified and
refuted are both wrong. A rate is above nominal if a one-sided binomial test says so at 1% for the
whole table, by Holm's procedure.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from few_chains import too_often
from machine import keep

import mcjax
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.cells import verdict_of
from mcjax.verdicts.claims import Claim
from mcjax.verdicts.equivalence import holm
from mcjax.verdicts.judge import claims_of

CHAINS, CONFIDENCES, TOLERANCES = (64, 128, 256, 512, 4096), (0.95, 0.99), (0.05, 0.2)
ERRORS = ("covariance", "bias", "growth", "collapse", "homogenisation")
EDGES = ("covariance", "growth")
"""Quantities that are also judged by laws on an edge of the margin."""
SIDES = {"true": 0, "upper edge": 1, "lower edge": -1}


def regressions() -> mcjax.Condition:
    """Return a closed loop, what it feeds, an anchored loop, and what that feeds."""
    network = mcjax.build_network(
        ["closed", "fed", "anchored", "last"],
        [
            ("closed", "closed", 40),
            ("closed", "fed", 20),
            ("real", "fed", 20),
            ("anchored", "anchored", 20),
            ("real", "anchored", 20),
            ("anchored", "last", 20),
            ("real", "last", 20),
        ],
        40,
    )
    covariance = [[1.0, 0.4, 0.0], [0.4, 1.5, 0.2], [0.0, 0.2, 0.7]]
    return mcjax.condition(network, mcjax.linear(), [1.0, -0.5, 0.3], covariance)


def labels() -> mcjax.Condition:
    """Return a closed loop of labels 0 and 1, and one with real data."""
    feeds = [("closed", "closed", 30), ("anchored", "anchored", 20), ("real", "anchored", 10)]
    network = mcjax.build_network(["closed", "anchored"], feeds, 30)
    return mcjax.condition(network, mcjax.bernoulli(), [0.3])


def scaled(law: Prediction, factor: float) -> Prediction:
    """Return a law whose second moments are too small by a factor."""
    return replace(law, covariance=law.covariance / factor, mse=law.mse / factor, longer=None)


def judged(
    one: mcjax.Condition, quantities: tuple[str, ...], generations: int, chains: int, studies: int
) -> Iterator[tuple[tuple[Any, ...], int, int]]:
    """Yield each setting of each study, with the numbers of wrong verdicts and of cells decided."""
    study = mcjax.Study((one,), generations, chains, quantities=quantities)
    [predictions] = mcjax.predict(study)
    exact = {name: law for name, law in predictions.laws.items() if law.exact}
    for seed in range(studies):
        seeded = replace(study, conditions=(replace(one, seed=seed),))
        [tally] = mcjax.simulate(seeded)
        for tolerance, (side, factor) in itertools.product(TOLERANCES, SIDES.items()):
            changed = {name: scaled(law, 1 + factor * tolerance) for name, law in exact.items()}
            chosen = quantities if not factor else tuple(q for q in quantities if q in EDGES)
            if not chosen:
                continue
            asked = replace(seeded, tolerance=tolerance, quantities=chosen)
            laws = replace(predictions, laws=changed, inapplicable={})
            groups: dict[str, list[Claim]] = {}
            for claim in claims_of(asked, [laws], [tally.outcome])[0]:
                groups.setdefault(claim.place.quantity.split(":")[0], []).append(claim)
            for name, claims in groups.items():
                if factor and name not in EDGES:
                    continue
                least = np.array([min(claim.within, claim.beyond, 1.0) for claim in claims])
                for confidence in CONFIDENCES:
                    verdicts = Counter(map(verdict_of, claims, *holm(least, 1 - confidence)))
                    decided = verdicts["refuted"] + verdicts["verified"]
                    wrong = decided if factor else verdicts["refuted"]
                    yield (name, chains, confidence, tolerance, side), wrong, decided


def main() -> None:
    """Judge, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    counts: dict[tuple[Any, ...], np.ndarray] = {}
    for one, quantities, generations in (
        (regressions(), ERRORS, 8),
        (labels(), ("functional",), 4),
    ):
        for chains in CHAINS:
            for setting, wrong, decided in judged(
                one, quantities, generations, chains, options.studies
            ):
                found = np.array([1, wrong > 0, decided > 0])
                counts[setting] = counts.get(setting, 0) + found
            print(f"{chains} chains: {time.perf_counter() - began:.0f} s", flush=True)
    rows: list[dict[str, Any]] = [
        {
            "quantity": quantity,
            "chains": chains,
            "confidence": confidence,
            "tolerance": tolerance,
            "law": law,
            "studies": int(count[0]),
            "wrong": count[1] / count[0],
            "with_decisions": count[2] / count[0],
        }
        for (quantity, chains, confidence, tolerance, law), count in sorted(counts.items())
    ]
    for row, above in zip(rows, too_often(rows), strict=True):
        row["above_nominal"] = above
        print(*row.values(), flush=True)
    print(f"{time.perf_counter() - began:.0f} s")
    if options.out is not None:
        keep(options.out, rows)


if __name__ == "__main__":
    main()
