"""Whether true laws stay within their allowances, and wrong laws do not.

    python benchmarks/allowances.py [--cases N] [--chains C] [--planted] [--out FILE]

Random networks of 1 to 3 models with random weights, sample counts, draws and parameters, of four
families, are simulated for 2 generations. For every quantity and cell that is judged: whether the
simulated number departs from the first-order law by more than its allowance and 3 standard errors.
With ``--planted``: p-values of 100,000 chains against the second-order law without one of its
parts, at 100 rows a fit.
"""

from __future__ import annotations

import argparse
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
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.m_estimators import expansion
from mcjax.laws.second_order.moments import generations_of, moments_of
from mcjax.laws.second_order.recursion import SOURCES
from mcjax.verdicts.comparison import Comparison
from mcjax.verdicts.quantities.registry import QUANTITIES

T3 = {"name": "student_t", "df": 3}
QUANTITIES_USED = ("mse", "bias", "growth", "collapse", "covariance", "normality", "homogenisation")
BEYOND = 0.0027
"""P-value of 3 standard errors, two-sided."""
TOLERANCE = 0.002
"""A margin next to nothing. Cells that lose more than a tenth of it in chains are left out."""


def family(name: str, rng: np.random.Generator) -> Any:
    """Return a model of a family, and the size of its parameters."""
    if name == "logistic":
        return mcjax.logistic(), rng.uniform(0.1, 1.5)
    if name == "poisson":
        return mcjax.poisson(), rng.uniform(0.1, 1.0)
    if name == "huber":
        noise = {"real_noise": T3} if rng.random() < 0.5 else {}
        return mcjax.huber(rng.uniform(0.5, 2), **noise), 1.0
    return mcjax.linear(), 1.0


def random_condition(name: str, p: int, rng: np.random.Generator) -> mcjax.Condition:
    """Return a random network of models of a family with p parameters."""
    models = "abc"[: rng.integers(1, 4)]
    rows = float(np.exp(rng.uniform(np.log(15 * p + 25), np.log(500))))
    feeds = []
    initial = {model: max(int(rows * rng.uniform(0.6, 1)), 5 * p + 15) for model in models}
    real, draws = str(rng.choice(["fresh", "reused"])), str(rng.choice(["private", "shared"]))
    published = {model: max(int(rows * rng.uniform(0.2, 0.8)), 10) for model in models}
    for reader in models:
        origins = [*models, "real"]
        chosen = rng.choice(len(origins), size=rng.integers(1, min(4, len(origins) + 1)))
        for place in dict.fromkeys(chosen.tolist()):
            count = max(int(rows * rng.uniform(0.3, 1) / len(set(chosen.tolist()))), 10)
            if real == "reused" and origins[place] == "real":
                count = initial[reader]
            elif draws == "shared":  # all readers have one sample
                count = published.get(origins[place], count)
            weight = float(np.exp(rng.normal(0, 0.7)))
            feeds.append((origins[place], reader, count, weight))
    net = mcjax.build_network(models, feeds, initial, draws=draws, real=real)
    model, size = family(name, rng)
    theta = rng.normal(size=p)
    theta *= size / np.linalg.norm(theta)
    label = f"{name} p={p} {rng.integers(10**9)}"
    return mcjax.condition(net, model, theta.tolist(), name=label)


