"""How often are verdicts on logged losses wrong, and how often are wrong laws refuted?

    python benchmarks/logged_losses.py [--out benchmarks/results/logged_losses.json] [--tables 1000]

Tables of three workflows, 20 generations each, are drawn from the laws with L0 = 1 and V = 0.1 and
normal noise of its own for each workflow, with one seed or three. At a confidence of 95%:

``calibration``
    All workflows follow their laws. Counted are tables in which any workflow is refuted, in which
    all of them together are, in which any claim that is true is, and in which the intervals of L0
    and V miss the truth. The tolerance is 0, with which refutations are likeliest. P-values below
    5% are those of the single tests, before Holm's procedure.
``power``, with a fifth of the tables and a tolerance of 20%
    One workflow follows the law of another. Counted are tables in which it is refuted, and in which
    another one is.
``one_pair_each``, likewise
    Each workflow by itself: how often each law is refuted where another one is right.
``robustness``, with half of the tables
    Calibration where rows are not what is assumed: noise that grows with the error, heavy
    tails, and runs that are chains, of which errors are carried from one generation to the next.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import keep

import mcjax
from mcjax.logs.growth import growth_of

GENERATIONS = 20
START, NOISE = 1.0, 0.1
DEVIATIONS = {"replace": 0.05, "accumulate": 0.005, "subsample": 0.01}
WORKFLOWS = tuple(DEVIATIONS)
CONFIDENCE = 0.95
Draw = Callable[[np.random.Generator, str, int], np.ndarray]


def normal(rng: np.random.Generator, name: str, seeds: int) -> np.ndarray:
    return DEVIATIONS[name] * rng.standard_normal((GENERATIONS, seeds))


def growing(rng: np.random.Generator, name: str, seeds: int) -> np.ndarray:
    """Noise in proportion to the error."""
    growth = growth_of(name, GENERATIONS)
    return normal(rng, name, seeds) * (growth / growth.mean())[:, None]


def heavy(rng: np.random.Generator, name: str, seeds: int) -> np.ndarray:
    """Student's noise with four degrees of freedom, of the same variance."""
    return DEVIATIONS[name] * rng.standard_t(4, (GENERATIONS, seeds)) / 2**0.5


def chains(rng: np.random.Generator, name: str, seeds: int) -> np.ndarray:
    """Half of the variance is that of a chain, of which a tenth is renewed in each generation."""
    own = normal(rng, name, seeds) / 2**0.5
    chain = np.empty_like(own)
    chain[0] = rng.standard_normal(seeds)
    for t in range(1, GENERATIONS):
        chain[t] = 0.9**0.5 * chain[t - 1] + 0.1**0.5 * rng.standard_normal(seeds)
    return own + DEVIATIONS[name] / 2**0.5 * chain


def table(
    rng: np.random.Generator, seeds: int, draw: Draw = normal, laws: dict[str, str] | None = None
) -> mcjax.Losses:
    """Losses of the three workflows, of which some follow another law than that of their name."""
    t = np.repeat(np.arange(1, GENERATIONS + 1), seeds)
    columns: dict[str, list[Any]] = {"generation": [], "workflow": [], "loss": []}
    for name in WORKFLOWS:
        growth = growth_of((laws or {}).get(name, name), GENERATIONS)
        loss = START + NOISE * growth[:, None] + draw(rng, name, seeds)
        columns["generation"] += t.tolist()
        columns["workflow"] += [name] * len(t)
        columns["loss"] += loss.ravel().tolist()
    return mcjax.Losses(**columns)


def calibration(tables: int, seeds: int, draw: Draw = normal) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found: Counter[str] = Counter()
    for _ in range(tables):
        losses = table(rng, seeds, draw)
        judged = mcjax.judge_losses(losses, tolerance=0, confidence=CONFIDENCE)
        found["any workflow refuted"] += any(
            one.verdict == "refuted" for one in judged.workflows.values()
        )
        found["together refuted"] += judged.together[-1].verdict == "refuted"
        own = [claim for claim in judged.laws if claim.workflows == (claim.law,)]
        true = [*judged.together, *own]
        found["any true claim refuted"] += any(claim.verdict == "refuted" for claim in true)
        fit = judged.together[-1].fit
        found["together, p below 5%"] += fit.spread.above(fit.departure**2) < 1 - CONFIDENCE
        for claim in own:
            p = claim.fit.spread.above(claim.fit.departure**2)
            found[f"{claim.law} alone, p below 5%"] += p < 1 - CONFIDENCE
        for name, number, truth in (("L0", fit.start, START), ("V", fit.noise, NOISE)):
            low, high = number.interval(CONFIDENCE)
            found[f"{name} outside of its interval"] += not low <= truth <= high
    return rates(found, tables)


def power(tables: int, seeds: int) -> list[dict[str, Any]]:
    cases = []
    for name, law in itertools.permutations(WORKFLOWS, 2):
        rng = np.random.default_rng(1)
        found: Counter[str] = Counter()
        for _ in range(tables):
            judged = mcjax.judge_losses(table(rng, seeds, laws={name: law}), confidence=CONFIDENCE)
            verdicts = {each: one.verdict for each, one in judged.workflows.items()}
            found["refuted"] += verdicts[name] == "refuted"
            found["another refuted"] += any(
                verdict == "refuted" for each, verdict in verdicts.items() if each != name
            )
            found["all together refuted"] += judged.together[-1].verdict == "refuted"
            found["the others verified"] += all(
                verdict == "verified" for each, verdict in verdicts.items() if each != name
            )
        cases.append({"workflow": name, "follows": law, **rates(found, tables)})
    return cases


def one_pair_each(tables: int, seeds: int) -> list[dict[str, Any]]:
    counts = {pair: Counter() for pair in itertools.product(WORKFLOWS, WORKFLOWS)}
    rng = np.random.default_rng(2)
    for _ in range(tables):
        judged = mcjax.judge_losses(table(rng, seeds), pair="own", confidence=CONFIDENCE)
        for claim in judged.laws:
            counts[claim.workflows[0], claim.law][claim.verdict] += 1
    return [
        {"workflow": name, "law": law, **rates(found, tables)}
        for (name, law), found in counts.items()
    ]


def rates(found: Counter[str], tables: int) -> dict[str, float]:
    return {name: count / tables for name, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--tables", type=int, default=1000)
    given = parser.parse_args()
    by_seeds = {
        str(seeds): {
            "calibration": calibration(given.tables, seeds),
            "power": power(given.tables // 5, seeds),
            "one_pair_each": one_pair_each(given.tables // 5, seeds),
            "robustness": {
                draw.__name__: calibration(given.tables // 2, seeds, draw)
                for draw in (growing, heavy, chains)
            },
        }
        for seeds in (1, 3)
    }
    result = {
        "confidence": CONFIDENCE,
        "tables": given.tables,
        "generations": GENERATIONS,
        "L0": START,
        "V": NOISE,
        "deviations": DEVIATIONS,
        "seeds": by_seeds,
    }
    print(json.dumps(result, indent=1))
    if given.out is not None:
        keep(given.out, result)


if __name__ == "__main__":
    main()
