"""The law of models that take steps of an optimiser, on four networks, beside laws that are wrong.

    python benchmarks/tuned_networks.py adam [--chains 16384] [--out benchmarks/results/...]

Logistic regression on two parameters, 400 rows a fit, one pass in batches of 20 from each model's
own last parameters: a loop, a loop of half real data, a ring of two, and a reader of the loop that
reads half real data. All are in one network, whose components do not hear each other. The laws are
judged at all generations, within 5% where the maps of steps are in closed form and 10% where they
are measured. Beside them stand, in standard errors from the simulation at the last generation:

* ``refit``: the law of fits to the minimum;
* ``scalar``: one number for A, its mean over directions;
* ``I - A``: B is what A leaves of the identity.

Results of several optimisers are kept in one file.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from machine import keep

import mcjax
from mcjax.laws.first_order.fine_tuning import StepsOfModels, systems_of
from mcjax.laws.first_order.linear_system import LinearSystem, covariances, means
from mcjax.laws.first_order.m_estimators import FirstOrder

ROWS, GENERATIONS = 400, 20
HALF = ROWS // 2
OPTIMISERS = {
    "sgd": (optax.sgd(0.3), 0.05),
    "heavy ball": (optax.sgd(0.05, momentum=0.9), 0.05),
    "adam": (optax.adam(0.01), 0.10),
    "lion": (optax.lion(0.003), 0.10),
}
FEEDS = [
    ("loop", "loop", ROWS),
    ("half real", "half real", HALF),
    ("real", "half real", HALF),
    ("ring 1", "ring 2", ROWS),
    ("ring 2", "ring 1", ROWS),
    ("loop", "reader", HALF),
    ("real", "reader", HALF),
]
MODELS = ["loop", "half real", "ring 1", "ring 2", "reader"]


def condition_of(name: str) -> mcjax.Condition:
    """Return the network with models that are tuned by an optimiser."""
    transformation, _ = OPTIMISERS[name]
    steps = mcjax.Optax(transformation, ROWS // 20, batch_size=20, name=name, start="own")
    network = mcjax.build_network(MODELS, FEEDS, initial=ROWS)
    return mcjax.condition(
        network,
        mcjax.logistic(),
        [1.0, 0.8],
        covariance=np.diag([1.0, 0.16]),
        estimator=steps,
    )


def wrong_laws(condition: mcjax.Condition) -> dict[str, np.ndarray]:
    """Return the mean squared errors at the last generation by wrong laws, (M,) each."""
    steps = StepsOfModels(condition)
    system, _ = next(systems_of(condition, steps))
    assert steps.last is not None
    size, p = len(MODELS), 2
    kept, unit = steps.last.kept, np.eye(p)
    flat = {
        "I - A": (kept, system.noise),
        "scalar": (np.trace(kept, axis1=1, axis2=2)[:, None, None] / p * unit, None),
    }
    result = {
        "refit": FirstOrder().predict(replace(condition, estimator=None), GENERATIONS).mse[-1]
    }
    refit = FirstOrder().predict(replace(condition, estimator=None), 0).own_covariances[0]
    for law, (start, noise) in flat.items():
        transition = np.zeros((size, p, size, p))
        spread = np.zeros((size, p, size, p))
        for i in range(size):
            transition[i, :, i] += start[i]
            spread[i, :, i] = (unit - start[i]) @ refit[i] @ (unit - start[i]).T
        for origin, reader, rows in FEEDS:
            if origin != "real":
                i, j = MODELS.index(reader), MODELS.index(origin)
                transition[i, :, j] += rows / ROWS * (unit - start[i])
        other: LinearSystem = replace(
            system,
            transition=transition.reshape(size * p, size * p),
            noise=spread.reshape(size * p, size * p) if noise is None else noise,
        )
        moments = covariances(other, GENERATIONS)[-1].diagonal().reshape(size, p).sum(1)
        result[law] = moments + (means(other, GENERATIONS)[-1] ** 2).sum(1)
    return result


def measure(name: str, chains: int) -> dict[str, Any]:
    """Judge the law of an optimiser, and compare simulated errors with wrong laws."""
    condition, tolerance = condition_of(name), OPTIMISERS[name][1]
    study = mcjax.Study((condition,), GENERATIONS, chains=chains, tolerance=tolerance)
    began = time.process_time()
    law = FirstOrder().predict(condition, GENERATIONS)
    law_seconds = time.process_time() - began
    found = mcjax.verify(study, laws=["first_order"])
    cells: dict[str, list[Any]] = {model: [] for model in MODELS}
    for cell in found.cells:
        cells[cell.model].append(cell)
    rows = {}
    wrong = wrong_laws(condition)
    for i, model in enumerate(MODELS):
        told = {cell.generation: cell for cell in cells[model]}
        last = told[GENERATIONS]
        rows[model] = {
            "N mse": {
                t: {
                    "law": ROWS * float(law.mse[t, i]),
                    "law_error": ROWS * float(law.standard_error[t, i]),
                    "simulated": ROWS * told[t].empirical,
                    "standard_error": ROWS * told[t].standard_error,
                }
                for t in (1, 5, GENERATIONS)
            },
            "verdicts": sorted({cell.verdict for cell in cells[model]}),
            "wrong": {
                other: {
                    "N mse": ROWS * float(mse[i]),
                    "z": float(
                        (last.empirical - mse[i])
                        / np.hypot(last.standard_error, law.standard_error[GENERATIONS, i])
                    ),
                }
                for other, mse in wrong.items()
            },
        }
    return {
        "verdict": found.verdict,
        "tolerance": tolerance,
        "chains": chains,
        "law_cpu_seconds": law_seconds,
        "cpu_seconds": time.process_time() - began,
        "failures": found.failures,
        "models": rows,
    }


def main() -> None:
    """Run one optimiser, and keep its results beside those of others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=OPTIMISERS)
    parser.add_argument("--chains", type=int, default=16384)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/tuned_networks.json"))
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    known = json.loads(arguments.out.read_text())["results"] if arguments.out.exists() else {}
    known[arguments.name] = measure(arguments.name, arguments.chains)
    keep(arguments.out, known)


if __name__ == "__main__":
    main()
