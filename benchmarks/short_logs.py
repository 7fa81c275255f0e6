"""How often are true claims about short logs refuted?

    python benchmarks/short_logs.py [--out benchmarks/results/short_logs.json] [--tables 200]

Tables of three workflows, eight generations each with one seed, are drawn from the laws with L0
= 1, V = 0.1 and noise that is normal, of Student's distribution with two degrees of freedom, or has
10% of outliers of ten times the scale. The tolerance is 0, with which refutations are likeliest.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from machine import keep

import mcjax
from mcjax.logs.growth import growth_of

GENERATIONS, CONFIDENCE = 8, 0.95
DEVIATIONS = {"replace": 0.01, "accumulate": 0.003, "subsample": 0.001}
DRAWS = {
    "normal": lambda rng: rng.standard_normal(GENERATIONS),
    "heavy tails": lambda rng: rng.standard_t(2, GENERATIONS),
    "outliers": lambda rng: (
        rng.standard_normal(GENERATIONS) * np.where(rng.random(GENERATIONS) < 0.1, 10, 1)
    ),
}


def rates(noise: str, tables: int) -> dict[str, float]:
    rng, found = np.random.default_rng(0), Counter[str]()
    for _ in range(tables):
        loss = [
            1 + 0.1 * growth_of(name, GENERATIONS) + deviation * DRAWS[noise](rng)
            for name, deviation in DEVIATIONS.items()
        ]
        losses = mcjax.Losses(
            list(range(1, GENERATIONS + 1)) * len(DEVIATIONS),
            [name for name in DEVIATIONS for _ in range(GENERATIONS)],
            np.concatenate(loss).tolist(),
        )
        judged = mcjax.judge_losses(losses, tolerance=0, confidence=CONFIDENCE)
        own = [claim for claim in judged.laws if claim.workflows == (claim.law,)]
        true = (*judged.together, *own)
        found["any true claim refuted"] += any(claim.verdict == "refuted" for claim in true)
        fit = judged.together[-1].fit
        p = fit.spread.above(fit.departure**2)
        found["together, p below 5%"] += p < 0.05
        found["together, p below 1%"] += p < 0.01
    return {name: count / tables for name, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tables", type=int, default=200)
    given = parser.parse_args()
    result = {
        "confidence": CONFIDENCE,
        "tables": given.tables,
        "generations": GENERATIONS,
        "deviations": DEVIATIONS,
        "noise": {noise: rates(noise, given.tables) for noise in DRAWS},
    }
    print(json.dumps(result, indent=1))
    if given.out is not None:
        keep(given.out, result)


if __name__ == "__main__":
    main()