def studies(cases: int, chains: int, rng: np.random.Generator) -> Iterator[mcjax.Study]:
    """Yield studies of conditions that share a compiled program."""
    kinds = [(name, p) for name in ("logistic", "poisson", "huber", "linear") for p in (1, 2, 4)]
    for name, p in kinds:
        made = [random_condition(name, p, rng) for _ in range(cases // len(kinds))]
        yield mcjax.Study(tuple(made), generations=2, chains=chains, quantities=QUANTITIES_USED)


def cells_of(study: mcjax.Study) -> Iterator[dict[str, Any]]:
    """Yield what became of every claim about the first-order law."""
    predictions = mcjax.predict(study)
    tallies = api.simulate(study)
    for condition, predicted, tally in zip(study.conditions, predictions, tallies, strict=True):
        law = predicted.laws["first_order"]
        one = Comparison(condition, law, TOLERANCE)
        for name in QUANTITIES_USED:
            quantity = QUANTITIES[name]
            if not quantity.speaks(law):
                continue
            judged = one.validity.judged
            if quantity.in_all_directions:
                judged = one.validity.directed_judged
            for claim in quantity.claims(one, tally.outcome):
                i = condition.network.models.index(claim.place.model)
                t = claim.place.generation
                inside = judged[t].all() if quantity.of_all_models else judged[t, i]
                noted = bool(claim.count.note)
                yield {
                    "family": condition.model.name,
                    "case": condition.name,
                    "quantity": claim.place.quantity,
                    "generation": t,
                    "judged": bool(inside),
                    "lost": noted,
                    "indicator": round(float(one.validity.indicator[t, i]), 4),
                    "directed": round(float(one.validity.directed[t, i]), 4),
                    "leverage": round(float(one.validity.leverage[t, i]), 4),
                    "rows": int(one.validity.rows),
                    "observed": float(claim.observed.value),
                    "predicted": float(claim.predicted),
                    "beyond": float(claim.beyond),
                }


def summary(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the numbers of cells, by quantity, and those beyond their allowance."""
    result = {}
    for name in dict.fromkeys(cell["quantity"] for cell in cells):
        own = [cell for cell in cells if cell["quantity"] == name and not cell["lost"]]
        judged = [cell for cell in own if cell["judged"]]
        result[name] = {
            "cells": len(own),
            "judged": len(judged),
            "beyond": sum(cell["beyond"] < BEYOND for cell in judged),
            "beyond_where_not_judged": sum(c["beyond"] < BEYOND for c in own if not c["judged"]),
        }
    return result


def ring(draws: str) -> tuple[str, mcjax.Condition]:
    """Return three models in a ring with Huber's loss and heavy-tailed real noise."""
    h = 50
    feeds = [("c", "a", h), ("a", "a", h), ("real", "a", h), ("a", "b", h)]
    feeds += [("b", "b", h, 2.0), ("b", "c", h), ("a", "c", h)]
    net = mcjax.build_network("abc", feeds, 100, draws=draws)
    return "huber", mcjax.condition(net, mcjax.huber(1.0, real_noise=T3), [0.5, -0.5] * 2)


def pair(draws: str) -> tuple[str, mcjax.Condition]:
    """Return two models of one sample, with logistic regression."""
    h = 50
    feeds = [("a", "a", h), ("real", "a", h), ("a", "b", h), ("real", "b", h)]
    net = mcjax.build_network("ab", feeds, 100, draws=draws)
    return "logistic", mcjax.condition(net, mcjax.logistic(), [1.0, 0.5])


def planted() -> dict[str, Any]:
    """Return the smallest p-value against the second-order law without a part of it."""
    generations, result = 6, {}
    for make in (ring, pair):
        name, true = make("shared")
        study = mcjax.Study((true,), generations=generations, chains=100_000)
        [tally] = api.simulate(study)
        law = built_in("second_order").predict(true, generations)
        sources = moments_of(true, generations_of(true, generations), None).sources
        curvature = sources[:, SOURCES.index("curvature")]
        wrong = {
            "nothing": law,
            "curvature dropped": replace(law, mse=law.mse - curvature),
            "bias dropped": replace(law, mean=None),
            "private for shared draws": replace(
                expansion(make("private")[1], generations), validity=law.validity
            ),
            "first order alone": replace(
                law.leading, validity=law.validity, allowance=law.allowance
            ),
        }
        for kind, told in wrong.items():
            comparison = Comparison(true, replace(told, law="second_order"), TOLERANCE)
            result[f"{name}, {kind}"] = {
                quantity: min(
                    float(claim.beyond)
                    for claim in QUANTITIES[quantity].claims(comparison, tally.outcome)
                )
                for quantity in ("mse", "bias", "covariance")
            }
    return result


def main() -> None:
    """Simulate, compare and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=192)
    parser.add_argument("--chains", type=int, default=8192)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    begun, results = time.time(), {}
    if options.cases:
        rng = np.random.default_rng(options.seed)
        cells = []
        for study in studies(options.cases, options.chains, rng):
            cells += cells_of(study)
            print(study.conditions[0].name, round(time.time() - begun), "s", flush=True)
        results["random"] = {"cases": options.cases, "chains": options.chains} | summary(cells)
        results["beyond"] = [
            cell
            for cell in cells
            if cell["judged"] and not cell["lost"] and cell["beyond"] < BEYOND
        ]
        for cell in results["beyond"]:
            print(cell)
        for name, numbers in summary(cells).items():
            print(f"{name:>18}", numbers)
    if options.planted:
        results["planted"] = planted()
        for kind, p_values in results["planted"].items():
            print(f"{kind:>35}", p_values)
    results["seconds"] = round(time.time() - begun)
    if options.out is not None:
        keep(options.out, results)


if __name__ == "__main__":
    main()
