"""The bias of small samples around the population path, against chains that leave the truth.

    python benchmarks/path_bias.py [CASE ...] [--chains 131072] [--out FILE]

For each case, at the last of four generations and for the last model: how far the mean of the
simulated estimates is from the centre and from the first-order law, in standard deviations of an
estimate, with the standard error of such a distance and the law's allowance; and the simulated mean
squared error over that of the law, with the bias and without it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax import Feed, Source

GENERATIONS = 4


def between(model: mcjax.Model, truth: list[float], far: list[float], rows: int) -> mcjax.Condition:
    """Return a model between the truth and another source, and one on output alone."""
    feeds = [("real", "a", rows // 4), ("far", "a", rows // 4), ("a", "a", rows // 2)]
    feeds += [("a", "b", rows // 2), ("b", "b", rows // 2)]
    source = Source("far", theta=tuple(far), real="fresh")
    net = mcjax.build_network(["a", "b"], feeds, rows, sources=[source], draws="shared")
    return mcjax.condition(net, model, truth)


def alone(model: mcjax.Model, rows: int, keep: Any = None) -> mcjax.Condition:
    """Return a model that reads its own output and nothing else."""
    net = mcjax.build_network(1, [Feed("0", "0", rows, keep=keep)], rows)
    return mcjax.condition(net, model, [1.0, 0.5])


CASES: dict[str, tuple[Callable[[int], mcjax.Condition], tuple[int, ...]]] = {
    "logistic, two sources": (
        lambda n: between(mcjax.logistic(), [1.0, 0.5], [-0.5, 1.0], n),
        (100, 200, 400),
    ),
    "poisson, two sources": (
        lambda n: between(mcjax.poisson(), [0.5, 0.25], [-0.25, 0.5], n),
        (100, 200),
    ),
    "huber, two sources": (
        lambda n: between(mcjax.huber(1.0), [0.0, 0.0], [2.0, -1.0], n),
        (50, 100),
    ),
    "linear, ridge": (lambda n: alone(mcjax.penalised(mcjax.linear(), ridge=0.5), n), (40, 100)),
    "logistic, ridge": (
        lambda n: alone(mcjax.penalised(mcjax.logistic(), ridge=0.05), n),
        (100, 200),
    ),
    "logistic, flips": (lambda n: alone(mcjax.logistic(), n, mcjax.Flip(0.1)), (200, 400)),
    "logistic, temperature": (
        lambda n: alone(mcjax.logistic(), n, mcjax.Temperature(1.25)),
        (100, 200),
    ),
}
"""Conditions by their number of rows, and these numbers."""


def compared(condition: mcjax.Condition, chains: int) -> dict[str, Any]:
    """Simulate a condition, and compare means and mean squares at the end."""
    study = mcjax.Study((condition,), GENERATIONS, chains)
    law = mcjax.predict(study)[0].laws["first_order"]
    [tally] = mcjax.simulate(study)
    moments, last = tally.outcome.moments, (-1, -1)
    count = int(moments.squared.chains[last])
    known, inverse = law.small_samples, np.linalg.inv(law.own_covariances[last])

    def distance(mean: np.ndarray) -> float:
        """Return a length in standard deviations, less what chance adds to it on average."""
        return float(np.sqrt(max(mean @ inverse @ mean - len(mean) / count, 0.0)))

    seen, mse = moments.error.mean[last], law.mse[last]
    product = 2 * float(law.centre_errors[last] @ known.mean[last])
    return {
        "from_centre": distance(seen - law.centre_errors[last]),
        "from_law": distance(seen - law.mean[last]),
        "standard_error": count**-0.5,
        "allowance": float(known.allowance[last]),
        "mse_over_law": float(moments.squared.mean[last] / mse),
        "mse_over_law_without_bias": float(moments.squared.mean[last] / (mse - product)),
        "mse_standard_error": float(moments.squared.standard_error()[last] / mse),
        "chains": count,
    }


def main() -> None:
    """Run the cases, print them, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--chains", type=int, default=131_072)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    for name in given.cases:
        make, sizes = CASES[name]
        for rows in sizes:
            begin = time.perf_counter()
            found = compared(make(rows), given.chains)
            seconds = round(time.perf_counter() - begin)
            results.append({"case": name, "rows": rows, **found, "seconds": seconds})
            print(results[-1], flush=True)
            if given.out is not None:  # what is done is kept
                keep(given.out, results)


if __name__ == "__main__":
    main()
