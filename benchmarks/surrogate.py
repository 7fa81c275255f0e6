"""The surrogate chain and the second-order law against chains, in a closed loop.

    python benchmarks/surrogate.py [--out FILE]

Mean squared errors of the last generation over that of the first-order law, with standard errors of
chains and of the surrogate.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import jax
from machine import keep

import mcjax
from mcjax.laws.registry import built_in

CASES = [
    (mcjax.logistic, [0.5, 0.5, 0.5], 400, 8, 32_768),
    (mcjax.logistic, [0.5, 0.5, 0.5], 200, 8, 32_768),
    (mcjax.logistic, [0.5, 0.5, 0.5], 100, 4, 32_768),
    (mcjax.poisson, [0.5, -0.5], 100, 8, 32_768),
]
"""Model, truth, rows, generations and chains."""


def measured(make: Any, theta: list[float], rows: int, last: int, chains: int) -> dict[str, Any]:
    """Simulate a loop, and compare it with both laws."""
    net = mcjax.build_network("a", [("a", "a", rows)], rows)
    one = mcjax.condition(net, make(), theta)
    [tally] = mcjax.simulate(mcjax.Study((one,), generations=last, chains=chains))
    seen = tally.outcome.moments.squared
    surrogate, second = (
        built_in(name).predict(one, last) for name in ("surrogate", "second_order")
    )
    first = float(second.leading.mse[-1, 0])
    return {
        "family": one.model.name,
        "theta": theta,
        "rows": rows,
        "generation": last,
        "chains": chains,
        "simulated": round(float(seen.mean[-1, 0]) / first, 4),
        "standard_error": round(float(seen.standard_error()[-1, 0]) / first, 4),
        "surrogate": round(float(surrogate.mse[-1, 0]) / first, 4),
        "surrogate_standard_error": round(float(surrogate.standard_error[-1, 0]) / first, 4),
        "second_order": round(float(second.mse[-1, 0]) / first, 4),
        "indicator": round(float(second.validity.indicator[-1, 0]), 3),
    }


def main() -> None:
    """Run the cases, print them, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results: list[dict[str, Any]] = []
    for case in CASES:
        results.append(measured(*case))
        print(results[-1], flush=True)
        if given.out is not None:
            keep(given.out, results)


if __name__ == "__main__":
    main()
