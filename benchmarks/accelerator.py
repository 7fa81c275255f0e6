"""Chains on an accelerator: what fits and summaries take, and whether a CPU finds the same.

    python benchmarks/accelerator.py [--out benchmarks/results/accelerator.json]

Networks are rings of models, half of whose 200 rows are real, over 20 generations. Beside the time
of a whole simulation stands that of its chains alone, on the device and without reading their
results; the rest goes into summaries, and into what the host does between chunks. The CPU is
another process, which draws the same numbers, and then others. All runs also work on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import keep

import mcjax
from mcjax.draws.streams import chain_keys
from mcjax.engine import engine
from mcjax.engine.blocks import block_size
from mcjax.engine.compiled import CompiledStudy, compile_study

PARTS = (
    ("linear", 4, 5, "float32"),
    ("linear", 4, 5, "mixed"),
    ("linear", 10, 10, "float32"),
    ("logistic", 4, 5, "float32"),
    ("logistic", 4, 5, "mixed"),
    ("poisson", 4, 5, "float32"),
    ("huber", 4, 5, "float32"),
)
"""Family, models, parameters and precision."""
AGREEING = ("linear", "logistic", "poisson", "huber", "quantile")
PRECISIONS = ("float32", "mixed")
TURNS = 3
PIECE = 16
"""Networks that the survey simulates together, few enough for a short run."""


def study(family: str, models: int, p: int, precision: Any, **settings: Any) -> mcjax.Study:
    """Return the study of a ring."""
    net = mcjax.topologies.ring(models, samples=100, real=100, initial=200)
    theta = [0.7] + [0.0] * (p - 1)
    seed = settings.pop("seed", 0)
    condition = mcjax.condition(net, getattr(mcjax, family)(), theta, seed=seed)
    return mcjax.Study((condition,), precision=precision, **settings)


def fastest(run: Callable[[], Any]) -> float:
    """Return the least seconds of several calls, after one that is not counted."""
    seconds = []
    for _ in range(TURNS + 1):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def chains_alone(compiled: CompiledStudy) -> Callable[[], Any]:
    """Return a function that runs all chains on the device and leaves their results there."""
    [shared], chains = compiled.programs, np.arange(compiled.study.chains)
    task, devices = compiled.task(0, chains), tuple(jax.local_devices())
    block = block_size(task, shared.program, len(chains) // len(devices))
    arrays = jax.tree.map(np.asarray, task.arrays)
    if shared.program.draw_dtype == shared.program.fit_dtype == "float32":
        arrays = jax.tree.map(engine.single, arrays)
    lead = (len(chains) // block, block)
    conditions = jax.tree.map(
        lambda leaf: jax.device_put(np.broadcast_to(leaf, (*lead, *np.shape(leaf)))), arrays
    )
    keys = jax.device_put(chain_keys(task.seed, task.word, chains).reshape(*lead, 2))
    return lambda: jax.block_until_ready(
        engine.run_blocks(conditions, keys, shared.program, devices)
    )


def part(family: str, models: int, p: int, precision: str, chains: int) -> dict[str, Any]:
    """Time chains alone, and a whole simulation."""
    compiled = compile_study(
        study(family, models, p, precision, generations=20, chains=chains, chunk=chains // 4)
    )
    fits = chains * models * 21 / 1e6
    return {
        "family": family,
        "models": models,
        "parameters": p,
        "precision": precision,
        "chains": chains,
        "chains alone, µs a fit": fastest(chains_alone(compiled)) / fits,
        "simulation, µs a fit": fastest(lambda: mcjax.simulate(compiled)) / fits,
    }


def summaries(seed: int) -> dict[str, Any]:
    """Simulate one study of every family and precision, and return what is compared."""
    found = {}
    for family in AGREEING:
        for precision in PRECISIONS:
            chains = 2048 if family == "quantile" else 8192
            [tally] = mcjax.simulate(
                study(family, 3, 3, precision, generations=5, chains=chains, seed=seed)
            )
            moments = tally.outcome.moments
            found[f"{family}, {precision}"] = {
                "mean": moments.squared.mean.tolist(),
                "error": moments.squared.standard_error().tolist(),
                "last": tally.outcome.sample.tolist(),
                "spread": np.sqrt(moments.error.square[-1] / chains).tolist(),
                "fits": tally.outcome.fits.sum((0, 1)).tolist(),
            }
    return found


def on_a_cpu(seed: int) -> dict[str, Any]:
    """Return :func:`summaries` of another process, on a CPU."""
    done = subprocess.run(
        [sys.executable, __file__, "--summaries", str(seed)],
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout)


def agreement() -> dict[str, Any]:
    """Compare this device with a CPU: by the same draws, and by others."""
    here, same, other = summaries(1), on_a_cpu(1), on_a_cpu(2)
    found = {}
    for name, mine in here.items():
        last, theirs = (np.asarray(which[name]["last"]) for which in (here, same))
        apart = np.abs(last - theirs) / np.asarray(mine["spread"])
        z = (np.asarray(mine["mean"]) - other[name]["mean"]) / np.hypot(
            mine["error"], other[name]["error"]
        )
        found[name] = {
            "same draws, largest difference / sd": float(apart.max()),
            "same draws, median difference / sd": float(np.median(apart)),
            "other draws, largest |z| of mean squared errors": float(np.abs(z).max()),
            "comparisons": z.size,
            "outcomes of fits are equal": mine["fits"] == same[name]["fits"],
        }
    return found


def survey(seconds: float) -> dict[str, Any]:
    """Simulate networks of four models as ``every-4`` does, for about so many seconds."""
    from mcjax.study.load import builtin_file, load_survey

    whole = load_survey(builtin_file("every-4"))
    assert whole is not None, "the file has a survey"
    asked, networks = replace(whole, piece=PIECE), len(whole.codes()[0])
    pieces = mcjax.survey_pieces(asked)
    next(pieces)  # compiles
    began, simulated = time.perf_counter(), 0
    for _, found in pieces:
        simulated += len(found.fits)
        if time.perf_counter() - began > seconds:
            break
    spent = time.perf_counter() - began
    fits = simulated * asked.chains * asked.models * (asked.generations + 1)
    return {
        "networks": networks,
        "simulated": simulated,
        "seconds": spent,
        "µs a fit": spent / fits * 1e6,
        "hours for all": spent / simulated * networks / 3600,
    }


def main() -> None:
    """Run everything, print and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--chains", type=int, default=65_536, help="of a timed simulation")
    parser.add_argument("--survey", type=float, default=60.0, help="seconds for the survey")
    parser.add_argument("--summaries", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if asked.summaries is not None:
        print(json.dumps(summaries(asked.summaries)))
        return
    results: dict[str, Any] = {"parts": []}

    def done() -> None:
        if asked.out is not None:
            keep(asked.out, results)

    for case in PARTS:
        results["parts"].append(part(*case, asked.chains))
        print(results["parts"][-1], flush=True)
        done()
    for name, run in (("agreement", agreement), ("survey", lambda: survey(asked.survey))):
        results[name] = run()
        print(json.dumps(results[name], indent=1), flush=True)
        done()


if __name__ == "__main__":
    main()
