"""Is an error of 10% in each number that a quantity reads of a law refuted as often as announced?

    python benchmarks/mutations.py [--out benchmarks/results/mutations.json] [--runs 400]

The plants are those of ``tests/verdicts/plants.py``: each makes one number wrong in a law that is
otherwise true. Chains are normal errors with the law's covariance (for functionals, the values
themselves), so the true law is exact. The number of chains is the one with which ``--plan``
announces a power of 80%. Announced is the chance of the claim in which a refutation is likeliest,
at the first level of Holm's procedure; counted are the runs in which that claim is refuted at that
level, and those in which any claim refutes the law.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
from machine import keep
from scipy.special import ndtri

from mcjax.laws.prediction import Predictions
from mcjax.verdicts.cells import settle
from mcjax.verdicts.judge import claims_of
from mcjax.verdicts.plan import Need, plan
from mcjax.verdicts.quantities.registry import QUANTITIES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "verdicts"))
from plants import PLANTS, Plant
from specimens import MANY, SPECIMENS

POWER = 0.8


def told(plant: Plant, law: Any) -> list[Predictions]:
    """Return the predictions for a specimen of which one law says everything."""
    if QUANTITIES[plant.quantity].subject == "functionals":
        return [Predictions({}, {}, {"law": law})]
    return [Predictions({"law": law}, {})]


def unannounced(study: Any, wrong: list[Predictions], specimen: Any, level: float) -> int:
    """Chains for the power where laws do not say how much chains vary: by the spread of a pilot."""
    claims, _, _ = claims_of(study, wrong, [specimen.chains(MANY)])
    claim = claims[0]
    away = abs(claim.observed.value / claim.predicted - 1) - study.tolerance
    spread = claim.observed.error / claim.predicted * math.sqrt(MANY)
    return math.ceil(((-ndtri(level / 2) + ndtri(POWER)) * spread / away) ** 2)


def measure(plant: Plant, runs: int) -> dict[str, Any]:
    """Compare the announced power against one plant with the rate at which it is refuted."""
    specimen = SPECIMENS[plant.specimen]
    study = replace(specimen.study(plant.quantity), tolerance=plant.margin, confidence=0.95)
    true, wrong = (
        told(plant, law) for law in (specimen.true, plant.wrong(specimen.true, plant.size))
    )

    def planned(chains: int) -> tuple[Need | None, int]:
        found = plan(replace(study, chains=chains), wrong, POWER, true)
        able = [need for need in found.needs if need.refuting is not None]
        return min(able, key=lambda need: need.refuting or 0, default=None), found.claims

    need, claims = planned(MANY)
    level = (1 - study.confidence) / claims
    if need is None:
        chains = unannounced(study, wrong, specimen, level)
    else:
        assert need.refuting is not None
        chains = need.refuting
        need, _ = planned(chains)
    refuted = by_any = 0
    for run in range(1, runs + 1):
        made, _, _ = claims_of(replace(study, chains=chains), wrong, [specimen.chains(chains, run)])
        by_any += any(cell.verdict == "refuted" for cell in settle(made, study.confidence))
        claim = made[0 if need is None else need.likeliest]
        refuted += claim.beyond < level
    announced = None if need is None else need.chance
    rate = refuted / runs
    return {
        "quantity": claim.place.quantity,
        "planted": plant.words,
        "size": plant.size,
        "unit": plant.unit or "of itself",
        "inputs": plant.inputs,
        "margin": plant.margin,
        "chains": chains,
        "announced": announced,
        "refuted": rate,
        "standard_error": math.sqrt(max(rate * (1 - rate), 1 / runs) / runs),
        "refuted_by_any": by_any / runs,
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--runs", type=int, default=400)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    for plant in PLANTS:
        began = time.perf_counter()
        row = measure(plant, options.runs)
        rows.append({"specimen": plant.specimen} | row)
        announced = "not announced" if row["announced"] is None else f"{row['announced']:.1%}"
        print(
            f"{plant.specimen}, {plant.words} ({row['quantity']}): {row['chains']:,} chains,"
            f" {announced}, refuted {row['refuted']:.1%} ± {row['standard_error']:.1%}, by any"
            f" claim {row['refuted_by_any']:.1%}; {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    if options.out is not None:
        keep(options.out, {"runs": options.runs, "power": POWER, "plants": rows})


if __name__ == "__main__":
    main()
