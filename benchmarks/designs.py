"""Designs against every alternative, and how good and how fast those of many models are.

    python benchmarks/designs.py [--networks 400] [--models 500] [--out FILE]

Robust cures and sets of feeds are compared with all others, in the random networks of
``tests/design``; weights with their bound. Then the mean error of a network in which each model
reads four others is made small, exactly and by random signs, in processor time.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import keep

import mcjax
from mcjax.design.aims import LargestError, MeanError
from mcjax.design.amounts import FixedFeeds
from mcjax.design.response import Response
from mcjax.design.robust import ROBUST
from mcjax.design.room import Room
from mcjax.design.sampled import SampledResponse
from mcjax.design.weighted import smallest_sum
from mcjax.design.weights import best_weights, weight_bound

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "design"))

from test_fixed_feeds import cases
from test_robust_cures import bought_by, cheapest, collapses, fails, random_case
from test_weights import random_counts

ROWS = 20.0
"""Real rows for each model of the large network, on average."""


def robust(networks: int) -> dict[str, Any]:
    """Compare the prices of robust cures with those of all sets of offers."""
    found = {}
    for name, kind in ROBUST.items():
        rng, bad, wrong = np.random.default_rng(8), partial(fails, name), 0
        for _ in range(networks):
            net, edges, prices = random_case(rng, between=name == "added")
            price, added = bought_by(kind.bought, net, prices, frozenset())
            ends = math.isinf(price) or not bad(net.size, edges | added)
            wrong += price != cheapest(net.size, edges, prices, bad) or not ends
            assert collapses(net.size, edges) <= bad(net.size, edges)
        found[name] = {"networks": networks, "not_the_cheapest": wrong}
    return found


def feeds(networks: int) -> dict[str, Any]:
    """Compare greedy feeds with all sets of as many feeds."""
    found = {}
    for kind in (MeanError, LargestError):
        ratios = []
        for response, count, size in cases(networks):
            models = len(response.given)
            aim = kind(np.full(models, 1 / models))
            amounts = FixedFeeds(aim, count, size)
            high = np.where(response.fits, np.inf, 0.0)
            whole = Room(np.ones(models), np.zeros(models), high, math.inf)
            groups = [list(group) for group in response.groups]
            room = amounts.room(whole, groups, tuple(map(str, range(models))))
            answer, _ = amounts.best(response, room, groups)
            sets = itertools.combinations(np.flatnonzero(response.fits).tolist(), count)
            rows = (size * np.isin(np.arange(models), some).astype(float) for some in sets)
            best = min(aim.value(response, response.at(each).errors, 0.0) for each in rows)
            ratios.append(answer.value / best)
        found[kind.name] = {
            "networks": networks,
            "best": int(np.sum(np.array(ratios) < 1 + 1e-9)),
            "worst_ratio": round(max(ratios), 4),
        }
    return found


def weights(networks: int) -> dict[str, Any]:
    """Compare the best weights with equal ones and with the bound."""
    rng, gains, gaps, spreads = np.random.default_rng(9), [], [], []
    for k in range(networks):
        counts = random_counts(rng, wild=1.0 if k % 2 else 3.0)
        best, spread = best_weights(counts)
        gains.append(counts.at(counts.pooled).value / best.value)
        gaps.append(best.value / weight_bound(counts))
        spreads.append(spread)
    return {
        "networks": networks,
        "median_over_best_of_equal_weights": round(float(np.median(gains)), 4),
        "median_over_bound": round(float(np.median(gaps)), 4),
        "largest_over_bound": round(max(gaps), 4),
        "smallest_over_bound": round(min(gaps), 9),
        "largest_spread_of_searches": max(spreads),
    }


def many_models(models: int) -> dict[str, Any]:
    """Make a mean error small, exactly and by random signs."""
    rng = np.random.default_rng(0)
    edges = [(int(j), i) for i in range(models) for j in rng.choice(models, 4)]
    read = [(str(j), str(i), int(rng.integers(20, 200))) for j, i in sorted(set(edges))]
    net = mcjax.build_network(models, read, initial=50)
    every, mean = np.ones(models, bool), np.full(models, 1 / models)
    exact = Response(net, every, ~every)
    room = Room(np.ones(models), np.zeros(models), np.full(models, np.inf), budget=ROWS * models)
    begin = time.process_time()
    best = smallest_sum(exact, room, mean)
    middle = time.process_time()
    found = smallest_sum(SampledResponse(net, every, ~every, mean), room, mean)
    end = time.process_time()
    true = float(mean @ exact.at(found.state.rows).errors)
    return {
        "models": models,
        "feeds": len(read),
        "exact_seconds": round(middle - begin, 2),
        "signs_seconds": round(end - middle, 2),
        "signs_over_best": round(true / best.value, 6),
        "even_over_best": round(float(mean @ exact.at(room.even).errors) / best.value, 4),
    }


def main() -> None:
    """Compare, and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=400)
    parser.add_argument("--models", type=int, default=500)
    default = Path(__file__).parent / "results" / "designs.json"
    parser.add_argument("--out", type=Path, default=default)
    asked = parser.parse_args()
    results = {
        "robust": robust(asked.networks),
        "feeds": feeds(asked.networks),
        "weights": weights(asked.networks // 4),
        "many_models": many_models(asked.models),
    }
    keep(asked.out, results)


if __name__ == "__main__":
    main()
