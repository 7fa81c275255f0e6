"""Fits with Firth's penalty, and without, against the second-order law of each.

    python benchmarks/firth.py [--out FILE]

For each case, at its last generation: the norm of the mean error, simulated and predicted; the
simulated mean squared error over that of the first-order law and of the second-order law; standard
errors of both; and the share of fits that failed. Numbers are of the last model.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.laws.registry import built_in
from mcjax.solvers.status import Status


class Case(NamedTuple):
    """A network of models with a truth, and how long and how often it runs."""

    feeds: list[tuple[Any, ...]]
    rows: int
    theta: list[float]
    generations: int
    chains: int


CASES = {
    "one model on its own output": Case([("a", "a", 300)], 300, [1.0, 0.5], 6, 16_384),
    "one model on its own output, p = 1": Case([("a", "a", 100)], 100, [1.0], 1, 65_536),
    "real data of three times the weight": Case(
        [("a", "a", 100), ("real", "a", 100, 3.0)], 200, [1.0, -0.5], 3, 32_768
    ),
    "few rows": Case([("a", "a", 20)], 20, [1.0, 0.5], 2, 16_384),
}


def measured(case: Case, firth: bool) -> dict[str, Any]:
    """Simulate a case, and compare it with the law."""
    model = mcjax.logistic()
    if firth:
        model = mcjax.penalised(model, firth=True)
    one = mcjax.condition(mcjax.build_network("a", case.feeds, case.rows), model, case.theta)
    study = mcjax.Study((one,), generations=case.generations, chains=case.chains)
    [tally] = mcjax.simulate(study)
    law = built_in("second_order").predict(one, case.generations)
    seen, first = tally.outcome.moments, float(law.leading.mse[-1, -1])
    mse = float(seen.squared.mean[-1, -1])
    error = float(seen.squared.standard_error()[-1, -1])
    fits = tally.outcome.fits
    return {
        "penalty": "firth" if firth else None,
        "generation": case.generations,
        "rows": case.rows,
        "chains": case.chains,
        "bias": round(float(np.linalg.norm(seen.error.mean[-1, -1])), 4),
        "bias_standard_error": round(float(np.linalg.norm(seen.error.standard_error()[-1, -1])), 4),
        "bias_of_the_law": round(float(np.linalg.norm(law.mean[-1, -1])), 4),
        "of_first_order": round(mse / first, 4),
        "standard_error_of_first_order": round(error / first, 4),
        "law_of_first_order": round(float(law.mse[-1, -1]) / first, 4),
        "of_second_order": round(mse / float(law.mse[-1, -1]), 4),
        "standard_error": round(error / float(law.mse[-1, -1]), 4),
        "indicator": round(float(law.validity.indicator[-1, -1]), 3),
        "failed": round(float(1 - fits[..., Status.CONVERGED].sum() / fits.sum()), 5),
    }


def main() -> None:
    """Run the cases, print them, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results: list[dict[str, Any]] = []
    for name, case in CASES.items():
        for firth in (False, True):
            results.append({"case": name, **measured(case, firth)})
            print(results[-1], flush=True)
            if given.out is not None:
                keep(given.out, results)


if __name__ == "__main__":
    main()
