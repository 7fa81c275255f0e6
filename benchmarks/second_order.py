"""The second-order law against chains, and what it costs.

    python benchmarks/second_order.py [--cases NAME ...] [--costs FAMILY ...] [--out FILE]

For each case: simulated mean squared errors over those of the first-order law and of the
second-order law, at the last generation, with the standard error of the latter; the law's
indicator; and by how many standard errors laws that lack a source of their second-order terms leave
what the law allows. With ``--costs huber logistic own``: processor time and memory of predictions
of 20 generations.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.scipy.stats import norm
from machine import keep

import mcjax
from mcjax.laws.registry import built_in
from mcjax.laws.second_order.moments import axis_of, generations_of, moments_of
from mcjax.laws.second_order.recursion import SOURCES
from mcjax.laws.second_order.simulated_expansion import with_simulated_expansion

T3 = {"name": "student_t", "df": 3}


class Case(NamedTuple):
    """A condition by its number of rows, generations, and chains."""

    make: Callable[[int], mcjax.Condition]
    rows: tuple[int, ...]
    generations: int
    chains: int


def loop(rows: int) -> mcjax.Condition:
    """Logistic regression on its own output."""
    net = mcjax.build_network("a", [("a", "a", rows)], rows)
    return mcjax.condition(net, mcjax.logistic(), [0.5, 0.5, 0.5])


def ring(rows: int, model: Any = None, theta: Any = (1.0, 0.5)) -> mcjax.Condition:
    """Three models in a ring, shared draws and a weight; one has real data."""
    h = rows // 2
    feeds = [("c", "a", h), ("a", "a", h), ("real", "a", h), ("a", "b", h)]
    feeds += [("b", "b", h, 2.0), ("b", "c", h), ("a", "c", h)]
    net = mcjax.build_network("abc", feeds, rows, draws="shared")
    return mcjax.condition(net, model or mcjax.logistic(), list(theta))


def robust(rows: int) -> mcjax.Condition:
    """The ring with Huber's loss and heavy-tailed real noise."""
    return ring(rows, mcjax.huber(1.0, real_noise=T3), (0.5, -0.5))


def reused(rows: int) -> mcjax.Condition:
    """Logistic regression on its own output and its first real sample."""
    net = mcjax.build_network("a", [("a", "a", rows), ("real", "a", rows)], rows, real="reused")
    return mcjax.condition(net, mcjax.logistic(), [1.0, 0.5])


def counts(rows: int) -> mcjax.Condition:
    """Poisson regression on its own output."""
    net = mcjax.build_network("a", [("a", "a", rows)], rows)
    return mcjax.condition(net, mcjax.poisson(), [0.5, -0.5])


def probit() -> mcjax.Model:
    """Return probit regression as a user states it, by its loss and a sampler."""

    def loss(eta: jax.Array, y: jax.Array) -> jax.Array:
        return -norm.logcdf((2 * y - 1) * eta)

    def sample(key: jax.Array, eta: jax.Array) -> jax.Array:
        return (jax.random.uniform(key, dtype=eta.dtype) < norm.cdf(eta)).astype(eta.dtype)

    return mcjax.user_model(loss, sample, name="probit", predictor="linear")


def own(rows: int) -> mcjax.Condition:
    """A user's model on its own output."""
    net = mcjax.build_network("a", [("a", "a", rows)], rows)
    return mcjax.condition(net, probit(), [0.6, -0.3])


CASES = {
    "loop": Case(loop, (200, 400, 800), 4, 32_768),
    "ring": Case(ring, (100, 200, 400), 3, 32_768),
    "robust ring": Case(robust, (50, 100), 2, 65_536),
    "reused": Case(reused, (100, 200, 400), 3, 32_768),
    "counts": Case(counts, (100, 200), 3, 32_768),
    "own": Case(own, (200, 400), 3, 32_768),
}


COSTS = {
    "huber": (mcjax.huber, (1, 3, 10, 100)),
    "logistic": (mcjax.logistic, (1, 3, 10, 30)),
    "own": (probit, (1, 3, 10, 20)),  # the first with the compilation
}
"""Models and numbers of models."""


def judged(case: Case, rows: int) -> dict[str, Any]:
    """Simulate a case and compare it with both laws."""
    one = case.make(rows)
    study = mcjax.Study((one,), generations=case.generations, chains=case.chains)
    [tally] = mcjax.simulate(study)
    seen = tally.outcome.moments.squared
    law = built_in("second_order").predict(one, case.generations)
    parts = moments_of(_known(one), generations_of(one, case.generations), None)
    first = np.einsum("tii->ti", parts.leading).reshape(*law.mse.shape, -1).sum(-1)
    error = seen.standard_error()
    lacking = {name: parts.sources[:, s] for s, name in enumerate(SOURCES)}
    lacking["all bias"] = lacking["bias"] + lacking["drift"] + (parts.mean**2).sum(-1)
    lacking["everything"] = law.mse - first
    beyond = {
        name: ((np.abs(seen.mean - law.mse + part) - law.allowance * law.mse) / error).max()
        for name, part in lacking.items()
    }
    away = np.abs(tally.outcome.moments.error.mean - law.mean)
    away = away / tally.outcome.moments.error.standard_error()
    return {
        "rows": rows,
        "generation": case.generations,
        "chains": case.chains,
        "of_first_order": (seen.mean / first)[-1].round(4).tolist(),
        "of_second_order": (seen.mean / law.mse)[-1].round(4).tolist(),
        "standard_error": (error / law.mse)[-1].round(4).tolist(),
        "indicator": law.validity.indicator[-1].round(4).tolist(),
        "law_beyond_allowance": round(
            float(((np.abs(seen.mean - law.mse) - law.allowance * law.mse) / error).max()), 1
        ),
        "largest_mean_departure": round(float(away.max()), 1),
        "without": {name: round(float(value), 1) for name, value in beyond.items()},
    }


def _known(one: mcjax.Condition) -> mcjax.Condition:
    """Return a condition whose model states its expansion, simulated if need be."""
    if one.model.scores is not None:
        return one
    simulated = with_simulated_expansion(one.model, axis_of(one).gamma)
    return replace(one, model=simulated[0])


def cost(model: Any, models: int) -> dict[str, Any]:
    """Return the cost of a prediction for a ring of models with loops and 5 parameters."""
    names = [str(i) for i in range(models)]
    feeds = [("real", "0", 100), *((name, name, 50) for name in names)]
    feeds += [(a, b, 50) for a, b in zip(names, names[1:] + names[:1], strict=True) if a != b]
    one = mcjax.condition(mcjax.build_network(names, feeds, 100), model, [0.3] * 5)
    begin = time.process_time()
    built_in("second_order").predict(one, 20)
    return {
        "family": model.name,
        "models": models,
        "seconds": round(time.process_time() - begin, 2),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Run the cases, print them, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="*", default=list(CASES))
    parser.add_argument("--costs", nargs="*", default=[], choices=list(COSTS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results: dict[str, list[dict[str, Any]]] = {"costs": [], "cases": []}
    for family in given.costs:
        make, sizes = COSTS[family]
        model = make()
        for models in sizes:
            results["costs"].append(cost(model, models))
            print(results["costs"][-1], flush=True)
    for name in given.cases:
        for rows in CASES[name].rows:
            results["cases"].append({"case": name, **judged(CASES[name], rows)})
            print(results["cases"][-1], flush=True)
            if given.out is not None:  # cases take minutes; what is done is kept
                keep(given.out, results)


if __name__ == "__main__":
    main()
