"""Measure how many fits a second a machine makes, and how that compares with a bound.

A fit is all that one model does in one generation: rows are drawn, labelled and fitted, and
estimates are summed up over chains. Chains alone leave their estimates on the devices, and are
compared with a bound: the time of the arithmetic of a fit at the rate of matrix products, or that
of its rows through memory, written once and read in every pass, whichever is longer.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np

from mcjax.bench.machine import bandwidth, product_rate
from mcjax.bench.operations import count_operations
from mcjax.engine import engine
from mcjax.engine.blocks import block_size
from mcjax.engine.compiled import CompiledStudy, compile_study
from mcjax.engine.outcome import ErrorTotals, Outcome, Tally
from mcjax.engine.summaries import simulate as simulate_tasks
from mcjax.models.registry import FAMILIES
from mcjax.network import topologies
from mcjax.solvers.status import Status
from mcjax.study.study import Study, condition

GENERATIONS = 10
TURNS, SECONDS = 5, 0.3
"""Timed runs of a case, and the least seconds of one."""
QUICK_TURNS, QUICK_SECONDS = 3, 0.1
LANES = 4
"""Number of chains for which operations are counted."""


class Case(NamedTuple):
    """A ring of M models, half of whose rows are real, on some devices."""

    family: str
    p: int = 5
    rows: int = 200
    models: int = 4
    devices: int = 1


class Result(msgspec.Struct, frozen=True):
    """The measurements of one case.

    Attributes
    ----------
    family, p, rows, models, devices
        The case.
    path : str
        How its chains ran.
    chains : int
        Number of chains in a timed run.
    fits_per_second : float
        Fits a second, the median of the runs.
    microseconds : float
        Microseconds a fit.
    chains_microseconds : float
        Microseconds a fit of chains alone.
    compile_seconds : float
        What the first run took longer.
    operations, bytes : float
        Operations of a fit, and bytes of its rows in all passes.
    bound_share : float
        Share of the bound that chains alone reach.
    bound_by : {"arithmetic", "memory"}
        What the bound is.
    converged, passes : float
        Share of fits that converged, and gradients evaluated in one.
    """

    family: str
    p: int
    rows: int
    models: int
    devices: int
    path: str
    chains: int
    fits_per_second: float
    microseconds: float
    chains_microseconds: float
    compile_seconds: float
    operations: float
    bytes: float
    bound_share: float
    bound_by: str
    converged: float
    passes: float


def cases(quick: bool, devices: int) -> list[Case]:
    """Return what is measured on a machine with so many devices."""
    families = ("linear", "logistic", "poisson", "huber")
    found = [Case(family, devices=devices) for family in families]
    if quick:
        return found
    found.append(Case("quantile", devices=devices))
    usual = Case("logistic", devices=devices)
    found += [usual._replace(p=p, rows=max(200, 40 * p)) for p in (1, 10, 20)]
    found += [usual._replace(rows=rows) for rows in (50, 1000)]
    found += [usual._replace(models=models) for models in (1, 16)]
    found += [usual._replace(devices=1)] if devices > 1 else []
    return found


def measure(case: Case, quick: bool) -> Result:
    """Run one case and return what was measured."""
    devices = tuple(jax.local_devices()[: case.devices])
    study = _study(case)
    compiled = compile_study(study)
    [shared] = compiled.programs
    chunk = study.chunk if devices[0].platform == "cpu" else 2**16 * len(devices)

    def simulate(chains: int) -> Tally[Outcome]:
        task = compiled.task(0, np.arange(chains))
        [tally] = simulate_tasks(
            [task], shared.program, chunk, [Tally()], reduction=ErrorTotals(), devices=devices
        )
        return tally

    def run_alone(chains: int) -> None:
        def start(chunk: engine.Chunk) -> Callable[[], Any]:
            return lambda: jax.block_until_ready(chunk.chains)

        task = compiled.task(0, np.arange(chains))
        parts = engine.chunks([task], shared.program, chunk, start, devices=devices)
        deque(parts, maxlen=0)

    turns, least = (QUICK_TURNS, QUICK_SECONDS) if quick else (TURNS, SECONDS)
    with _nothing_from_disk():
        first = _seconds(lambda: simulate(chunk))
    began = time.perf_counter()
    outcome = simulate(chunk).outcome
    once = time.perf_counter() - began
    chains = chunk * max(1, round(least / once))
    # in turn, as the speed of a machine changes
    both = [
        (_seconds(lambda: simulate(chains)), _seconds(lambda: run_alone(chains)))
        for _ in range(turns)
    ]
    seconds, alone = (statistics.median(column) for column in zip(*both, strict=True))
    each = case.models * (GENERATIONS + 1)
    converged = float(outcome.fits[..., Status.CONVERGED].sum() / outcome.fits.sum())
    passes = float(outcome.steps / outcome.fits.sum())
    single, double = (float(count) / each for count in _operations(compiled, passes))
    itemsize = np.dtype(shared.program.draw_dtype).itemsize
    moved = 0.0
    if shared.route.path.draws_rows:
        moved = (1 + passes) * case.rows * (case.p + 1) * itemsize
    block = block_size(compiled.task(0, np.arange(1)), shared.program, chains)
    rates = product_rate("float32", devices), product_rate("float64", devices)
    bounds = {
        "arithmetic": single / rates[0] + double / rates[1],
        "memory": moved / bandwidth(block * case.models * case.rows * case.p * itemsize, devices),
    }
    by = max(bounds, key=lambda name: bounds[name])
    fits = chains * each
    return Result(
        **case._asdict(),
        path=shared.route.path,
        chains=chains,
        fits_per_second=fits / seconds,
        microseconds=seconds / fits * 1e6,
        chains_microseconds=alone / fits * 1e6,
        compile_seconds=max(first - once, 0.0),
        operations=single + double,
        bytes=moved,
        bound_share=bounds[by] * fits / alone,
        bound_by=by,
        converged=converged,
        passes=passes,
    )


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _study(case: Case) -> Study:
    half = case.rows // 2
    net = topologies.ring(case.models, samples=half, real=case.rows - half, initial=case.rows)
    model = FAMILIES[case.family]()
    theta = [0.7] + [0.0] * (case.p - 1)
    return Study((condition(net, model, theta),), generations=GENERATIONS, chains=LANES)


def _operations(compiled: CompiledStudy, passes: float) -> np.ndarray:
    """Return the operations of one chain, as an accelerator runs it: each stage in one way."""
    [shared], task = compiled.programs, compiled.task(0, np.arange(LANES))
    arrays: Any = jax.tree.map(lambda leaf: np.stack([np.stack([leaf] * LANES)]), task.arrays)
    keys = np.zeros((1, LANES, 2), np.uint32)
    devices = jax.local_devices()[:1]
    traced = engine.trace(arrays, keys, shared.program, devices=devices, platform="cuda")
    return count_operations(traced.jaxpr.jaxpr).total(passes) / LANES


@contextmanager
def _nothing_from_disk() -> Iterator[None]:
    """Compile anew, even where compiled programs are kept on disk."""
    config: Any = jax.config
    before = config.jax_enable_compilation_cache
    config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        config.update("jax_enable_compilation_cache", before)
