"""Who takes part in a race, and the race: contestants take turns in one process, so that what else
the machine does disturbs all of them alike."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROWS, GENERATIONS = 200, 11
SLOW = 8.0
"""Seconds; who takes longer has three turns."""


class Contestant(NamedTuple):
    """run: returns estimates of the last generation, (chains, 4, p), or nothing to compare."""

    run: Callable[[], Any]
    fits: int
    compile_seconds: float = 0.0


def clock() -> float:
    """Seconds: of this process and its children on one core, where other processes then disturb
    little; by the wall on several."""
    if len(os.sched_getaffinity(0)) > 1:
        return time.perf_counter()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def race(contestants: dict[str, Contestant], turns: int) -> list[dict[str, Any]]:
    """Microseconds a fit of each, in alternation, and how its estimates compare with mcjax's."""
    import numpy as np

    found, slow = {}, set()
    for name, c in contestants.items():  # warm, and what is compared
        began = time.perf_counter()
        found[name] = c.run()
        if time.perf_counter() - began > SLOW:
            slow.add(name)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns):
        for name, c in contestants.items():
            if name in slow and turn >= 3:
                continue
            began = clock()
            c.run()
            seconds[name].append(clock() - began)
    results = []
    ours = next((v for k, v in found.items() if k.startswith("mcjax")), None)
    for name, c in contestants.items():
        each = [1e6 * s / c.fits for s in seconds[name]]
        row = {
            "name": name,
            "microseconds": statistics.median(each),
            "fastest": min(each),
            "slowest": max(each),
            "compile_seconds": c.compile_seconds,
        }
        if found[name] is not None and ours is not None:
            a, b = (np.asarray(v, float)[:, 0, 0] for v in (found[name], ours))
            row["mean_z"] = float((a.mean() - b.mean()) / np.hypot(_se(a), _se(b)))
            row["variance_ratio"] = float(a.var() / b.var())
            row["variance_ratio_se"] = float(np.sqrt(2 / len(a) + 2 / len(b)))
        results.append(row)
    first = results[0]["microseconds"]
    return [row | {"times_mcjax": row["microseconds"] / first} for row in results]


def _se(values: Any) -> float:
    return float(values.std() / len(values) ** 0.5)


def study(model: str, rows: int, p: int, chains: int, **options: Any) -> Any:
    """The peers' ring as a study: generation 0 and ten more."""
    from peers import MODELS, truth

    import mcjax

    net = mcjax.topologies.ring(
        options.pop("models", MODELS), samples=rows // 2, real=rows // 2, initial=rows
    )
    make = {name: getattr(mcjax, name) for name in ("linear", "logistic", "poisson", "huber")}
    condition = mcjax.condition(net, make[model](), truth(p))
    return mcjax.Study(
        (condition,), **{"generations": GENERATIONS - 1, "chains": chains, **options}
    )


def ours(asked: Any) -> Contestant:
    """mcjax's chains, estimates only, as the engine runs them."""
    import numpy as np

    import mcjax

    [condition] = asked.conditions
    compiled = mcjax.compile_study(asked)

    def run() -> Any:
        parts = compiled.trajectories(compiled.programs[0], np.arange(asked.chains))
        return np.concatenate([part.theta[:, -1] for _, part in parts])

    began = time.perf_counter()
    run()
    first = time.perf_counter() - began
    began = time.perf_counter()
    run()
    fits = asked.chains * condition.network.size * (asked.generations + 1)
    return Contestant(run, fits, first - (time.perf_counter() - began))


def theirs(run: Callable[..., Any], chains: int, fits: int) -> Contestant:
    """A JAX peer, compiled."""
    import jax

    keys = jax.random.split(jax.random.key(1), chains)
    began = time.perf_counter()
    compiled = jax.jit(run).lower(keys).compile()
    seconds = time.perf_counter() - began
    return Contestant(lambda: jax.block_until_ready(compiled(keys)), fits, seconds)


def by_hand(p: int, blocks: int) -> Contestant | None:
    """The reference in C, if there is a compiler and the processor has AVX-512."""
    compiler = shutil.which("cc")
    if compiler is None or "avx512dq" not in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
        return None
    binary = Path(tempfile.mkdtemp()) / "reference"
    flags = ["-O3", "-march=native", "-ffast-math", f"-DP={p}"]
    subprocess.run([compiler, *flags, HERE / "reference.c", "-o", binary, "-lm"], check=True)

    def run() -> None:
        subprocess.run(
            [binary, str(blocks), str(ROWS), str(GENERATIONS)], check=True, capture_output=True
        )

    return Contestant(run, blocks * 16 * GENERATIONS)
