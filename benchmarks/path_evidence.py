"""The first-order law around the population path, against chains that leave the truth.

    python benchmarks/path_evidence.py [CASE ...] [--chains 80000] [--out FILE]

For each case: variances of the simulated estimates over the law's, of every model and parameter at
every generation, with the standard error of one such ratio; the largest distance of a mean from its
centre; the verdict of `mcjax.verify` on covariances at a tolerance of 10%, and that on covariances
and means at 5% with more rows; and the verdict on a wrong law, at 10%.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax import Feed, Source


class Case(NamedTuple):
    """A condition by its number of rows, and that whose law is the wrong one beside it."""

    make: Callable[[int], mcjax.Condition]
    wrong: Callable[[int], mcjax.Condition]
    rows: int  # of the first rung
    scale: int  # of the last rung
    generations: int = 4


def least_squares(rows: int, far: bool = True) -> mcjax.Condition:
    """Shared and weighted feeds, two kept real samples of different truths, moving centres."""
    one, two = rows, 3 * rows // 4
    theta = {"theta": (-1.0, 1.5)} if far else {}
    net = mcjax.build_network(
        2,
        [
            ("real", "0", one),
            ("b", "1", two, 2.0),
            ("0", "0", two),
            ("0", "1", two),
            ("1", "0", one, 1.5),
        ],
        rows,
        draws="shared",
        real="reused",
        sources=[Source("b", samples=two, noise=0.7, **theta)],
        first=[("real", "0", one), ("b", "1", two)],
    )
    return mcjax.condition(net, mcjax.linear(), [1.0, -0.5], [[1.0, 0.4], [0.4, 1.5]])


def _interrupted(
    model: mcjax.Model, theta: list[float], keeps: tuple[Any, Any], rows: int, far: bool
) -> mcjax.Condition:
    """Three models, one of them frozen; a kept biased sample, and real data that end."""
    heat, flip = keeps
    other: Any = {"theta": tuple(-t for t in theta)} if far else {}
    net = mcjax.build_network(
        ["a", "b", "frozen"],
        [
            ("real", "a", rows, [1.0, 1.0, 0.0]),
            ("biased", "a", rows // 2),
            Feed("b", "a", rows, keep=heat),
            Feed("a", "b", rows, keep=flip),
            ("frozen", "b", rows // 2),
        ],
        2 * rows,
        sources=[Source("biased", samples=rows // 2, real="reused", **other)],
    )
    return mcjax.condition(net, model, theta)


def logistic(rows: int, far: bool = True) -> mcjax.Condition:
    """A kept biased sample, heat, flips, ridge, a frozen model, and real data that end."""
    model = mcjax.penalised(mcjax.logistic(), ridge=0.02)
    keeps = mcjax.Temperature(0.8), mcjax.Flip(0.1)
    return _interrupted(model, [0.8, -0.6], keeps, rows, far)


def poisson(rows: int, far: bool = True) -> mcjax.Condition:
    """The same without heat, flips and ridge."""
    return _interrupted(mcjax.poisson(), [0.3, -0.2], (None, None), rows, far)


def verifiers(rows: int, keep: bool = True) -> mcjax.Condition:
    """Two verifiers with centres and radii of their own, one of whose samples is shared."""
    first = mcjax.Verifier((0.5, 1.0), 1.2) if keep else None
    second = mcjax.Verifier((0.0, 1.0), 2.0) if keep else None
    own = [Feed("1", "1", 2 * rows, keep=second)] + ([Feed("1", "1", rows)] if keep else [])
    net = mcjax.build_network(
        2,
        [
            Feed("0", "0", 2 * rows, keep=first),
            Feed("0", "1", 2 * rows, 0.5, keep=first),
            ("real", "0", rows),
            *own,
        ],
        3 * rows,
        draws="shared",
    )
    return mcjax.condition(net, mcjax.linear(), [1.0, -0.5], [[1.0, 0.4], [0.4, 1.5]])


def checker(rows: int, keep: bool = True) -> mcjax.Condition:
    """A loop whose labels a checker confirms, alone and beside real data."""
    confirmed = mcjax.Checker((0.3, -0.2)) if keep else None
    net = mcjax.build_network(
        ["loop", "fed"],
        [
            Feed("loop", "loop", 2 * rows, keep=confirmed),
            Feed("loop", "fed", rows, keep=confirmed),
            ("real", "fed", rows),
        ],
        2 * rows,
    )
    return mcjax.condition(net, mcjax.logistic(), [0.5, 0.2])


def raw_verifier(rows: int, count: Any = "raw") -> mcjax.Condition:
    """A verifier that looks at a fixed number of rows."""
    feed = Feed("m", "m", 2 * rows, keep=mcjax.Verifier((1.0,), 1.0, count))
    net = mcjax.build_network(["m"], [feed, ("real", "m", rows)], 2 * rows)
    return mcjax.condition(net, mcjax.linear(), [0.0])


def median(rows: int, far: float = 2.0) -> mcjax.Condition:
    """Median regression between two real sources."""
    quarter = rows // 4
    source = Source("far", samples=quarter, theta=(far,)) if far else Source("far", samples=quarter)
    net = mcjax.build_network(
        ["m"],
        [("real", "m", quarter), ("far", "m", quarter), ("m", "m", rows // 2)],
        rows,
        sources=[source],
    )
    return mcjax.condition(net, mcjax.quantile(0.5), [0.0])


def reused(rows: int, far: bool = True) -> mcjax.Condition:
    """A kept real sample, fresh data of another truth, and the model's own."""
    theta = {"theta": (2.0,)} if far else {}
    net = mcjax.build_network(
        ["m"],
        [("real", "m", rows // 4), ("far", "m", rows // 4), ("m", "m", rows // 2)],
        rows // 4,
        real="reused",
        sources=[Source("far", samples=rows // 4, real="fresh", **theta)],
    )
    return mcjax.condition(net, mcjax.linear(), [0.0])


def top_p(rows: int, keep: bool = True) -> mcjax.Condition:
    """Classes cut off from the tail beside real data; and a model that reads the first, cooled."""
    cut, cool = (mcjax.TopP(0.85), mcjax.Temperature(0.7)) if keep else (None, None)
    net = mcjax.build_network(
        ["cut", "cool"],
        [
            Feed("cut", "cut", 2 * rows, keep=cut),
            ("real", "cut", rows),
            Feed("cut", "cool", rows, keep=cool),
            ("cool", "cool", rows),
        ],
        3 * rows,
    )
    return mcjax.condition(net, mcjax.categorical(), [0.35, 0.25, 0.15, 0.12, 0.08, 0.05])


CASES = {
    "least squares": Case(least_squares, lambda n: least_squares(n, far=False), 200, 4),
    "logistic": Case(logistic, lambda n: logistic(n, far=False), 1500, 1),
    "poisson": Case(poisson, lambda n: poisson(n, far=False), 1000, 2),
    "verifiers": Case(verifiers, lambda n: verifiers(n, keep=False), 200, 4),
    "checker": Case(checker, lambda n: checker(n, keep=False), 1000, 8, 3),
    "raw verifier": Case(raw_verifier, lambda n: raw_verifier(n, "accepted"), 200, 4),
    "median": Case(median, lambda n: median(n, 0.0), 800, 4),
    "reused": Case(reused, lambda n: reused(n, far=False), 800, 2),
    "top_p": Case(top_p, lambda n: top_p(n, keep=False), 5000, 1),
}


class Run(NamedTuple):
    """Simulated chains of a condition, and what they are compared with."""

    study: mcjax.Study
    outcome: mcjax.Outcome

    def compared(self) -> dict[str, Any]:
        """Return simulated variances over the law's, and distances of means from centres."""
        errors = self.outcome.moments.error
        law = mcjax.predict(self.study)[0].laws["first_order"]
        count = np.broadcast_to(errors.chains, errors.mean.shape)
        variance = errors.square / (count - 1)
        predicted = np.diagonal(law.covariance, axis1=1, axis2=2).reshape(variance.shape)
        known = predicted > 0  # not of a class that has died out
        ratio = variance[known] / predicted[known]
        off = np.abs(errors.mean - law.bias)[known] / np.sqrt(predicted[known])
        return {
            "variance_ratio": [float(ratio.min()), float(ratio.max())],
            "standard_error": float(np.sqrt(2 / count.min())),
            "mean_off": float(off.max()),  # in standard deviations of an estimate
            "chains": int(count.min()),
        }

    def verdict(
        self, tolerance: float, *quantities: str, theory: mcjax.Condition | None = None
    ) -> str:
        """Return the verdict on the first-order law, or on that of another condition."""
        study = replace(self.study, tolerance=tolerance, quantities=quantities)
        predicted = study if theory is None else replace(study, conditions=(theory,))
        judged = mcjax.judge(study, mcjax.predict(predicted), [self.outcome])
        verdicts = [cell.verdict for cell in judged.cells if cell.law == "first_order"]
        for word in ("refuted", "inconclusive", "verified"):
            if word in verdicts:
                return word
        return "not judged"


def run(condition: mcjax.Condition, generations: int, chains: int) -> Run:
    """Simulate a condition."""
    study = mcjax.Study((condition,), generations, chains)
    [tally] = mcjax.simulate(study)
    return Run(study, tally.outcome)


def judged(case: Case, chains: int) -> dict[str, Any]:
    """Return everything that the table says of a case."""
    first = run(case.make(case.rows), case.generations, chains)
    result: dict[str, Any] = first.compared()
    result["at_10_percent"] = first.verdict(0.1, "covariance")
    wrong = case.wrong(case.rows)
    result["wrong_law_at_10_percent"] = first.verdict(0.1, "covariance", theory=wrong)
    last = first
    if case.scale > 1:
        last = run(case.make(case.rows * case.scale), case.generations, chains)
        result["more_rows"] = last.compared()
    result["at_5_percent"] = last.verdict(0.05, "covariance", "bias")
    return result


def main() -> None:
    """Run the cases, print a table, and keep the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--chains", type=int, default=80_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    for name in given.cases:
        begin = time.perf_counter()
        results.append({"case": name, **judged(CASES[name], given.chains)})
        results[-1]["seconds"] = round(time.perf_counter() - begin)
        print(results[-1], flush=True)
        if given.out is not None:  # cases take minutes; what is done is kept
            keep(given.out, results)


if __name__ == "__main__":
    main()
