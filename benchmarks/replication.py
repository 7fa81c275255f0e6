"""The weighted fresh loop of He, Xu & Cheng (2025), beside what their own code gave.

    python benchmarks/replication.py [--chains 1600] [--out benchmarks/results/replication.json]

One model: 100 fresh real samples of weight w and 100 of its own last generation, p = 2,
x ~ N(0, I), theta = (1, 1), 200 generations; the risk ||theta_t - theta*||^2 in the mean over
generations 150 to 199 and over chains. Theirs: 400 chains of their code. At 100 samples the first
order is off by up to a fifth for Poisson, so this compares simulation with simulation.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax

WEIGHTS = (0.5, 0.62, 0.8)
PUBLISHED = {
    "linear": ((0.01359, 0.00013), (0.01266, 0.00011), (0.01454, 0.00011)),
    "logistic": ((0.11403, 0.00134), (0.10563, 0.00112), (0.12249, 0.00114)),
    "poisson": ((0.00411, 0.00004), (0.00378, 0.00004), (0.00428, 0.00004)),
}
"""Risks with standard errors, by weight."""
FIRST, LAST = 150, 199


def risk(outcome: Any) -> tuple[float, float]:
    """Mean over chains and late generations, with its standard error over chains."""
    across = outcome.moments.across
    chains = int(across.chains[0])
    late = slice(FIRST, LAST + 1)
    mean = float(across.mean[0, late].mean())
    square = across.square[0][late, late].mean()
    return mean, math.sqrt(square / (chains * (chains - 1)))


def main() -> None:
    """Simulate, compare, print a table, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chains", type=int, default=1600)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    print("family     w      theirs          ours            difference in joint s.e.  lost")
    for name, theirs in PUBLISHED.items():
        conditions = []
        for weight in WEIGHTS:
            feeds = [("real", "model", 100, weight), ("model", "model", 100, 1 - weight)]
            network = mcjax.build_network(["model"], feeds, 100)
            model = getattr(mcjax, name)()
            label = f"{name}, w={weight}"
            conditions.append(mcjax.condition(network, model, [1.0, 1.0], label=label))
        study = mcjax.Study(tuple(conditions), LAST, given.chains)
        for weight, (value, error), tally in zip(
            WEIGHTS, theirs, mcjax.simulate(study), strict=True
        ):
            ours, own = risk(tally.outcome)
            lost = given.chains - int(tally.outcome.moments.across.chains[0])
            z = (ours - value) / math.hypot(own, error)
            results.append(
                {
                    "family": name,
                    "weight": weight,
                    "theirs": value,
                    "their_error": error,
                    "ours": ours,
                    "our_error": own,
                    "joint_errors_apart": z,
                    "chains": given.chains,
                    "lost": lost,
                }
            )
            print(
                f"{name:10}{weight:4}  {value:.5f}({round(1e5 * error):3})"
                f"    {ours:.5f}({round(1e5 * own):3}){z:22.2f}{lost:8}"
            )
    worst = np.abs([r["joint_errors_apart"] for r in results]).max()
    print(f"largest difference: {worst:.2f} joint standard errors, of {len(results)}")
    if given.out is not None:
        keep(given.out, results)


if __name__ == "__main__":
    main()
