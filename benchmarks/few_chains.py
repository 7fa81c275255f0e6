"""How often a true law is refuted with few chains and hundreds of cells.

    python benchmarks/few_chains.py [--out benchmarks/results/few_chains.json] [--studies 500]

Twenty independent loops (least squares, p = 1, 50 own and 50 real rows) over 20 generations are
420 cells. Each study is judged by its exact law at two levels of confidence and three tolerances:
with the first 64, 128, 256 and 512 of its chains, and as many studies with 4,096. For each
setting there are three laws: the true one, and those that put every truth on the upper and on the
lower edge of the margin, where verified and refuted are both wrong. A rate is above nominal if a
one-sided binomial test says so at 1% for the whole table, by Holm's procedure. Chains are run in
one go and split, which is the same as that many seeds. Beside the intervals of mcjax, Student's are
counted.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep
from scipy import stats

import mcjax
from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.moments import Moments
from mcjax.engine.powers import NonNormality, shape_of_sums
from mcjax.engine.tiles import summarise
from mcjax.laws.prediction import Prediction
from mcjax.verdicts.equivalence import holm
from mcjax.verdicts.skewed_means import Tails, p_above, p_below

LOOPS, GENERATIONS, ROWS = 20, 20, 50
FEW, MANY = (64, 128, 256, 512), 4096
CONFIDENCES, TOLERANCES = (0.95, 0.99), (0.001, 0.05, 0.2)
EDGES = {"true": 0, "upper edge": 1, "lower edge": -1}


def condition() -> mcjax.Condition:
    """Return the loops, which read themselves and real rows."""
    names = [str(k) for k in range(LOOPS)]
    feeds = [feed for k in names for feed in ((k, k, ROWS), ("real", k, ROWS))]
    network = mcjax.build_network(names, feeds, 2 * ROWS)
    return mcjax.condition(network, mcjax.linear(), (0.5,))


def estimates(one: mcjax.Condition, chains: int, studies: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the estimates (C, T + 1, M, p) of each study."""
    one = replace(one, seed=seed)
    study = mcjax.Study((one,), generations=GENERATIONS, chains=studies * chains)
    compiled = mcjax.compile_study(study)
    parts: list[np.ndarray] = []
    for _, part in compiled.trajectories(compiled.programs[0], np.arange(study.chains)):
        assert isinstance(part, Trajectory)
        parts.append(part.theta)
        while sum(map(len, parts)) >= chains:
            whole = np.concatenate(parts)
            yield whole[:chains]
            parts = [whole[chains:]]


def numbers(theta: np.ndarray, truth: np.ndarray) -> tuple[Moments, NonNormality]:
    """Return the moments of squared errors, and their shape, as mcjax streams them."""
    ended = np.zeros((1, *theta.shape[:-1]), np.int32)
    [outcome] = summarise(Trajectory(theta[None], ended, ended), truth)
    found = outcome.moments
    return found.squared, shape_of_sums(found.squared, found.powers.squared)


def p_values(
    squared: Moments, shape: NonNormality, predicted: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the p-values of all cells that verify, and that refute, as a claim has them."""
    chains = int(squared.chains.flat[0])
    ratio, error = squared.mean / predicted, squared.standard_error() / predicted

    def below(edge: float) -> np.ndarray:
        return np.asarray(p_below((ratio - edge) / error, chains - 1, shape))

    def above(edge: float) -> np.ndarray:
        return np.asarray(p_above((ratio - edge) / error, chains - 1, shape))

    low, high = 1 - tolerance, 1 + tolerance
    within = 2 * np.maximum(below(high), above(low))
    beyond = 2 * np.minimum(below(low), above(high))
    return within.ravel(), beyond.ravel()


def wrong(within: np.ndarray, beyond: np.ndarray, edge: int, confidence: float) -> tuple[bool, int]:
    """Return whether any verdict is wrong, and how many cells are decided."""
    least = np.minimum(np.minimum(within, beyond), 1.0)
    if least.min() >= (1 - confidence) / least.size:  # the first step of Holm's procedure
        return False, 0
    _, decided = holm(least, 1 - confidence)
    refuted = decided & (beyond <= within)
    return bool(decided.any() if edge else refuted.any()), int(decided.sum())


def measure(law: Prediction, one: mcjax.Condition, studies: int) -> list[dict[str, Any]]:
    """Count wrong verdicts for every setting."""
    runs = {64: FEW, MANY: (MANY,)}
    settings = list(itertools.product(TOLERANCES, EDGES, ("mcjax", "Student")))
    counts: dict[tuple[Any, ...], np.ndarray] = {}
    for seed, chains in enumerate(runs.values()):
        for theta in estimates(one, max(chains), studies, seed):
            for few in chains:
                squared, shape = numbers(theta[:few], one.theta)
                for tolerance, name, method in settings:
                    used = (
                        shape if method == "mcjax" else NonNormality(np.zeros_like(shape.skewness))
                    )
                    edge = EDGES[name]
                    # the true ratio lies on the edge of the margin
                    predicted = law.mse / (1 + edge * tolerance)
                    both = p_values(squared, used, predicted, tolerance)
                    if method == "mcjax":
                        least = Tails.SQUARES.smallest_level(few)
                        both = np.maximum(both[0], least), np.maximum(both[1], least)
                    for confidence in CONFIDENCES:
                        key = (few, confidence, tolerance, name, method)
                        found = (1, *wrong(*both, edge, confidence))
                        counts[key] = counts.get(key, np.zeros(3)) + found
    cells = law.mse.size
    return [
        {
            "chains": few,
            "confidence": confidence,
            "tolerance": tolerance,
            "law": name,
            "intervals": method,
            "studies": int(count[0]),
            "wrong": count[1] / count[0],
            "decided": count[2] / count[0] / cells,
            "claims": method == "Student"
            or Tails.SQUARES.fewest_chains((1 - confidence) / cells) <= few,
        }
        for (few, confidence, tolerance, name, method), count in sorted(counts.items())
    ]


def too_often(rows: list[dict[str, Any]]) -> list[bool]:
    """Return which rates of mcjax are above nominal, at 1% for all together."""
    odds = np.array(
        [
            stats.binom.sf(round(r["wrong"] * r["studies"]) - 1, r["studies"], 1 - r["confidence"])
            for r in rows
        ]
    )
    return [bool(rejected) for rejected in holm(odds, 0.01)[1]]


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--studies", type=int, default=500)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    began = time.perf_counter()
    one = condition()
    law = api.predict(mcjax.Study((one,), generations=GENERATIONS))[0].laws["finite_sample"]
    rows = measure(law, one, options.studies)
    ours = [row for row in rows if row["intervals"] == "mcjax"]
    for row, above in zip(ours, too_often(ours), strict=True):
        row["above_nominal"] = above
    for row in rows:
        print(
            f"{row['chains']:5} chains, confidence {row['confidence']}, tolerance"
            f" {row['tolerance']:5}, {row['law']:10} {row['intervals']:8} wrong {row['wrong']:.4f}"
            f" of {row['studies']}, decided {row['decided']:.3f}"
            f"{' ABOVE NOMINAL' if row.get('above_nominal') else ''}"
            f"{'' if row['claims'] else ' (no claims)'}",
            flush=True,
        )
    print(f"{time.perf_counter() - began:.0f} s")
    if options.out is not None:
        keep(options.out, {"cells": law.mse.size, "rates": rows})


if __name__ == "__main__":
    main()
