"""How often are true laws refuted on a ladder, and wrong ones found out?

    python benchmarks/ladders.py [--out benchmarks/results/ladders.json] [--measured FILE]

Ratios of simulated mean squared errors to the first-order law's are measured on long ladders, at
generation 1, and a smooth curve is drawn through them; for least squares they are those of the
exact law to the first-order one. Then many ladders are drawn with a given error of each rung, under
the law and under laws that are off by 3%, 5% and 10%, and judged as a study would judge them at the
level 0.1%. The same ladders are judged by the curve ``c + a / s + b / s^2``. ``--measured`` takes
the measured ratios from an earlier result.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep
from scipy.special import ndtri

import mcjax
from mcjax import api
from mcjax.verdicts.claims import Place, ratio_claim
from mcjax.verdicts.counts import ChainCount
from mcjax.verdicts.estimates import Estimate
from mcjax.verdicts.ladder import Rung, climb

LEVEL = 1e-3
SETTINGS = [(0.05, 0.004), (0.05, 0.0015), (0.01, 0.0015), (0.01, 0.0005)]
"""Margins, and relative errors of each rung."""
LADDERS = {1.0: [(1, 2, 4), (1, 2, 4, 8), (1, 4, 16, 64)], 0.5: [(1, 2, 4, 8), (1, 4, 16, 64)]}
Approach = Callable[[np.ndarray], np.ndarray]


def loop(rows: int) -> mcjax.Network:
    """Half own output, half fresh real data."""
    return mcjax.topologies.self_loop(samples=rows, real=rows, initial=2 * rows)


def shifted(rows: int, shift: tuple[float, ...]) -> mcjax.Network:
    """Half own output, half a source whose truth is off by ``shift / sqrt(rows)``."""
    source = mcjax.Source("s", samples=rows, shift=shift)
    return mcjax.build_network(
        ["a"], [("a", "a", rows), ("s", "a", rows)], 2 * rows, sources=[source]
    )


def simulated() -> dict[str, tuple[mcjax.Condition, float, tuple[int, ...], int]]:
    """Conditions that are simulated, the power that theory gives, scales, and chains."""
    logistic, poisson = mcjax.logistic(), mcjax.poisson()
    doubled = (1, 2, 4, 8, 16)
    return {
        "logistic, 200 rows": (
            mcjax.condition(loop(100), logistic, [0.5, -0.5]), 1.0, doubled, 65_536,
        ),
        "logistic near separation, 120 rows": (
            mcjax.condition(loop(60), logistic, [2.0, -2.0]), 1.0, doubled, 65_536,
        ),
        "logistic, shifted source": (
            mcjax.condition(shifted(100, (6.0, 0.0)), logistic, [0.5, -0.5]),
            0.5, (*doubled, 32), 65_536,
        ),
        "Poisson (1, 1), 200 rows": (
            mcjax.condition(loop(100), poisson, [1.0, 1.0]), 1.0, doubled, 65_536,
        ),
        "Poisson (2.5), 1,000 rows": (
            mcjax.condition(loop(500), poisson, [2.5]), 1.0, doubled, 32_768,
        ),
        "Poisson, shifted source": (
            mcjax.condition(shifted(100, (8.0, 0.0)), poisson, [0.3, 0.2]),
            0.5, (1, 2, 4, 8, 16, 32, 64), 16_384,
        ),
    }  # fmt: skip


def measure() -> dict[str, Any]:
    """Return scales, ratios and their errors at generation 1, by the name of the condition."""
    found: dict[str, Any] = {}
    for name, (base, power, scales, chains) in simulated().items():
        found[name] = {"power": power, "scales": [], "ratios": [], "errors": []}
        for rung in mcjax.ladder(base, scales):
            study = mcjax.Study((rung,), generations=2, chains=chains)
            [tally] = api.simulate(study)
            law = api.predict(study)[0].laws["first_order"].mse[1, 0]
            squared = tally.outcome.moments.squared
            for key, value in (
                ("scales", rung.scale),
                ("ratios", squared.mean[1, 0] / law),
                ("errors", squared.standard_error()[1, 0] / law),
            ):
                found[name][key].append(float(value))
            print(name, rung.scale, found[name]["ratios"][-1], flush=True)
    return found


def smooth(scales: list[float], ratios: list[float], errors: list[float]) -> Approach:
    """Return a curve through ratios: the logarithm of their distance from 1 is a parabola."""
    s, r, e = (np.array(values) for values in (scales, ratios, errors))
    side = np.sign(r[np.argmin(s)] - 1)
    distance = np.maximum(side * (r - 1), 1e-4)
    parabola = np.polyfit(np.log(s), np.log(distance), 2, w=distance / e)
    return lambda scale: 1 + side * np.exp(np.polyval(parabola, np.log(scale)))


def least_squares(rows: int, p: int, last: int) -> Approach:
    """Return the exact ratio of one model on its own output and as many real rows."""
    half = rows // 2

    def ratio(scales: np.ndarray) -> np.ndarray:
        base = mcjax.condition(loop(half), mcjax.linear(), np.ones(p))
        study = mcjax.Study(mcjax.ladder(base, scales), generations=last)
        laws = [found.laws for found in api.predict(study)]
        return np.array(
            [law["finite_sample"].mse[-1, 0] / law["first_order"].mse[-1, 0] for law in laws]
        )

    return ratio


def approaches(measured: dict[str, Any]) -> Iterator[tuple[str, float, Approach]]:
    """Every true law: its name, the power that theory gives, and how it is approached."""
    for rows, p, last in ((100, 2, 1), (20, 4, 1), (12, 5, 1), (40, 4, 10)):
        yield f"least squares, {rows} rows, p = {p}, t = {last}", 1.0, least_squares(rows, p, last)
    for name, found in measured.items():
        known = (found[key] for key in ("scales", "ratios", "errors"))
        yield name, found["power"], smooth(*known)


def parabola(scales: np.ndarray, ratios: np.ndarray, errors: np.ndarray, margin: float) -> str:
    """Return the verdict by ``c + a / s + b / s^2``."""
    design = np.vander(1 / scales, 3, increasing=True) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    distance = abs((covariance @ design.T @ (ratios / errors))[0] - 1)
    reach = -ndtri(LEVEL / 2) * np.sqrt(covariance[0, 0])
    if distance + reach < margin:
        return "verified"
    return "refuted" if distance - reach > margin else "inconclusive"


def extrapolated(
    scales: np.ndarray, ratios: np.ndarray, errors: np.ndarray, margin: float, power: float
) -> str:
    """Return the verdict of a study."""
    count, one = ChainCount(10**6, 0), Estimate(1.0, 0.0)
    rungs = [
        Rung(
            "",
            scale,
            ratio_claim(
                Place(str(scale), "a", 1, "mse", "law"),
                observed=Estimate(ratio, error),
                predicted=one,
                tolerance=margin,
                count=count,
            ),
            power,
        )
        for scale, ratio, error in zip(scales, ratios, errors, strict=True)
    ]
    [claim], _ = climb(rungs, margin)
    if claim.within < LEVEL:
        return "verified"
    return "refuted" if claim.beyond < LEVEL else "inconclusive"


def judge(approach: Approach, power: float, runs: int) -> Iterator[dict[str, Any]]:
    """Yield the shares of verdicts, by ladder, margin, error and factor of the law."""
    rng = np.random.default_rng(0)
    for ladder in LADDERS[power]:
        scales = np.array(ladder, float)
        true = approach(scales)
        for margin, error in SETTINGS:
            for factor in (1.0, 1.03, 0.97, 1.05, 0.95, 1.1, 0.9):
                ratios = true * factor
                new, old = [], []
                for _ in range(runs):
                    seen = ratios * (1 + error * rng.standard_normal(len(scales)))
                    new.append(extrapolated(scales, seen, error * ratios, margin, power))
                    old.append(parabola(scales, seen, error * ratios, margin))
                shares = {"ladder": ladder, "margin": margin, "error": error, "factor": factor}
                for way, verdicts in (("new", new), ("parabola", old)):
                    for verdict in ("verified", "refuted"):
                        shares[f"{way}_{verdict}"] = verdicts.count(verdict) / runs
                yield shares


def main() -> None:
    """Measure, print a table, and keep the numbers with where they were taken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measured", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if options.measured is None:
        measured = measure()
    else:
        measured = json.loads(options.measured.read_text())["results"]["measured"]
    results = []
    for name, power, approach in approaches(measured):
        for shares in judge(approach, power, options.runs):
            results.append({"law": name, "power": power} | shares)
            print(*results[-1].values(), flush=True)
    if options.out is not None:
        keep(options.out, {"runs": options.runs, "measured": measured, "ladders": results})


if __name__ == "__main__":
    main()
