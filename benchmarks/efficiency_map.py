"""Relative efficiency over a grid of weights, simulated beside the exact law.

    python benchmarks/efficiency_map.py [--out benchmarks/results/efficiency_map.json]

Four entities whose private covariates live on a line each, 20 rows of each kind, p = 4, fixed
designs, one truth; 21 x 21 weights (alpha, beta), 1,000 chains each, generation 5. The weights are
data: one program. Then the same map by the law alone, over 1,000 sets of random designs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import jax
import numpy as np
from machine import keep
from scipy.stats import norm

import mcjax
from mcjax.cli.start import start_jax
from mcjax.laws.mediated_map import best_weights, efficiency_map, random_designs

ENTITIES, P, ROWS, CHAINS, GENERATIONS = 4, 4, 20, 1000, 5
ALPHAS, BETAS = np.linspace(0.0, 1.0, 21), np.linspace(0.0, 0.95, 21)


def main() -> None:
    """Simulate, compare, print, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    start_jax()
    lines = [np.diag(np.eye(P)[k]).tolist() for k in range(ENTITIES)]
    conditions = []
    for alpha in ALPHAS:
        for beta in BETAS:
            net = mcjax.data_mediated(
                ENTITIES, float(alpha), float(beta), ROWS, ROWS, ROWS, covariance=lines
            )
            name = f"alpha={alpha:.2f}, beta={beta:.4f}"
            one = mcjax.condition(net, mcjax.linear(), [0.0] * P, name=name, design="fixed")
            conditions.append(one)
    study = mcjax.Study(tuple(conditions), GENERATIONS, CHAINS)
    programs = len(mcjax.compile_study(study).programs)
    began = time.perf_counter()
    tallies = mcjax.simulate(study)
    simulated = time.perf_counter() - began
    laws = [found.laws["fixed_design"] for found in mcjax.predict(study)]
    predicted = time.perf_counter() - began - simulated

    # all conditions have the same designs; where a weight is 0 the law's pool lacks those data
    pooled = min(law.pooled for law in laws)
    told = np.array([pooled / law.mse[-1] for law in laws])
    squared = [tally.outcome.moments.squared for tally in tallies]
    seen = np.array([pooled / m.mean[-1] for m in squared])
    error = seen * np.array([m.standard_error()[-1] / m.mean[-1] for m in squared])
    z = (seen - told) / error
    worst = told.min(1).reshape(len(ALPHAS), len(BETAS))
    at = np.unravel_index(worst.argmax(), worst.shape)

    designs = random_designs(ENTITIES, P, 1, (ROWS, ROWS, ROWS), 1000)
    began = time.perf_counter()
    jax.block_until_ready(efficiency_map(designs, ALPHAS, BETAS))
    by_law = time.perf_counter() - began
    best = best_weights(random_designs(ENTITIES, P, 1, (ROWS, ROWS, ROWS), 64))
    results = {
        "weights": [len(ALPHAS), len(BETAS)],
        "chains": CHAINS,
        "generations": GENERATIONS,
        "programs": programs,
        "seconds_of_simulation": simulated,
        "seconds_of_laws": predicted,
        "largest_difference_in_standard_errors": float(np.abs(z).max()),
        "expected_largest_at_99_percent": float(norm.isf(0.005 / z.size)),
        "best_on_these_designs": [float(ALPHAS[at[0]]), float(BETAS[at[1]]), float(worst[at])],
        "seconds_of_the_law_over_1000_designs": by_law,
        "best_over_64_designs": list(best),
    }
    for key, value in results.items():
        print(f"{key.replace('_', ' ')}: {value}")
    if out is not None:
        keep(out, results)


if __name__ == "__main__":
    main()
