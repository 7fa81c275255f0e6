"""Are planted errors refuted as often as ``--plan`` announces?

    python benchmarks/power.py [--out benchmarks/results/power.json] [--studies 400]

For each planted error the number of chains is the one with which the plan announces a power of 80%
(or as given), so the announced rate is far from 0 and 1. Then many independent studies are run with
that number of chains, under the true theory and judged by the wrong one. Announced is the chance of
the one cell in which a refutation is likeliest, at the first level of Holm's procedure; counted are
the studies in which that very cell is refuted at that level, and those that refute the theory at
all. Chains are run in one go and split, which is the same as that many seeds.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax import api
from mcjax.chains.program import Trajectory
from mcjax.engine.outcome import Outcome
from mcjax.engine.tiles import summarise
from mcjax.laws.prediction import Predictions
from mcjax.study.theory import theory_for
from mcjax.verdicts.cells import settle
from mcjax.verdicts.judge import claims_of
from mcjax.verdicts.plan import plan

POWER = 0.8


def only(predictions: list[Predictions], law: str) -> list[Predictions]:
    """Without the other laws, which may well be right."""
    return [replace(found, laws={law: found.laws[law]}) for found in predictions]


def scaled(predictions: list[Predictions], factor: float) -> list[Predictions]:
    """Every covariance, and with it every MSE, off by a factor."""
    return [
        replace(
            found,
            laws={
                name: replace(law, covariance=factor * law.covariance, mse=factor * law.mse)
                for name, law in found.laws.items()
            },
        )
        for found in predictions
    ]


def errors() -> Iterator[tuple[str, mcjax.Study, list[Predictions]]]:
    """Each planted error: its name, the study, and what the wrong theory predicts."""
    linear = mcjax.linear()

    def study(*networks: mcjax.Network, **changes: Any) -> mcjax.Study:
        model = changes.pop("model", linear)
        conditions = tuple(
            mcjax.condition(net, model, (1.0, -1.0), label=str(k), name=str(k))
            for k, net in enumerate(networks)
        )
        return mcjax.Study(conditions, **({"confidence": 0.95, "generations": 3} | changes))

    def pair(rows: int, real: int = 40) -> mcjax.Network:
        feeds = [("a", "a", rows), ("a", "b", rows), ("real", "b", real)]
        return mcjax.build_network(["a", "b"], [f for f in feeds if f[2]], 2 * rows)

    base = study(pair(200), tolerance=0.02)
    true = only(api.predict(base), "finite_sample")
    covariance = replace(base, quantities=("covariance",))
    yield "covariance off by 5%", covariance, scaled(true, 1.05)
    yield "MSE off by 5%", base, scaled(true, 1.05)

    dropped = study(pair(200, real=0))
    wide = replace(base, tolerance=0.05)
    yield (
        "one feed dropped",
        wide,
        only(api.predict(theory_for(wide, dropped)), "finite_sample"),
    )

    more = theory_for(base, study(pair(204, real=41)))
    narrow = replace(base, tolerance=0.005)
    yield "n off by 2%", narrow, only(api.predict(more), "finite_sample")

    shared = study(
        mcjax.build_network(
            3, [("0", "1", 200), ("0", "2", 200), ("real", "0", 200)], 200, draws="shared"
        ),
        tolerance=0.05,
        quantities=("covariance",),
    )
    private = mcjax.build_network(3, [("0", "1", 200), ("0", "2", 200), ("real", "0", 200)], 200)
    alone = theory_for(shared, study(private))
    yield "draws private, not shared", shared, only(api.predict(alone), "first_order")

    huber = mcjax.huber(threshold=1.0)
    loop = mcjax.topologies.self_loop(samples=400, real=400, initial=800)
    robust = study(loop, model=huber, tolerance=0.1)

    def unit(*arguments: Any) -> Any:
        true = huber.information(*arguments)
        return type(true)(
            *(
                replace(batch, score_covariance=batch.hessian)
                for batch in (true.real, true.synthetic)
            )
        )

    naive = study(loop, model=replace(huber, information=unit))
    yield (
        "sandwich replaced by inverse information",
        robust,
        only(api.predict(theory_for(robust, naive)), "first_order"),
    )

    rung = mcjax.condition(
        mcjax.topologies.self_loop(samples=50, real=50, initial=100), linear, (1.0, -1.0)
    )
    ladder = mcjax.Study(
        mcjax.ladder(rung, (1, 2, 4, 8)), generations=1, tolerance=0.01, confidence=0.95
    )
    yield (
        "intercept off by 3% on the ladder",
        ladder,
        scaled(only(api.predict(ladder), "first_order"), 1.03),
    )


def outcomes(study: mcjax.Study, condition: mcjax.Condition, studies: int) -> Iterator[Outcome]:
    """The outcome of each of many studies of ``study.chains`` chains."""
    alone = mcjax.compile_study(replace(study, conditions=(condition,)))
    chains = np.arange(studies * study.chains)
    parts: list[Trajectory] = []
    for _, part in alone.trajectories(alone.programs[0], chains):
        parts.append(part)
        have = sum(len(part.theta) for part in parts)
        if have < study.chains:
            continue
        leaves = [np.concatenate(leaf) for leaf in zip(*parts, strict=True)]
        whole = have // study.chains * study.chains
        tiles = (leaf[:whole].reshape(-1, study.chains, *leaf.shape[1:]) for leaf in leaves)
        yield from summarise(Trajectory(*tiles), condition.theta)
        parts = [Trajectory(*(leaf[whole:] for leaf in leaves))]


def measure(study: mcjax.Study, wrong: list[Predictions], studies: int) -> dict[str, Any]:
    """Compare the announced power against one planted error with the observed rate."""
    own = api.predict(study)
    needs = plan(study, wrong, POWER, own).needs
    study = replace(study, chains=min(need.refuting or np.inf for need in needs))
    planned = plan(study, wrong, POWER, own)
    needs = planned.needs
    decisive = max(needs, key=lambda need: need.chance or 0)
    announced = decisive.chance
    refuted = cell_refuted = 0
    for found in zip(*(outcomes(study, c, studies) for c in study.conditions), strict=True):
        claims, _, _ = claims_of(study, wrong, found)
        refuted += any(c.verdict == "refuted" for c in settle(claims, study.confidence))
        alike = [
            c
            for c in claims
            if c.place.law == decisive.law
            and c.place.quantity.removeprefix("cross_") == decisive.quantity
        ]
        claim = alike[decisive.likeliest]
        cell_refuted += claim.beyond < (1 - study.confidence) / planned.claims
    place = claim.place
    return {
        "chains": study.chains,
        "announced": announced,
        "cell": (
            f"{place.quantity} of {place.model!r} at generation {place.generation}, {place.law}"
        ),
        "cell_refuted": cell_refuted / studies,
        "standard_error": math.sqrt(announced * (1 - announced) / studies),
        "theory_refuted": refuted / studies,
    }


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--studies", type=int, default=400)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    for name, study, wrong in errors():
        began = time.perf_counter()
        found = measure(study, wrong, options.studies)
        results.append({"error": name, "tolerance": study.tolerance} | found)
        print(
            f"{name}: with {found['chains']:,} chains announced {found['announced']:.1%}; refuted"
            f" {found['cell_refuted']:.1%} ± {found['standard_error']:.1%} ({found['cell']}); the"
            f" theory in {found['theory_refuted']:.1%}; {time.perf_counter() - began:.0f} s",
            flush=True,
        )
    if options.out is not None:
        keep(options.out, {"studies": options.studies, "power": POWER, "errors": results})


if __name__ == "__main__":
    main()
