"""How often verdicts are wrong, and intervals miss, over 1,000 independent studies of each kind.

    python benchmarks/calibration.py [--out benchmarks/results/calibration.json]

Every study has 512 chains of two models over four generations and judges the MSE, growth, bias and
covariance of a true law with a tolerance of 1%, so small that an honest verdict is almost always
"inconclusive" and a claim to refute is almost always wrong by chance alone. Rates stand beside the
nominal 5%: cell by cell at 95%, and of any wrong claim in a study under its one error budget. For
exact laws intervals are counted as well: how often those at 95% contain the truth. Chains are run
in one go and split, which is the same as 1,000 seeds: no two chains share a number.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.tiles import summarise
from mcjax.verdicts.cells import settle
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.quantities.registry import QUANTITIES

STUDIES, CHAINS, GENERATIONS = 1000, 512, 3
TOLERANCE, LEVEL = 0.01, 0.05
JUDGED = ("mse", "growth", "bias", "covariance")
AROUND_ONE = ("mse", "growth", "drift")
"""Where the interval of a true law is to contain 1; elsewhere it is a distance, and contains 0."""


def networks(rows: int) -> dict[str, mcjax.Network]:
    """A pair that collapses and one that settles, with so many rows a fit."""
    half = rows // 2
    ring = mcjax.topologies.ring(2, samples=rows, initial=rows)
    feeds = [("0", "0", half), ("real", "0", half), ("0", "1", rows)]
    return {"closed ring": ring, "anchored": mcjax.build_network(2, feeds, rows)}


def outcomes(condition: mcjax.Condition) -> list[Any]:
    """The outcome of every study."""
    study = mcjax.Study((condition,), generations=GENERATIONS, chains=STUDIES * CHAINS)
    compiled = mcjax.compile_study(study)
    found: list[Any] = []
    parts: list[Trajectory] = []
    have = 0
    for _, part in compiled.trajectories(compiled.programs[0], np.arange(study.chains)):
        parts.append(part)
        have += len(part.theta)
        if have % CHAINS == 0:
            leaves = (np.concatenate(leaf) for leaf in zip(*parts, strict=True))
            tiles = Trajectory(*(leaf.reshape(-1, CHAINS, *leaf.shape[1:]) for leaf in leaves))
            found += summarise(tiles, condition.theta)
            parts, have = [], 0
    return found


def measure(condition: mcjax.Condition, law: Any, exact: bool) -> dict[str, Any]:
    """Rates of one law on one condition."""
    refuted: dict[str, list[bool]] = defaultdict(list)
    covered: dict[str, list[bool]] = defaultdict(list)
    notes = wrong = 0
    for outcome in outcomes(condition):
        claims = [
            claim
            for name in JUDGED
            for claim in QUANTITIES[name].claims(Comparison(condition, law, TOLERANCE), outcome)
        ]
        notes += sum(bool(claim.count.note) for claim in claims)
        wrong += any(cell.verdict == "refuted" for cell in settle(claims, 1 - LEVEL))
        for claim in claims:
            if claim.count.note:
                continue
            quantity = claim.place.quantity
            refuted[quantity].append(claim.beyond < LEVEL)
            if exact:
                low, high = claim.interval(LEVEL)
                truth = 1.0 if quantity in AROUND_ONE else 0.0
                covered[quantity].append(low <= truth <= high)
    return {
        "refuted": {name: float(np.mean(v)) for name, v in refuted.items()},
        "covered": {name: float(np.mean(v)) for name, v in covered.items()},
        "any_wrong_claim_under_one_budget": wrong / STUDIES,
        "cells_not_judged": notes,
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    jax.config.update("jax_enable_x64", True)
    families = {"linear": 24, "logistic": 400, "poisson": 400, "huber": 400}
    results = []
    for name, rows in families.items():
        for label, network in networks(rows).items():
            began = time.perf_counter()
            condition = mcjax.condition(network, getattr(mcjax, name)(), (0.5, -0.5), label=label)
            study = mcjax.Study((condition,), generations=GENERATIONS)
            laws = api.predict(study)[0].laws
            exact = "finite_sample" in laws
            law = laws["finite_sample" if exact else "first_order"]
            found = measure(condition, law, exact)
            about = {"family": name, "network": label, "rows": rows, "law": law.law}
            results.append(about | found)
            shown = {k: f"{v:.3f}" for k, v in found["refuted"].items()}
            inside = {k: f"{v:.3f}" for k, v in found["covered"].items()}
            print(
                f"{name:9}{label:12} wrongly refuted {shown}; any in a study"
                f" {found['any_wrong_claim_under_one_budget']:.3f}; covered {inside};"
                f" {found['cells_not_judged']} cells not judged;"
                f" {time.perf_counter() - began:.0f} s",
                flush=True,
            )
    if out is not None:
        keep(out, {"studies": STUDIES, "chains": CHAINS, "nominal": LEVEL, "rates": results})


if __name__ == "__main__":
    main()
